"""What begins with a prefix as one archive: `GET /bucket?archive=zip&prefix=…`."""

import io
import os
import subprocess
import tarfile
import zipfile

import pytest

import ledger
from conftest import allow
from sigv4 import Signer, send


def get(server, key, bucket, query):
    return send(server, Signer(server, key).request("GET", f"/{bucket}", query))


def files(form: str, body: bytes) -> dict[str, bytes]:
    if form == "zip":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            assert archive.testzip() is None
            return {i.filename: archive.read(i) for i in archive.infolist()}
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return {m.name + ("/" if m.isdir() else ""): b"" if m.isdir() else archive.extractfile(m).read() for m in archive}


@pytest.fixture
def content(s3, bucket):
    made = {"a": b"one", "f\u00fcr/b": b"", "large": os.urandom(3_000_000), "long/" + "x" * 200: b"long"}
    made |= {f"many/{n:04}": str(n).encode() for n in range(40)}
    for name, data in made.items():
        s3.put_object(Bucket=bucket, Key=f"top/{name}", Body=data)
    s3.put_object(Bucket=bucket, Key="other", Body=b"not asked for")
    return made


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_everything_under_a_prefix(server, bucket, content, form):
    answer = get(server, server.root, bucket, f"archive={form}&prefix=top%2F")
    assert answer.status == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{bucket}.{form}"'
    assert files(form, answer.body) == content


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_more_than_a_page(server, s3, bucket, form):
    for n in range(1100):
        s3.put_object(Bucket=bucket, Key=f"{n:04}", Body=b"%d" % n)
    found = files(form, get(server, server.root, bucket, f"archive={form}").body)
    assert found == {f"{n:04}": b"%d" % n for n in range(1100)}


def test_other_programs_read_them(server, bucket, content, tmp_path):
    (tmp_path / "a.zip").write_bytes(get(server, server.root, bucket, "archive=zip&prefix=top%2F").body)
    (tmp_path / "a.tar").write_bytes(get(server, server.root, bucket, "archive=tar&prefix=top%2F").body)
    listed = subprocess.run(["tar", "-tf", tmp_path / "a.tar"], capture_output=True, check=True)
    assert len(listed.stdout.splitlines()) == len(content)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "a.tar", "-C", tmp_path / "out"], check=True)
    assert (tmp_path / "out" / "large").read_bytes() == content["large"]
    tested = subprocess.run(["python3", "-m", "zipfile", "-t", tmp_path / "a.zip"], capture_output=True, text=True, check=True)
    assert "Done testing" in tested.stdout


def test_each_object_is_decided_and_recorded(server, s3, bucket, make_user):
    for name in ("mine/a", "mine/b", "secret/c"):
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    key = make_user(
        allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/mine/*"),
    )
    answer = get(server, key, bucket, "archive=tar")
    found = files("tar", answer.body)
    assert found.pop("OMITTED.txt") == b'AccessDenied "secret/c"\n'
    assert found == {"mine/a": b"mine/a", "mine/b": b"mine/b"}
    records = ledger.records(server, "limit=1000")
    mine = [r for r in records if r.get("operation") == "DownloadArchive" and bucket in str(r)]
    assert sum(r["kind"] == "denial" for r in mine) == 1
    assert sum("mine/a" in str(r) for r in mine) >= 1


def test_what_leads_elsewhere_is_left_out(server, s3, bucket):
    for name in ("a//b", "a/../b", "/root", "good", "c:x"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    found = files("zip", get(server, server.root, bucket, "archive=zip").body)
    assert found.pop("OMITTED.txt").decode().count("UnsafeName") == 4
    assert list(found) == ["good"]


def test_who_may_not_list_gets_nothing(server, s3, bucket, make_user):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    key = make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    assert get(server, key, bucket, "archive=zip").status == 403
    assert get(server, server.root, bucket, "archive=rar").status == 400
    assert get(server, server.root, "no-such-bucket-at-all", "archive=zip").status == 404


def test_by_a_presigned_url(server, s3, bucket):
    import urllib.request

    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    request = AWSRequest("GET", f"{server.endpoint}/{bucket}?archive=zip")
    S3SigV4QueryAuth(Credentials(server.root.id, server.root.secret), "s3", "us-east-1", expires=60).add_auth(request)
    with urllib.request.urlopen(request.url) as answer:
        assert files("zip", answer.read()) == {"a": b"x"}
    empty = get(server, server.root, bucket, "archive=zip&prefix=none%2F")
    assert empty.status == 200 and files("zip", empty.body) == {}


def test_memory_stays_small(server, s3, bucket):
    data = os.urandom(8 << 20)
    for n in range(12):
        s3.put_object(Bucket=bucket, Key=f"{n}", Body=data)
    before = server.peak_memory_bytes()
    answer = get(server, server.root, bucket, "archive=tar")
    assert len(answer.body) > 96 << 20
    assert server.peak_memory_bytes() - before < 32 << 20

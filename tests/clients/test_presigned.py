"""Presigned addresses, made by boto3 and used by a client that knows nothing of S3."""

import time
import urllib.error
import urllib.request

import pytest

from conftest import allow, client


def fetch(url: str, method: str = "GET", data: bytes | None = None, headers: dict | None = None) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def test_get(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a b/ü+&", Body=b"shared")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü+&"}, ExpiresIn=60)
    assert fetch(url) == (200, b"shared")
    assert fetch(url, headers={"Range": "bytes=1-2"}) == (206, b"ha")


def test_get_with_response_headers(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k", "ResponseContentType": "text/css"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
        assert answer.headers["content-type"] == "text/css"
    status, body = fetch(url.replace("text%2Fcss", "text%2Fhtml"))
    assert status == 403 and b"SignatureDoesNotMatch" in body


def test_put(s3, bucket):
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "up"}, ExpiresIn=60)
    assert fetch(url, "PUT", b"sent by anyone")[0] == 200
    assert s3.get_object(Bucket=bucket, Key="up")["Body"].read() == b"sent by anyone"


def test_put_with_signed_headers(s3, bucket):
    params = {"Bucket": bucket, "Key": "up", "ContentType": "text/signed", "Metadata": {"who": "me"}}
    url = s3.generate_presigned_url("put_object", Params=params)
    good = {"Content-Type": "text/signed", "x-amz-meta-who": "me"}
    assert fetch(url, "PUT", b"x", {"Content-Type": "text/other", "x-amz-meta-who": "me"})[0] == 403
    assert fetch(url, "PUT", b"x", {"Content-Type": "text/signed"})[0] == 403
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert fetch(url, "PUT", b"x", good)[0] == 200
    head = s3.head_object(Bucket=bucket, Key="up")
    assert (head["ContentType"], head["Metadata"]) == ("text/signed", {"who": "me"})


def test_other_operations(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    status, body = fetch(s3.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket}))
    assert status == 200 and b"<Key>k</Key>" in body
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    params = {"Bucket": bucket, "Key": "m", "UploadId": upload, "PartNumber": 1}
    assert fetch(s3.generate_presigned_url("upload_part", Params=params), "PUT", b"part")[0] == 200
    assert s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)["Parts"][0]["Size"] == 4
    assert fetch(s3.generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": "k"}), "HEAD")[0] == 200
    assert fetch(s3.generate_presigned_url("delete_object", Params={"Bucket": bucket, "Key": "k"}), "DELETE")[0] == 204
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.timeout(60)
def test_over(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=1)
    end = time.monotonic() + 10
    while fetch(url)[0] == 200 and time.monotonic() < end:
        time.sleep(0.2)
    status, body = fetch(url)
    assert status == 403 and b"AccessDenied" in body


def test_cve_2021_21362_a_presigned_upload_has_only_its_signer_s_rights(server, s3, bucket, make_user):
    """Read-only users could upload by a presigned address. The rights that count are those at use time."""
    reader = make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    url = client(server, reader).generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    status, body = fetch(url, "PUT", b"x")
    assert status == 403 and b"AccessDenied" in body
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    writer = make_user(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    url = client(server, writer).generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    assert fetch(url, "PUT", b"x")[0] == 200
    server.command("policy", "rm", writer.user, "test")
    assert fetch(url, "PUT", b"again")[0] == 403
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    server.command("user", "rm", writer.user)
    assert fetch(url, "PUT", b"again")[0] == 403

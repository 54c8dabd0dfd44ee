"""Stock programs and libraries: awscli, s3cmd, rclone, minio-py, s3fs."""

import json
import os
import random
import subprocess
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from server import REGION, unique

MIB = 1 << 20


@pytest.fixture
def tree(tmp_path) -> Path:
    """A folder with files of several sizes, and with names that are hard."""
    root = tmp_path / "tree"
    dice = random.Random(7)
    for name, size in {
        "empty": 0, "small.txt": 10, "a b+c.bin": 5000, "ünïcode/日本.bin": 70_000, "deep/er/and/deeper": 123,
        "deep/er/100%": 5, "large.bin": 12 * MIB + 7,
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dice.randbytes(size))
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def in_bucket(s3, bucket: str, prefix: str = "") -> dict[str, bytes]:
    out = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            out[entry["Key"].removeprefix(prefix)] = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
    return out


class TestAws:
    @pytest.fixture
    def aws(self, server, tmp_path):
        program = Path(sys.executable).parent / "aws"
        config = tmp_path / "aws-config"
        config.write_text("[default]\ns3 =\n  addressing_style = path\n  multipart_threshold = 8MB\n  signature_version = s3v4\n")
        environment = os.environ | {
            "AWS_ACCESS_KEY_ID": server.root.id, "AWS_SECRET_ACCESS_KEY": server.root.secret, "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(config), "AWS_MAX_ATTEMPTS": "1",
        }

        def run(*arguments: str, code: int = 0, stdin: bytes = b"") -> str:
            done = subprocess.run(
                [program, "--endpoint-url", server.endpoint, *arguments], env=environment, input=stdin, capture_output=True,
                timeout=100, check=False,
            )
            assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
            return (done.stdout + done.stderr).decode()

        return run

    def test_folders(self, aws, s3, tree, tmp_path):
        bucket = unique("aws")
        aws("s3", "mb", f"s3://{bucket}")
        assert bucket in aws("s3", "ls")
        aws("s3", "sync", str(tree), f"s3://{bucket}/t", "--no-progress")
        assert in_bucket(s3, bucket, "t/") == contents(tree)
        assert aws("s3", "sync", str(tree), f"s3://{bucket}/t", "--no-progress") == "", "nothing is left to do"
        (tree / "small.txt").write_bytes(b"changed now")
        (tree / "empty").unlink()
        aws("s3", "sync", str(tree), f"s3://{bucket}/t", "--delete", "--no-progress")
        assert in_bucket(s3, bucket, "t/") == contents(tree)
        back = tmp_path / "back"
        aws("s3", "cp", f"s3://{bucket}/t", str(back), "--recursive", "--no-progress")
        assert contents(back) == contents(tree)
        listing = aws("s3", "ls", f"s3://{bucket}/t/")
        assert "PRE deep/" in listing and "small.txt" in listing and "er/and" not in listing
        aws("s3", "mv", f"s3://{bucket}/t/large.bin", f"s3://{bucket}/moved", "--no-progress")
        assert in_bucket(s3, bucket, "moved") == {"": (tree / "large.bin").read_bytes()}
        aws("s3", "rb", f"s3://{bucket}", code=1)
        aws("s3", "rm", f"s3://{bucket}", "--recursive")
        aws("s3", "rb", f"s3://{bucket}")
        assert bucket not in aws("s3", "ls")

    def test_streams_and_links(self, aws, s3, bucket):
        data = os.urandom(9 * MIB)
        aws("s3", "cp", "-", f"s3://{bucket}/stream", stdin=data)
        assert s3.get_object(Bucket=bucket, Key="stream")["Body"].read() == data
        s3.put_object(Bucket=bucket, Key="text", Body=b"to standard output")
        assert aws("s3", "cp", f"s3://{bucket}/text", "-") == "to standard output"
        link = aws("s3", "presign", f"s3://{bucket}/text").strip()
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(link, timeout=20) as answer:
            assert answer.read() == b"to standard output"

    def test_s3api(self, aws, s3, bucket, tree, tmp_path):
        body = str(tree / "a b+c.bin")
        put = json.loads(aws("s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", body, "--metadata", "a=b",
                             "--checksum-algorithm", "SHA256"))
        head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "k", "--checksum-mode", "ENABLED"))
        assert head["Metadata"] == {"a": "b"} and head["ChecksumSHA256"] == put["ChecksumSHA256"]
        out = tmp_path / "out"
        aws("s3api", "get-object", "--bucket", bucket, "--key", "k", "--range", "bytes=10-19", str(out))
        assert out.read_bytes() == Path(body).read_bytes()[10:20]
        assert json.loads(aws("s3api", "list-objects-v2", "--bucket", bucket))["Contents"][0]["Size"] == 5000
        assert "NoSuchKey" in aws("s3api", "get-object", "--bucket", bucket, "--key", "none", str(out), code=255)
        assert "PreconditionFailed" in aws(
            "s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", body, "--if-none-match", "*", code=255)
        upload = json.loads(aws("s3api", "create-multipart-upload", "--bucket", bucket, "--key", "m"))["UploadId"]
        part = json.loads(aws("s3api", "upload-part", "--bucket", bucket, "--key", "m", "--part-number", "1", "--upload-id", upload,
                              "--body", body))
        parts = json.dumps({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        aws("s3api", "complete-multipart-upload", "--bucket", bucket, "--key", "m", "--upload-id", upload, "--multipart-upload", parts)
        assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == Path(body).read_bytes()


class TestRclone:
    @pytest.fixture
    def rclone(self, server, tmp_path):
        (tmp_path / "rclone.conf").touch()
        environment = os.environ | {
            "RCLONE_CONFIG": str(tmp_path / "rclone.conf"), "RCLONE_CONFIG_C_TYPE": "s3", "RCLONE_CONFIG_C_PROVIDER": "Other",
            "RCLONE_CONFIG_C_ENDPOINT": server.endpoint, "RCLONE_CONFIG_C_REGION": REGION,
            "RCLONE_CONFIG_C_ACCESS_KEY_ID": server.root.id, "RCLONE_CONFIG_C_SECRET_ACCESS_KEY": server.root.secret,
            "RCLONE_S3_UPLOAD_CUTOFF": "6M", "RCLONE_S3_CHUNK_SIZE": "5M", "RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1",
        }

        def run(*arguments: str, code: int = 0) -> str:
            done = subprocess.run(["rclone", *arguments], env=environment, capture_output=True, timeout=100, check=False)
            assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
            return (done.stdout + done.stderr).decode()

        return run

    def test_folders(self, rclone, s3, tree, tmp_path):
        bucket = unique("rclone")
        rclone("mkdir", f"c:{bucket}")
        rclone("copy", str(tree), f"c:{bucket}/t")
        assert in_bucket(s3, bucket, "t/") == contents(tree)
        assert "0 differences found" in rclone("check", str(tree), f"c:{bucket}/t")
        assert "0 differences found" in rclone("check", "--download", str(tree), f"c:{bucket}/t")
        listed = {line.strip().split(" ", 1)[1]: int(line.split()[0]) for line in rclone("ls", f"c:{bucket}/t").splitlines()}
        assert listed == {name: len(data) for name, data in contents(tree).items()}
        assert bucket in rclone("lsd", "c:")
        (tree / "small.txt").write_bytes(b"changed now")
        (tree / "deep/er/100%").unlink()
        assert "differences found" in rclone("check", str(tree), f"c:{bucket}/t", code=1)
        rclone("sync", str(tree), f"c:{bucket}/t")
        assert in_bucket(s3, bucket, "t/") == contents(tree)
        rclone("copy", f"c:{bucket}/t", f"c:{bucket}/copied")
        assert in_bucket(s3, bucket, "copied/") == contents(tree)
        rclone("sync", f"c:{bucket}/t", str(tmp_path / "back"))
        assert contents(tmp_path / "back") == contents(tree)
        rclone("purge", f"c:{bucket}")
        assert bucket not in rclone("lsd", "c:")


class TestS3cmd:
    def test_folders(self, server, s3, bucket, tree, tmp_path):
        config = tmp_path / "s3cfg"
        config.write_text(
            f"[default]\naccess_key = {server.root.id}\nsecret_key = {server.root.secret}\nhost_base = {server.host}:{server.port}\n"
            f"host_bucket = {server.host}:{server.port}\nuse_https = False\nbucket_location = {REGION}\nmultipart_chunk_size_mb = 5\n"
        )

        def run(*arguments: str) -> str:
            done = subprocess.run(["s3cmd", "-c", config, "--no-progress", *arguments], capture_output=True, timeout=100, check=False)
            assert done.returncode == 0, f"{arguments}: {done.stdout!r}\n{done.stderr!r}"
            return done.stdout.decode()

        run("put", "--recursive", f"{tree}/", f"s3://{bucket}/t/")
        assert in_bucket(s3, bucket, "t/") == contents(tree)
        back = tmp_path / "back"
        back.mkdir()
        run("get", "--recursive", f"s3://{bucket}/t/", f"{back}/")
        assert contents(back) == contents(tree)
        assert f"s3://{bucket}/t/small.txt" in run("ls", f"s3://{bucket}/t/")
        run("del", "--recursive", "--force", f"s3://{bucket}/t/")
        assert in_bucket(s3, bucket) == {}


class TestMinio:
    @pytest.fixture
    def minio(self, server):
        import minio

        return minio.Minio(
            endpoint=f"{server.host}:{server.port}", access_key=server.root.id, secret_key=server.root.secret, secure=False, region=REGION
        )

    def test_objects(self, minio, tree, tmp_path):
        bucket = unique("minio")
        minio.make_bucket(bucket_name=bucket)
        assert minio.bucket_exists(bucket_name=bucket) and not minio.bucket_exists(bucket_name=f"{bucket}-not")
        for name in contents(tree):
            minio.fput_object(bucket_name=bucket, object_name=name, file_path=str(tree / name), part_size=5 * MIB)
        listed = {o.object_name: o.size for o in minio.list_objects(bucket_name=bucket, recursive=True)}
        assert listed == {name: len(data) for name, data in contents(tree).items()}
        for name, data in contents(tree).items():
            minio.fget_object(bucket_name=bucket, object_name=name, file_path=str(tmp_path / "out"))
            assert (tmp_path / "out").read_bytes() == data
        assert minio.stat_object(bucket_name=bucket, object_name="small.txt").size == 10
        tops = {o.object_name for o in minio.list_objects(bucket_name=bucket)}
        assert "deep/" in tops and "deep/er/100%" not in tops
        errors = list(minio.remove_objects(bucket_name=bucket, delete_object_list=self._named(contents(tree))))
        assert errors == []
        minio.remove_bucket(bucket_name=bucket)

    @staticmethod
    def _named(names):
        from minio.deleteobjects import DeleteObject

        return [DeleteObject(name) for name in names]

    def test_streams_ranges_copies_links(self, minio, s3, bucket):
        import io

        from minio.commonconfig import ComposeSource, CopySource

        data = os.urandom(11 * MIB)
        minio.put_object(
            bucket_name=bucket, object_name="k", data=io.BytesIO(data), length=-1, part_size=5 * MIB, content_type="text/x",
            metadata={"who": "me"},
        )
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
        answer = minio.get_object(bucket_name=bucket, object_name="k", offset=5, length=10)
        assert answer.read() == data[5:15]
        answer.close()
        minio.copy_object(bucket_name=bucket, object_name="copy", source=CopySource(bucket_name=bucket, object_name="k"))
        minio.compose_object(
            bucket_name=bucket, object_name="both",
            sources=[ComposeSource(bucket_name=bucket, object_name="k"), ComposeSource(bucket_name=bucket, object_name="copy")],
        )
        assert s3.get_object(Bucket=bucket, Key="both")["Body"].read() == data + data
        link = minio.presigned_get_object(bucket_name=bucket, object_name="k", expires=timedelta(minutes=1))
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(link, timeout=20) as got:
            assert got.read() == data
        link = minio.presigned_put_object(bucket_name=bucket, object_name="by-link", expires=timedelta(minutes=1))
        request = urllib.request.Request(link, data=b"content", method="PUT")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()
        assert s3.get_object(Bucket=bucket, Key="by-link")["Body"].read() == b"content"

    def test_errors(self, minio, bucket):
        from minio.error import S3Error

        with pytest.raises(S3Error) as caught:
            minio.get_object(bucket_name=bucket, object_name="none")
        assert caught.value.code == "NoSuchKey"
        with pytest.raises(S3Error) as caught:
            minio.stat_object(bucket_name=f"{bucket}-not", object_name="k")
        assert caught.value.code in ("NoSuchBucket", "NoSuchKey")


class TestS3fs:
    def test_files(self, server, s3, bucket, tree, tmp_path):
        import s3fs

        files = s3fs.S3FileSystem(
            key=server.root.id, secret=server.root.secret, endpoint_url=server.endpoint, client_kwargs={"region_name": REGION},
            use_listings_cache=False,
        )
        files.put(f"{tree}/", f"{bucket}/t", recursive=True)
        assert in_bucket(s3, bucket, "t/") == contents(tree)
        assert sorted(f.removeprefix(f"{bucket}/t/") for f in files.find(f"{bucket}/t")) == sorted(contents(tree))
        assert files.info(f"{bucket}/t/small.txt")["size"] == 10
        assert files.isdir(f"{bucket}/t/deep") and not files.exists(f"{bucket}/t/none")
        with files.open(f"{bucket}/t/large.bin", "rb", block_size=MIB) as file:
            file.seek(3 * MIB)
            assert file.read(100) == (tree / "large.bin").read_bytes()[3 * MIB:3 * MIB + 100]
        data = os.urandom(13 * MIB)
        with files.open(f"{bucket}/written", "wb", block_size=5 * MIB) as file:
            for at in range(0, len(data), MIB):
                file.write(data[at:at + MIB])
        assert s3.get_object(Bucket=bucket, Key="written")["Body"].read() == data
        files.cp(f"{bucket}/written", f"{bucket}/copied")
        files.mv(f"{bucket}/copied", f"{bucket}/moved")
        assert files.cat(f"{bucket}/moved") == data and not files.exists(f"{bucket}/copied")
        assert files.cat_file(f"{bucket}/moved", start=10, end=20) == data[10:20]
        assert files.glob(f"{bucket}/t/deep/er/*") == [f"{bucket}/t/deep/er/100%", f"{bucket}/t/deep/er/and"]
        files.get(f"{bucket}/t/", str(tmp_path / "back"), recursive=True)
        assert contents(tmp_path / "back") == contents(tree)
        files.rm(f"{bucket}/t", recursive=True)
        assert sorted(in_bucket(s3, bucket)) == ["moved", "written"]

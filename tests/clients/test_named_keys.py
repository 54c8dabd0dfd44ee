"""Named keys of SSE-KMS: the local ones with their commands, and those of an outside key service, for which
moto stands in; and that clients' own keys are needed, not only asked for."""

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time

import boto3
import pytest

from conftest import allow, client
from expect import error
from server import REGION, Server, unique

KMS = "aws:kms"


def key_arn(name: str) -> str:
    return f"arn:aws:kms:{REGION}:000000000000:key/{name}"


@pytest.fixture
def named(server):
    """A new named key."""
    name = unique("key")
    assert server.command("keys", "add", name).strip() == key_arn(name)
    return name


def put(s3, bucket: str, key: str, named: str, body: bytes = b"data", **more):
    return s3.put_object(Bucket=bucket, Key=key, Body=body, ServerSideEncryption=KMS, SSEKMSKeyId=named, **more)


def test_made_listed_and_named(server, s3, bucket, named):
    assert named in server.command("keys", "list")
    server.command("keys", "add", named, code=5)
    for name in (named, key_arn(named)):
        assert put(s3, bucket, "k", name)["SSEKMSKeyId"] == key_arn(named)
    with error("KMS.NotFoundException", 400):
        put(s3, bucket, "k", "no-such-key")
    with error("KMS.NotFoundException", 400):
        put(s3, bucket, "k", "arn:aws:kms:eu-west-9:1:key/other")


@pytest.mark.parametrize("size", [0, 9, 3_000_000])
def test_a_disabled_key_reads_nothing(server, s3, bucket, named, size):
    data = os.urandom(size)
    put(s3, bucket, "k", named, data)
    for _ in range(2):
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    server.command("keys", "disable", named)
    with error("KMS.DisabledException", 400):
        s3.get_object(Bucket=bucket, Key="k")["Body"].read()
    with error("KMS.DisabledException", 400):
        put(s3, bucket, "k2", named)
    with error("KMS.DisabledException", 400):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == size
    server.command("keys", "enable", named)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    server.command("keys", "rm", named)
    with error("KMS.NotFoundException", 400):
        s3.get_object(Bucket=bucket, Key="k")


def test_the_right_to_use_a_key(server, s3, bucket, named, make_user):
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")
    put(s3, bucket, "k", named)
    without = client(server, make_user(objects))
    with error("AccessDenied", 403):
        without.get_object(Bucket=bucket, Key="k")
    with error("AccessDenied", 403):
        put(without, bucket, "k2", named)
    reader = client(server, make_user(objects, allow("kms:Decrypt", key_arn(named))))
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
    with error("AccessDenied", 403):
        put(reader, bucket, "k2", named)
    writer = client(server, make_user(objects, allow("kms:GenerateDataKey", key_arn(named))))
    put(writer, bucket, "k2", named)
    # The key that S3 has itself is for everybody who may put.
    put_managed = without.put_object(Bucket=bucket, Key="managed", Body=b"x", ServerSideEncryption=KMS)
    assert without.get_object(Bucket=bucket, Key="managed")["SSEKMSKeyId"] == put_managed["SSEKMSKeyId"]


def test_only_who_may_manages_keys(server, named, make_user, tmp_path):
    key = make_user(allow("kms:ListKeys", "*"))
    file = tmp_path / "credentials"
    file.write_text(f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n")
    mine = ("--credentials", str(file))
    assert named in server.command("keys", "list", *mine)
    for command in ("add", "enable", "disable", "rm"):
        name = unique("key") if command == "add" else named
        server.command("keys", command, name, *mine, code=4)


def test_policies_may_ask_for_a_key(server, s3, bucket, named, make_user):
    """Conditions on the headers of encryption."""
    wants = {"StringEquals": {"s3:x-amz-server-side-encryption": KMS, "s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn(named)}}
    statement = allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*") | {"Condition": wants}
    writer = client(server, make_user(statement, allow("kms:*", "*")))
    put(writer, bucket, "k", key_arn(named))
    with error("AccessDenied", 403):
        writer.put_object(Bucket=bucket, Key="k", Body=b"x")
    with error("AccessDenied", 403):
        writer.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS)


def test_an_entity_tag_is_not_the_md5(s3, bucket, named):
    import hashlib

    md5 = hashlib.md5(b"data").hexdigest()
    assert md5 not in put(s3, bucket, "k", named)["ETag"]
    tag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    assert re.fullmatch('"[0-9a-f]{32}"', tag) and s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == tag
    assert s3.put_object(Bucket=bucket, Key="plain", Body=b"data")["ETag"] == f'"{md5}"'
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=tag)["Body"].read() == b"data"


def test_a_customers_key_is_in_no_file_and_no_log(server, s3, bucket):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    key = os.urandom(32)
    s3.put_object(Bucket=bucket, Key="k", Body=b"data", SSECustomerAlgorithm="AES256", SSECustomerKey=key)
    s3.get_object(Bucket=bucket, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey=key)
    texts = (key, base64.b64encode(key))
    files = [f for f in server.data.rglob("*") if f.is_file()] + [server.out, server.err]
    for file in files:
        content = file.read_bytes()
        assert not any(text in content for text in texts), file


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def moto(folder):
    """An imitation of AWS: its address, and what ends it."""
    port = free_port()
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.kill
    finally:
        process.kill()
        process.wait()


def test_an_outside_key_service(tmp_path):
    credentials = tmp_path / "kms-credentials"
    credentials.write_text("[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = test\n")
    credentials.chmod(0o600)
    with moto(tmp_path) as (endpoint, stop):
        kms = boto3.client("kms", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="AKIATEST", aws_secret_access_key="test")
        one, two = (kms.create_key()["KeyMetadata"] for _ in range(2))
        server = Server(tmp_path, "--kms-endpoint", endpoint, "--kms-credentials", str(credentials), "--kms-default-key", one["KeyId"]).start()
        try:
            s3 = client(server)
            s3.create_bucket(Bucket="sealed")
            data = os.urandom(100_000)
            done = s3.put_object(Bucket="sealed", Key="a", Body=data, ServerSideEncryption=KMS)
            assert done["SSEKMSKeyId"] == one["Arn"]
            context = base64.b64encode(json.dumps({"project": "x"}).encode()).decode()
            done = put(s3, "sealed", "b", two["KeyId"], data, SSEKMSEncryptionContext=context, BucketKeyEnabled=True)
            assert (done["SSEKMSKeyId"], done["BucketKeyEnabled"]) == (two["Arn"], True)
            for key in ("a", "b"):
                assert s3.get_object(Bucket="sealed", Key=key)["Body"].read() == data
            with error("KMS.NotFoundException", 400):
                put(s3, "sealed", "c", "00000000-0000-0000-0000-000000000000")
            stop()
            with error("ServiceUnavailable", 503):
                s3.get_object(Bucket="sealed", Key="a")
            with error("ServiceUnavailable", 503):
                s3.put_object(Bucket="sealed", Key="c", Body=b"x", ServerSideEncryption=KMS)
            assert s3.get_object(Bucket="sealed", Key="b")["Body"].read() == data, "a bucket key is kept for a while"
            assert s3.head_object(Bucket="sealed", Key="a")["ContentLength"] == len(data)
            server.stop()
        finally:
            server.kill()

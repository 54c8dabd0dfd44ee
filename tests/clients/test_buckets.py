"""Buckets, by boto3."""

import boto3
import pytest

from conftest import DOMAIN, allow, client
from expect import error
from server import REGION, Server, unique
from sigv4 import send


def test_made_listed_and_deleted(s3):
    names = [unique("made") for _ in range(3)]
    for name in names:
        made = s3.create_bucket(Bucket=name)
        assert made["Location"] == f"/{name}"
    listed = s3.list_buckets()
    found = {b["Name"]: b for b in listed["Buckets"]}
    assert set(names) <= set(found)
    assert list(found) == sorted(found)
    assert found[names[0]]["CreationDate"].tzinfo is not None
    for name in names:
        assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
        s3.delete_bucket(Bucket=name)
        with error("404", 404):
            s3.head_bucket(Bucket=name)
    assert not set(names) & {b["Name"] for b in s3.list_buckets()["Buckets"]}


def test_names_that_are_none(s3, server):
    from sigv4 import Signer, send

    signer = Signer(server, server.root)
    for name in ["ab", "A-Capital", "under_score", "-dash", "dash-", "two..dots", "192.168.0.1", "dot.-dash", "dash-.dot", "x" * 64, "xn--a", "a-s3alias"]:
        answer = send(server, signer.request("PUT", f"/{name}"))
        assert (answer.status, answer.code) == (400, "InvalidBucketName"), (name, answer)


def test_twice_and_not_empty(s3, bucket):
    # In AWS's first region, for clients that make their bucket each time they start.
    assert s3.create_bucket(Bucket=bucket)["Location"] == f"/{bucket}"
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    with error("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0, "a bucket made again is empty"


def test_again_in_another_region(tmp_path):
    server = Server(tmp_path, "--region", "eu-west-1").start()
    try:
        s3 = boto3.client(
            "s3", endpoint_url=server.endpoint, region_name="eu-west-1",
            aws_access_key_id=server.root.id, aws_secret_access_key=server.root.secret,
        )
        where = {"LocationConstraint": "eu-west-1"}
        s3.create_bucket(Bucket="mine", CreateBucketConfiguration=where)
        with error("BucketAlreadyOwnedByYou", 409):
            s3.create_bucket(Bucket="mine", CreateBucketConfiguration=where)
        assert s3.get_bucket_location(Bucket="mine")["LocationConstraint"] == "eu-west-1"
        server.stop()
    finally:
        server.kill()


def test_open_uploads_do_not_keep_a_bucket(s3, bucket):
    for n in range(3):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=f"k{n}")["UploadId"]
        s3.upload_part(Bucket=bucket, Key=f"k{n}", UploadId=upload, PartNumber=1, Body=b"x" * 100_000)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    with error("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    assert len(s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 3, "a refused deletion aborts nothing"
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("header", [("x-amz-acl", "bogus"), ("x-amz-object-ownership", "Bogus")])
def test_headers_that_are_none(server, root, header):
    answer = send(server, root.request("PUT", f"/{unique('b')}", headers=[header]))
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer


def test_another_user_s_bucket(server, bucket, make_user):
    other = client(server, make_user(allow("s3:*", "*")))
    with error("BucketAlreadyExists", 409):
        other.create_bucket(Bucket=bucket)


def test_location_of_another_region(s3):
    name = unique("b")
    for region, code in (("eu-west-1", "IllegalLocationConstraintException"), ("nowhere", "InvalidLocationConstraint")):
        with error(code, 400):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    with error("404"):
        s3.head_bucket(Bucket=name)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("head_bucket", {}),
        ("delete_bucket", {}),
        ("list_objects_v2", {}),
        ("list_objects", {}),
        ("get_bucket_location", {}),
        ("put_object", {"Key": "a", "Body": b"x"}),
        ("get_object", {"Key": "a"}),
        ("head_object", {"Key": "a"}),
        ("delete_object", {"Key": "a"}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "a"}]}}),
        ("create_multipart_upload", {"Key": "a"}),
        ("list_multipart_uploads", {}),
    ],
)
def test_in_a_bucket_that_is_not(s3, method, arguments):
    code = "404" if method.startswith("head") else "NoSuchBucket"
    with error(code, 404):
        getattr(s3, method)(Bucket="there-is-no-such-bucket", **arguments)


def test_settings_that_are_fixed(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert [g["Permission"] for g in grants] == ["FULL_CONTROL"]


def test_virtual_host_style(server, s3, bucket):
    """With a domain, the bucket is in the host name: signed so, and the same objects."""
    from sigv4 import Signer, send

    signer = Signer(server, server.root, host=f"{bucket}.{DOMAIN}:{server.port}")
    put = send(server, signer.request("PUT", "/dir/a%20b", body=b"by host"))
    assert put.status == 200, put
    assert s3.get_object(Bucket=bucket, Key="dir/a b")["Body"].read() == b"by host"
    got = send(server, signer.request("GET", "/dir/a%20b"))
    assert (got.status, got.body) == (200, b"by host")
    listed = send(server, signer.request("GET", "/", "list-type=2"))
    assert b"<Key>dir/a b</Key>" in listed.body
    link = send(server, signer.presigned("GET", "/dir/a%20b"))
    assert (link.status, link.body) == (200, b"by host")
    bare = send(server, Signer(server, server.root, host=DOMAIN).request("GET", f"/{bucket}/dir/a%20b"))
    assert (bare.status, bare.body) == (200, b"by host")


def test_virtual_host_style_by_boto3(server, s3, bucket, monkeypatch):
    import socket

    import boto3
    from botocore.config import Config

    real = socket.getaddrinfo

    def resolve(host, *rest, **more):
        return real("127.0.0.1" if str(host).endswith(DOMAIN) else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    by_host = boto3.client(
        "s3", endpoint_url=f"http://{DOMAIN}:{server.port}", region_name=REGION,
        aws_access_key_id=server.root.id, aws_secret_access_key=server.root.secret,
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )
    seen = []
    by_host.meta.events.register("before-send.s3", lambda request, **_: seen.append(request.url))
    by_host.put_object(Bucket=bucket, Key="k/ü", Body=b"virtual")
    assert by_host.get_object(Bucket=bucket, Key="k/ü")["Body"].read() == b"virtual"
    assert s3.get_object(Bucket=bucket, Key="k/ü")["Body"].read() == b"virtual"
    assert all(url.startswith(f"http://{bucket}.{DOMAIN}") for url in seen)

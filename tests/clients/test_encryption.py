"""Encryption as S3 tells it: headers, defaults, keys of KMS and of customers."""

import base64
import hashlib
import os

import pytest
from botocore.exceptions import ClientError

from expect import error
from server import unique

PART = 5 << 20
KMS = "aws:kms"


@pytest.fixture(scope="module")
def shared(s3) -> str:
    name = unique("sealed")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def customers(s3, bucket) -> str:
    """A bucket where customers' keys are not blocked."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return bucket


def customer(key: bytes, prefix: str = "") -> dict:
    return {f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": key}


def test_every_object_says_that_it_is_sealed(s3, shared):
    for put in (s3.put_object(Bucket=shared, Key="a", Body=b"x"), s3.put_object(Bucket=shared, Key="a", Body=b"x", ServerSideEncryption="AES256")):
        assert put["ServerSideEncryption"] == "AES256"
    assert s3.get_object(Bucket=shared, Key="a")["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=shared, Key="a")["ServerSideEncryption"] == "AES256"
    assert s3.copy_object(Bucket=shared, Key="b", CopySource=f"{shared}/a")["ServerSideEncryption"] == "AES256"
    made = s3.create_multipart_upload(Bucket=shared, Key="m")
    assert made["ServerSideEncryption"] == "AES256"
    assert s3.upload_part(Bucket=shared, Key="m", UploadId=made["UploadId"], PartNumber=1, Body=b"x")["ServerSideEncryption"] == "AES256"
    s3.abort_multipart_upload(Bucket=shared, Key="m", UploadId=made["UploadId"])


@pytest.mark.parametrize("more", [
    {"ServerSideEncryption": "rot13"},
    {"ServerSideEncryption": "AES256", "SSEKMSKeyId": "some-key"},
    {"SSECustomerAlgorithm": "AES256"},
    {"SSECustomerKey": b"k" * 32},
    {"SSECustomerAlgorithm": "DES", "SSECustomerKey": b"k" * 32},
    {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"short"},
    {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": base64.b64encode(b"k" * 32).decode(), "SSECustomerKeyMD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
    {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32, "ServerSideEncryption": "AES256"},
])
def test_headers_that_are_wrong(s3, customers, more):
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=customers, Key="wrong", Body=b"x", **more)
    assert caught.value.response["Error"]["Code"] in ("InvalidArgument", "InvalidRequest", "InvalidEncryptionAlgorithmError"), caught.value.response
    with error("404", 404):
        s3.head_object(Bucket=customers, Key="wrong")


def test_reading_takes_no_encryption_header(server, s3, shared, root):
    from sigv4 import send

    s3.put_object(Bucket=shared, Key="r", Body=b"x")
    answer = send(server, root.request("GET", f"/{shared}/r", headers=[("x-amz-server-side-encryption", "AES256")]))
    assert (answer.status, answer.code) == (400, "InvalidArgument")


@pytest.mark.parametrize("algorithm", [KMS, "aws:kms:dsse"])
def test_keys_of_kms(s3, shared, algorithm):
    put = s3.put_object(Bucket=shared, Key="k", Body=b"data", ServerSideEncryption=algorithm)
    assert put["ServerSideEncryption"] == algorithm and put["SSEKMSKeyId"].startswith("arn:aws:kms:")
    got = s3.get_object(Bucket=shared, Key="k")
    assert got["Body"].read() == b"data"
    assert (got["ServerSideEncryption"], got["SSEKMSKeyId"]) == (algorithm, put["SSEKMSKeyId"])
    head = s3.head_object(Bucket=shared, Key="k")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == (algorithm, put["SSEKMSKeyId"])
    copied = s3.copy_object(Bucket=shared, Key="plain", CopySource=f"{shared}/k")
    assert copied["ServerSideEncryption"] == "AES256", "a copy is sealed as its request and bucket say"
    back = s3.copy_object(Bucket=shared, Key="again", CopySource=f"{shared}/plain", ServerSideEncryption=algorithm)
    assert back["ServerSideEncryption"] == algorithm
    assert s3.get_object(Bucket=shared, Key="again")["Body"].read() == b"data"


def test_kms_in_parts_with_a_bucket_key_and_context(s3, shared):
    context = base64.b64encode(b'{"project":"x"}').decode()
    made = s3.create_multipart_upload(Bucket=shared, Key="km", ServerSideEncryption=KMS, BucketKeyEnabled=True, SSEKMSEncryptionContext=context)
    assert (made["ServerSideEncryption"], made["BucketKeyEnabled"]) == (KMS, True)
    data = [os.urandom(PART), b"end"]
    parts = []
    for number, body in enumerate(data, 1):
        done = s3.upload_part(Bucket=shared, Key="km", UploadId=made["UploadId"], PartNumber=number, Body=body)
        assert done["ServerSideEncryption"] == KMS
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    done = s3.complete_multipart_upload(Bucket=shared, Key="km", UploadId=made["UploadId"], MultipartUpload={"Parts": parts})
    assert (done["ServerSideEncryption"], done["BucketKeyEnabled"]) == (KMS, True)
    got = s3.get_object(Bucket=shared, Key="km")
    assert got["Body"].read() == b"".join(data) and got["BucketKeyEnabled"] is True
    for wrong in ("no base64!", base64.b64encode(b"no json").decode(), base64.b64encode(b'["list"]').decode()):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=shared, Key="w", Body=b"x", ServerSideEncryption=KMS, SSEKMSEncryptionContext=wrong)
        assert caught.value.response["Error"]["Code"] in ("InvalidArgument", "InvalidRequest")


def test_the_default_of_a_bucket(s3, bucket):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": KMS}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert (put["ServerSideEncryption"], put["BucketKeyEnabled"]) == (KMS, True)
    assert s3.create_multipart_upload(Bucket=bucket, Key="m")["ServerSideEncryption"] == KMS
    assert s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k")["ServerSideEncryption"] == KMS
    assert s3.put_object(Bucket=bucket, Key="own", Body=b"x", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="k2", Body=b"x")["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == KMS


@pytest.mark.parametrize("size", [0, 10, 20_000, 2 << 20])
def test_keys_of_customers(s3, customers, size):
    key, data = os.urandom(32), os.urandom(size)
    digest = base64.b64encode(hashlib.md5(key).digest()).decode()
    put = s3.put_object(Bucket=customers, Key="c", Body=data, **customer(key))
    assert (put["SSECustomerAlgorithm"], put["SSECustomerKeyMD5"]) == ("AES256", digest)
    assert "ServerSideEncryption" not in put
    got = s3.get_object(Bucket=customers, Key="c", **customer(key))
    assert got["Body"].read() == data and got["SSECustomerKeyMD5"] == digest
    assert s3.head_object(Bucket=customers, Key="c", **customer(key))["ContentLength"] == size
    with error("InvalidRequest", 400):
        s3.get_object(Bucket=customers, Key="c")
    with error("400", 400):
        s3.head_object(Bucket=customers, Key="c")
    with error("AccessDenied", 403):
        s3.get_object(Bucket=customers, Key="c", **customer(os.urandom(32)))
    if size > 100:
        assert s3.get_object(Bucket=customers, Key="c", Range="bytes=5-14", **customer(key))["Body"].read() == data[5:15]
    assert s3.list_objects_v2(Bucket=customers)["Contents"][0]["Size"] == size
    s3.put_object(Bucket=customers, Key="plain", Body=b"x")
    with error("InvalidRequest", 400):
        s3.get_object(Bucket=customers, Key="plain", **customer(key))


def test_customers_in_parts(s3, customers):
    key, data = os.urandom(32), [os.urandom(PART), b"end"]
    made = s3.create_multipart_upload(Bucket=customers, Key="m", **customer(key))
    assert made["SSECustomerAlgorithm"] == "AES256"
    names = {"Bucket": customers, "Key": "m", "UploadId": made["UploadId"]}
    for wrong in ({}, customer(os.urandom(32))):
        with pytest.raises(ClientError) as caught:
            s3.upload_part(**names, PartNumber=1, Body=b"x", **wrong)
        assert caught.value.response["Error"]["Code"] in ("InvalidRequest", "AccessDenied", "InvalidArgument")
    tags = [s3.upload_part(**names, PartNumber=n, Body=b, **customer(key))["ETag"] for n, b in enumerate(data, 1)]
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": t} for n, t in enumerate(tags, 1)]}, **customer(key))
    assert s3.get_object(Bucket=customers, Key="m", **customer(key))["Body"].read() == b"".join(data)
    with error("InvalidRequest", 400):
        s3.get_object(Bucket=customers, Key="m")


def test_customers_and_copies(s3, customers):
    one, two = os.urandom(32), os.urandom(32)
    s3.put_object(Bucket=customers, Key="src", Body=b"data", **customer(one))
    names = {"Bucket": customers, "CopySource": f"{customers}/src"}
    with error("InvalidRequest", 400):
        s3.copy_object(**names, Key="dst")
    with error("AccessDenied", 403):
        s3.copy_object(**names, Key="dst", **customer(two, "CopySource"))
    s3.copy_object(**names, Key="dst", **customer(one, "CopySource"), **customer(two))
    assert s3.get_object(Bucket=customers, Key="dst", **customer(two))["Body"].read() == b"data"
    s3.copy_object(**names, Key="plain", **customer(one, "CopySource"))
    assert s3.get_object(Bucket=customers, Key="plain")["Body"].read() == b"data"


def test_customers_keys_are_blocked_by_default(s3, bucket):
    s3.put_object(Bucket=bucket, Key="src", Body=b"x")
    for ask in (
        lambda: s3.put_object(Bucket=bucket, Key="c", Body=b"x", **customer(b"k" * 32)),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="c", **customer(b"k" * 32)),
        lambda: s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/src", **customer(b"k" * 32)),
    ):
        with error("AccessDenied", 403):
            ask()
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_what_was_stored_before_a_block_can_be_read(s3, customers):
    s3.put_object(Bucket=customers, Key="c", Body=b"x", **customer(b"k" * 32))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
    s3.put_bucket_encryption(Bucket=customers, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.get_object(Bucket=customers, Key="c", **customer(b"k" * 32))["Body"].read() == b"x"
    with error("AccessDenied", 403):
        s3.put_object(Bucket=customers, Key="c", Body=b"x", **customer(b"k" * 32))

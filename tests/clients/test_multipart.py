"""Multipart uploads, by boto3."""

import concurrent.futures
import hashlib
import os

import pytest
from botocore.exceptions import ClientError

from conftest import client
from expect import error

MIB = 1 << 20
PART = 5 * MIB


class Parts:
    """An upload under way."""

    def __init__(self, s3, bucket: str, key: str = "k", **more: object):
        self.s3, self.bucket, self.key = s3, bucket, key
        self.id = s3.create_multipart_upload(Bucket=bucket, Key=key, **more)["UploadId"]
        self.done: list[dict] = []

    def names(self) -> dict:
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.id}

    def part(self, number: int, data: bytes, **more: object) -> dict:
        put = self.s3.upload_part(**self.names(), PartNumber=number, Body=data, **more)
        self.done.append({"PartNumber": number, "ETag": put["ETag"]})
        return put

    def complete(self, parts: list[dict] | None = None, **more: object) -> dict:
        return self.s3.complete_multipart_upload(**self.names(), MultipartUpload={"Parts": self.done if parts is None else parts}, **more)


def test_whole(s3, bucket):
    data = [os.urandom(PART), os.urandom(PART + 1), os.urandom(77)]
    upload = Parts(s3, bucket, Metadata={"m": "ü".encode().hex()}, ContentType="text/x")
    for number, part in enumerate(data, 1):
        upload.part(number, part)
    with error("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")
    done = upload.complete()
    tag = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in data)).hexdigest()
    assert done["ETag"] == f'"{tag}-3"'
    assert (done["Bucket"], done["Key"]) == (bucket, "k")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"".join(data)
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (done["ETag"], "text/x", {"m": "c3bc"})
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    across = f"bytes={PART - 10}-{PART + 9}"
    assert s3.get_object(Bucket=bucket, Key="k", Range=across)["Body"].read() == data[0][-10:] + data[1][:10]


def test_one_part_of_it(s3, bucket):
    data = [os.urandom(PART), b"second"]
    upload = Parts(s3, bucket)
    for number, part in enumerate(data, 1):
        upload.part(number, part)
    upload.complete()
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert got["Body"].read() == b"second" and got["PartsCount"] == 2
    assert got["ContentRange"] == f"bytes {PART}-{PART + 5}/{PART + 6}"
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=1)["ContentLength"] == PART
    with error("InvalidPartNumber", 416):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=3)
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts", "ObjectSize", "ETag", "Checksum"])
    assert attributes["ObjectSize"] == PART + 6 and attributes["ObjectParts"]["TotalPartsCount"] == 2


def test_out_of_order_again_and_with_gaps(s3, bucket):
    first, second = os.urandom(PART), os.urandom(10)
    upload = Parts(s3, bucket)
    upload.part(9000, second)
    upload.part(3, b"replaced")
    upload.part(5, b"left out")
    last = upload.part(3, first)
    listed = s3.list_parts(**upload.names())["Parts"]
    assert [(p["PartNumber"], p["Size"]) for p in listed] == [(3, PART), (5, 8), (9000, 10)]
    upload.complete([{"PartNumber": 3, "ETag": last["ETag"]}, {"PartNumber": 9000, "ETag": upload.done[0]["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == first + second


def test_listing_parts_in_pages(s3, bucket):
    upload = Parts(s3, bucket)
    for number in range(1, 8):
        upload.part(number * 10, b"x" * number)
    found, marker = [], 0
    for _ in range(10):
        page = s3.list_parts(**upload.names(), MaxParts=3, PartNumberMarker=marker)
        found += [(p["PartNumber"], p["Size"]) for p in page["Parts"]]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert found == [(n * 10, n) for n in range(1, 8)]


def test_listing_uploads(s3, bucket):
    ids = {}
    for key in ("a/1", "a/2", "b", "ü"):
        ids[key] = [Parts(s3, bucket, key).id for _ in range(2)]
    page = s3.list_multipart_uploads(Bucket=bucket)
    assert [u["Key"] for u in page["Uploads"]] == ["a/1", "a/1", "a/2", "a/2", "b", "b", "ü", "ü"]
    assert {u["UploadId"] for u in page["Uploads"]} == {i for two in ids.values() for i in two}
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [u["Key"] for u in grouped["Uploads"]] == ["b", "b", "ü", "ü"]
    assert [p["Prefix"] for p in grouped["CommonPrefixes"]] == ["a/"]
    assert len(s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")["Uploads"]) == 4
    found, more = [], {}
    for _ in range(10):
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=3, **more)
        found += [(u["Key"], u["UploadId"]) for u in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert sorted(found) == sorted((k, i) for k, two in ids.items() for i in two)
    assert len(found) == 8
    for key, two in ids.items():
        for i in two:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=i)


def test_abort(s3, bucket):
    upload = Parts(s3, bucket)
    upload.part(1, b"x")
    assert s3.abort_multipart_upload(**upload.names())["ResponseMetadata"]["HTTPStatusCode"] == 204
    for after in (
        lambda: upload.part(2, b"x"), upload.complete, lambda: s3.list_parts(**upload.names()),
        lambda: s3.abort_multipart_upload(**upload.names()),
    ):
        with error("NoSuchUpload", 404):
            after()
    with error("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_completions_that_are_wrong(s3, bucket):
    upload = Parts(s3, bucket)
    small = upload.part(1, b"too small")["ETag"]
    large = upload.part(2, os.urandom(PART))["ETag"]
    one, two = {"PartNumber": 1, "ETag": small}, {"PartNumber": 2, "ETag": large}
    for code, parts in (
        ("EntityTooSmall", [one, two]),
        ("InvalidPartOrder", [two, one]),
        ("InvalidPartOrder", [two, two]),
        ("InvalidPart", [two, {"PartNumber": 3, "ETag": small}]),
        ("InvalidPart", [{"PartNumber": 2, "ETag": small}]),
        ("MalformedXML", []),
    ):
        with error(code, 400):
            upload.complete(parts)
    with error("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")
    with error("NoSuchUpload", 404):
        s3.complete_multipart_upload(Bucket=bucket, Key="other", UploadId=upload.id, MultipartUpload={"Parts": [two]})
    assert len(s3.list_parts(**upload.names())["Parts"]) == 2, "the upload is still open"
    upload.complete([two])
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == PART


@pytest.mark.parametrize("upload_id", ["x", "../../etc", "0" * 32, "%00", "A" * 2000])
def test_upload_ids_that_are_none(s3, bucket, upload_id):
    names = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    for call in (
        lambda: s3.upload_part(**names, PartNumber=1, Body=b"x"), lambda: s3.list_parts(**names),
        lambda: s3.abort_multipart_upload(**names),
        lambda: s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "a"}]}),
    ):
        with error("NoSuchUpload", 404):
            call()


def test_part_numbers_that_are_none(s3, bucket):
    upload = Parts(s3, bucket)
    for number in (0, 10001, -1):
        with error("InvalidArgument", 400):
            upload.part(number, b"x")
    assert "Parts" not in s3.list_parts(**upload.names())
    upload.part(10000, b"x")


def test_parts_copied(s3, bucket):
    data = os.urandom(PART * 2)
    s3.put_object(Bucket=bucket, Key="src", Body=data)
    tag = s3.head_object(Bucket=bucket, Key="src")["ETag"]
    upload = Parts(s3, bucket, "dst")
    parts = []
    for number, (first, last) in enumerate([(0, PART - 1), (PART, PART + 99)], 1):
        done = s3.upload_part_copy(
            **upload.names(), PartNumber=number, CopySource=f"{bucket}/src", CopySourceRange=f"bytes={first}-{last}", CopySourceIfMatch=tag
        )
        parts.append({"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]})
    whole = s3.upload_part_copy(**upload.names(), PartNumber=3, CopySource=f"{bucket}/src")
    with error("EntityTooSmall"):
        upload.complete([*parts, {"PartNumber": 3, "ETag": whole["CopyPartResult"]["ETag"]}])
    upload.complete(parts)
    assert s3.get_object(Bucket=bucket, Key="dst")["Body"].read() == data[: PART + 100]
    again = Parts(s3, bucket, "dst")
    for wrong in ("bytes=0-99999999999", "bytes=5-", "bytes=9-5", "nonsense"):
        with pytest.raises(ClientError) as caught:
            s3.upload_part_copy(**again.names(), PartNumber=1, CopySource=f"{bucket}/src", CopySourceRange=wrong)
        assert caught.value.response["Error"]["Code"] in ("InvalidArgument", "InvalidRange"), wrong
    with error("PreconditionFailed", 412):
        s3.upload_part_copy(**again.names(), PartNumber=1, CopySource=f"{bucket}/src", CopySourceIfMatch='"x"')
    assert "Parts" not in s3.list_parts(**again.names())


def test_conditions_on_completing(s3, bucket):
    one, two = Parts(s3, bucket), Parts(s3, bucket)
    one.part(1, b"one")
    two.part(1, b"two")
    one.complete(IfNoneMatch="*")
    with error("PreconditionFailed", 412):
        two.complete(IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
    two.complete(IfMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"


def test_completing_twice_says_the_same(s3, bucket):
    """A client whose answer was lost asks again."""
    upload = Parts(s3, bucket)
    upload.part(1, b"content")
    first = upload.complete()
    assert upload.complete()["ETag"] == first["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"newer")
    with error("NoSuchUpload", 404):
        upload.complete()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"newer"


def test_complete_against_abort(server, bucket):
    """Either the object is there, whole, or nothing is."""
    many = client(server)
    for n in range(12):
        upload = Parts(many, bucket, f"k{n}")
        upload.part(1, b"content")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            complete = pool.submit(upload.complete)
            abort = pool.submit(lambda names=upload.names(): many.abort_multipart_upload(**names))
        results = []
        for done in (complete, abort):
            try:
                done.result()
                results.append("ok")
            except ClientError as e:
                results.append(e.response["Error"]["Code"])
        assert sorted(results) == ["NoSuchUpload", "ok"], results
        found = many.list_objects_v2(Bucket=bucket, Prefix=f"k{n}").get("Contents", [])
        if results[0] == "ok":
            assert many.get_object(Bucket=bucket, Key=f"k{n}")["Body"].read() == b"content"
        else:
            assert found == []
    assert "Uploads" not in many.list_multipart_uploads(Bucket=bucket)


def test_a_bucket_with_uploads_can_go_only_when_they_are_ended(s3, bucket):
    """S3 deletes a bucket with open uploads; nothing of them may come back with a new one of that name."""
    upload = Parts(s3, bucket)
    upload.part(1, b"x")
    try:
        s3.delete_bucket(Bucket=bucket)
    except ClientError as e:
        assert e.response["Error"]["Code"] == "BucketNotEmpty"
        s3.abort_multipart_upload(**upload.names())
        s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    with error("NoSuchUpload"):
        upload.complete()


def test_a_rule_that_aborts_is_told(s3, bucket):
    rule = {"ID": "two days", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    begun = s3.create_multipart_upload(Bucket=bucket, Key="a/k")
    assert begun["AbortRuleId"] == "two days" and begun["AbortDate"].hour == 0
    listed = s3.list_parts(Bucket=bucket, Key="a/k", UploadId=begun["UploadId"])
    assert (listed["AbortRuleId"], listed["AbortDate"]) == ("two days", begun["AbortDate"])
    other = s3.create_multipart_upload(Bucket=bucket, Key="b/k")
    assert "AbortRuleId" not in other and "AbortDate" not in other

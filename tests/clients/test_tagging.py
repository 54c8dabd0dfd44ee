"""Tags of objects and buckets, by boto3."""

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from expect import error
from server import unique


def tags(of: dict) -> dict:
    return {t["Key"]: t["Value"] for t in of["TagSet"]}


def tag_set(of: dict) -> dict:
    return {"TagSet": [{"Key": k, "Value": v} for k, v in of.items()]}


@pytest.fixture(scope="module")
def shared(s3) -> str:
    name = unique("tags")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def key(s3, shared) -> str:
    name = unique("k")
    s3.put_object(Bucket=shared, Key=name, Body=b"x")
    return name


def test_set_read_replaced_and_removed(s3, shared, key):
    assert tags(s3.get_object_tagging(Bucket=shared, Key=key)) == {}
    assert "TagCount" not in s3.get_object(Bucket=shared, Key=key)
    before = s3.head_object(Bucket=shared, Key=key)
    for wanted in ({"a": "1", "b": ""}, {"ü é": "日本 +-=._:/@"}, {"k" * 128: "v" * 256}, {f"k{i}": str(i) for i in range(10)}):
        s3.put_object_tagging(Bucket=shared, Key=key, Tagging=tag_set(wanted))
        assert tags(s3.get_object_tagging(Bucket=shared, Key=key)) == wanted
        assert s3.get_object(Bucket=shared, Key=key)["TagCount"] == len(wanted)
    after = s3.head_object(Bucket=shared, Key=key)
    assert (after["LastModified"], after["ETag"]) == (before["LastModified"], before["ETag"]), "tags are not content"
    done = s3.delete_object_tagging(Bucket=shared, Key=key)
    assert done["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags(s3.get_object_tagging(Bucket=shared, Key=key)) == {}
    assert "TagCount" not in s3.get_object(Bucket=shared, Key=key)


@pytest.mark.parametrize(("codes", "wrong"), [
    ("BadRequest InvalidTag", [(f"k{i}", "v") for i in range(11)]),
    ("InvalidTag", [("k" * 129, "v")]),
    ("InvalidTag", [("k", "v" * 257)]),
    ("InvalidTag", [("same", "1"), ("same", "2")]),
    ("InvalidTag", [("aws:mine", "1")]),
    ("InvalidTag", [("a&b", "1")]),
    ("InvalidTag", [("a", "<b>")]),
])
def test_tags_that_are_none(s3, shared, key, codes, wrong):
    s3.put_object_tagging(Bucket=shared, Key=key, Tagging=tag_set({"kept": "1"}))
    with pytest.raises(ClientError) as caught:
        s3.put_object_tagging(Bucket=shared, Key=key, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in wrong]})
    assert caught.value.response["Error"]["Code"] in codes.split(), caught.value.response
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert tags(s3.get_object_tagging(Bucket=shared, Key=key)) == {"kept": "1"}


def test_with_the_content(s3, shared):
    s3.put_object(Bucket=shared, Key="p", Body=b"x", Tagging="a=1&b=two%20words&c=&%C3%BC=%2B")
    assert tags(s3.get_object_tagging(Bucket=shared, Key="p")) == {"a": "1", "b": "two words", "c": "", "ü": "+"}
    s3.put_object(Bucket=shared, Key="p", Body=b"x")
    assert tags(s3.get_object_tagging(Bucket=shared, Key="p")) == {}, "a new version has its own"
    for wrong in ("a=1&a=2", "&".join(f"k{i}=v" for i in range(11)), f"{'k' * 129}=v", f"k={'v' * 257}", "aws:x=1"):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=shared, Key="q", Body=b"x", Tagging=wrong)
        assert caught.value.response["Error"]["Code"] in ("InvalidTag", "InvalidArgument", "BadRequest"), wrong
    with error("404", 404):
        s3.head_object(Bucket=shared, Key="q")


def test_with_an_upload_in_parts(s3, shared):
    upload = s3.create_multipart_upload(Bucket=shared, Key="m", Tagging="a=1&b=2")["UploadId"]
    tag = s3.upload_part(Bucket=shared, Key="m", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(Bucket=shared, Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert tags(s3.get_object_tagging(Bucket=shared, Key="m")) == {"a": "1", "b": "2"}
    assert s3.head_object(Bucket=shared, Key="m")["ResponseMetadata"]["HTTPHeaders"].get("x-amz-tagging-count", "2") == "2"


def test_with_a_copy(s3, shared, key):
    source = f"{shared}/{key}"
    s3.put_object_tagging(Bucket=shared, Key=key, Tagging=tag_set({"a": "1"}))
    for more, wanted in (
        ({}, {"a": "1"}),
        ({"TaggingDirective": "COPY"}, {"a": "1"}),
        ({"MetadataDirective": "REPLACE"}, {"a": "1"}),
        ({"TaggingDirective": "REPLACE"}, {}),
        ({"TaggingDirective": "REPLACE", "Tagging": "b=2"}, {"b": "2"}),
    ):
        s3.copy_object(Bucket=shared, Key=f"{key}-copy", CopySource=source, **more)
        assert tags(s3.get_object_tagging(Bucket=shared, Key=f"{key}-copy")) == wanted, more


def test_of_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging=f"n={n}")["VersionId"] for n in (1, 2))
    s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=first, Tagging=tag_set({"n": "one"}))
    of_first = s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)
    assert (tags(of_first), of_first["VersionId"]) == ({"n": "one"}, first)
    newest = s3.get_object_tagging(Bucket=bucket, Key="k")
    assert (tags(newest), newest["VersionId"]) == ({"n": "2"}, second)
    assert s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=first)["VersionId"] == first
    assert tags(s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)) == {}
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == [second, first], "no version is added"
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for ask in (s3.get_object_tagging, s3.delete_object_tagging):
        with error("MethodNotAllowed", 405):
            ask(Bucket=bucket, Key="k", VersionId=marker)
        with pytest.raises(ClientError) as caught:
            ask(Bucket=bucket, Key="k")
        assert caught.value.response["Error"]["Code"] in ("NoSuchKey", "MethodNotAllowed")
    assert tags(s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=second)) == {"n": "2"}


def test_of_nothing(s3, shared):
    for ask in (s3.get_object_tagging, s3.delete_object_tagging):
        with error("NoSuchKey", 404):
            ask(Bucket=shared, Key="absent")
    with error("NoSuchKey", 404):
        s3.put_object_tagging(Bucket=shared, Key="absent", Tagging=tag_set({"a": "1"}))


def test_rights(server, s3, shared, key, make_user):
    objects = f"arn:aws:s3:::{shared}/*"
    writer = client(server, make_user(allow(["s3:PutObject", "s3:GetObject"], objects)))
    for ask in (
        lambda: writer.get_object_tagging(Bucket=shared, Key=key),
        lambda: writer.put_object_tagging(Bucket=shared, Key=key, Tagging=tag_set({"a": "1"})),
        lambda: writer.delete_object_tagging(Bucket=shared, Key=key),
        lambda: writer.put_object(Bucket=shared, Key=f"{key}-w", Body=b"x", Tagging="a=1"),
    ):
        with error("AccessDenied", 403):
            ask()
    tagger = client(server, make_user(allow(["s3:PutObject", "s3:PutObjectTagging"], objects)))
    tagger.put_object(Bucket=shared, Key=f"{key}-w", Body=b"x", Tagging="a=1")
    s3.put_object_tagging(Bucket=shared, Key=key, Tagging=tag_set({"a": "1"}))
    # Their number is for who may read them.
    assert "TagCount" not in writer.get_object(Bucket=shared, Key=key)
    reader = client(server, make_user(allow(["s3:GetObject", "s3:GetObjectTagging"], objects)))
    assert reader.get_object(Bucket=shared, Key=key)["TagCount"] == 1


def test_conditions_on_tags_that_are_there(server, s3, shared, make_user):
    """`s3:ExistingObjectTag/…`: who may read what is tagged public."""
    statement = allow("s3:GetObject", f"arn:aws:s3:::{shared}/*") | {"Condition": {"StringEquals": {"s3:ExistingObjectTag/level": "public"}}}
    reader = client(server, make_user(statement))
    s3.put_object(Bucket=shared, Key="open", Body=b"x", Tagging="level=public")
    s3.put_object(Bucket=shared, Key="closed", Body=b"x", Tagging="level=secret")
    s3.put_object(Bucket=shared, Key="bare", Body=b"x")
    assert reader.get_object(Bucket=shared, Key="open")["Body"].read() == b"x"
    for name in ("closed", "bare"):
        with error("AccessDenied", 403):
            reader.get_object(Bucket=shared, Key=name)
    s3.delete_object_tagging(Bucket=shared, Key="open")
    with error("AccessDenied", 403):
        reader.get_object(Bucket=shared, Key="open")


def test_conditions_on_tags_that_are_sent(server, s3, shared, make_user):
    """`s3:RequestObjectTag/…` and `s3:RequestObjectTagKeys`."""
    statement = allow(["s3:PutObject", "s3:PutObjectTagging"], f"arn:aws:s3:::{shared}/*") | {"Condition": {
        "StringEquals": {"s3:RequestObjectTag/team": "red"}, "ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["team", "note"]}}}
    writer = client(server, make_user(statement))
    writer.put_object(Bucket=shared, Key="by-red", Body=b"x", Tagging="team=red&note=n")
    for tagging in ("team=blue", "note=n", "team=red&other=1"):
        with error("AccessDenied", 403):
            writer.put_object(Bucket=shared, Key="by-other", Body=b"x", Tagging=tagging)
    with error("AccessDenied", 403):
        writer.put_object(Bucket=shared, Key="by-other", Body=b"x")
    with error("AccessDenied", 403):
        writer.put_object_tagging(Bucket=shared, Key="by-red", Tagging=tag_set({"team": "blue"}))
    writer.put_object_tagging(Bucket=shared, Key="by-red", Tagging=tag_set({"team": "red"}))


def test_of_a_bucket(s3, bucket):
    with error("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    for wanted in ({"a": "1"}, {f"k{i:02}": "v" * 256 for i in range(50)}, {"ü é": "+-=._:/@"}):
        s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(wanted))
        assert tags(s3.get_bucket_tagging(Bucket=bucket)) == wanted
    for wrong in ([("same", "1"), ("same", "2")], [("aws:x", "1")], [("k" * 129, "")], [(f"k{i}", "") for i in range(51)]):
        with pytest.raises(ClientError) as caught:
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in wrong]})
        assert caught.value.response["Error"]["Code"] in ("InvalidTag", "BadRequest", "MalformedXML"), wrong[:2]
    assert tags(s3.get_bucket_tagging(Bucket=bucket)) == {"ü é": "+-=._:/@"}
    s3.delete_bucket_tagging(Bucket=bucket)
    with error("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    s3.delete_bucket_tagging(Bucket=bucket)

"""Bucket policies and what is public, by boto3 and by callers without a name."""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from expect import error


@pytest.fixture
def open_bucket(s3, bucket) -> str:
    """A bucket where policies may make things public."""
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    return bucket


def statement(bucket: str, effect: str, principal: object, actions: object, path: str = "/*", **more: object) -> dict:
    return {"Effect": effect, "Principal": principal, "Action": actions, "Resource": f"arn:aws:s3:::{bucket}{path}", **more}


def put_policy(s3, bucket: str, *statements: dict) -> str:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    return text


def test_kept_as_it_was_written(s3, open_bucket):
    text = put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:GetObject"))
    assert json.loads(s3.get_bucket_policy(Bucket=open_bucket)["Policy"]) == json.loads(text)
    s3.delete_bucket_policy(Bucket=open_bucket)
    with error("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=open_bucket)


@pytest.mark.parametrize("wrong", [
    "{}", "[]", "not json", '{"Version":"2012-10-17"}', '{"Version":"2012-10-17","Statement":[]}',
    '{"Version":"1999-01-01","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other-bucket/*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:NoSuchThing","Resource":"arn:aws:s3:::BUCKET/*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Resource":"arn:aws:s3:::BUCKET/*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::BUCKET/*"}]}',
], ids=range(12))
def test_policies_that_are_none(s3, open_bucket, wrong):
    with error("MalformedPolicy", 400):
        s3.put_bucket_policy(Bucket=open_bucket, Policy=wrong.replace("BUCKET", open_bucket))
    with error("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=open_bucket)


@pytest.mark.parametrize(("change", "words"), [
    ({"Condition": {"StringEquals": {"s3:NoSuchKey": "a"}}}, "Policy has an invalid condition key"),
    ({"Condition": {"StringEquals": {"s3:ExistingObjectTag": "a"}}}, "Policy has an invalid condition key"),
    ({"Condition": {"StringEqual": {"aws:username": "a"}}}, "Invalid Condition type : StringEqual"),
    ({"Action": "s3:NoSuchThing"}, "Policy has invalid action"),
    ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
    ({"Resource": "arn:aws:s3:::other-bucket/*"}, "Policy has invalid resource"),
    ({"Resource": "BUCKET/*"}, "Policy has invalid resource"),
    ({"Principal": {"AWS": "nobody"}}, "Invalid principal in policy"),
    ({"Principal": "nobody"}, "Invalid principal in policy"),
    ({"Principal": {"Service": "nobody"}}, "Invalid principal in policy"),
    ({"Principal": None}, "Missing required field Principal"),
    ({"Action": None}, "Missing required field Action"),
    ({"Resource": None}, "Missing required field Resource"),
    ({"Effect": None}, "Missing required field Effect"),
    ({"Effect": "Maybe"}, "Invalid effect"),
    ({"Effekt": "Allow"}, "Unknown field Effekt"),
])
def test_complaints_are_in_the_words_of_aws(s3, open_bucket, change, words):
    parts = statement(open_bucket, "Allow", "*", "s3:GetObject") | change
    wrong = {name: value for name, value in parts.items() if value is not None}
    with pytest.raises(ClientError) as caught:
        put_policy(s3, open_bucket, wrong)
    said = caught.value.response["Error"]
    assert said["Code"] == "MalformedPolicy" and said["Message"].startswith(words), said


def test_policies_that_are_too_large(s3, open_bucket):
    with pytest.raises(ClientError) as caught:
        put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:GetObject", Sid="x" * 21000))
    assert caught.value.response["Error"]["Code"] in ("PolicyTooLarge", "MalformedPolicy", "EntityTooLarge")


def test_for_everyone(s3, open_bucket, anyone):
    for ask in (lambda: anyone.get_object(Bucket=open_bucket, Key="k"), lambda: anyone.list_objects_v2(Bucket=open_bucket)):
        with error("AccessDenied", 403):
            ask()
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:GetObject"))
    assert anyone.get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data"
    assert anyone.head_object(Bucket=open_bucket, Key="k")["ContentLength"] == 4
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=open_bucket, Key="absent")
    for ask in (
        lambda: anyone.list_objects_v2(Bucket=open_bucket),
        lambda: anyone.put_object(Bucket=open_bucket, Key="k", Body=b"x"),
        lambda: anyone.delete_object(Bucket=open_bucket, Key="k"),
        lambda: anyone.get_bucket_policy(Bucket=open_bucket),
    ):
        with error("AccessDenied", 403):
            ask()
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", ["s3:GetObject", "s3:PutObject"]),
               statement(open_bucket, "Allow", {"AWS": "*"}, "s3:ListBucket", ""))
    assert anyone.list_objects_v2(Bucket=open_bucket)["KeyCount"] == 1
    with error("NoSuchKey", 404):
        anyone.get_object(Bucket=open_bucket, Key="absent")
    anyone.put_object(Bucket=open_bucket, Key="by-anyone", Body=b"x")
    s3.delete_bucket_policy(Bucket=open_bucket)
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=open_bucket, Key="k")
    assert s3.get_object(Bucket=open_bucket, Key="by-anyone")["Body"].read() == b"x"


def test_a_part_of_the_bucket(s3, open_bucket, anyone):
    s3.put_object(Bucket=open_bucket, Key="public/a", Body=b"x")
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:GetObject", "/public/*"),
               statement(open_bucket, "Allow", "*", "s3:ListBucket", "", Condition={"StringLike": {"s3:prefix": "public/*"}}))
    assert anyone.get_object(Bucket=open_bucket, Key="public/a")["Body"].read() == b"x"
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=open_bucket, Key="k")
    assert anyone.list_objects_v2(Bucket=open_bucket, Prefix="public/")["KeyCount"] == 1
    for prefix in ("", "k"):
        with error("AccessDenied", 403):
            anyone.list_objects_v2(Bucket=open_bucket, Prefix=prefix)


def test_a_user_by_bucket_or_by_user(server, s3, open_bucket, make_user):
    """In one account either policy is enough, and a denial in either is the end of it."""
    by_user = make_user(allow("s3:GetObject", f"arn:aws:s3:::{open_bucket}/*"))
    nobody = make_user()
    assert client(server, by_user).get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data"
    with error("AccessDenied", 403):
        client(server, nobody).get_object(Bucket=open_bucket, Key="k")
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:GetObject"))
    assert client(server, nobody).get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data"
    put_policy(s3, open_bucket, statement(open_bucket, "Deny", "*", "s3:GetObject"))
    for key in (by_user, nobody):
        with error("AccessDenied", 403):
            client(server, key).get_object(Bucket=open_bucket, Key="k")
    s3.delete_bucket_policy(Bucket=open_bucket)
    assert client(server, by_user).get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data"


def test_root_can_always_take_the_policy_away(s3, open_bucket):
    put_policy(s3, open_bucket, statement(open_bucket, "Deny", "*", "s3:*"), statement(open_bucket, "Deny", "*", "s3:*", ""))
    with error("AccessDenied", 403):
        s3.get_object(Bucket=open_bucket, Key="k")
    s3.delete_bucket_policy(Bucket=open_bucket)
    assert s3.get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data"


@pytest.mark.parametrize(("condition", "headers"), [
    ({"StringEquals": {"aws:Referer": "http://here/"}}, {"Referer": "http://here/"}),
    ({"StringLike": {"aws:UserAgent": "*agent-x*"}}, {"User-Agent": "agent-x/1"}),
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}),
    ({"Bool": {"aws:SecureTransport": "false"}}, {}),
    ({"Null": {"s3:VersionId": "true"}}, {}),
])
def test_conditions(server, s3, open_bucket, condition, headers):
    from sigv4 import Request, send

    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:GetObject", Condition=condition))
    base = [("host", f"{server.host}:{server.port}")]
    answer = send(server, Request("GET", f"/{open_bucket}/k", [*base, *headers.items()], b""))
    assert (answer.status, answer.body) == (200, b"data"), answer
    if headers:
        assert send(server, Request("GET", f"/{open_bucket}/k", base, b"")).status == 403


@pytest.mark.parametrize(("key", "good", "bad"), [
    ("s3:x-amz-server-side-encryption", {"ServerSideEncryption": "AES256"}, {}),
    ("s3:x-amz-storage-class", {"StorageClass": "STANDARD_IA"}, {"StorageClass": "STANDARD"}),
    ("s3:x-amz-acl", {"ACL": "bucket-owner-full-control"}, {"ACL": "private"}),
    ("s3:x-amz-metadata-directive", None, None),
    ("s3:if-none-match", {"IfNoneMatch": "*"}, {}),
])
def test_conditions_on_headers(server, s3, open_bucket, make_user, key, good, bad):
    writer = client(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{open_bucket}/*")))
    values = {"s3:x-amz-server-side-encryption": "AES256", "s3:x-amz-storage-class": "STANDARD_IA",
              "s3:x-amz-acl": "bucket-owner-full-control", "s3:x-amz-metadata-directive": "REPLACE"}
    condition = {"StringEquals": {key: values[key]}} if key in values else {"Null": {key: "false"}}
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", ["s3:PutObject", "s3:PutObjectAcl"], Condition=condition))
    if good is None:
        copy = {"Bucket": open_bucket, "Key": "copy", "CopySource": f"{open_bucket}/k"}
        writer.copy_object(**copy, MetadataDirective="REPLACE")
        with error("AccessDenied", 403):
            writer.copy_object(**copy)
        return
    writer.put_object(Bucket=open_bucket, Key="new", Body=b"x", **good)
    with error("AccessDenied", 403):
        writer.put_object(Bucket=open_bucket, Key="new2", Body=b"x", **bad)


def test_the_source_of_a_copy_as_a_condition(server, s3, open_bucket, make_user):
    s3.put_object(Bucket=open_bucket, Key="public/a", Body=b"x")
    writer = client(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{open_bucket}/*")))
    condition = {"StringLike": {"s3:x-amz-copy-source": f"{open_bucket}/public/*"}}
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:PutObject", Condition=condition))
    writer.copy_object(Bucket=open_bucket, Key="copy", CopySource=f"{open_bucket}/public/a")
    with error("AccessDenied", 403):
        writer.copy_object(Bucket=open_bucket, Key="copy", CopySource=f"{open_bucket}/k")
    with error("AccessDenied", 403):
        writer.put_object(Bucket=open_bucket, Key="copy", Body=b"x")


def test_max_keys_as_a_condition(server, s3, open_bucket, make_user):
    lister = client(server, make_user())
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:ListBucket", "", Condition={"NumericLessThanEquals": {"s3:max-keys": "2"}}))
    lister.list_objects_v2(Bucket=open_bucket, MaxKeys=2)
    with error("AccessDenied", 403):
        lister.list_objects_v2(Bucket=open_bucket, MaxKeys=3)


def test_not_principal_and_not_action(server, s3, open_bucket, make_user):
    reader = client(server, make_user(allow("s3:*", f"arn:aws:s3:::{open_bucket}/*")))
    put_policy(s3, open_bucket, {"Effect": "Deny", "Principal": "*", "NotAction": "s3:GetObject", "Resource": f"arn:aws:s3:::{open_bucket}/*"})
    assert reader.get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data"
    with error("AccessDenied", 403):
        reader.put_object(Bucket=open_bucket, Key="k", Body=b"x")


@pytest.mark.parametrize(("public", "principal", "more"), [
    (True, "*", {}),
    (True, {"AWS": "*"}, {}),
    (True, {"AWS": ["*"]}, {"Condition": {"StringLike": {"aws:Referer": "http://here/*"}}}),
    (False, "*", {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}),
    (False, "*", {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}),
    (True, "*", {"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}),
])
def test_status(s3, open_bucket, public, principal, more):
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", principal, "s3:GetObject", **more))
    assert s3.get_bucket_policy_status(Bucket=open_bucket)["PolicyStatus"]["IsPublic"] is public


def test_status_of_a_denial(s3, open_bucket):
    put_policy(s3, open_bucket, statement(open_bucket, "Deny", "*", "s3:GetObject"))
    assert s3.get_bucket_policy_status(Bucket=open_bucket)["PolicyStatus"]["IsPublic"] is False


def test_public_policies_are_blocked_by_default(s3, bucket):
    with error("AccessDenied", 403):
        put_policy(s3, bucket, statement(bucket, "Allow", "*", "s3:GetObject"))
    put_policy(s3, bucket, statement(bucket, "Deny", "*", "s3:DeleteObject"))
    put_policy(s3, bucket, statement(bucket, "Allow", "*", "s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}))


def test_a_block_that_comes_later(server, s3, open_bucket, anyone, make_user):
    put_policy(s3, open_bucket, statement(open_bucket, "Allow", "*", "s3:GetObject"))
    assert anyone.get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data"
    s3.put_public_access_block(Bucket=open_bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    with error("AccessDenied", 403):
        anyone.get_object(Bucket=open_bucket, Key="k")
    inside = client(server, make_user())
    assert inside.get_object(Bucket=open_bucket, Key="k")["Body"].read() == b"data", "users of the account are not the public"


def test_an_expected_owner(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for ask in (
        lambda: s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner="999999999999"),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"y", ExpectedBucketOwner="999999999999"),
        lambda: s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="999999999999"),
        lambda: s3.get_bucket_cors(Bucket=bucket, ExpectedBucketOwner="999999999999"),
        lambda: s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", ExpectedSourceBucketOwner="999999999999"),
    ):
        with error("AccessDenied", 403):
            ask()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"

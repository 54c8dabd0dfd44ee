"""Uploads by HTML forms: every field that S3 knows, and what the answer is."""

import base64
import json
import urllib.parse

import pytest

from sigv4 import send
from test_security_forms import any_key, form, policy


def post(server, root, bucket: str, fields: dict, conditions: list | None = None, file: bytes = b"content", **more: object):
    given = conditions if conditions is not None else [*any_key(bucket), *({n: v} for n, v in fields.items() if n.lower() not in ("key", "file"))]
    return send(server, form(root, bucket, {**fields, **policy(root, given)}, file, **more))


def test_made_by_boto3(server, s3, bucket):
    made = s3.generate_presigned_post(bucket, "dir/${filename}", Fields={"acl": "private", "Content-Type": "text/x"}, Conditions=[
        {"acl": "private"}, {"Content-Type": "text/x"}, ["content-length-range", 0, 100]], ExpiresIn=60)
    from sigv4 import Signer

    answer = send(server, form(Signer(server, server.root), bucket, made["fields"]))
    assert answer.status == 204, answer
    head = s3.head_object(Bucket=bucket, Key="dir/up.txt")
    assert (head["ContentType"], answer.headers["etag"]) == ("text/x", head["ETag"])
    assert answer.headers["location"].endswith(f"/{bucket}/dir/up.txt") or answer.headers["location"].endswith("dir%2Fup.txt")


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)])
def test_the_answer_s_status(server, s3, bucket, root, asked, status):
    answer = post(server, root, bucket, {"key": "k", "success_action_status": asked})
    assert answer.status == status, answer
    if status == 201:
        text = answer.body.decode()
        assert f"<Bucket>{bucket}</Bucket>" in text and "<Key>k</Key>" in text and "<ETag>" in text and "<Location>" in text
    else:
        assert answer.body == b""


def test_a_redirect(server, s3, bucket, root):
    answer = post(server, root, bucket, {"key": "a b", "success_action_redirect": "http://there/path?x=1"})
    assert answer.status == 303, answer
    to = urllib.parse.urlsplit(answer.headers["location"])
    query = dict(urllib.parse.parse_qsl(to.query))
    tag = s3.head_object(Bucket=bucket, Key="a b")["ETag"]
    assert (to.netloc, query) == ("there", {"x": "1", "bucket": bucket, "key": "a b", "etag": tag})


def test_headers_and_metadata(server, s3, bucket, root):
    fields = {
        "key": "k", "Cache-Control": "no-cache", "Content-Type": "text/y", "Content-Disposition": "inline", "Content-Encoding": "gzip",
        "Expires": "Thu, 01 Jan 2032 00:00:00 GMT", "x-amz-meta-who": "me", "x-amz-storage-class": "STANDARD_IA",
        "x-amz-website-redirect-location": "/there", "x-amz-server-side-encryption": "AES256",
    }
    assert post(server, root, bucket, fields).status == 204
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["CacheControl"], head["ContentType"], head["ContentDisposition"], head["ContentEncoding"]) == ("no-cache", "text/y", "inline", "gzip")
    assert (head["Metadata"], head["StorageClass"], head["WebsiteRedirectLocation"]) == ({"who": "me"}, "STANDARD_IA", "/there")


def test_tags(server, s3, bucket, root):
    tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    assert post(server, root, bucket, {"key": "k", "tagging": tagging}).status == 204
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert post(server, root, bucket, {"key": "k2", "tagging": "<Tagging>"}).status == 400


def test_checksums(server, s3, bucket, root):
    import zlib

    good = base64.b64encode(zlib.crc32(b"content").to_bytes(4, "big")).decode()
    bad = base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode()
    assert post(server, root, bucket, {"key": "k", "x-amz-checksum-crc32": good}).status == 204
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == good
    answer = post(server, root, bucket, {"key": "k2", "x-amz-checksum-crc32": bad})
    assert (answer.status, answer.code) == (400, "BadDigest"), answer


@pytest.mark.parametrize(("conditions", "fields", "size", "status", "code"), [
    ([["content-length-range", 3, 7]], {}, 7, 204, ""),
    ([["content-length-range", 3, 6]], {}, 7, 400, "EntityTooLarge"),
    ([["content-length-range", 8, 9]], {}, 7, 400, "EntityTooSmall"),
    ([["content-length-range", 3]], {}, 7, 403, "AccessDenied InvalidPolicyDocument"),
    ([["content-length-range", -1, 3]], {}, 7, 403, "AccessDenied InvalidPolicyDocument EntityTooLarge"),
    ([["eq", "$x-amz-meta-a", "1"]], {"x-amz-meta-a": "1"}, 7, 204, ""),
    ([["eq", "$x-amz-meta-a", "1"]], {"x-amz-meta-a": "2"}, 7, 403, "AccessDenied"),
    ([["eq", "$x-amz-meta-a", "1"]], {}, 7, 403, "AccessDenied"),
    ([["starts-with", "$x-amz-meta-a", "on"]], {"x-amz-meta-a": "one"}, 7, 204, ""),
    ([["starts-with", "$x-amz-meta-a", ""]], {"x-amz-meta-a": "anything"}, 7, 204, ""),
    ([["starts-with", "$x-amz-meta-a", "on"]], {"x-amz-meta-a": "two"}, 7, 403, "AccessDenied"),
    ([{"x-amz-meta-a": "1"}], {"x-amz-meta-a": "1", "x-amz-meta-b": "1"}, 7, 403, "AccessDenied"),
    ([], {"x-ignore-this": "1"}, 7, 204, ""),
    ([["unknown", "$key", "1"]], {}, 7, 403, "AccessDenied InvalidPolicyDocument"),
    ([["eq", "key", "1"]], {}, 7, 403, "AccessDenied InvalidPolicyDocument"),
], ids=range(15))
def test_conditions(server, s3, bucket, root, conditions, fields, size, status, code):
    answer = post(server, root, bucket, {"key": "k", **fields}, [*any_key(bucket), *conditions], b"x" * size)
    assert answer.status == status or (status == 403 and answer.status == 400), answer
    if status == 204:
        assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == size
    else:
        assert answer.code in code.split(), answer
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("document", [
    b"not json", b"{}", b'{"conditions":[]}', b'{"expiration":"2999-01-01T00:00:00Z"}', b'{"expiration":"soon","conditions":[]}',
    b'{"expiration":"2999-01-01T00:00:00.000Z","conditions":"all"}',
])
def test_policies_that_are_none(server, s3, bucket, root, document):
    import hashlib
    import hmac

    fields = {"key": "k", **policy(root, any_key(bucket))}
    text = base64.b64encode(document).decode()
    date = fields["x-amz-date"]
    fields |= {"policy": text, "x-amz-signature": hmac.new(root.signing_key(date), text.encode(), hashlib.sha256).hexdigest()}
    answer = send(server, form(root, bucket, fields))
    assert answer.status in (400, 403), answer
    assert answer.code in ("InvalidPolicyDocument", "AccessDenied", "MalformedPOSTRequest", "InvalidArgument"), answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_names_of_fields_have_no_case(server, s3, bucket, root):
    given = {"KEY": "k", "Content-TYPE": "text/z", **policy(root, [*any_key(bucket), {"content-type": "text/z"}])}
    assert send(server, form(root, bucket, given)).status == 204
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "text/z"


def test_by_who_has_no_name(server, s3, bucket, root):
    """A form without a policy is an upload by anyone."""
    assert send(server, form(root, bucket, {"key": "k"})).status == 403
    s3.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/open/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert send(server, form(root, bucket, {"key": "open/k"})).status == 204
    assert send(server, form(root, bucket, {"key": "closed/k"})).status == 403
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["open/k"]


def test_into_a_bucket_with_versions(server, s3, bucket, root):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [post(server, root, bucket, {"key": "k"}, file=b"%d" % n).headers["x-amz-version-id"] for n in range(2)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=versions[0])["Body"].read() == b"0"

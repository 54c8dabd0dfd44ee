"""What the documents of errors say besides code and message, as those of AWS do; and addresses in answers."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from botocore.exceptions import ClientError

from server import unique
from sigv4 import encode, send

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
MISSING = "no-such-bucket-at-all"


def said(answer) -> dict[str, str]:
    """The elements of an error's document."""
    return {element.tag: element.text or "" for element in ElementTree.fromstring(answer.body)}


@pytest.fixture
def ask(server, bucket, root):
    """Sends a signed request for a path under `BUCKET`, and gives back its error's elements."""

    def asked(method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> dict[str, str]:
        path, _, query = target.replace("BUCKET", bucket).partition("?")
        answer = send(server, root.request(method, path, query, list((headers or {}).items()), body))
        assert answer.status >= 400, answer
        elements = said(answer)
        assert elements["RequestId"] == answer.request_id and elements["HostId"], elements
        assert elements["Resource"] == path, elements
        return elements

    return asked


@pytest.mark.parametrize(("target", "code", "name", "text"), [
    (f"/{MISSING}", "NoSuchBucket", "BucketName", MISSING),
    (f"/{MISSING}/k", "NoSuchBucket", "BucketName", MISSING),
    ("/BUCKET/a%20%26%3Cb%3E", "NoSuchKey", "Key", "a &<b>"),
    ("/BUCKET/k?uploadId=" + "0" * 32, "NoSuchUpload", "UploadId", "0" * 32),
    ("/BUCKET?policy", "NoSuchBucketPolicy", "BucketName", "BUCKET"),
    ("/BUCKET?cors", "NoSuchCORSConfiguration", "BucketName", "BUCKET"),
    ("/BUCKET?lifecycle", "NoSuchLifecycleConfiguration", "BucketName", "BUCKET"),
    ("/BUCKET?tagging", "NoSuchTagSet", "BucketName", "BUCKET"),
    ("/BUCKET?website", "NoSuchWebsiteConfiguration", "BucketName", "BUCKET"),
    ("/BUCKET?object-lock", "ObjectLockConfigurationNotFoundError", "BucketName", "BUCKET"),
    ("/BUCKET?replication", "ReplicationConfigurationNotFoundError", "BucketName", "BUCKET"),
])
def test_what_there_is_not_is_named(ask, bucket, target, code, name, text):
    elements = ask("GET", target)
    assert elements["Code"] == code and elements[name] == text.replace("BUCKET", bucket), elements


def test_buckets_that_can_not_be_made(ask, bucket):
    assert ask("PUT", "/A_B")["BucketName"] == "A_B"
    body = b"<CreateBucketConfiguration><LocationConstraint>nowhere-1</LocationConstraint></CreateBucketConfiguration>"
    assert ask("PUT", f"/{unique('b')}", body=body)["Code"] == "InvalidLocationConstraint"


def test_a_bucket_that_is_not_empty(s3, ask, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    elements = ask("DELETE", "/BUCKET")
    assert elements["Code"] == "BucketNotEmpty" and elements["BucketName"] == bucket


@pytest.mark.parametrize(("target", "name", "value"), [
    ("/BUCKET?max-keys=-1", "maxKeys", "-1"),
    ("/BUCKET?list-type=2&max-keys=-5", "maxKeys", "-5"),
    ("/BUCKET?max-keys=blah", "max-keys", "blah"),
    ("/BUCKET?list-type=2&max-keys=99999999999", "max-keys", "99999999999"),
    ("/BUCKET?encoding-type=xml", "encoding-type", "xml"),
    ("/BUCKET?list-type=2&continuation-token=nonsense", "continuation-token", "nonsense"),
    ("/BUCKET?versions&version-id-marker=x", "version-id-marker", "x"),
    ("/BUCKET/k?versionId=nonsense", "versionId", "nonsense"),
    ("/BUCKET/k?partNumber=0", "partNumber", "0"),
    ("/BUCKET/k?partNumber=x", "partNumber", "x"),
])
def test_arguments_that_are_wrong_are_named(s3, bucket, ask, target, name, value):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    elements = ask("GET", target)
    assert elements["Code"] == "InvalidArgument", elements
    assert (elements["ArgumentName"], elements["ArgumentValue"]) == (name, value), elements


@pytest.mark.parametrize(("method", "headers", "condition"), [
    ("GET", {"if-match": '"x"'}, "If-Match"),
    ("GET", {"if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT"}, "If-Unmodified-Since"),
    ("PUT", {"if-match": '"x"'}, "If-Match"),
    ("PUT", {"if-none-match": "*"}, "If-None-Match"),
    ("PUT", {"x-amz-copy-source": "/BUCKET/k", "x-amz-copy-source-if-match": "x"}, "x-amz-copy-source-If-Match"),
    ("PUT", {"x-amz-copy-source": "/BUCKET/k", "x-amz-copy-source-if-none-match": "*"}, "x-amz-copy-source-If-None-Match"),
    ("DELETE", {"if-match": '"x"'}, "If-Match"),
])
def test_the_condition_that_does_not_hold_is_named(s3, bucket, ask, method, headers, condition):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    elements = ask(method, "/BUCKET/k", {n: v.replace("BUCKET", bucket) for n, v in headers.items()})
    assert elements["Code"] == "PreconditionFailed" and elements["Condition"] == condition, elements


def test_a_range_beyond_the_end(s3, bucket, ask):
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    elements = ask("GET", "/BUCKET/k", {"range": "bytes=7-"})
    assert elements["Code"] == "InvalidRange"
    assert (elements["RangeRequested"], elements["ActualObjectSize"]) == ("bytes=7-", "5"), elements


def test_the_source_of_a_copy_that_there_is_not(ask, bucket):
    elements = ask("PUT", "/BUCKET/to", {"x-amz-copy-source": f"/{bucket}/not%20there"})
    assert elements["Code"] == "NoSuchKey" and elements["Key"] == "not there", elements


def test_a_key_that_is_too_long(ask):
    elements = ask("PUT", "/BUCKET/" + "k" * 1025)
    assert elements["Code"] == "KeyTooLongError"
    assert (elements["Size"], elements["MaxSizeAllowed"]) == ("1025", "1024")


def test_a_version_that_there_is_not(s3, bucket, ask):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=old)
    elements = ask("GET", f"/BUCKET/k?versionId={old}")
    assert elements["Code"] == "NoSuchVersion" and (elements["Key"], elements["VersionId"]) == ("k", old), elements
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    elements = ask("GET", f"/BUCKET/k?versionId={marker}")
    assert elements["Code"] == "MethodNotAllowed" and (elements["Method"], elements["ResourceType"]) == ("GET", "DeleteMarker"), elements


def test_parts_that_are_wrong_are_named(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    tags = [s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]

    def complete(parts):
        with pytest.raises(ClientError) as caught:
            s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
        return caught.value.response["Error"]

    small = complete([{"PartNumber": n, "ETag": tag} for n, tag in zip((1, 2), tags, strict=True)])
    assert small["Code"] == "EntityTooSmall"
    assert (small["ProposedSize"], small["MinSizeAllowed"], small["PartNumber"]) == ("1", str(5 << 20), "1")
    absent = complete([{"PartNumber": 7, "ETag": tags[0]}])
    assert absent["Code"] == "InvalidPart" and (absent["UploadId"], absent["PartNumber"]) == (upload, "7")
    order = complete([{"PartNumber": n, "ETag": tags[n - 1]} for n in (2, 1)])
    assert order["Code"] == "InvalidPartOrder" and order["UploadId"] == upload


@pytest.mark.parametrize("key", ["plain", "a b/ü+%", "f(1)"])
def test_a_completed_upload_says_its_address(server, s3, bucket, key):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    tag = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}
    )
    assert done["Location"] == f"{server.endpoint}/{bucket}/{encode(key, path=True)}"
    assert done["Key"] == key and done["Bucket"] == bucket


def test_a_completed_upload_in_a_host_name(server, s3, bucket, root):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    tag = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    root.host = f"{bucket}.s3.craton.test"
    answer = send(server, root.request("POST", "/k", f"uploadId={upload}", body=body.encode()))
    assert answer.status == 200, answer
    location = ElementTree.fromstring(answer.body).findtext(f"{NAMESPACE}Location")
    assert location == f"http://{bucket}.s3.craton.test/k"


def test_a_new_bucket_says_where_it_is(s3):
    name = unique("b")
    made = s3.create_bucket(Bucket=name)
    assert made["Location"] == f"/{name}"


@pytest.mark.parametrize("key", ["a\x01b", "\r\n", "\x7f"])
def test_keys_that_xml_can_not_hold(server, bucket, root, key):
    answer = send(server, root.request("GET", f"/{bucket}/{encode(key)}"))
    assert answer.code == "NoSuchKey"
    assert said(answer)["Key"] == key.replace("\x01", "\ufffd")


def test_every_document_of_an_answer_is_in_the_namespace(server, root, s3):
    name = unique("qualified")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=name, Key="held", Body=b"<a><b/></a>", ContentType="application/xml", ObjectLockLegalHoldStatus="ON")
    s3.put_object(Bucket=name, Key="kept", Body=b"1", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate="2030-01-01T00:00:00Z")
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectAcl", "Resource": f"arn:aws:s3:::{name}/*"}]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    upload = s3.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]
    source = [("x-amz-copy-source", f"/{name}/held")]
    for method, target, headers, tag in (
        ("PUT", "copy", source, "CopyObjectResult"),
        ("PUT", f"parts?partNumber=1&uploadId={upload}", source, "CopyPartResult"),
        ("GET", "?publicAccessBlock", [], "PublicAccessBlockConfiguration"),
        ("GET", "?ownershipControls", [], "OwnershipControls"),
        ("GET", "?policyStatus", [], "PolicyStatus"),
        ("GET", "?object-lock", [], "ObjectLockConfiguration"),
        ("GET", "held?legal-hold", [], "LegalHold"),
        ("GET", "kept?retention", [], "Retention"),
        ("GET", "?location", [], "LocationConstraint"),
        ("GET", "?versioning", [], "VersioningConfiguration"),
        ("GET", "?encryption", [], "ServerSideEncryptionConfiguration"),
    ):
        path, _, query = f"/{name}/{target}".partition("?")
        answer = send(server, root.request(method, path.rstrip("/"), query, headers, b""))
        assert answer.status == 200, (target, answer)
        assert ElementTree.fromstring(answer.body).tag == NAMESPACE + tag, (target, answer.body)
    # What was stored is answered as it was stored.
    assert s3.get_object(Bucket=name, Key="copy")["Body"].read() == b"<a><b/></a>"

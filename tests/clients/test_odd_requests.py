"""Requests at the edge of what S3 takes, and the codes and words that AWS answers them with."""

import xml.etree.ElementTree as ElementTree

import pytest

from expect import error
from sigv4 import Request, Signer, digest, send


@pytest.mark.parametrize(("method", "target", "about"), [
    ("PUT", "/", "SERVICE"), ("DELETE", "/", "SERVICE"), ("POST", "/BUCKET", "BUCKET"), ("PATCH", "/BUCKET", "BUCKET"),
    ("POST", "/BUCKET/k", "OBJECT"), ("PATCH", "/BUCKET/k", "OBJECT"),
])
def test_methods_that_there_are_not(server, vault, root, method, target, about):
    answer = vault.refuses(root.request(method, target.replace("BUCKET", vault.bucket)), 405, "MethodNotAllowed")
    document = ElementTree.fromstring(answer.body)
    assert (document.findtext("Method"), document.findtext("ResourceType")) == (method, about)


def test_the_head_of_nothing(vault, root):
    vault.refuses(root.request("HEAD", "/"), 405)


def test_deleting_many_needs_a_digest(server, s3, vault, root):
    body = b"<Delete><Object><Key>kept</Key></Object></Delete>"
    vault.refuses(root.request("POST", f"/{vault.bucket}", "delete=", body=body), 400, "InvalidRequest")
    vault.refuses(root.request("POST", f"/{vault.bucket}", "delete=", headers=[digest(b"other")], body=body), 400, "BadDigest")
    assert send(server, root.request("POST", f"/{vault.bucket}", "delete=", headers=[digest(body)], body=body)).status == 200
    with error("NoSuchKey"):
        s3.get_object(Bucket=vault.bucket, Key="kept")


@pytest.mark.parametrize(("source", "words"), [
    ("BUCKET", "Copy Source must mention"), ("", "Copy Source must mention"), ("/", "Copy Source must mention"), ("//k", "Copy Source must mention"),
    ("/BUCKET/", "Invalid copy source object key"), ("BUCKET/?versionId=null", "Invalid copy source object key"),
    ("BUCKET/kept?versionId=", "Version id cannot be the empty string"),
])
def test_sources_that_are_none(server, vault, root, source, words):
    headers = [("x-amz-copy-source", source.replace("BUCKET", vault.bucket))]
    answer = vault.refuses(root.request("PUT", f"/{vault.bucket}/copy", headers=headers), 400, "InvalidArgument")
    assert ElementTree.fromstring(answer.body).findtext("Message").startswith(words), answer


@pytest.mark.parametrize("what", ["metadata", "tagging"])
def test_directives_that_are_none(vault, root, what):
    name = f"x-amz-{what}-directive"
    headers = [("x-amz-copy-source", f"{vault.bucket}/kept"), (name, "SHRED")]
    answer = vault.refuses(root.request("PUT", f"/{vault.bucket}/copy", headers=headers), 400, "InvalidArgument")
    document = ElementTree.fromstring(answer.body)
    assert (document.findtext("ArgumentName"), document.findtext("ArgumentValue")) == (name, "SHRED")


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
@pytest.mark.parametrize("date", ["rubbish", "0", "2020-01-01T00:00:00Z", "Thu, 32 Jan 1970 00:00:00 GMT"])
def test_times_that_are_none_are_no_conditions(server, vault, root, name, date):
    answer = send(server, root.request("GET", f"/{vault.bucket}/kept", headers=[(name, date)]))
    assert (answer.status, answer.body) == (200, b"as it was")


def test_a_canned_list_that_is_none_where_lists_are_off(vault, root):
    for target in ("/BUCKET/new", "/BUCKET?acl", "/BUCKET/kept?acl"):
        path, _, query = target.replace("BUCKET", vault.bucket).partition("?")
        answer = vault.refuses(root.request("PUT", path, query, headers=[("x-amz-acl", "public-ready")]), 400, "InvalidArgument")
        assert b"<ArgumentName>x-amz-acl</ArgumentName><ArgumentValue>public-ready</ArgumentValue>" in answer.body


@pytest.mark.parametrize("count", ["0", "-1", "10001"])
def test_pages_of_buckets_that_are_none(server, root, count):
    answer = send(server, root.request("GET", "/", f"max-buckets={count}"))
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer
    assert b"<ArgumentName>maxBuckets</ArgumentName>" in answer.body


def test_a_version_without_a_name(vault, root):
    answer = vault.refuses(root.request("GET", f"/{vault.bucket}/kept", "versionId="), 400, "InvalidArgument")
    assert b"Version id cannot be the empty string" in answer.body


def test_documents_that_are_none_say_so_in_the_words_of_aws(vault, root):
    words = b"<Message>The XML you provided was not well-formed or did not validate against our published schema</Message>"
    for query in ("versioning=", "object-lock=", "cors="):
        answer = vault.refuses(root.request("PUT", f"/{vault.bucket}", query, body=b"<nonsense/>", headers=[digest(b"<nonsense/>")]), 400, "MalformedXML")
        assert words in answer.body, answer


def test_bucket_names_that_are_none_say_so(server, root):
    for name in ("a", "A_b", "192.168.5.123", "a" * 64, "xn--a", "abc-s3alias"):
        answer = send(server, root.request("PUT", f"/{name}"))
        assert answer.code == "InvalidBucketName" and b"<Message>The specified bucket is not valid.</Message>" in answer.body, answer


def test_who_signs_wrongly_is_told_in_the_words_of_aws(server, vault):
    def said(signer: Signer, request: Request | None = None) -> bytes:
        return send(server, request or signer.request("GET", f"/{vault.bucket}/kept")).body

    elsewhere = said(Signer(server, server.root, region="eu-west-9"))
    assert b"<Code>AuthorizationHeaderMalformed</Code>" in elsewhere and b"<Region>us-east-1</Region>" in elsewhere
    late = Signer(server, server.root, shift_seconds=-3600)
    assert b"The difference between the request time and the current time is too large." in said(late)
    expired = said(late, late.presigned("GET", f"/{vault.bucket}/kept"))
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in expired

"""Names: the bytes that were authorised are the bytes that are stored, and the system's own are out of reach."""

from urllib.parse import unquote_to_bytes

import pytest

import ledger
from conftest import DOMAIN, allow, client
from expect import error
from server import unique
from sigv4 import Request, Signer, encode, send

# A path on the wire and the key that it names; `None`: it is refused.
PATHS = [
    ("/lead", "/lead"), ("//lead", "//lead"), ("a//b", "a//b"), ("a///", "a///"), (".", "."), ("./a", "./a"), ("a/.", "a/."), ("a/./b", "a/./b"),
    ("a/../b", "a/../b"), ("a/b/..", "a/b/.."), ("..", None), ("../b", None), ("a/../../b", None), ("%2e%2e/b", None), ("%2E%2E%2Fb", None),
    ("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("%25", "%"), ("a%5Cb", "a\\b"), ("..%5Cb", "..\\b"), ("%00", None), ("a%00b", None),
    ("a" * 1024, "a" * 1024), ("a" * 1025, None), ("%C3%A9" * 512, "é" * 512), ("%C3%A9" * 513, None), ("%FF", None), ("a%C0%AE%C0%AE", None),
    ("%ED%A0%80", None), ("%zz", None), ("%", None), ("%4", None), ("a%20b", "a b"), ("a+b", "a+b"), ("a%2Bb", "a+b"), ("%3Fx", "?x"),
    ("%0D%0Ax", "\r\nx"), ("tables/t/metadata", "tables/t/metadata"), ("~x", "~x"), ("%7Ex", "~x"),
]


@pytest.mark.parametrize(("path", "key"), PATHS, ids=range(len(PATHS)))
def test_cve_2026_42882_the_signed_key_is_the_stored_key(server, s3, vault, root, path, key):
    """Authorization matched the encoded path and storage the decoded one. Ours is decoded once, in one place."""
    # The signature covers the canonical encoding of the path, which is not always that of the wire.
    canonical = encode(unquote_to_bytes(f"/{vault.bucket}/{path}"), path=True)
    signed = root.request("PUT", canonical, body=b"content")
    request = Request("PUT", f"/{vault.bucket}/{path}", signed.headers, signed.body)
    if key is None:
        answer = vault.refuses(request, 400)
        assert answer.code in ("InvalidRequest", "InvalidURI", "KeyTooLongError", "InvalidArgument"), answer
        return
    answer = send(server, request)
    assert answer.status == 200, answer
    names = [o["Key"] for o in s3.list_objects_v2(Bucket=vault.bucket)["Contents"]]
    assert sorted(names) == sorted(["kept", key])
    assert s3.get_object(Bucket=vault.bucket, Key=key)["Body"].read() == b"content"


@pytest.mark.parametrize("key", [".tables/t/metadata", ".tables/", ".tables/0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11/data/x"])
def test_the_place_of_tables_is_kept_for_them(vault, root, key):
    """What is put there and belongs to no table would be in no list."""
    for method, query, body in [("PUT", "", b"x"), ("POST", "uploads", b"")]:
        vault.refuses(root.request(method, f"/{vault.bucket}/{key}", query, body=body), 403)


@pytest.mark.parametrize("path", ["a\x00b", "a b", "a\x7fb"])
def test_raw_bytes_in_the_path(vault, root, path):
    signed = root.request("PUT", f"/{vault.bucket}/new", body=b"x")
    before = vault.state()
    answer = send(vault.server, Request("PUT", f"/{vault.bucket}/{path}", signed.headers, signed.body))
    assert 400 <= answer.status < 500
    assert vault.state() == before


def test_raw_bytes_above_ascii_in_the_path(vault, root):
    for path in ("\udcff\udcfe", "\udcc3\udca9"):
        signed = root.request("PUT", f"/{vault.bucket}/new", body=b"x")
        vault_before = vault.state()
        answer = send(vault.server, Request("PUT", f"/{vault.bucket}/{path}", signed.headers, signed.body))
        assert 400 <= answer.status < 500
        assert vault.state() == vault_before


def test_cve_2023_28433_no_name_reaches_a_file(server, vault, root):
    """Traversal by backslash, encoded dots, overlong UTF-8, in every place that takes a name."""
    before = sorted(p.name for p in server.folder.iterdir())
    for name in ("..\\..\\x", "..%5C..%5Cx", "%2e%2e%2f%2e%2e%2fx", "..%c0%af..%c0%afx", "%252e%252e%252fx"):
        for target in (f"/{vault.bucket}/{name}", f"/{name}/k", f"/{vault.bucket}?prefix={name}&list-type=2"):
            for method in ("PUT", "GET"):
                path, _, query = target.partition("?")
                signed = root.request(method, path, query, body=b"" if method == "GET" else b"x")
                assert send(server, signed).status < 500
    upload = send(server, root.request("PUT", f"/{vault.bucket}/new", "partNumber=1&uploadId=..%2F..%2Fx", body=b"x"))
    assert (upload.status, upload.code) == (404, "NoSuchUpload")
    assert sorted(p.name for p in server.folder.iterdir()) == before
    assert not any(p.name.startswith("x") for p in server.data.rglob("*"))


@pytest.mark.parametrize("name", ["system", "_api", "_health", "_metrics", "_iceberg", "_graph", "_mcp", "_console", "_openlineage", ".craton", "blobs"])
def test_cve_2023_28434_reserved_names(server, s3, root, vault, name):
    """The internal namespace could be written by a form upload. No write route reaches ours."""
    if name == "blobs":
        s3.create_bucket(Bucket=unique(name))  # a file's name in the data folder means nothing here
        return
    for method, path, query, headers, body in (
        ("PUT", f"/{name}", "", [], b""), ("PUT", f"/{name}/k", "", [], b"x"), ("PUT", f"/{name}/k", "partNumber=1&uploadId=x", [], b"x"),
        ("PUT", f"/{name}/k", "", [("x-amz-copy-source", f"/{vault.bucket}/kept")], b""), ("POST", f"/{name}/k", "uploads=", [], b""),
        ("POST", f"/{name}", "delete=", [], b"<Delete><Object><Key>k</Key></Object></Delete>"), ("DELETE", f"/{name}/k", "", [], b""),
        ("DELETE", f"/{name}", "", [], b""),
        ("POST", f"/{name}", "", [("content-type", "multipart/form-data; boundary=x")], b"--x--\r\n"),
        ("GET", f"/{name}/k", "", [], b""), ("GET", f"/{name}/", "list-type=2", [], b""),
    ):
        answer = send(server, root.request(method, path, query, headers, body))
        assert 400 <= answer.status < 502 and answer.status != 500, (method, path, answer)
    source = root.request("PUT", f"/{vault.bucket}/new", headers=[("x-amz-copy-source", f"/{name}/k")])
    vault.refuses(source, 400, "InvalidBucketName", "InvalidArgument", "InvalidRequest")
    assert name not in [b["Name"] for b in s3.list_buckets()["Buckets"]]


def test_two_buckets_in_one_request(server, s3, vault, root):
    """In virtual-host style the whole path is the key: the bucket is the host's, whatever the path begins with."""
    other = unique("other")
    s3.create_bucket(Bucket=other)
    by_host = Signer(server, server.root, host=f"{vault.bucket}.{DOMAIN}")
    assert send(server, by_host.request("PUT", f"/{other}/k", body=b"x")).status == 200
    assert s3.list_objects_v2(Bucket=other)["KeyCount"] == 0
    assert s3.get_object(Bucket=vault.bucket, Key=f"{other}/k")["Body"].read() == b"x"
    swapped = by_host.request("PUT", "/k2", body=b"x").with_header("host", f"{other}.{DOMAIN}")
    vault.refuses(swapped, 403, "SignatureDoesNotMatch")


def test_hosts_that_are_none(server, vault, root):
    for host in (f"..{DOMAIN}", f"UPPER.{DOMAIN}.", f"a/b.{DOMAIN}", f"-x.{DOMAIN}", f"_api.{DOMAIN}", f"system.{DOMAIN}"):
        answer = send(server, Signer(server, server.root, host=host).request("PUT", "/k", body=b"x"))
        assert 400 <= answer.status < 500, (host, answer)


class TestCopySources:
    def test_cve_2026_39360_not_readable_by_the_caller(self, server, s3, vault, make_user):
        """A copied part needed no right to its source. Here a copy is a read like any other."""
        secret = unique("secret")
        s3.create_bucket(Bucket=secret)
        s3.put_object(Bucket=secret, Key="k", Body=b"secret")
        user = make_user(allow("s3:*", [f"arn:aws:s3:::{vault.bucket}", f"arn:aws:s3:::{vault.bucket}/*"]))
        signer = Signer(server, user)
        part = f"partNumber=2&uploadId={vault.upload}"
        for source in (f"/{secret}/k", f"{secret}/k", f"/{secret}/absent", f"/{secret}/k?versionId=null", f"/{vault.bucket}/../{secret}/k"):
            for path, query in (("new", ""), ("upload", part)):
                request = signer.request("PUT", f"/{vault.bucket}/{path}", query, [("x-amz-copy-source", source)])
                answer = vault.refuses(request, 403 if secret in source.split("/../")[0] else 400)
                assert b"secret</" not in answer.body
        own = signer.request("PUT", f"/{vault.bucket}/new", "", [("x-amz-copy-source", f"/{vault.bucket}/kept")])
        assert send(server, own).status == 200

    def test_ghsa_3ppv_a_version_needs_its_own_right(self, server, vault, make_user):
        """`versionId` was authorised as a plain read."""
        user = make_user(allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{vault.bucket}/*"))
        signer = Signer(server, user)
        assert send(server, signer.request("GET", f"/{vault.bucket}/kept")).status == 200
        vault.refuses(signer.request("GET", f"/{vault.bucket}/kept", "versionId=null"), 403, "AccessDenied")
        source = [("x-amz-copy-source", f"/{vault.bucket}/kept?versionId=null")]
        vault.refuses(signer.request("PUT", f"/{vault.bucket}/new", headers=source), 403, "AccessDenied")
        vault.refuses(signer.request("DELETE", f"/{vault.bucket}/kept", "versionId=null"), 403, "AccessDenied")

    @pytest.mark.parametrize("source", ["", "/", "x", "//", "/b", "%00/k", "a/%FF", "/../k", "arn:aws:s3:us-east-1:1:accesspoint/a/object/k", "b/k?versionId=zz"])
    def test_that_are_none(self, vault, root, source):
        source = source.replace("b/k", f"{vault.bucket}/kept")
        answer = send(vault.server, root.request("PUT", f"/{vault.bucket}/new", headers=[("x-amz-copy-source", source)]))
        assert answer.status in (400, 404, 501), (source, answer)
        ledger.tells_of_one_refusal(vault.server, answer.request_id)
        with error("404"):
            vault.s3.head_object(Bucket=vault.bucket, Key="new")


def test_cve_2026_54917_one_bucket_s_rights_end_at_that_bucket(server, s3, vault, make_user):
    """Traversal from one bucket into another."""
    secret = unique("secret")
    s3.create_bucket(Bucket=secret)
    s3.put_object(Bucket=secret, Key="k", Body=b"secret")
    user = make_user(allow("s3:*", [f"arn:aws:s3:::{vault.bucket}", f"arn:aws:s3:::{vault.bucket}/*"]))
    signer = Signer(server, user)
    assert send(server, signer.request("GET", f"/{vault.bucket}/kept")).body == b"as it was"
    for path in (f"/{vault.bucket}/../{secret}/k", f"/{vault.bucket}/%2e%2e/{secret}/k", f"/{vault.bucket}%2F..%2F{secret}/k",
                 f"/{secret}/k", f"/{secret}/../{secret}/k", f"//{secret}/k"):
        signed = signer.request("GET", encode(unquote_to_bytes(path), path=True))
        answer = send(server, Request("GET", path, signed.headers))
        assert 400 <= answer.status < 500 and b"secret" != answer.body, (path, answer)
    listed = client(server, user)
    with error("AccessDenied", 403):
        listed.list_objects_v2(Bucket=secret)


def test_cve_2026_42810_a_star_in_a_name_is_a_letter(server, s3, vault, make_user):
    """A wildcard in a name widened the policy made from it. A key is compared, never a pattern."""
    user = make_user(allow("s3:GetObject", f"arn:aws:s3:::{vault.bucket}/open/*"))
    for key in ("open/a", "*", "secret/a", "op?n/a", "${aws:username}"):
        s3.put_object(Bucket=vault.bucket, Key=key, Body=key.encode())
    mine = client(server, user)
    assert mine.get_object(Bucket=vault.bucket, Key="open/a")["Body"].read() == b"open/a"
    for key in ("*", "secret/a", "op?n/a", "${aws:username}"):
        with error("AccessDenied", 403):
            mine.get_object(Bucket=vault.bucket, Key=key)

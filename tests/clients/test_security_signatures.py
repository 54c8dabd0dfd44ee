"""Requests whose signature is not exactly good. Each is refused with the right code, changes nothing, and
leaves one denial in the ledger."""

import base64
import datetime
import hashlib
import hmac
import re
import zlib
from dataclasses import replace

import pytest

import ledger
from conftest import allow
from server import Key, Server
from sigv4 import (
    EMPTY_SHA256, STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED, UNSIGNED, Request, Signer, digest, encode, now, query_string, send,
)

MODES = ["signed", UNSIGNED, STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED]
CRC32 = "x-amz-checksum-crc32"
NOBODY = "A" * 20


def forged(request: Request) -> Request:
    """The same with another signature of the right form."""
    value = request.header("authorization")
    flipped = re.sub(r"Signature=(\w)", lambda m: f"Signature={'1' if m[1] == '0' else '0'}", value)
    return request.with_header("authorization", flipped)


def write(signer: Signer, route: str, mode: str, vault) -> Request:
    """A write of some kind that carries its body in some mode."""
    method, path, query, headers = {
        "put": ("PUT", f"/{vault.bucket}/new", "", []),
        "overwrite": ("PUT", f"/{vault.bucket}/kept", "", []),
        "part": ("PUT", f"/{vault.bucket}/upload", f"partNumber=2&uploadId={vault.upload}", []),
        "copy": ("PUT", f"/{vault.bucket}/new", "", [("x-amz-copy-source", f"/{vault.bucket}/kept")]),
        "form": ("POST", f"/{vault.bucket}", "", [("content-type", "multipart/form-data; boundary=x")]),
        "delete": ("DELETE", f"/{vault.bucket}/kept", "", []),
        "multi-delete": ("POST", f"/{vault.bucket}", "delete=", []),
        "complete": ("POST", f"/{vault.bucket}/upload", f"uploadId={vault.upload}", []),
        "abort": ("DELETE", f"/{vault.bucket}/upload", f"uploadId={vault.upload}", []),
        "initiate": ("POST", f"/{vault.bucket}/new", "uploads=", []),
        "tagging": ("PUT", f"/{vault.bucket}/kept", "tagging=", []),
        "policy": ("PUT", f"/{vault.bucket}", "policy=", []),
        "make": ("PUT", f"/{vault.bucket}-2", "", []),
        "remove": ("DELETE", f"/{vault.bucket}", "", []),
        "extract": ("PUT", f"/{vault.bucket}/new.tar", "", [("x-amz-meta-snowball-auto-extract", "true")]),
    }[route]
    body = {
        "multi-delete": b"<Delete><Object><Key>kept</Key></Object></Delete>",
        "complete": b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"
        + vault.part_etag.encode() + b"</ETag></Part></CompleteMultipartUpload>",
        "tagging": b"<Tagging><TagSet></TagSet></Tagging>",
        **dict.fromkeys(("delete", "abort", "initiate", "make", "remove", "copy"), b""),
        "form": b"--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nnew\r\n--x--\r\n",
    }.get(route, b"x")
    if route == "multi-delete":
        headers = [digest(body)]
    if mode in ("signed", UNSIGNED):
        return signer.request(method, path, query, headers, body, payload=None if mode == "signed" else mode)
    headers = [*headers, ("x-amz-decoded-content-length", str(len(body))), ("content-encoding", "aws-chunked")]
    if "TRAILER" in mode:
        headers.append(("x-amz-trailer", CRC32))
    signature = "" if mode == STREAMING_UNSIGNED else f";chunk-signature={'0' * 64}"
    framed = f"{len(body):x}{signature}\r\n".encode() + body + b"\r\n" if body else b""
    framed += f"0{signature}\r\n".encode()
    sum_of_body = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    framed += f"{CRC32}:{sum_of_body}\r\n".encode() if "TRAILER" in mode else b""
    framed += f"x-amz-trailer-signature:{'0' * 64}\r\n".encode() if mode == STREAMING_TRAILER else b""
    framed += b"\r\n"
    request = signer.request(method, path, query, headers, payload=mode, length=False)
    return request.with_header("content-length", str(len(framed))).with_body(framed)


ROUTES = ["put", "overwrite", "part", "copy", "form", "delete", "multi-delete", "complete", "abort", "initiate", "tagging", "policy",
          "make", "remove", "extract"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("route", ROUTES)
def test_cve_2026_40344_a_fabricated_signature_on_every_write_in_every_mode(vault, root, route, mode):
    """Handlers that did their own authentication lacked a mode of it. Ours comes before any handler."""
    vault.refuses(forged(write(root, route, mode, vault)), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("route", ROUTES)
def test_every_write_without_any_signature(vault, root, route, mode):
    request = write(root, route, mode, vault).without("authorization")
    before = vault.state()
    answer = send(vault.server, request)
    status = 200 if route == "multi-delete" and answer.status == 200 else 403  # there each key has its own answer
    assert (answer.status, answer.code) in [(status, "AccessDenied"), (501, "NotImplemented")], answer
    assert vault.state() == before
    ledger.tells_of_one_refusal(vault.server, answer.request_id)


@pytest.mark.parametrize("mode", MODES)
def test_cve_2025_31489_a_key_without_its_secret(vault, root, mode):
    """Who knows only a key's id makes a signature of their own; unsigned trailers let it through."""
    thief = replace(root, key=Key(root.key.id, "a guess of the secret"))
    vault.refuses(write(thief, "put", mode, vault), 403, "SignatureDoesNotMatch")
    unknown = replace(root, key=Key(NOBODY, "x"))
    vault.refuses(write(unknown, "put", mode, vault), 403, "InvalidAccessKeyId")


@pytest.mark.parametrize("mode", MODES)
def test_cve_2026_41145_credentials_in_the_query_and_every_mode(vault, root, mode):
    """Query-string credentials with an unsigned trailer were not verified."""
    headers = [("x-amz-content-sha256", EMPTY_SHA256 if mode == "signed" else mode)]
    body = b""
    if mode.startswith("STREAMING"):
        headers += [("x-amz-decoded-content-length", "1")]
        body = b"1\r\nx\r\n0\r\n\r\n"
    request = root.presigned("PUT", f"/{vault.bucket}/new", headers=headers, body=body, payload=headers[0][1])
    wrong = replace(request, target=re.sub(r"X-Amz-Signature=\w+", f"X-Amz-Signature={'0' * 64}", request.target))
    vault.refuses(wrong, 403, "SignatureDoesNotMatch")
    missing = replace(request, target=re.sub(r"&X-Amz-Signature=\w+", "", request.target))
    vault.refuses(missing, 400, "AuthorizationQueryParametersError")
    header_only = replace(request, target=f"/{vault.bucket}/new?X-Amz-Credential={encode(f'{root.key.id}/x')}")
    vault.refuses(header_only, 400, "AuthorizationQueryParametersError")


def test_credentials_in_both_places(vault, root):
    header = root.request("PUT", f"/{vault.bucket}/new", body=b"x")
    query = root.presigned("PUT", f"/{vault.bucket}/new", body=b"x")
    both = replace(query, headers=[*query.headers, ("authorization", header.header("authorization"))])
    vault.refuses(both, 400, "InvalidArgument")


def test_two_authorization_headers(vault, root):
    request = root.request("PUT", f"/{vault.bucket}/new", body=b"x")
    vault.refuses(request.plus("authorization", request.header("authorization")), 400, "InvalidArgument", "AuthorizationHeaderMalformed", "InvalidRequest")


@pytest.mark.parametrize(
    "value",
    ["", "Basic dXNlcjpwYXNz", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 " + "x" * 9000,
     "AWS4-HMAC-SHA512 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=00"],
)
def test_authorization_headers_that_are_none(vault, root, value):
    request = root.request("PUT", f"/{vault.bucket}/new", body=b"x").with_header("authorization", value)
    vault.refuses(request, 400)


def test_version_4a_is_not_there(vault, root):
    value = "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=00"
    vault.refuses(root.request("PUT", f"/{vault.bucket}/new", body=b"x").with_header("authorization", value), 501, "NotImplemented")


def test_a_signed_header_that_is_absent(vault, root):
    request = root.request("PUT", f"/{vault.bucket}/new", headers=[("x-amz-meta-a", "b")], body=b"x")
    vault.refuses(request.without("x-amz-meta-a"), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-meta-a", "x-amz-copy-source", "x-amz-storage-class"])
def test_an_amz_header_that_is_not_signed(vault, root, name):
    request = root.request("PUT", f"/{vault.bucket}/new", body=b"x")
    vault.refuses(request.plus(name, f"/{vault.bucket}/kept"), 403, "AccessDenied")


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-content-sha256"])
def test_a_header_of_the_signature_that_is_not_signed(vault, root, name):
    vault.refuses(root.request("PUT", f"/{vault.bucket}/new", body=b"x", unsigned=(name,)), 403, "AccessDenied")


def test_a_header_changed_after_signing(vault, root):
    request = root.request("PUT", f"/{vault.bucket}/new", headers=[("x-amz-meta-a", "b")], body=b"x")
    vault.refuses(request.with_header("x-amz-meta-a", "c"), 403, "SignatureDoesNotMatch")
    vault.refuses(request.plus("x-amz-meta-a", "c"), 403, "SignatureDoesNotMatch")
    vault.refuses(replace(request, target=f"/{vault.bucket}/other"), 403, "SignatureDoesNotMatch")
    vault.refuses(replace(request, target=f"/{vault.bucket}/new?a=b"), 403, "SignatureDoesNotMatch")
    vault.refuses(replace(request, method="POST"), 403, "SignatureDoesNotMatch")
    vault.refuses(request.with_header("host", "elsewhere.example"), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("minutes", [-16, 16, -60 * 24 * 365, 60 * 24 * 365])
def test_skew(vault, root, minutes):
    skewed = replace(root, shift_seconds=minutes * 60)
    vault.refuses(skewed.request("PUT", f"/{vault.bucket}/new", body=b"x"), 403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("minutes", [-14, 14])
def test_skew_within_bounds(server, s3, bucket, root, minutes):
    skewed = replace(root, shift_seconds=minutes * 60)
    assert send(server, skewed.request("PUT", f"/{bucket}/k", body=b"x")).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize("value", ["", "now", "20261122", "99999999T999999Z", "20261122T000000+0100", "-0001-01-01"])
def test_dates_that_are_none(vault, root, value):
    request = root.request("PUT", f"/{vault.bucket}/new", body=b"x").with_header("x-amz-date", value)
    vault.refuses(request, 403, "AccessDenied", "RequestTimeTooSkewed", "SignatureDoesNotMatch")


def test_scopes_that_are_wrong(vault, root):
    yesterday = now(days=-1).strftime("%Y%m%d")
    for wrong in (
        replace(root, scope_date=yesterday), replace(root, region="eu-west-1"), replace(root, service="sts"),
        replace(root, service="iam"), replace(root, region="US-EAST-1"),
    ):
        vault.refuses(wrong.request("PUT", f"/{vault.bucket}/new", body=b"x"), 400, "AuthorizationHeaderMalformed")


def test_key_ids_that_are_odd(vault, root):
    good = root.request("PUT", f"/{vault.bucket}/new", body=b"x").header("authorization")
    for odd in (root.key.id.lower(), "", root.key.id + "A", root.key.id[:-1], "../" + root.key.id, "*", "x" * 5000, root.key.id + "%00"):
        request = root.request("PUT", f"/{vault.bucket}/new", body=b"x").with_header("authorization", good.replace(root.key.id, odd))
        answer = send(vault.server, request)
        assert answer.status in (400, 403), (odd, answer)
        assert answer.code in ("InvalidAccessKeyId", "AuthorizationHeaderMalformed"), (odd, answer)
        ledger.tells_of_one_refusal(vault.server, answer.request_id)
    assert "new" not in str(vault.state())


def test_ghsa_ccrv_a_session_token_that_nobody_gave(vault, root, make_user):
    for token in ("x", make_user().secret, "A" * 9000):
        request = root.request("PUT", f"/{vault.bucket}/new", headers=[("x-amz-security-token", token)], body=b"x")
        vault.refuses(request, 400, "InvalidToken")
    presigned = root.presigned("PUT", f"/{vault.bucket}/new", [("X-Amz-Security-Token", "x")], body=b"x")
    vault.refuses(presigned, 400, "InvalidToken")


class TestPresigned:
    @pytest.mark.parametrize("expires", ["604801", "-1", "0", "99999999999999999999999", "", "1e3", "+5", "0x10", "300 "])
    def test_lifetimes_that_are_none(self, vault, root, expires):
        request = root.presigned("PUT", f"/{vault.bucket}/new", body=b"x", expires=expires)
        vault.refuses(request, 400, "AuthorizationQueryParametersError")

    def test_over(self, vault, root):
        old = replace(root, shift_seconds=-3600)
        vault.refuses(old.presigned("PUT", f"/{vault.bucket}/new", body=b"x", expires="3599"), 403, "AccessDenied")
        assert send(vault.server, old.presigned("GET", f"/{vault.bucket}/kept", expires="3700")).status == 200

    def test_not_yet(self, vault, root):
        early = replace(root, shift_seconds=3600)
        vault.refuses(early.presigned("PUT", f"/{vault.bucket}/new", body=b"x"), 403, "AccessDenied")

    def test_another_method(self, vault, root):
        request = root.presigned("GET", f"/{vault.bucket}/kept")
        for method in ("PUT", "DELETE", "HEAD", "POST"):
            other = replace(request, method=method).with_header("content-length", "0")
            vault.refuses(other, 403, "SignatureDoesNotMatch")

    def test_an_added_query(self, vault, root):
        request = root.presigned("GET", f"/{vault.bucket}/kept")
        for more in ("&versionId=null", "&response-content-type=text/html", "&acl", "&x=y"):
            vault.refuses(replace(request, target=request.target + more), 403, "SignatureDoesNotMatch")

    def test_a_longer_life(self, vault, root):
        request = root.presigned("GET", f"/{vault.bucket}/kept", expires="60")
        vault.refuses(replace(request, target=request.target.replace("Expires=60", "Expires=6000")), 403, "SignatureDoesNotMatch")

    def test_a_parameter_twice(self, vault, root):
        request = root.presigned("GET", f"/{vault.bucket}/kept")
        for name in ("X-Amz-Expires=600", "X-Amz-Signature=" + "0" * 64, "X-Amz-Date=20200101T000000Z"):
            vault.refuses(replace(request, target=f"{request.target}&{name}"), 400, "AuthorizationQueryParametersError")

    def test_another_spelling(self, vault, root):
        request = root.presigned("GET", f"/{vault.bucket}/kept")
        answer = send(vault.server, replace(request, target=request.target.replace("X-Amz-Signature", "x-amz-signature")))
        assert answer.status in (400, 403) and b"as it was" not in answer.body

    def test_an_amz_header_beside_it(self, vault, root):
        request = root.presigned("PUT", f"/{vault.bucket}/new", body=b"x")
        vault.refuses(request.plus("x-amz-copy-source", f"/{vault.bucket}/kept"), 403, "AccessDenied")


class TestVersion2:
    """The older signature is off, even when it is right."""

    def test_in_the_header(self, vault, root):
        date = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        text = f"PUT\n\n\n{date}\n/{vault.bucket}/new"
        signature = base64.b64encode(hmac.new(root.key.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
        headers = [*root.base_headers(), ("date", date), ("authorization", f"AWS {root.key.id}:{signature}"), ("content-length", "1")]
        vault.refuses(Request("PUT", f"/{vault.bucket}/new", headers, b"x"), 400, "InvalidRequest")

    def test_in_the_query(self, vault, root):
        expires = str(int(now().timestamp()) + 300)
        text = f"GET\n\n\n{expires}\n/{vault.bucket}/kept"
        signature = base64.b64encode(hmac.new(root.key.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
        query = query_string([("AWSAccessKeyId", root.key.id), ("Expires", expires), ("Signature", signature)])
        vault.refuses(Request("GET", f"/{vault.bucket}/kept?{query}", root.base_headers()), 400, "InvalidRequest")


def test_cve_2024_36107_rights_before_conditions(server, s3, bucket, root, make_user):
    """Conditional requests told strangers whether an object exists and when it was written."""
    s3.put_object(Bucket=bucket, Key="there", Body=b"x")
    tag = s3.head_object(Bucket=bucket, Key="there")["ETag"]
    stranger = Signer(server, make_user(allow("s3:ListAllMyBuckets", "*")))

    def asked(signer: Signer | None, key: str, header: tuple[str, str] | None) -> tuple:
        headers = [header] if header else []
        if signer:
            request = signer.request("GET", f"/{bucket}/{key}", headers=headers)
        else:
            request = Request("GET", f"/{bucket}/{key}", [*root.base_headers(), *headers])
        answer = send(server, request)
        body = re.sub(rb"<(RequestId|Resource|HostId)>[^<]*</\1>|decision [0-9a-f-]+", b"", answer.body)
        return answer.status, answer.code, len(body)

    for signer in (stranger, None):
        seen = {
            asked(signer, key, header)
            for key in ("there", "aways")
            for header in (None, ("if-none-match", tag), ("if-match", tag), ("if-match", '"0"'), ("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT"),
                           ("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT"), ("range", "bytes=100-"))
        }
        assert len({(status, code) for status, code, _ in seen}) == 1, seen
        assert {(s, c) for s, c, _ in seen} == {(403, "AccessDenied")}


def test_ghsa_r5qv_ids_tell_nothing(server: Server, root):
    """A secret that is derived from the id, or from another secret, is no secret."""
    import json

    made = [json.loads(server.command("user", "add", f"derived-{n}-{root.moment()}", "--json")) for n in range(3)]
    for one in made:
        server.keep(Key(one["id"], one["secret"]))
    secrets = [one["secret"] for one in made] + [server.root.secret]
    assert len(set(secrets)) == 4 and all(len(s) >= 40 for s in secrets)
    for one in made:
        for digest in ("sha1", "sha256", "md5"):
            raw = hashlib.new(digest, one["id"].encode()).digest()
            assert base64.b64encode(raw).decode()[:16] not in one["secret"] and raw.hex()[:16] not in one["secret"]

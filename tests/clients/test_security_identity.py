"""Weaknesses of other systems around identity: what calls name, what answers say, keys of others, requests that are none."""

import base64
import json
import re
import socket
import time
import urllib.parse
from dataclasses import replace

import pytest

import ledger
from conftest import allow, client
from server import Server, unique
from sigv4 import Request, Signer, Wire, send
from test_iam import code, make_key, service
from test_iceberg_door import Door
from test_routes import FORM, ROUTES, Sent, served
from test_sts import oauth

# Where a call can say an address or a path: of what, and how it is kept from being fetched.
NAMES_ADDRESSES = {
    # The address of an identity provider: tested by ghsa_m479 against addresses that are not public.
    ("iam", "CreateOpenIDConnectProvider"),
}


def test_cve_2022_35919_no_call_takes_a_path_or_an_address_to_fetch(server, root, bucket, tmp_path):
    """The administration fetched what a call named, and wrote it where it said. Ours has no such call: every operation of IAM and of the
    API is asked with addresses and paths in every field, and nothing connects to us and nothing is written."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/x"
        target = tmp_path / "written"
        for door, operation, action, *_ in served():
            if door == "s3" or (door, operation) in NAMES_ADDRESSES:
                continue
            for value in (address, f"file://{target}", str(target), f"../../../..{target}"):
                sent = Sent([door, operation, action, *_], bucket)
                if sent.service in ("iam", "sts"):
                    form = {name: value for name in FORM if name != "Version"}
                    body = urllib.parse.urlencode({"Version": FORM["Version"], "Action": operation} | form)
                else:
                    body = json.dumps({name: value for name in ("url", "path", "file", "uri", "document", "text", "policy", "endpoint", "location", "from")})
                    sent.query = ""
                sent.body = body.encode()
                answer = send(server, sent.signed(server, server.root))
                assert answer.status < 500, (operation, answer)
        with pytest.raises(TimeoutError):
            listening.accept()
        assert not target.exists() and list(tmp_path.iterdir()) == []


def absolute(answer) -> set[str]:
    """The hosts of all addresses that an answer says."""
    text = answer.body.decode(errors="replace") + " ".join(answer.headers.values())
    found = {urllib.parse.urlsplit(address).hostname for address in re.findall(r"https?://[^\s\"'<>\\]+", text)}
    return found - {"s3.amazonaws.com", "doc.s3.amazonaws.com", "iam.amazonaws.com", "sts.amazonaws.com", "www.w3.org", "issuer.example", "acs.amazonaws.com"}


FORWARDED = [
    ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "1"), ("x-forwarded-server", "evil.example"),
    ("forwarded", "host=evil.example;proto=https"), ("x-original-host", "evil.example"), ("x-host", "evil.example"), ("x-forwarded-prefix", "/evil"),
]


# What it sets would forbid everything to all the other tests.
TOO_MUCH = {"PutGuardPolicy"}


@pytest.mark.parametrize("route", [r for r in served() if r[1] not in TOO_MUCH], ids=lambda r: f"{r[0]}-{r[1]}")
def test_ghsa_9pjf_no_address_is_made_of_what_a_proxy_says(server, s3, route):
    """Redirects were built from `X-Forwarded-Host`. No answer of any route says a host that it, or another such header, names."""
    bucket = unique("b")
    s3.create_bucket(Bucket=bucket)
    sent = Sent(route, bucket)
    request = sent.signed(server, server.root)
    for name, value in FORWARDED:
        request = request.with_header(name, value)
    answer = send(server, request)
    assert "evil" not in answer.body.decode(errors="replace") + str(answer.headers), answer
    assert absolute(answer) <= {server.host}, answer


def test_ghsa_9pjf_the_host_is_the_signed_one_and_its_address_nobody_else_s(server, bucket, make_user):
    """The catalog tells a client where objects are: at the address that the client signed, and no cache may keep it."""
    door = Door(server, bucket)
    good = door.signer.request("GET", "/_iceberg/v1/config", f"warehouse={bucket}")
    answer = send(server, good)
    told = json.loads(answer.body)
    assert told["overrides"].get("s3.endpoint", told["defaults"].get("s3.endpoint")) == f"http://{server.host}:{server.port}"
    assert answer.headers["cache-control"] == "no-store"
    other = send(server, good.with_header("host", "evil.example"))
    assert other.status == 401 and b"evil" not in other.body


def test_ghsa_9pjf_the_administrator_says_where_the_server_is(tmp_path):
    server = Server(tmp_path, "--memory", "64MiB", "--public-url", "https://data.example.org/").start()
    try:
        s3 = client(server)
        s3.create_bucket(Bucket="lake")
        answer = Door(server, "lake").signer.request("GET", "/_iceberg/v1/config", "warehouse=lake")
        assert b'"https://data.example.org"' in send(server, answer).body
    finally:
        server.kill()


def test_cve_2022_24842_nobody_makes_a_key_for_who_has_more(server, make_user):
    """A service account was minted for root by who might make service accounts."""
    user = make_user(allow(["iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:ListAccessKeys"]))
    admin = make_user(allow("*"))
    iam = service(server, "iam", user)
    before = server.command("key", "list", "root", "--json"), server.command("key", "list", admin.user, "--json")
    for name in ("root", "Root", admin.user):
        with pytest.raises(Exception) as refused:
            iam.create_access_key(UserName=name)
        assert code(refused) in ("AccessDenied", "NoSuchEntity", "ValidationError"), name
    assert (server.command("key", "list", "root", "--json"), server.command("key", "list", admin.user, "--json")) == before


# Commands that begin other protocols, or methods of other ones, which had their own idea of who may.
OTHERS = [b"SSH-2.0-OpenSSH_9.6\r\n", b"USER root\r\n", b"EHLO x\r\n", b"AUTH TLS\r\n", b"\x05\x01\x00", b"*1\r\n$4\r\nPING\r\n"]
WEBDAV = ["PROPFIND", "PROPPATCH", "MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK", "REPORT", "SEARCH", "CONNECT", "PATCH"]


def test_cve_2025_27414_there_is_no_second_protocol(server, s3, bucket):
    """SFTP trusted any key. What speaks another protocol is told nothing, and the methods of WebDAV are nobody's."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    for hello in OTHERS:
        with Wire(server, timeout=5) as wire:
            wire.send(hello + b"\r\n\r\n")
            wire._more()
            assert not wire.buffer or wire.buffer.startswith(b"HTTP/1.1 4"), wire.buffer[:80]
    for method in WEBDAV:
        for headers in ([], [("authorization", "Basic cm9vdDpyb290")], [("destination", f"/{bucket}/moved")]):
            request = Request(method, f"/{bucket}/k", [("host", f"{server.host}:{server.port}"), ("content-length", "0"), *headers])
            answer = send(server, request)
            assert 400 <= answer.status < 500 and b"kept" not in answer.body, (method, answer)
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_ghsa_3g29_basic_and_plain_credentials_are_none(server, s3, bucket, make_user):
    """Other doors compared a secret that was sent in the clear, or let in who sent none. Only the token endpoint takes one."""
    user = make_user(allow("*"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    basic = base64.b64encode(f"{user.id}:{user.secret}".encode()).decode()
    for value in (f"Basic {basic}", f"AWS {user.id}:{user.secret}", f"Bearer {user.secret}", user.secret, "", "Bearer "):
        for path in (f"/{bucket}/k", "/_api/v1/users", f"/_graph/v1/{bucket}", f"/_iceberg/v1/{bucket}/namespaces"):
            request = Request("GET", path, [("host", f"{server.host}:{server.port}"), ("authorization", value)])
            answer = send(server, request)
            assert answer.status in (400, 401, 403) and b"kept" not in answer.body, (path, value.split(" ")[0], answer)
            ledger.tells_of_one_refusal(server, answer.request_id)


def test_ghsa_c667_a_signature_is_of_one_method_path_and_time(server, s3, bucket, root):
    """A signature that was not bound to the method could be sent with another."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    signed = root.request("GET", f"/{bucket}/k")
    for change in ({"method": "DELETE"}, {"method": "HEAD"}, {"target": f"/{bucket}/l"}, {"target": f"/{bucket}/k?acl"}, {"target": f"/{bucket}"}):
        answer = send(server, replace(signed, **change))
        assert answer.status == 403, change
    old = root.request("GET", f"/{bucket}/k").with_header("x-amz-date", "20200101T000000Z")
    assert send(server, old).status in (400, 403)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


GARBAGE = [b"", b"\x00", b"\xff" * 64, b"{" * 10_000, b"[" * 100_000, b"<" * 10_000, b'{"a":' * 5_000, b"null", b"[]", b'"x"', b"1e999999", b"a" * 70_000,
           b'{"labels":null}', b"Action=%ZZ&Action=&=&&", b"Action=" + b"x" * 20_000]


@pytest.mark.parametrize("route", served(), ids=lambda r: f"{r[0]}-{r[1]}")
def test_ghsa_gw2x_a_body_that_is_none_ends_no_server(server, s3, route):
    """A malformed call made the server panic. Every route is sent bodies that are none, as who may everything."""
    bucket = unique("b")
    s3.create_bucket(Bucket=bucket)
    for body in GARBAGE:
        sent = Sent(route, bucket)
        if sent.method in ("GET", "HEAD"):
            return
        sent.body = body
        answer = send(server, sent.signed(server, server.root))
        assert answer.status < 500 or answer.status == 501, (route, body[:40], answer)
    server.check_alive()


def test_ghsa_7gcx_no_origin_is_reflected_with_credentials(server, s3, bucket, root):
    """Any page could ask with the visitor's credentials. No door but S3 knows other origins, and S3 says `*` without credentials."""
    evil = [("origin", "https://evil.example")]
    for path in ("/", "/_api/v1/users", f"/_graph/v1/{bucket}", f"/_iceberg/v1/{bucket}/namespaces", "/_api/v1/oauth/jwks", "/_health/live"):
        for method in ("GET", "OPTIONS"):
            preflight = [("access-control-request-method", "PUT"), ("access-control-request-headers", "authorization")]
            plain = Request(method, path, [("host", f"{server.host}:{server.port}"), *evil, *preflight])
            for request in (plain, root.request(method, path, headers=evil)):
                answer = send(server, request)
                assert not [h for h in answer.headers if h.startswith("access-control-")], (method, path, answer)
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]})
    answer = send(server, root.request("GET", f"/{bucket}", "list-type=2", evil))
    assert answer.headers["access-control-allow-origin"] == "*" and "access-control-allow-credentials" not in answer.headers


def test_the_token_endpoint_keeps_nobody_waiting_for_who_says_nothing(server, make_user):
    """Forms that never end, from one address: who comes from another is served at once, and so is the first once they are gone."""
    user = make_user()
    held = []
    try:
        for _ in range(64):
            made = socket.create_connection((server.host, server.port), timeout=5, source_address=("127.0.0.9", 0))
            made.sendall(b"POST /_api/v1/oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 30000\r\n\r\ng")
            held.append(made)
        time.sleep(0.3)
        began = time.monotonic()
        token = oauth(server, grant_type="client_credentials", client_id=user.id, client_secret=user.secret)
        assert "access_token" in token and time.monotonic() - began < 5
        refused = [s for s in held if answered(s).startswith(b"HTTP/1.1 429")]
        assert len(refused) >= 50, "the others of the same address are told so"
    finally:
        for made in held:
            made.close()


def answered(made: socket.socket) -> bytes:
    made.settimeout(0.2)
    try:
        return made.recv(4096)
    except TimeoutError:
        return b""

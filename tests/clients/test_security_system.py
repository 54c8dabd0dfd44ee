"""The system around the data: what is open, what administrators may, what is on the disk, in the binary, in the ledger."""

import base64
import http.client
import json
import os
import re
import subprocess
from dataclasses import replace

import pytest

import ledger
from conftest import allow, client
from expect import error
from server import Key, Server, binary, unique
from sigv4 import EMPTY_SHA256, Request, Signer, Wire, send
from test_routes import OF_ONESELF, ROUTES, Sent


def people(server: Server) -> str:
    return server.command("user", "list", "--json")


def test_cve_2020_11012_administration_with_a_fabricated_signature(server, bucket, root, make_user):
    """The administration accepted the id of a key without its secret. Ours: no signature, a wrong one, and a right one
    without the right. More kinds of callers try every route of every door in test_routes.py."""
    user = make_user()
    before = people(server), server.command("key", "list", user.user, "--json")
    for route in (r for r in ROUTES if r[0] == "api"):
        sent = Sent(route, bucket)
        good = sent.signed(server, server.root)
        wrong = re.sub(r"Signature=\w{8}", "Signature=00000000", good.header("authorization"))
        for request, reason in (
            (good.without("authorization"), "AccessDenied"),
            (good.with_header("authorization", wrong), "SignatureDoesNotMatch"),
            (sent.signed(server, Key(root.key.id, "a guess")), "SignatureDoesNotMatch"),
            *([] if sent.operation in OF_ONESELF else [(sent.signed(server, user), "AccessDenied")]),
        ):
            answer = send(server, request)
            assert answer.status == 403 and json.loads(answer.body)["error"]["reason"] == reason, (route, answer)
            ledger.tells_of_one_refusal(server, answer.request_id)
    assert (people(server), server.command("key", "list", user.user, "--json")) == before


def test_cve_2023_28432_no_endpoint_tells_the_configuration(server, root, make_user):
    """An open endpoint answered with the environment, secrets included."""
    stranger = Signer(server, make_user())
    paths = [
        "/", "/_api", "/_api/v1", "/_api/v1/config", "/_api/v1/env", "/_health/live", "/_health/ready", "/_metrics", "/_health", "/_metrics/x",
        "/_debug", "/_console", "/_mcp", "/_iceberg/v1/config", "/_graph/v1", "/minio/bootstrap/v1/verify", "/minio/health/cluster", "/debug/pprof",
        "/.env", "/robots.txt", "/favicon.ico", "/server-status", "/root-credentials", "/keyring", "/system/keyring",
    ]
    telling = [server.root.secret, server.root.id, str(server.data), server.data.name + "/", os.environ.get("HOME", "no home")]
    for path in paths:
        for method in ("GET", "POST", "OPTIONS", "TRACE"):
            requests = [Request(method, path, [*root.base_headers(), ("content-length", "0")]), stranger.request(method, path)]
            for request in requests:
                answer = send(server, request)
                text = answer.body.decode(errors="replace") + str(answer.headers)
                for secret in [s for s in telling if len(s) > 5]:
                    assert secret not in text, (method, path)
                if path not in ("/", "/_health/live", "/_health/ready", "/_metrics"):
                    assert answer.status >= 400, (method, path, answer)


def test_ghsa_pfcq_signing_in_is_not_a_right(server, s3, bucket, make_user):
    """Routes that any signed-in caller could use. A user without a policy may do nothing."""
    nobody = client(server, make_user())
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for method, arguments in (
        ("list_buckets", {}), ("create_bucket", {"Bucket": unique("new")}), ("list_objects_v2", {"Bucket": bucket}),
        ("get_object", {"Bucket": bucket, "Key": "k"}), ("put_object", {"Bucket": bucket, "Key": "k", "Body": b"y"}),
        ("delete_object", {"Bucket": bucket, "Key": "k"}), ("create_multipart_upload", {"Bucket": bucket, "Key": "k"}),
        ("list_multipart_uploads", {"Bucket": bucket}), ("delete_bucket", {"Bucket": bucket}), ("get_bucket_location", {"Bucket": bucket}),
        ("get_bucket_acl", {"Bucket": bucket}), ("get_object_acl", {"Bucket": bucket, "Key": "k"}),
        ("get_object_attributes", {"Bucket": bucket, "Key": "k", "ObjectAttributes": ["ETag"]}),
    ):
        with error("AccessDenied", 403):
            getattr(nobody, method)(**arguments)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_cve_2021_43858_nobody_gives_themselves_rights(server, make_user):
    """Users could edit their own policy."""
    user = make_user(allow("s3:*", "*"))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow("*", "*")]}).encode()
    signer = Signer(server, user)
    for method, path, body in (
        ("PUT", f"/_api/v1/users/{user.user}/policies/own", policy), ("POST", f"/_api/v1/users/{user.user}/keys", b""),
        ("POST", "/_api/v1/users/root/keys", b""), ("PUT", f"/_api/v1/users/{user.user}-2", b""), ("DELETE", f"/_api/v1/users/{user.user}/policies/test", b""),
    ):
        answer = send(server, signer.request(method, path, body=body))
        assert answer.status == 403, (path, answer)
    assert json.loads(server.command("policy", "list", user.user, "--json"))["policies"][0]["name"] == "test"
    assert f"{user.user}-2" not in people(server)


def test_cve_2023_27589_reserved_users(server, root):
    """A user could be made with the name of the root."""
    before = people(server)
    for name in ("root", "anonymous", "system", "a%2Fb", "a%00b", "x" * 65, "%C3%BC", "a b"):
        answer = send(server, root.request("PUT", f"/_api/v1/users/{name.replace(' ', '%20')}"))
        assert 400 <= answer.status < 500, (name, answer)
    assert people(server) == before
    assert send(server, root.request("DELETE", "/_api/v1/users/root")).status >= 400
    assert send(server, root.request("GET", "/")).status == 200


def test_cve_2026_21862_the_source_address_is_the_connection_s(server, s3, bucket, make_user):
    """`aws:SourceIp` came from a header that anyone can send."""
    elsewhere = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*") | {"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
    here = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/here") | {"Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}}}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="here", Body=b"x")
    signer = Signer(server, make_user(elsewhere, here))
    for name in ("x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip", "x-client-ip", "cf-connecting-ip"):
        value = "for=203.0.113.5" if name == "forwarded" else "203.0.113.5"
        assert send(server, signer.request("GET", f"/{bucket}/k", headers=[(name, value)])).status == 403, name
        assert send(server, signer.request("GET", f"/{bucket}/here", headers=[(name, value)])).status == 200, name


def test_ghsa_6r96_headers_are_not_context(server, s3, bucket, make_user):
    """Headers overwrote the keys that policies look at."""
    condition = {"Condition": {"StringEquals": {"aws:username": "somebody-else"}}}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    signer = Signer(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*") | condition))
    for name in ("userid", "username", "aws-username", "x-amz-meta-username", "groups", "principal", "x-amz-username"):
        request = signer.request("GET", f"/{bucket}/k", headers=[(name, "somebody-else")])
        assert send(server, request).status == 403, name
    assert send(server, signer.request("GET", f"/{bucket}/k", "aws:username=somebody-else".replace(":", "%3A"))).status == 403


def test_deny_wins(server, s3, bucket, make_user):
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/secret/*"}
    mine = client(server, make_user(allow("s3:*", "*"), deny))
    s3.put_object(Bucket=bucket, Key="secret/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="open", Body=b"y")
    assert mine.get_object(Bucket=bucket, Key="open")["Body"].read() == b"y"
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key="secret/k")
    with error("AccessDenied", 403):
        mine.copy_object(Bucket=bucket, Key="out", CopySource=f"{bucket}/secret/k")


def test_cve_2026_34204_internal_headers_are_the_client_s_own(server, s3, bucket, root):
    """Headers of the system's own replication were believed. Here they are metadata, or nothing."""
    headers = [
        ("x-amz-meta-x-minio-internal", "1"), ("x-craton-version", "9"), ("x-minio-replication-server-side-encryption-sealed-key", "x"),
        ("x-amz-meta-", "empty name"), ("x-craton-owner", "somebody"), ("x-internal-principal", "root"),
    ]
    for header in headers:
        send(server, root.request("PUT", f"/{bucket}/k", headers=[header], body=b"plain"))
        head = s3.head_object(Bucket=bucket, Key="k") if "Contents" in s3.list_objects_v2(Bucket=bucket) else {"Metadata": {}}
        assert set(head["Metadata"]) <= {"x-minio-internal"}, header
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"plain"
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"] == "root"


def test_ghsa_xrrf_nothing_is_plain_on_the_disk(tmp_path):
    """Encryption was reported and the disk had plain text. Ours has none: not of content, keys, metadata in blobs, secrets."""
    own = Server(tmp_path).start()
    try:
        s3 = client(own)
        s3.create_bucket(Bucket="plain")
        marker = base64.b64encode(os.urandom(48)).decode()
        text = marker.encode()
        s3.put_object(Bucket="plain", Key="small", Body=text)
        s3.put_object(Bucket="plain", Key="medium", Body=text * 500)
        s3.put_object(Bucket="plain", Key="large", Body=text * 100_000)
        upload = s3.create_multipart_upload(Bucket="plain", Key="parts")["UploadId"]
        s3.upload_part(Bucket="plain", Key="parts", UploadId=upload, PartNumber=1, Body=text * 1000)
        user = json.loads(own.command("user", "add", "somebody", "--json"))
        own.keep(Key(user["id"], user["secret"]))
        assert s3.get_object(Bucket="plain", Key="medium")["Body"].read() == text * 500
        own.stop()
        seen = 0
        for file in own.data.rglob("*"):
            if not file.is_file():
                continue
            data = file.read_bytes()
            seen += len(data)
            assert text not in data, f"{file.name} has content in plain"
            if file.name != "root-credentials":
                assert own.root.secret.encode() not in data and user["secret"].encode() not in data, f"{file.name} has a secret"
            assert file.stat().st_mode & 0o077 == 0 or file.name not in ("keyring", "root-credentials"), file.name
        assert seen > 100_000 * len(text), "the content is somewhere"
    finally:
        own.kill()


def test_cve_2025_68926_no_credential_is_in_the_binary():
    """A token was compiled in. Ours has no literal that could be one, and no default key."""
    data = binary().read_bytes()
    for literal in (rb"AKIA[A-Z0-9]{16}", rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{16}", rb"eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"):
        found = re.search(literal, data)
        assert found is None, found
    for default in (b"minioadmin", b"rustfsadmin", b"wJalrXUtnFEMI/K7MDENG"):
        assert default not in data


def test_ghsa_j59h_no_default_credentials(server):
    """Well-known keys opened fresh installations."""
    known = ["minioadmin", "rustfsadmin", "admin", "root", "craton", "cratonadmin", "AKIAIOSFODNN7EXAMPLE", "test", "x" * 20, "A" * 20]
    secrets = [*known, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "password", ""]
    for key_id in known:
        for secret in secrets:
            answer = send(server, Signer(server, Key(key_id, secret)).request("GET", "/"))
            assert answer.status in (400, 403), (key_id, secret, answer)


def test_a_second_start_keeps_and_a_fresh_one_differs(tmp_path):
    """The first start makes a key of its own; the next ones keep it, and the data."""
    one, two = Server(tmp_path / "1"), Server(tmp_path / "2")
    for server in (one, two):
        server.folder.mkdir()
    try:
        one.start()
        two.start()
        assert one.root.id != two.root.id and one.root.secret != two.root.secret and len(one.root.secret) >= 40
        client(one).create_bucket(Bucket="lasting")
        client(one).put_object(Bucket="lasting", Key="k", Body=b"kept")
        two.stop()
        one.stop()
        key = one.root
        one.start()
        assert one.root == key
        assert client(one).get_object(Bucket="lasting", Key="k")["Body"].read() == b"kept"
        one.stop()
    finally:
        one.kill()
        two.kill()


def test_ghsa_3495_secrets_are_told_once(server, make_user):
    user = make_user()
    made = json.loads(server.command("key", "add", user.user, "--json"))
    server.keep(Key(made["id"], made["secret"]))
    for told in (server.command("key", "list", user.user, "--json"), people(server), json.dumps(ledger.records(server))):
        assert made["secret"] not in told and user.secret not in told
    server.command("key", "rm", user.user, made["id"])
    answer = send(server, Signer(server, Key(made["id"], made["secret"])).request("GET", "/"))
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId"), "a deleted key is over at once"


def test_cve_2026_22042_each_operation_needs_its_own_action(server, s3, bucket, make_user):
    """One route checked the action of another. Each here is allowed by its own action and by no other."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    both = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    operations = {
        "s3:GetObject": ("get_object", {"Key": "k"}), "s3:PutObject": ("put_object", {"Key": "new", "Body": b"y"}),
        "s3:ListBucket": ("list_objects_v2", {}), "s3:DeleteObject": ("delete_object", {"Key": "new"}),
        "s3:GetBucketLocation": ("get_bucket_location", {}), "s3:ListBucketMultipartUploads": ("list_multipart_uploads", {}),
        "s3:GetBucketAcl": ("get_bucket_acl", {}), "s3:GetObjectAcl": ("get_object_acl", {"Key": "k"}),
    }
    for action in operations:
        mine = client(server, make_user(allow(action, both)))
        for other, (method, arguments) in operations.items():
            if action == other:
                getattr(mine, method)(Bucket=bucket, **arguments)
            else:
                with error("AccessDenied", 403):
                    getattr(mine, method)(Bucket=bucket, **arguments)


class TestLedger:
    def test_every_access_is_there(self, server, s3, bucket, root):
        put = send(server, root.request("PUT", f"/{bucket}/k", body=b"content"))
        got = send(server, root.request("GET", f"/{bucket}/k"))
        gone = send(server, root.request("DELETE", f"/{bucket}/k"))
        missing = send(server, root.request("GET", f"/{bucket}/k"))
        kinds = {}
        for name, answer in (("put", put), ("got", got), ("gone", gone), ("missing", missing)):
            records = ledger.of_request(server, answer.request_id)
            kinds[name] = sorted(r["kind"] for r in records)
            assert all(r["principal"] == "root" for r in records)
            assert any(r.get("source_ip") == "127.0.0.1" for r in records)
            assert all(r["resource"] == f"/{bucket}/objects/k" for r in records)
        assert "write" in kinds["put"] and "write" in kinds["gone"]
        assert kinds["got"][:1] == ["decision"] and kinds["missing"][:1] == ["decision"], kinds

    def test_denials_are_explained(self, server, bucket, make_user):
        user = make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
        answer = send(server, Signer(server, user).request("PUT", f"/{bucket}/k", body=b"x"))
        decision = re.search(rb"decision ([0-9a-f]+-[0-9a-f]+)", answer.body)[1].decode()
        told = json.loads(server.command("explain", "--decision", decision, "--json"))
        assert (told["kind"], told["verdict"], told["principal"], told["action"]) == ("denial", "implicit-deny", user.user, "s3:PutObject")

    def test_a_receipt_proves_a_record(self, server, s3, bucket, root, tmp_path):
        answer = send(server, root.request("PUT", f"/{bucket}/k", body=b"x"))
        record = next(r for r in ledger.of_request(server, answer.request_id) if r["kind"] == "write")
        server.command("audit", "verify")
        receipt = tmp_path / "receipt"
        receipt.write_text(server.command("audit", "prove", record["id"]))
        key = server.command("audit", "key").strip()
        server.command("audit", "receipt-verify", str(receipt), key)
        text = receipt.read_text()
        at = text.index(record["request_id"]) if record["request_id"] in text else len(text) // 2
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]
        receipt.write_text(changed)
        done = subprocess.run([binary(), "audit", "receipt-verify", receipt, key], capture_output=True, check=False, timeout=30)
        assert done.returncode != 0


def test_http_2_has_the_same_gate(server, bucket, root):
    """Prior-knowledge HTTP/2 on the same port: a preface and nothing else gets no data and harms nobody."""
    with Wire(server) as wire:
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 64)
        wire._more()
    assert send(server, root.request("GET", "/")).status == 200


def test_cve_2026_27822_what_is_stored_is_not_run_by_a_browser(server, s3, bucket, root):
    """Objects previewed in the console's origin. There is no console; answers that are not objects are no pages."""
    answer = send(server, root.request("GET", f"/{bucket}/%3Cscript%3Ealert(1)%3C%2Fscript%3E"))
    assert answer.headers["content-type"] == "application/xml" and b"<script>" not in answer.body
    assert "access-control-allow-origin" not in answer.headers
    cross = send(server, root.request("GET", f"/{bucket}", "list-type=2", [("origin", "https://evil.example")]))
    assert not [h for h in cross.headers if h.startswith("access-control-")]


def test_garbage_is_answered_or_closed(server, root):
    """Bytes that are no HTTP at all."""
    for garbage in (b"\x00" * 1000, b"\x16\x03\x01\x02\x00\x01\x00", os.urandom(2000), b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000 + b"\r\n\r\n"):
        with Wire(server, timeout=5) as wire:
            wire.send(garbage + b"\r\n\r\n")
            wire._more()
            assert not wire.buffer or wire.buffer.startswith(b"HTTP/1.1 4") or wire.buffer[3:4] in b"\x04\x06\x07", wire.buffer[:50]
    assert send(server, root.request("GET", "/")).status == 200
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.request("GET", "/", headers={"x-amz-content-sha256": EMPTY_SHA256})
    assert connection.getresponse().status == 403
    connection.close()


def test_ghsa_r54g_no_secret_is_in_a_log(server, s3, bucket, root, make_user):
    """Secrets were logged. The server of the whole run logs at the finest level; it is looked at again at the end."""
    user = make_user()
    thief = replace(root, key=Key(root.key.id, user.secret))
    for signer in (root, thief, Signer(server, user)):
        for request in (signer.request("PUT", f"/{bucket}/k", body=b"x"), signer.presigned("GET", f"/{bucket}/k")):
            send(server, request)
    assert "trace" in server.log and server.err.stat().st_size > 0
    assert {server.root.secret, user.secret} <= server.secrets
    server.check_logs()

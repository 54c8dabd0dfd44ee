"""Uploads by HTML forms: a signed policy says what may be uploaded, and everything that it says holds."""

import base64
import datetime
import hashlib
import hmac
import json

import pytest

from conftest import allow
from server import unique
from sigv4 import Request, Signer, send


def policy(signer: Signer, conditions: list, hours: float = 1, signed: bool = True) -> dict:
    """The fields that a signed policy adds to a form."""
    end = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    date = signer.moment()
    fields = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{signer.key.id}/{signer.scope(date)}", "x-amz-date": date}
    document = {"expiration": end, "conditions": [*conditions, *({n: v} for n, v in fields.items())]}
    text = base64.b64encode(json.dumps(document).encode()).decode()
    value = hmac.new(signer.signing_key(date), text.encode(), hashlib.sha256).hexdigest() if signed else "0" * 64
    return {**fields, "policy": text, "x-amz-signature": value}


def form(signer: Signer, bucket: str, fields: dict, file: bytes = b"content", name: str = "up.txt", kind: str = "multipart/form-data") -> Request:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()]
    parts.append(f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + file + b"\r\n--x--\r\n")
    body = b"".join(parts)
    headers = [*signer.base_headers(), ("content-type", f"{kind}; boundary=x"), ("content-length", str(len(body)))]
    return Request("POST", f"/{bucket}", headers, body)


def any_key(bucket: str) -> list:
    return [{"bucket": bucket}, ["starts-with", "$key", ""]]


def test_a_good_form_is_stored(server, s3, bucket, root):
    fields = {"key": "dir/${filename}", "Content-Type": "text/x", "x-amz-meta-a": "b", "success_action_status": "201"}
    conditions = [{"bucket": bucket}, ["starts-with", "$key", "dir/"], ["starts-with", "$Content-Type", "text/"], {"x-amz-meta-a": "b"},
                  {"success_action_status": "201"}, ["content-length-range", 1, 100]]
    answer = send(server, form(root, bucket, {**fields, **policy(root, conditions)}))
    assert answer.status == 201, answer
    got = s3.get_object(Bucket=bucket, Key="dir/up.txt")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"content", "text/x", {"a": "b"})


def test_cve_2026_27607_every_condition_of_a_form_holds(server, s3, vault, root):
    """Conditions of a policy were not enforced."""
    bucket, good = vault.bucket, any_key(vault.bucket)
    for fields, file in (
        ({"key": "new", **policy(root, good, hours=-1)}, b"content"),
        ({"key": "new", **policy(root, good, signed=False)}, b"content"),
        ({"key": "new", **policy(root, any_key("another-bucket"))}, b"content"),
        ({"key": "new", **policy(root, [*good, ["content-length-range", 1, 3]])}, b"content"),
        ({"key": "new", **policy(root, [*good, ["content-length-range", 100, 200]])}, b"content"),
        ({"key": "other", **policy(root, [{"bucket": bucket}, ["starts-with", "$key", "new"]])}, b"content"),
        ({"key": "other", **policy(root, [{"bucket": bucket}, {"key": "new"}])}, b"content"),
        ({"key": "new", "x-amz-meta-extra": "y", **policy(root, good)}, b"content"),
        ({"key": "new", "Content-Type": "text/html", **policy(root, [*good, ["starts-with", "$Content-Type", "image/"]])}, b"content"),
        ({"key": "../${filename}", **policy(root, good)}, b"content"),
        ({"key": "", **policy(root, good)}, b"content"),
        ({**policy(root, good)}, b"content"),
    ):
        answer = send(server, form(root, bucket, fields, file))
        assert answer.status in (400, 403), (fields, answer)
        vault.refuses(form(root, bucket, fields, file), answer.status)
    changed = {"key": "new", **policy(root, good)}
    wider = json.loads(base64.b64decode(changed["policy"]))
    wider["conditions"].append(["starts-with", "$x-amz-meta-more", ""])
    changed["policy"] = base64.b64encode(json.dumps(wider).encode()).decode()
    vault.refuses(form(root, bucket, changed), 403)


@pytest.mark.parametrize("name", ["../../up", "..\\..\\up", "/etc/up", "C:\\dir\\up"])
def test_the_file_s_name_can_not_climb(server, s3, bucket, root, name):
    send(server, form(root, bucket, {"key": "dir/${filename}", **policy(root, any_key(bucket))}, name=name))
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert all(k.startswith("dir/") and ".." not in k.split("/") for k in keys), keys


def test_a_form_has_only_its_signer_s_rights(server, s3, vault, make_user):
    reader = Signer(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{vault.bucket}/*")))
    vault.refuses(form(reader, vault.bucket, {"key": "new", **policy(reader, any_key(vault.bucket))}), 403, "AccessDenied")
    other = unique("other")
    s3.create_bucket(Bucket=other)
    writer = Signer(server, make_user(allow("s3:PutObject", f"arn:aws:s3:::{other}/*")))
    vault.refuses(form(writer, vault.bucket, {"key": "new", **policy(writer, any_key(vault.bucket))}), 403, "AccessDenied")


def test_forms_without_a_policy_or_in_disguise(vault, root):
    for request in (
        form(root, vault.bucket, {"key": "new"}), form(root, vault.bucket, {"key": "new"}, kind="Multipart/Form-Data"),
        form(root, vault.bucket, {"key": "new", "AWSAccessKeyId": root.key.id, "policy": "e30=", "signature": "x"}),
    ):
        answer = send(vault.server, request)
        assert answer.status in (400, 403), answer
        vault.refuses(request, answer.status)


def test_cve_2023_28434_a_form_to_a_reserved_name(server, s3, root):
    """The form upload skipped the check of reserved buckets."""
    for name in ("system", "_api", ".craton", "_metrics"):
        answer = send(server, form(root, name, {"key": "new", **policy(root, any_key(name))}))
        assert 400 <= answer.status < 500, (name, answer)
    assert not {"system", "_api"} & {b["Name"] for b in s3.list_buckets()["Buckets"]}


@pytest.mark.parametrize("body", [b"", b"--x", b"--x--\r\n", b"--x\r\n\r\n", b"nonsense" * 1000, b"--x\r\nContent-Disposition: form-data; name=\"" + b"k" * 100_000],
                         ids=range(6))
def test_forms_that_are_none(vault, root, body):
    headers = [*root.base_headers(), ("content-type", "multipart/form-data; boundary=x"), ("content-length", str(len(body)))]
    request = Request("POST", f"/{vault.bucket}", headers, body)
    answer = send(vault.server, request)
    assert answer.status in (400, 403), answer
    vault.refuses(request, answer.status)


def test_fields_without_end(server, vault, root):
    """What comes before the file is kept in memory: it has a limit."""
    before = server.peak_memory_bytes()
    fields = {f"x-amz-meta-{n}": "v" * 1000 for n in range(20_000)}
    answer = send(server, form(root, vault.bucket, {"key": "new", **fields, **policy(root, any_key(vault.bucket))}))
    assert answer.status == 400, answer
    assert server.peak_memory_bytes() - before < 32 << 20

"""The Iceberg door over plain HTTP: what PyIceberg does not send, and what nobody should."""

import base64
import hashlib
import json
import time
import uuid

import pytest

import ledger
from conftest import allow
from server import Server
from sigv4 import Request, Signer, Wire, send
from test_iceberg import ROWS, connect, rows

SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]}
NOBODY = "0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11"


class Door:
    """Requests to one bucket's catalog, signed as root unless said otherwise."""

    def __init__(self, server: Server, bucket: str, key=None):
        self.server, self.prefix = server, f"/_iceberg/v1/{bucket}/"
        self.signer = Signer(server, key or server.root, service="s3")

    def ask(self, method: str, path: str, body: dict | None = None, query: str = "", headers: list | None = None):
        data = b"" if body is None else json.dumps(body).encode()
        request = self.signer.request(method, self.prefix + path, query, headers or [], data)
        return send(self.server, request)

    def did(self, method: str, path: str, body: dict | None = None, query: str = "") -> dict:
        answer = self.ask(method, path, body, query)
        assert answer.status in (200, 204), answer
        return json.loads(answer.body) if answer.body else {}

    def table(self, name: str = "t", **more) -> dict:
        """Makes a table in the namespace `ns`, which it makes too."""
        self.ask("POST", "namespaces", {"namespace": ["ns"]})
        return self.did("POST", "namespaces/ns/tables", {"name": name, "schema": SCHEMA} | more)

    def commit(self, updates: list, requirements: list | None = None, name: str = "t"):
        body = {"requirements": requirements or [], "updates": updates}
        return self.ask("POST", f"namespaces/ns/tables/{name}", body)


@pytest.fixture
def door(server, bucket) -> Door:
    return Door(server, bucket)


def kind(answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["error"]["type"]


@pytest.mark.parametrize("uid", ["x", "..", NOBODY.upper(), "*", NOBODY + "/.."])
def test_an_id_is_a_uuid(door, bucket, uid):
    door.table()
    where = f"s3://{bucket}/.tables/{uid}/metadata/1-x.metadata.json"
    assert kind(door.ask("POST", "namespaces/ns/register", {"name": "u", "metadata-location": where})) == (400, "BadRequestException")
    answer = door.commit([{"action": "assign-uuid", "uuid": uid}], [{"type": "assert-create"}], "new")
    assert kind(answer) == (400, "BadRequestException")


def test_who_says_nothing_of_itself_keeps_nobody_waiting(server, bucket, make_user):
    """Slow bodies of strangers fill the room for strangers; commits go on, by tokens, by signatures with a hash and without one."""
    bearer = connect(server, bucket, make_user(allow("*")), bearer=True)
    slow = [Wire(server) for _ in range(3)]
    try:
        for wire in slow:
            head = Request("POST", f"/_iceberg/v1/{bucket}/namespaces", [("host", f"{server.host}:{server.port}"), ("content-length", str(1 << 20))])
            wire.send(head.head() + b"{")
        time.sleep(0.3)
        start = time.monotonic()
        assert Door(server, bucket).ask("POST", "namespaces", {"namespace": ["hashed"]}).status == 200
        connect(server, bucket).create_namespace("signed")
        bearer.create_namespace("bearer")
        assert time.monotonic() - start < 10
    finally:
        for wire in slow:
            wire.socket.close()


def signed_by_java(signer: Signer, path: str, body: bytes) -> Request:
    """The hash of the body is signed in hex and sent in base64."""
    date, sha256 = signer.moment(), hashlib.sha256(body)
    headers = [*signer.base_headers(), ("x-amz-date", date), ("x-amz-content-sha256", base64.b64encode(sha256.digest()).decode())]
    signed = sorted(name for name, _ in headers)
    value = signer.signature("POST", path, "", headers, signed, sha256.hexdigest(), date)
    credential = f"Credential={signer.key.id}/{signer.scope(date)}"
    authorization = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={';'.join(signed)}, Signature={value}"
    return Request("POST", path, [*headers, ("authorization", authorization), ("content-length", str(len(body)))], body)


def test_a_body_is_the_one_that_was_signed(server, bucket, door):
    good = door.signer.request("POST", door.prefix + "namespaces", "", [], b'{"namespace":["good"]}')
    assert send(server, good.with_body(b'{"namespace":["evil"]}')).status in (400, 403)
    assert send(server, good).status == 200
    # As Iceberg's Java clients write the hash.
    java = signed_by_java(Signer(server, server.root, service="s3tables"), door.prefix + "namespaces", b'{"namespace":["java"]}')
    assert send(server, java.with_body(b'{"namespace":["evil"]}')).status in (400, 403)
    assert send(server, java).status == 200
    assert door.did("GET", "namespaces")["namespaces"] == [["good"], ["java"]]


def test_what_a_dropped_table_leaves_can_be_deleted(server, s3, bucket):
    catalog = connect(server, bucket)
    catalog.create_namespace("ns")
    table = catalog.create_table("ns.t", ROWS)
    table.append(rows("ana"))
    key = catalog.load_table("ns.t").metadata_location.split(f"{bucket}/", 1)[1]
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=key)
    catalog.drop_table("ns.t")
    catalog.drop_namespace("ns")
    with pytest.raises(s3.exceptions.ClientError, match="BucketNotEmpty"):
        s3.delete_bucket(Bucket=bucket)
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    for found in s3.list_objects_v2(Bucket=bucket, Prefix=".tables/")["Contents"]:
        s3.delete_object(Bucket=bucket, Key=found["Key"])
    s3.delete_bucket(Bucket=bucket)


def test_a_commit_that_changes_nothing_ended_well(server, door):
    before = door.table()
    answer = door.commit([])
    assert json.loads(answer.body)["metadata-location"] == before["metadata-location"]
    told = ledger.of_request(server, answer.request_id)
    assert [r["result"] for r in told] == ["ok"]


def test_what_makes_a_staged_table_is_required_all_the_same(door):
    staged = door.table("staged", **{"stage-create": True})
    uid = staged["metadata"]["table-uuid"]
    updates = [
        {"action": "assign-uuid", "uuid": uid}, {"action": "add-schema", "schema": SCHEMA}, {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": {"fields": []}}, {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": {"fields": []}}, {"action": "set-default-sort-order", "sort-order-id": -1},
    ]
    create = {"type": "assert-create"}
    wrong = door.commit(updates, [create, {"type": "assert-current-schema-id", "current-schema-id": 5}], "staged")
    assert kind(wrong) == (409, "CommitFailedException")
    assert kind(door.commit(updates[1:], [create], "staged")) == (400, "BadRequestException")
    other = [{"action": "assign-uuid", "uuid": str(uuid.uuid4())}, *updates[1:]]
    assert door.commit(other, [create], "staged").status in (400, 404)
    assert door.commit(updates, [create, {"type": "assert-table-uuid", "uuid": uid}], "staged").status == 200
    assert kind(door.commit(updates, [create], "staged")) == (409, "CommitFailedException")


def test_unknown_fields_of_specs_and_orders_stay(door):
    door.table()
    spec = {"fields": [{"source-id": 1, "transform": "identity", "name": "p", "new": 1}], "from-the-future": {"a": 1}}
    order = {"fields": [{"source-id": 1, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}], "also": 2}
    updates = [{"action": "add-spec", "spec": spec}, {"action": "add-sort-order", "sort-order": order}]
    assert door.commit(updates).status == 200
    assert door.commit(updates).status == 200
    metadata = door.did("GET", "namespaces/ns/tables/t")["metadata"]
    specs, orders = metadata["partition-specs"], metadata["sort-orders"]
    assert [s.get("from-the-future") for s in specs] == [None, {"a": 1}] and specs[1]["fields"][0]["new"] == 1
    assert [o.get("also") for o in orders] == [None, 2]


def test_manifests_of_version_1_lie_in_the_folder_too(door, bucket):
    made = door.table(properties={"format-version": "1"})
    folder = made["metadata"]["location"]
    snapshot = {"snapshot-id": 1, "timestamp-ms": 1, "summary": {"operation": "append"}}
    for where, status in [(f"s3://{bucket}/x.avro", 400), (f"{folder}/../x.avro", 400), (f"{folder}/metadata/x.avro", 200)]:
        added = {"action": "add-snapshot", "snapshot": snapshot | {"manifests": [f"{folder}/metadata/y.avro", where]}}
        assert door.commit([added]).status == status, where


def test_snapshots_that_are_named_and_tags_of_what_is_had(door):
    folder = door.table()["metadata"]["location"]
    for number in (1, 2, 3):
        snapshot = {
            "snapshot-id": number, "sequence-number": number, "timestamp-ms": number, "summary": {"operation": "append"},
            "manifest-list": f"{folder}/metadata/{number}.avro",
        }
        named = {"action": "set-snapshot-ref", "ref-name": "main" if number == 3 else f"b{number}", "type": "branch", "snapshot-id": number}
        assert door.commit([{"action": "add-snapshot", "snapshot": snapshot}, *([named] if number != 2 else [])]).status == 200
    path = "namespaces/ns/tables/t"
    ids = lambda query: [s["snapshot-id"] for s in door.did("GET", path, query=query)["metadata"]["snapshots"]]  # noqa: E731
    assert ids("") == ids("snapshots=all") == [1, 2, 3] and ids("snapshots=refs") == [1, 3]
    assert kind(door.ask("GET", path, query="snapshots=none")) == (400, "BadRequestException")
    tag = door.ask("GET", path).headers["etag"]
    assert tag != door.ask("GET", path, query="snapshots=refs").headers["etag"]
    for has, status in [(tag, 304), (f'"a", {tag} ,"b"', 304), (f"W/{tag}", 304), ("*", 304), ('"a","b"', 200), (tag.strip('"'), 200)]:
        assert door.ask("GET", path, headers=[("if-none-match", has)]).status == status, has
    assert door.ask("GET", path, query="snapshots=refs", headers=[("if-none-match", tag)]).status == 200


def test_a_rename_makes_a_table_at_its_destination(server, bucket, make_user, door):
    door.table()
    door.did("POST", "namespaces", {"namespace": ["to"]})
    arn = f"arn:aws:s3tables:::bucket/{bucket}*"
    into = {"Effect": "Deny", "Action": "s3tables:CreateTable", "Resource": "*", "Condition": {"StringEquals": {"s3tables:namespace": "to"}}}
    theirs = Door(server, bucket, make_user(allow(["s3tables:RenameTable", "s3tables:CreateTable"], arn), into))

    def renaming(namespace: str) -> dict:
        return {"source": {"namespace": ["ns"], "name": "t"}, "destination": {"namespace": [namespace], "name": "u"}}

    assert theirs.ask("POST", "tables/rename", renaming("to")).status == 403
    assert theirs.ask("POST", "tables/rename", renaming("ns")).status == 204


def test_earlier_metadata_files_go_if_the_table_wants_it(server, s3, bucket, door):
    table = door.table(properties={"write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "2"})
    folder = table["metadata"]["location"].removeprefix(f"s3://{bucket}/")
    files = lambda: [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/metadata/")["Contents"]]  # noqa: E731
    for n in range(5):
        assert door.commit([{"action": "set-properties", "updates": {"n": str(n)}}]).status == 200
    loaded = door.did("GET", "namespaces/ns/tables/t", query="referenced-by=ns%1Fv")
    named = {loaded["metadata-location"], *(entry["metadata-file"] for entry in loaded["metadata"]["metadata-log"])}
    assert {f"s3://{bucket}/{key}" for key in files()} == named and len(named) == 3
    assert door.commit([{"action": "set-properties", "updates": {"write.metadata.delete-after-commit.enabled": "false"}}]).status == 200
    door.commit([{"action": "set-properties", "updates": {"n": "x"}}])
    assert len(files()) > 3

"""Views, with PyIceberg and over plain HTTP for what it does not do; and several tables in one commit."""

import json
import threading
import uuid

import pytest
from pyiceberg.exceptions import NamespaceNotEmptyError, NoSuchViewError, ViewAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField
from pyiceberg.view.metadata import ViewVersion

from conftest import allow
from sigv4 import send
from test_iceberg import connect
from test_iceberg_door import SCHEMA, Door, kind

VIEW_SCHEMA = Schema(NestedField(1, "id", LongType()))


def version(sql: str) -> ViewVersion:
    query = [{"type": "sql", "sql": sql, "dialect": "spark"}]
    return ViewVersion(schema_id=0, representations=query, default_namespace=["ns"], summary={"engine-name": "spark"})


def plain(sql: str, **more) -> dict:
    return {"version-id": 1, "schema-id": 0, "timestamp-ms": 1, "summary": {}, "default-namespace": ["ns"],
            "representations": [{"type": "sql", "sql": sql, "dialect": "spark"}]} | more


@pytest.fixture
def catalog(server, bucket, make_user):
    catalog = connect(server, bucket, make_user(allow("*")), bearer=True)
    catalog.create_namespace("ns")
    return catalog


@pytest.fixture
def door(server, bucket) -> Door:
    return Door(server, bucket)


def test_a_view_is_made_loaded_listed_and_dropped(catalog):
    made = catalog.create_view("ns.v", VIEW_SCHEMA, version("select 1 as id"), properties={"a": "b"})
    loaded = catalog.load_view("ns.v")
    assert loaded.metadata == made.metadata and loaded.metadata.properties == {"a": "b"}
    assert loaded.metadata.versions[0].representations[0].root.sql == "select 1 as id"
    assert catalog.view_exists("ns.v") and not catalog.view_exists("ns.none")
    assert catalog.list_views("ns") == [("ns", "v")] and catalog.list_tables("ns") == []
    with pytest.raises(ViewAlreadyExistsError):
        catalog.create_view("ns.v", VIEW_SCHEMA, version("select 2 as id"))
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace("ns")
    catalog.drop_view("ns.v")
    assert not catalog.view_exists("ns.v") and catalog.list_views("ns") == []
    with pytest.raises(NoSuchViewError):
        catalog.load_view("ns.v")
    with pytest.raises(NoSuchViewError):
        catalog.drop_view("ns.v")
    catalog.drop_namespace("ns")


def test_names_are_unique_across_tables_and_views(catalog, door):
    catalog.create_table("ns.t", VIEW_SCHEMA)
    catalog.create_view("ns.v", VIEW_SCHEMA, version("select 1"))
    view = {"name": "t", "schema": SCHEMA, "view-version": plain("select 1")}
    assert kind(door.ask("POST", "namespaces/ns/views", view)) == (409, "AlreadyExistsException")
    assert kind(door.ask("POST", "namespaces/ns/tables", {"name": "v", "schema": SCHEMA})) == (409, "AlreadyExistsException")
    into = lambda name, to: {"source": {"namespace": ["ns"], "name": name}, "destination": {"namespace": ["ns"], "name": to}}  # noqa: E731
    assert kind(door.ask("POST", "views/rename", into("v", "t"))) == (409, "AlreadyExistsException")
    assert kind(door.ask("POST", "tables/rename", into("t", "v"))) == (409, "AlreadyExistsException")
    # A table is no view, and a view is no table.
    assert kind(door.ask("GET", "namespaces/ns/views/t")) == (404, "NoSuchViewException")
    assert kind(door.ask("GET", "namespaces/ns/tables/v")) == (404, "NoSuchTableException")
    assert kind(door.ask("POST", "views/rename", into("t", "x"))) == (404, "NoSuchViewException")
    assert door.ask("DELETE", "namespaces/ns/views/t").status == 404 and door.ask("DELETE", "namespaces/ns/tables/v").status == 404
    assert door.ask("POST", "views/rename", into("v", "x")).status == 204
    assert catalog.list_views("ns") == [("ns", "x")] and catalog.list_tables("ns") == [("ns", "t")]


def test_a_view_is_replaced_with_its_versions_kept(catalog, door):
    made = catalog.create_view("ns.v", VIEW_SCHEMA, version("select 1"))
    uid = str(made.metadata.view_uuid)
    path = "namespaces/ns/views/v"

    def replacing(sql: str, uuid: str = uid):
        updates = [{"action": "add-view-version", "view-version": plain(sql, **{"from-the-future": 1})}, {"action": "set-current-view-version", "view-version-id": -1}]
        return door.ask("POST", path, {"requirements": [{"type": "assert-view-uuid", "uuid": uuid}], "updates": updates})

    assert replacing("select 2").status == 200
    loaded = catalog.load_view("ns.v").metadata
    assert loaded.current_version_id == 2 and [v.version_id for v in loaded.versions] == [1, 2] and len(loaded.version_log) == 2
    assert door.did("GET", path)["metadata"]["versions"][1]["from-the-future"] == 1
    assert kind(replacing("select 3", "00000000-0000-4000-8000-000000000000")) == (409, "CommitFailedException")
    assert kind(door.ask("POST", path, {"updates": [{"action": "set-location", "location": "s3://elsewhere/x"}]})) == (400, "BadRequestException")
    assert kind(door.ask("POST", path, {"updates": [{"action": "x"}]})) == (400, "BadRequestException")
    tag = door.ask("GET", path).headers["etag"]
    assert door.ask("GET", path, headers=[("if-none-match", tag)]).status == 304
    # Dropped, and taken in again with what it was.
    where = door.did("GET", path)["metadata-location"]
    catalog.drop_view("ns.v")
    assert kind(door.ask("POST", "namespaces/ns/register", {"name": "t", "metadata-location": where})) == (400, "BadRequestException")
    assert catalog.register_view("ns.w", where).metadata.current_version_id == 2


def test_views_come_in_pages(catalog, door):
    for number in range(3):
        catalog.create_view(f"ns.v{number}", VIEW_SCHEMA, version("select 1"))
        catalog.create_table(f"ns.t{number}", VIEW_SCHEMA)
    first = door.did("GET", "namespaces/ns/views", query="pageSize=2")
    assert [i["name"] for i in first["identifiers"]] == ["v0", "v1"]
    rest = door.did("GET", "namespaces/ns/views", query=f"pageSize=2&pageToken={first['next-page-token']}")
    assert [i["name"] for i in rest["identifiers"]] == ["v2"] and rest["next-page-token"] is None


def test_a_view_takes_its_own_rights(server, bucket, catalog, door, make_user):
    catalog.create_view("ns.v", VIEW_SCHEMA, version("select 1"))
    reader = Door(server, bucket, make_user(allow(["s3tables:GetView", "s3tables:ListViews"])))
    assert reader.ask("GET", "namespaces/ns/views/v").status == 200 and reader.ask("GET", "namespaces/ns/views").status == 200
    for method, path, body in [
        ("DELETE", "namespaces/ns/views/v", None), ("POST", "namespaces/ns/views/v", {"updates": []}),
        ("POST", "namespaces/ns/views", {"name": "w", "schema": SCHEMA, "view-version": plain("select 1")}),
        ("GET", "namespaces/ns/tables", None),
    ]:
        assert reader.ask(method, path, body).status == 403, (method, path)
    tables_only = Door(server, bucket, make_user(allow(["s3tables:GetTable*", "s3tables:ListTables"])))
    assert tables_only.ask("GET", "namespaces/ns/views/v").status == 403


def setting(name: str, value: str, requirements: list | None = None) -> dict:
    updates = [{"action": "set-properties", "updates": {"at": value}}]
    return {"identifier": {"namespace": ["ns"], "name": name}, "requirements": requirements or [], "updates": updates}


def at(door: Door, name: str) -> str | None:
    return door.did("GET", f"namespaces/ns/tables/{name}")["metadata"]["properties"].get("at")


class TestSeveralTables:
    def test_all_of_them_or_none(self, door):
        uuids = {name: door.table(name)["metadata"]["table-uuid"] for name in ("a", "b")}
        both = {"table-changes": [setting("a", "1"), setting("b", "1", [{"type": "assert-table-uuid", "uuid": uuids["b"]}])]}
        assert door.ask("POST", "transactions/commit", both).status == 204
        assert at(door, "a") == at(door, "b") == "1"
        wrong = [{"type": "assert-table-uuid", "uuid": uuids["a"]}]
        for second, told in [
            (setting("b", "2", wrong), (409, "CommitFailedException")), (setting("none", "2"), (404, "NoSuchTableException")),
            (setting("b", "2", [{"type": "x"}]), (400, "BadRequestException")), (setting("a", "3"), (400, "BadRequestException")),
        ]:
            assert kind(door.ask("POST", "transactions/commit", {"table-changes": [setting("a", "2"), second]})) == told
            assert at(door, "a") == at(door, "b") == "1"
        for body in [{}, {"table-changes": []}, {"table-changes": [setting("a", "2")] * 17}, {"table-changes": [{"identifier": {}}]}]:
            assert kind(door.ask("POST", "transactions/commit", body)) == (400, "BadRequestException")

    def test_a_table_that_was_staged_comes_with_the_others(self, door):
        door.table("a")
        updates = []
        for name in ("new", "newer"):
            uid = door.did("POST", "namespaces/ns/tables", {"name": name, "schema": SCHEMA, "stage-create": True})["metadata"]["table-uuid"]
            made = [
                {"action": "assign-uuid", "uuid": uid}, {"action": "add-schema", "schema": SCHEMA}, {"action": "set-current-schema", "schema-id": -1},
                {"action": "add-spec", "spec": {"fields": []}}, {"action": "set-default-spec", "spec-id": -1},
                {"action": "add-sort-order", "sort-order": {"fields": []}}, {"action": "set-default-sort-order", "sort-order-id": -1},
            ]
            identifier = {"namespace": ["ns"], "name": name}
            updates.append({"identifier": identifier, "requirements": [{"type": "assert-create"}], "updates": made})
        assert door.ask("POST", "transactions/commit", {"table-changes": [setting("a", "1"), *updates]}).status == 204
        assert at(door, "a") == "1" and [i["name"] for i in door.did("GET", "namespaces/ns/tables")["identifiers"]] == ["a", "new", "newer"]
        assert kind(door.ask("POST", "transactions/commit", {"table-changes": [setting("a", "2"), *updates]})) == (409, "CommitFailedException")
        assert at(door, "a") == "1"

    def test_each_is_decided(self, server, bucket, door, make_user):
        uid = door.table("a")["metadata"]["table-uuid"]
        door.table("b")
        theirs = Door(server, bucket, make_user(allow("s3tables:*", f"arn:aws:s3tables:::bucket/{bucket}/table/{uid}")))
        assert theirs.ask("POST", "transactions/commit", {"table-changes": [setting("a", "1")]}).status == 204
        for second in ("b", "none"):
            refused = theirs.ask("POST", "transactions/commit", {"table-changes": [setting("a", "2"), setting(second, "2")]})
            assert refused.status == 403
        assert at(door, "a") == "1" and at(door, "b") is None

    def test_concurrent_ones_lose_nothing(self, door):
        names = ["a", "b", "c"]
        for name in names:
            door.table(name)
        failed = []

        def work(number: int) -> None:
            for turn in range(3):
                pair = [names[number % 3], names[(number + 1 + turn % 2) % 3]]
                changes = [setting(name, "x") | {"updates": [{"action": "set-properties", "updates": {f"{number}-{turn}": "1"}}]} for name in pair]
                answer = door.ask("POST", "transactions/commit", {"table-changes": changes})
                if answer.status != 204:
                    failed.append(answer)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert not failed
        found = [set(door.did("GET", f"namespaces/ns/tables/{name}")["metadata"]["properties"]) for name in names]
        marks = [f"{n}-{t}" for n in range(6) for t in range(3)]
        assert all(sum(mark in properties for properties in found) == 2 for mark in marks)


def test_a_table_that_is_unregistered_can_be_taken_in_again(door):
    made = door.table()
    left = door.did("POST", "namespaces/ns/tables/t/unregister")
    assert left["metadata-location"] == made["metadata-location"] and left["metadata"] == made["metadata"]
    assert kind(door.ask("GET", "namespaces/ns/tables/t")) == (404, "NoSuchTableException")
    assert kind(door.ask("POST", "namespaces/ns/tables/t/unregister")) == (404, "NoSuchTableException")
    door.did("POST", "namespaces/ns/register", {"name": "u", "metadata-location": left["metadata-location"]})
    assert json.loads(door.ask("GET", "namespaces/ns/tables/u").body)["metadata"] == made["metadata"]


def keyed(door: Door, method: str, path: str, body: dict | None, key: str):
    return door.ask(method, path, body, headers=[("idempotency-key", key)])


class TestKeys:
    """A request that is named by a key is carried out once."""

    def test_sent_again_it_is_answered_and_not_carried_out(self, server, bucket, door):
        assert json.loads(send_config(door)).get("idempotency-key-lifetime") == "PT30M"
        door.did("POST", "namespaces", {"namespace": ["ns"]})
        table = {"name": "t", "schema": SCHEMA}
        view = {"name": "v", "schema": SCHEMA, "view-version": plain("select 1")}
        for path, body in [("namespaces", {"namespace": ["other"]}), ("namespaces/ns/tables", table), ("namespaces/ns/views", view)]:
            key = str(uuid.uuid4())
            first, second = (keyed(door, "POST", path, body, key) for _ in range(2))
            assert first.status == second.status == 200 and json.loads(first.body) == json.loads(second.body), path
            assert door.ask("POST", path, body).status == 409, path
        key = str(uuid.uuid4())
        adding = {"requirements": [{"type": "assert-current-schema-id", "current-schema-id": 0}], "updates": [
            {"action": "add-schema", "schema": {"type": "struct", "fields": SCHEMA["fields"] + [{"id": 2, "name": "b", "required": False, "type": "int"}]}},
            {"action": "set-current-schema", "schema-id": -1},
        ]}
        first, second = (keyed(door, "POST", "namespaces/ns/tables/t", adding, key) for _ in range(2))
        assert first.status == second.status == 200
        assert json.loads(first.body)["metadata-location"] == json.loads(second.body)["metadata-location"]
        assert kind(keyed(door, "POST", "namespaces/ns/tables/t", adding | {"requirements": []}, key)) == (422, "UnprocessableEntityException")
        assert door.commit(adding["updates"], adding["requirements"]).status == 409
        assert keyed(door, "POST", "namespaces/ns/tables/t", adding, "x").status == 400
        several = {"table-changes": [setting("t", "1", [{"type": "assert-current-schema-id", "current-schema-id": 1}])]}
        dropping = str(uuid.uuid4())
        assert [keyed(door, "POST", "transactions/commit", several, dropping).status for _ in range(2)] == [204, 204]
        key = str(uuid.uuid4())
        assert [keyed(door, "DELETE", "namespaces/ns/tables/t", None, key).status for _ in range(2)] == [204, 204]
        assert door.ask("DELETE", "namespaces/ns/tables/t").status == 404

    def test_a_key_is_its_principals_own_and_only_of_what_was_done(self, server, bucket, door, make_user):
        door.did("POST", "namespaces", {"namespace": ["ns"]})
        theirs, key = Door(server, bucket, make_user(allow("*"))), str(uuid.uuid4())
        body = {"name": "t", "schema": SCHEMA}
        assert keyed(door, "POST", "namespaces/none/tables", body, key).status == 404
        assert keyed(door, "POST", "namespaces/ns/tables", body, key).status == 200
        assert keyed(theirs, "POST", "namespaces/ns/tables", body, key).status == 409
        stranger = Door(server, bucket, make_user())
        assert keyed(stranger, "POST", "namespaces/ns/tables", body, key).status == 403

    def test_sent_several_times_at_once_it_is_carried_out_once(self, door):
        door.table()
        body = {"requirements": [{"type": "assert-current-schema-id", "current-schema-id": 0}], "updates": [
            {"action": "add-schema", "schema": {"type": "struct", "fields": SCHEMA["fields"] + [{"id": 2, "name": "b", "required": False, "type": "int"}]}},
            {"action": "set-current-schema", "schema-id": -1},
        ]}
        key, answers = str(uuid.uuid4()), []
        threads = [threading.Thread(target=lambda: answers.append(keyed(door, "POST", "namespaces/ns/tables/t", body, key))) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert {a.status for a in answers} == {200} and len({json.loads(a.body)["metadata-location"] for a in answers}) == 1


def send_config(door: Door) -> bytes:
    bucket = door.prefix.split("/")[3]
    return send(door.server, door.signer.request("GET", "/_iceberg/v1/config", f"warehouse={bucket}")).body

"""Maintenance of tables: what is there before is there after, what nothing names is gone, and nothing else. A day is 24 seconds here."""

import json
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortDirection, SortField, SortOrder
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

from conftest import allow, client, new_user
from server import Key, Server, unique
from sigv4 import Signer, send
from sql import rows as answered
from test_events import until
from test_iceberg import ROWS, connect, rows
from test_iceberg_delegation import of_tables
from test_iceberg_duckdb import duck  # noqa: F401: a fixture


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A server whose orphans are at least a second old."""
    server = Server(tmp_path_factory.mktemp("maintenance"), "--lifecycle-day", "24s", "--memory", "128MiB").start()
    try:
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.fixture
def place(kept):
    name = unique("tables")
    client(kept).create_bucket(Bucket=name)
    return name


@pytest.fixture
def catalog(kept, place) -> RestCatalog:
    catalog = connect(kept, place)
    catalog.create_namespace("ns")
    return catalog


def path(place: str, table: str = "t") -> str:
    return f"/_api/v1/tables/{place}/ns/{table}/maintenance"


def call(server: Server, method: str, path: str, key: Key | None = None, **body: object) -> tuple[int, dict]:
    content = json.dumps(body).encode() if body else b""
    answer = send(server, Signer(server, key or server.root).request(method, path, "", [], content))
    return answer.status, json.loads(answer.body)


def run(server: Server, place: str, task: str, table: str = "t", **options: object) -> dict:
    """A run, once it is over."""
    status, begun = call(server, "POST", path(place, table), task=task, **options)
    assert status == 200, begun
    while True:
        _, found = call(server, "GET", path(place, table))
        [one] = [run for run in found["runs"] if run["id"] == begun["id"]]
        if one["state"] not in ("waiting", "running"):
            return one
        time.sleep(0.02)


def did(server: Server, place: str, task: str, **options: object) -> dict:
    done = run(server, place, task, **options)
    assert done["state"] == "done", done
    return done["counts"]


def keys(s3, table) -> set[str]:
    """The files in a table's folder."""
    bucket, prefix = table.location().removeprefix("s3://").split("/", 1)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    return {f"s3://{bucket}/{o['Key']}" for page in pages for o in page.get("Contents", [])}


def named(table) -> set[str]:
    """The files that a table's metadata names."""
    out = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        out.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            out.add(manifest.manifest_path)
            out |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io)}
    return out


def content(table, **more) -> list[tuple]:
    return sorted(tuple(row.values()) for row in table.scan(**more).to_arrow().to_pylist())


def history(catalog, version: int = 2):
    """Five snapshots: 3 appends, of which an overwrite leaves one row, and an append."""
    table = catalog.create_table("ns.t", ROWS, properties={"format-version": str(version)})
    for start in (1, 3, 5):
        table.append(rows("ana", "bo", start=start))
    first = table.snapshots()[0].snapshot_id
    table.overwrite(rows("cy", start=7))
    table.append(rows("dee", start=8))
    return table, first


@pytest.mark.parametrize("version", [1, 2])
def test_snapshots_expire_by_age_and_number_and_what_only_they_named_goes(kept, place, catalog, version):
    s3 = client(kept)
    table, first = history(catalog, version)
    before, all_named = keys(s3, table), named(table)
    assert all_named <= before
    # Five days is the default: nothing is that old.
    assert did(kept, place, "expire") == {}
    would = did(kept, place, "expire", older_than_seconds=0, keep=2, dry_run=True)
    assert keys(s3, table) == before and len(catalog.load_table("ns.t").snapshots()) == len(table.snapshots())
    count = len(table.snapshots())
    done = did(kept, place, "expire", older_than_seconds=0, keep=2)
    assert done == would and done["snapshots"] == count - 2
    again = catalog.load_table("ns.t")
    assert len(again.snapshots()) == 2 and content(again) == [(7, "cy"), (8, "dee")] == content(table)
    left = keys(s3, table)
    # Of what was named and is not any more nothing is left, metadata files but for; all that is named is there.
    gone = {file for file in all_named - named(again) if not file.endswith(".metadata.json")}
    assert gone and not gone & left and named(again) <= left
    assert done["files"] == len(before - left)
    assert did(kept, place, "expire", older_than_seconds=0, keep=2) == {}


def test_what_a_tag_or_a_branch_keeps_stays(kept, place, catalog):
    table, first = history(catalog)
    second = table.snapshots()[1].snapshot_id
    table.manage_snapshots().create_tag(first, "first").create_branch(second, "audit").commit()
    assert did(kept, place, "expire", older_than_seconds=0)["snapshots"] >= 2
    again = catalog.load_table("ns.t")
    assert {s.snapshot_id for s in again.snapshots()} == {first, second, again.current_snapshot().snapshot_id}
    assert content(again, snapshot_id=first) == [(1, "ana"), (2, "bo")]
    assert len(content(again, snapshot_id=second)) == 4 and content(again) == [(7, "cy"), (8, "dee")]
    assert named(again) <= keys(client(kept), table)
    assert set(again.refs()) == {"main", "first", "audit"}
    # A tag that was made to be forgotten is.
    table = catalog.load_table("ns.t")
    table.manage_snapshots().remove_tag("first").commit()
    catalog.load_table("ns.t").manage_snapshots().create_tag(first, "short", max_ref_age_ms=1).commit()
    assert did(kept, place, "expire")["branches and tags"] == 1
    assert set(catalog.load_table("ns.t").refs()) == {"main", "audit"}


def test_orphans_go_when_they_are_old_enough_and_nothing_else_does(kept, place, catalog):
    s3 = client(kept)
    table, _ = history(catalog)
    folder = table.location().removeprefix(f"s3://{place}/")
    before = named(table)
    lost = [f"{folder}/data/lost.parquet", f"{folder}/metadata/lost-m0.avro", f"{folder}/elsewhere/größe 1.bin"]
    for key in lost:
        s3.put_object(Bucket=place, Key=key, Body=b"lost")
    assert did(kept, place, "orphans") == {"seen": len(before) + 3}, "three days is the default"
    time.sleep(2)
    s3.put_object(Bucket=place, Key=f"{folder}/data/running.parquet", Body=b"of a commit that goes on")
    would = did(kept, place, "orphans", older_than_seconds=1, dry_run=True)
    assert would["files"] == 3 and would["bytes"] == 12 and set(lost) <= {k.split("/", 3)[3] for k in keys(s3, table)}
    assert did(kept, place, "orphans", older_than_seconds=1)["files"] == 3
    assert keys(s3, table) == before | {f"s3://{place}/{folder}/data/running.parquet"}
    assert content(catalog.load_table("ns.t")) == [(7, "cy"), (8, "dee")]
    # Never so young that a commit under way may still name it.
    failed = run(kept, place, "orphans", older_than_seconds=0)
    assert failed["state"] == "failed" and "at least 1 seconds old" in failed["error"]


def test_orphans_stay_if_what_the_table_names_can_not_be_read(kept, place, catalog):
    s3 = client(kept)
    table, _ = history(catalog)
    folder = table.location().removeprefix(f"s3://{place}/")
    s3.put_object(Bucket=place, Key=f"{folder}/data/lost.parquet", Body=b"lost")
    manifest = table.current_snapshot().manifests(table.io)[0].manifest_path
    s3.delete_object(Bucket=place, Key=manifest.removeprefix(f"s3://{place}/"))
    time.sleep(2)
    left = keys(s3, table)
    failed = run(kept, place, "orphans", older_than_seconds=1)
    assert failed["state"] == "failed" and "nothing is deleted" in failed["error"], failed
    assert keys(s3, table) == left


def test_a_table_is_kept_in_order_by_itself_if_it_says_so(kept, place, catalog):
    table, _ = history(catalog)
    catalog.create_table("ns.other", ROWS).append(rows("ana"))
    with table.transaction() as change:
        change.set_properties({"craton.maintenance.enabled": "true", "history.expire.max-snapshot-age-ms": "1"})
    until(lambda: len(catalog.load_table("ns.t").snapshots()) == 1, lambda: str(call(kept, "GET", path(place))))
    assert content(catalog.load_table("ns.t")) == [(7, "cy"), (8, "dee")]
    assert named(catalog.load_table("ns.t")) <= keys(client(kept), table)
    listed = json.loads(kept.command("work", "list", "--json"))["runs"]
    found = [run for run in listed if run["subject"] == f"{place}/ns/t"]
    assert found and found[-1]["worker"] == "maintenance" and found[-1]["counts"]["snapshots"] >= 4
    assert not [run for run in listed if run["subject"] == f"{place}/ns/other"]
    # Nothing changes, nothing is done again before the next day.
    count = len(call(kept, "GET", path(place))[1]["runs"])
    time.sleep(3)
    assert len(call(kept, "GET", path(place))[1]["runs"]) <= count + 1


def test_who_may_commit_may_have_it_kept_and_who_may_see_it_may_watch(kept, place, catalog, tmp_path):
    history(catalog)
    reads = ["s3tables:GetTable", "s3tables:GetTableData"]
    users = {
        "keeper": new_user(kept, tmp_path, allow([*reads, "s3tables:UpdateTableMetadataLocation", "s3tables:PutTableData"])),
        "reader": new_user(kept, tmp_path, allow(reads)),
    }
    assert call(kept, "POST", path(place), users["reader"], task="expire")[0] == 403
    assert call(kept, "POST", path(place), users["reader"], task="none")[0] == 403
    assert call(kept, "GET", path(place), users["reader"])[0] == 200
    status, begun = call(kept, "POST", path(place), users["keeper"], task="expire", dry_run=True)
    assert status == 200
    assert call(kept, "DELETE", f"{path(place)}/{begun['id']}", users["reader"])[0] == 403
    assert call(kept, "DELETE", f"{path(place)}/none", users["keeper"])[0] == 404
    # Who may not is told the same of a table that is none.
    assert call(kept, "POST", path(place, "none"), users["reader"], task="expire")[0] == 403
    for wrong in [{"task": "none"}, {"task": "expire", "keep": 0}, {"task": "orphans", "keep": 2}, {"task": "expire", "x": 1},
                  {"task": "expire", "older_than_seconds": 2**60}]:
        status, error = call(kept, "POST", path(place), **wrong)
        assert status == 400 and error["error"]["message"], wrong
    status, error = call(kept, "POST", path(place, "none"), task="expire")
    assert (status, error["error"]["reason"]) == (404, "NoSuchTableException")


def test_by_the_command(kept, place, catalog):
    table, _ = history(catalog)
    listed = json.loads(kept.command("table", "list", place, "--json"))["tables"]
    assert listed == [{"bucket": place, "namespace": "ns", "name": "t", "kind": "table"}]
    shown = kept.command("table", "show", f"{place}.ns.t")
    assert table.location() in shown and "branch           main at" in shown and "name" in shown
    assert kept.command("table", "expire", f"{place}.ns.t") == "nothing to do\n"
    time.sleep(1.1)
    would = kept.command("table", "expire", f"{place}/ns/t", "--older-than", "1s", "--dry-run")
    done = kept.command("table", "expire", f"{place}/ns/t", "--older-than", "1s")
    assert would == f"would be: {done}" and "snapshots" in done and "files" in done
    assert len(catalog.load_table("ns.t").snapshots()) == 1
    assert "seen" in kept.command("table", "orphans", f"{place}.ns.t")
    runs = kept.command("table", "runs", f"{place}.ns.t").splitlines()
    assert len(runs) == 5 and "maintenance orphans" in runs[1] and "done" in runs[1]
    kept.command("table", "cancel", f"{place}.ns.t", "none", code=3)
    kept.command("table", "expire", f"{place}.ns.none", code=3)
    kept.command("table", "show", "none", code=2)


def test_a_kill_in_between_leaves_a_table_that_is_whole(tmp_path):
    server = Server(tmp_path, "--lifecycle-day", "24s").start()
    try:
        place = unique("killed")
        client(server).create_bucket(Bucket=place)
        catalog = connect(server, place)
        catalog.create_namespace("ns")
        table = catalog.create_table("ns.t", ROWS)
        for turn in range(12):
            table.overwrite(rows(*["ana"] * 10, start=turn))
        wanted = content(table)
        for wait in (0, 0.01, 0.05, 0.1):
            status, _ = call(server, "POST", path(place), task="expire", older_than_seconds=0, keep=2)
            assert status == 200
            time.sleep(wait)
            server.kill()
            server.start()
            again = connect(server, place).load_table("ns.t")
            assert content(again) == wanted and named(again) <= keys(client(server), again)
            again.overwrite(rows(*["ana"] * 10, start=11))
        did(server, place, "expire", older_than_seconds=0)
        time.sleep(2)
        did(server, place, "orphans", older_than_seconds=1)
        again = connect(server, place).load_table("ns.t")
        metadata = {key for key in keys(client(server), again) if key.endswith(".metadata.json")}
        assert content(again) == wanted and keys(client(server), again) - metadata == named(again) - metadata
        server.stop()
    finally:
        server.kill()


# Compaction.

VERSIONS = pytest.mark.parametrize("version", [2, 3])
SCHEMA = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "name", StringType()))


@pytest.fixture
def sql(kept, place):
    return lambda statement: answered(kept, kept.root, statement, bucket=place, namespace="ns")


@pytest.fixture
def attached(kept, place, duck, tmp_path):  # noqa: F811
    """The catalog attached to DuckDB as `c`."""
    key = new_user(kept, tmp_path, of_tables(place, "s3tables:*"))
    duck.execute(
        f"create or replace secret s (type iceberg, client_id '{key.id}', client_secret '{key.secret}', "
        f"oauth2_server_uri '{kept.endpoint}/_iceberg/v1/oauth/tokens')"
    )
    duck.execute(f"attach '{place}' as c (type iceberg, endpoint '{kept.endpoint}/_iceberg', secret s)")
    yield duck
    duck.execute("detach c")


def tasks(table) -> list:
    return list(table.scan().plan_files())


def data(s3, table) -> list[pa.Table]:
    """The table's data files as they are."""
    out = []
    for task in tasks(table):
        bucket, key = task.file.file_path.removeprefix("s3://").split("/", 1)
        out.append(pq.read_table(pa.BufferReader(s3.get_object(Bucket=bucket, Key=key)["Body"].read())))
    return out


@VERSIONS
def test_small_files_and_deletes_become_few_files_with_the_same_rows(kept, place, catalog, sql, attached, version):
    sql(f"CREATE TABLE t (id BIGINT, name VARCHAR, region VARCHAR) PARTITIONED BY (region) WITH (format_version = {version})")
    for turn in range(6):
        values = ", ".join(f"({turn * 10 + n}, 'n{n}', '{('eu', 'us')[n % 2]}')" for n in range(10))
        sql(f"INSERT INTO t VALUES {values}, ({turn * 10 + 100}, NULL, NULL)")
    sql("DELETE FROM t WHERE id % 5 = 0 AND id < 100")
    # DuckDB 1.5.5 drops all vectors of a Puffin file when it replaces one of them, so with vectors it does not delete after others.
    (attached.execute if version == 2 else sql)(f"DELETE FROM {'c.ns.t' if version == 2 else 't'} WHERE id = 51")
    sql("UPDATE t SET name = 'changed' WHERE id = 52")
    before = sql("SELECT * FROM t ORDER BY id")
    assert len(before) == 66 - 12 - 1
    old = catalog.load_table("ns.t")
    kept_snapshot = old.current_snapshot().snapshot_id
    assert any(task.delete_files for task in tasks(old)) and len(tasks(old)) >= 18
    would = did(kept, place, "compact", dry_run=True)
    assert catalog.load_table("ns.t").current_snapshot().snapshot_id == kept_snapshot
    done = did(kept, place, "compact")
    assert done["rows"] == len(before) and done["files written"] == 3
    assert done["small, long or worn files"] == would["small, long or worn files"] == done["files read"]
    table = catalog.load_table("ns.t")
    assert len(tasks(table)) == 3 and not any(task.delete_files for task in tasks(table))
    summary = table.current_snapshot().summary
    assert summary.operation.value == "replace" and summary["total-records"] == str(len(before))
    assert summary["total-data-files"] == "3" and summary["total-delete-files"] == "0"
    assert sql("SELECT * FROM t ORDER BY id") == before
    assert content_of(table) == before
    assert attached.execute("select * from c.ns.t order by id").fetchall() == before
    past = sql(f"SELECT * FROM t VERSION AS OF {kept_snapshot} ORDER BY id")
    assert past == before, "what was before is there too"
    # There is nothing left to do.
    snapshot = table.current_snapshot().snapshot_id
    assert did(kept, place, "compact") == {}
    assert catalog.load_table("ns.t").current_snapshot().snapshot_id == snapshot
    # Others write on.
    attached.execute("insert into c.ns.t values (999, 'duck', 'eu')")
    attached.execute("delete from c.ns.t where id = 1")
    sql("DELETE FROM t WHERE id = 2")
    assert len(sql("SELECT * FROM t")) == len(before) - 1
    if version == 2:
        # Deletion vectors PyIceberg does not read yet.
        assert len(content_of(catalog.load_table("ns.t"))) == len(before) - 1


def content_of(table, **more) -> list[tuple]:
    return sorted((tuple(row.values()) for row in table.scan(**more).to_arrow().to_pylist()), key=lambda row: row[0])


def test_rows_keep_their_numbers_and_the_commit_that_changed_them(kept, place, catalog, sql):
    sql("CREATE TABLE t (id BIGINT) WITH (format_version = 3)")
    for turn in range(4):
        sql(f"INSERT INTO t VALUES ({turn * 2}), ({turn * 2 + 1})")
    sql("UPDATE t SET id = 70 WHERE id = 7")
    sql("DELETE FROM t WHERE id = 3")
    did(kept, place, "compact")
    for again in range(2):
        [file] = data(client(kept), catalog.load_table("ns.t"))
        found = sorted(zip(*(file[name].to_pylist() for name in ["id", "_row_id", "_last_updated_sequence_number"])))
        assert found[:7] == [(0, 0, 1), (1, 1, 1), (2, 2, 2), (4, 4, 3), (5, 5, 3), (6, 6, 4), (70, 7, 5)], again
        # Written again once more they are still the same.
        sql("INSERT INTO t VALUES (1000)")
        did(kept, place, "compact")
    assert len(sql("SELECT * FROM t")) == 9


def test_what_others_append_meanwhile_stays(kept, place, catalog):
    table = catalog.create_table("ns.t", ROWS)
    for turn in range(30):
        table.append(rows(*["ana"] * 200, start=turn * 200))
    begun = threading.Event()
    count = 0

    def write():
        nonlocal count
        mine = connect(kept, place).load_table("ns.t")
        while not begun.is_set() or count < 10:
            mine.append(rows("bo", start=100_000 + count))
            count += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = [did(kept, place, "compact") for _ in range(3)]
    finally:
        begun.set()
        writer.join()
    again = catalog.load_table("ns.t")
    found = sorted(again.scan().to_arrow()["id"].to_pylist())
    assert found == [*range(6000), *range(100_000, 100_000 + count)]
    assert done[0]["files written"] >= 1 and len(tasks(again)) < 30 + count
    assert named(again) <= keys(client(kept), again)


def test_who_changes_rows_meanwhile_has_them_changed(kept, place, catalog, sql):
    """Deletes that arrive while files are written again are applied, or the run begins anew and applies them."""
    sql("CREATE TABLE t (id BIGINT, name VARCHAR) WITH (format_version = 3)")
    for turn in range(20):
        sql("INSERT INTO t VALUES " + ", ".join(f"({turn * 100 + n}, 'n')" for n in range(100)))
    gone = []
    stop = threading.Event()

    def delete():
        while not stop.is_set() and len(gone) < 40:
            id = len(gone) * 31
            sql(f"DELETE FROM t WHERE id = {id}")
            gone.append(id)

    deleter = threading.Thread(target=delete)
    deleter.start()
    states = [run(kept, place, "compact")["state"] for _ in range(3)]
    stop.set()
    deleter.join()
    assert set(states) <= {"done", "failed"}
    did(kept, place, "compact")
    assert [id for (id,) in sql("SELECT id FROM t ORDER BY id")] == [id for id in range(2000) if id not in gone]
    assert gone


def test_a_sort_order_is_kept(kept, place, catalog):
    order = SortOrder(SortField(1, IdentityTransform(), SortDirection.DESC))
    table = catalog.create_table("ns.t", SCHEMA, sort_order=order)
    for turn in range(5):
        table.append(rows("ana", "bo", start=turn))
    did(kept, place, "compact")
    table = catalog.load_table("ns.t")
    [file] = data(client(kept), table)
    assert file["id"].to_pylist() == sorted(file["id"].to_pylist(), reverse=True) and len(file) == 10
    [task] = tasks(table)
    assert task.file.sort_order_id == table.sort_order().order_id


def test_a_run_is_told_to_end(kept, place, catalog):
    table = catalog.create_table("ns.t", ROWS)
    for turn in range(12):
        table.append(rows(*["ana"] * 30_000, start=turn * 30_000))
    before = catalog.load_table("ns.t").current_snapshot().snapshot_id
    states = set()
    for wait in (0, 0.02, 0.05, 0.1):
        if catalog.load_table("ns.t").current_snapshot().snapshot_id != before:
            break
        _, begun = call(kept, "POST", path(place), task="compact")
        time.sleep(wait)
        status, _ = call(kept, "DELETE", f"{path(place)}/{begun['id']}")
        assert status in (200, 404)
        until(lambda: state_of(kept, place, begun["id"]) not in ("waiting", "running"))
        states.add(state_of(kept, place, begun["id"]))
    assert "cancelled" in states, states
    again = catalog.load_table("ns.t")
    assert again.scan().to_arrow().num_rows == 360_000
    if again.current_snapshot().snapshot_id == before:
        # What it had written is gone.
        assert {key for key in keys(client(kept), again) if not key.endswith(".metadata.json")} <= named(again)


def state_of(server: Server, place: str, id: str) -> str:
    _, found = call(server, "GET", path(place))
    return next(run["state"] for run in found["runs"] if run["id"] == id)


def test_many_small_manifests_become_few_sorted_by_partition(kept, place, catalog, attached):
    spec = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="name"))
    table = catalog.create_table("ns.t", SCHEMA, partition_spec=spec)
    for turn in range(9):
        table.append(rows(*["cy", "ana", "bo"], start=turn * 3))
    before = content(table)
    assert len(table.current_snapshot().manifests(table.io)) == 9
    done = did(kept, place, "rewrite-manifests")
    assert done == {"small manifests": 9, "manifests read": 9, "manifests written": 1}
    table = catalog.load_table("ns.t")
    [manifest] = table.current_snapshot().manifests(table.io)
    entries = manifest.fetch_manifest_entry(table.io)
    assert [entry.data_file.partition[0] for entry in entries] == ["ana"] * 9 + ["bo"] * 9 + ["cy"] * 9
    assert {entry.status.name for entry in entries} == {"EXISTING"} and manifest.existing_files_count == 27
    assert content(table) == before
    assert attached.execute("select id, name from c.ns.t order by id").fetchall() == before
    assert did(kept, place, "rewrite-manifests") == {}
    # What refers to what stays what it was: an append, a delete, an expiry.
    table.append(rows("dee", start=100))
    table.delete("name = 'bo'")
    did(kept, place, "expire", older_than_seconds=0)
    assert len(content(catalog.load_table("ns.t"))) == 19


def test_a_kill_while_files_are_written_again_leaves_the_table_as_it_was_or_done(tmp_path):
    server = Server(tmp_path, "--lifecycle-day", "24s").start()
    try:
        place = unique("killed")
        client(server).create_bucket(Bucket=place)
        catalog = connect(server, place)
        catalog.create_namespace("ns")
        table = catalog.create_table("ns.t", ROWS)
        for turn in range(10):
            table.append(rows(*["ana"] * 5000, start=turn * 5000))
        for wait in (0.02, 0.08, 0.2):
            assert call(server, "POST", path(place), task="compact")[0] == 200
            time.sleep(wait)
            server.kill()
            server.start()
            again = connect(server, place).load_table("ns.t")
            assert sorted(again.scan().to_arrow()["id"].to_pylist()) == list(range(50_000))
            assert named(again) <= keys(client(server), again)
        did(server, place, "compact")
        time.sleep(2)
        did(server, place, "orphans", older_than_seconds=1)
        again = connect(server, place).load_table("ns.t")
        assert again.scan().to_arrow().num_rows == 50_000 and len(tasks(again)) == 1
        metadata = {key for key in keys(client(server), again) if key.endswith(".metadata.json")}
        assert keys(client(server), again) - metadata == named(again) - metadata
        server.stop()
    finally:
        server.kill()

"""Scan planning by the server: PyIceberg reads by its plans as it does by its own, and what they leave out can not match."""

import datetime
import json

import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record

from sql import rows
from test_iceberg_delegation import catalog_of, of_tables
from test_iceberg_door import Door
from test_sql import RUN

DATA = pa.table({
    "id": pa.array(range(40), pa.int64()), "region": ["eu", "us"] * 20,
    "day": [datetime.date(2026, 1 + n % 4, 1) for n in range(40)], "at": [datetime.datetime(2026, 1, 1, n % 24) for n in range(40)],
})


@pytest.fixture
def planned(server, bucket, make_user):
    """The same table by a catalog that plans, and by one that does not; SQL on it; its path."""
    key = make_user(of_tables(bucket, "s3tables:*"), RUN)
    plain = catalog_of(server, bucket, key)
    plain.create_namespace("ns")
    by_server = catalog_of(server, bucket, key, **{"scan-planning-mode": "server"})
    assert by_server.supports_server_side_planning()
    sql = lambda statement: rows(server, key, statement, bucket=bucket, namespace="ns")  # noqa: E731
    return plain, by_server, sql, key


def scanned(catalog: RestCatalog, **more) -> list[tuple]:
    return sorted(tuple(r.values()) for r in catalog.load_table("ns.t").scan(**more).to_arrow().to_pylist())


@pytest.mark.parametrize("version", [2, 3])
def test_plans_are_read_as_the_table_is(planned, version):
    plain, by_server, sql, _ = planned
    sql(f"CREATE TABLE t (id BIGINT, region VARCHAR, day DATE, at TIMESTAMP) PARTITIONED BY (region, day) WITH (format_version = {version})")
    values = ", ".join(f"({r['id']}, '{r['region']}', DATE '{r['day']}', TIMESTAMP '{r['at']}')" for r in DATA.to_pylist())
    assert scanned(by_server) == []
    sql(f"INSERT INTO t VALUES {values}")
    sql("DELETE FROM t WHERE id IN (3, 4, 17)")
    left = [tuple(r.values()) for r in DATA.to_pylist() if r["id"] not in (3, 4, 17)]
    if version == 2:
        assert scanned(plain) == scanned(by_server) == left
        for where in ("region == 'eu'", "day >= '2026-03-01' and region == 'us'", "id < 6", "id in (5, 3, 39)", "not (region == 'eu' or id > 20)", "at == '2026-01-01T07:00:00'", "region LIKE 'u%'"):
            assert scanned(plain, row_filter=where) == scanned(by_server, row_filter=where), where
    tasks = list(by_server.load_table("ns.t").scan(row_filter="region == 'eu' and day == '2026-01-01'").plan_files())
    assert len(tasks) == 1 and tasks[0].file.record_count == 10
    everything = list(by_server.load_table("ns.t").scan().plan_files())
    assert len(everything) == 4 and sum(len(t.delete_files) for t in everything) >= 2


def plan(server, key, bucket: str, body: dict, path: str = "plan") -> dict:
    answer = Door(server, bucket, key).ask("POST", f"namespaces/ns/tables/t/{path}", body)
    return answer.status, json.loads(answer.body)


def test_what_was_added_between_snapshots_and_plans_that_are_none(planned, server, bucket):
    plain, by_server, sql, key = planned
    sql("CREATE TABLE t (id BIGINT)")
    for n in range(4):
        sql(f"INSERT INTO t VALUES ({n})")
    snapshots = [s.snapshot_id for s in plain.load_table("ns.t").history()]
    status, told = plan(server, key, bucket, {"start-snapshot-id": snapshots[0], "end-snapshot-id": snapshots[2], "stats-fields": ["id"]})
    assert status == 200 and told["status"] == "completed" and len(told["file-scan-tasks"]) == 2
    bounds = sorted(t["data-file"]["lower-bounds"]["values"][0] for t in told["file-scan-tasks"])
    assert bounds == [1, 2]
    assert scanned(by_server, snapshot_id=snapshots[1]) == [(0,), (1,)]
    assert plan(server, key, bucket, {"snapshot-id": 5})[0] == 404
    assert plan(server, key, bucket, {"plan-task": "bm9uZQ"}, "tasks")[0] == 404
    for method in ("GET", "DELETE"):
        assert Door(server, bucket, key).ask(method, "namespaces/ns/tables/t/plan/none").status == 404


def test_of_more_than_2000_files_there_are_plan_tasks_of_one_snapshot(planned, server, bucket):
    """Files that are not there are planned as well as others: a plan reads manifests alone."""
    plain, by_server, sql, key = planned
    sql("CREATE TABLE t (id BIGINT)")

    def add(first: int, count: int) -> None:
        table = plain.load_table("ns.t")
        with table.transaction() as change, change.update_snapshot().fast_append() as append:
            for n in range(first, first + count):
                bound = {1: n.to_bytes(8, "little")}
                file = DataFile.from_args(
                    _table_format_version=2, content=DataFileContent.DATA, file_path=f"{table.location()}/data/{n}.parquet",
                    file_format=FileFormat.PARQUET, partition=Record(), record_count=1, file_size_in_bytes=500, lower_bounds=bound, upper_bounds=bound,
                )
                file.spec_id = 0
                append.append_data_file(file)

    for first in (0, 800, 1600):
        add(first, 800)
    status, told = plan(server, key, bucket, {})
    assert status == 200 and told["status"] == "completed" and "file-scan-tasks" not in told
    assert len(told["plan-tasks"]) == 1, "about 2,000 files to each"
    # Another 1,600 make it two, and what is committed after a plan is not in its tasks.
    add(2400, 1600)
    _, told = plan(server, key, bucket, {"filter": {"type": "gt-eq", "term": "id", "value": 100}})
    assert len(told["plan-tasks"]) == 2
    add(4000, 10)
    found = []
    for task in told["plan-tasks"]:
        status, answer = plan(server, key, bucket, {"plan-task": task}, "tasks")
        assert status == 200 and "plan-tasks" not in answer
        found.append([t["data-file"]["file-path"].rsplit("/", 1)[1] for t in answer["file-scan-tasks"]])
    assert all(found) and sorted(sum(found, [])) == sorted(f"{n}.parquet" for n in range(100, 4000))
    assert len(list(by_server.load_table("ns.t").scan().plan_files())) == 4010
    assert len(list(by_server.load_table("ns.t").scan(row_filter="id >= 4005").plan_files())) == 5


def test_who_may_not_read_may_not_plan(planned, server, bucket, make_user):
    _, _, sql, _ = planned
    sql("CREATE TABLE t (id BIGINT)")
    lister = make_user(of_tables(bucket, "s3tables:GetTableMetadataLocation"), of_tables(bucket, "s3tables:ListTables"))
    for path, body in (("plan", {}), ("tasks", {"plan-task": "x"})):
        assert plan(server, lister, bucket, body, path)[0] == 403

"""SQL over Iceberg tables: what PyIceberg and DuckDB wrote, as DuckDB reads it; what who may not is told; limits."""

import datetime
import json
import socket
import time
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DateType, IntegerType, LongType, NestedField, StringType

import ledger
from conftest import allow
from sql import Refused, ask, fetch, request, rows
from test_iceberg import ROWS
from test_iceberg import rows as people
from test_iceberg_delegation import catalog_of, of_tables
from test_iceberg_duckdb import duck  # noqa: F401: a fixture

RUN = allow("craton:RunStatement")


@pytest.fixture
def writer(bucket, make_user):
    """May everything with tables, and run statements; nothing with S3."""
    return make_user(of_tables(bucket, "s3tables:*"), RUN)


@pytest.fixture
def catalog(server, bucket, writer):
    catalog = catalog_of(server, bucket, writer)
    catalog.create_namespace("ns")
    return catalog


@pytest.fixture
def sql(server, bucket, writer):
    """Rows of a statement about tables of the namespace."""
    return lambda statement: rows(server, writer, statement, bucket=bucket, namespace="ns")


@pytest.fixture
def attached(server, bucket, writer, duck):  # noqa: F811
    """The same catalog in DuckDB, as `c`."""
    duck.execute(
        f"create or replace secret s (type iceberg, client_id '{writer.id}', client_secret '{writer.secret}', "
        f"oauth2_server_uri '{server.endpoint}/_iceberg/v1/oauth/tokens')"
    )
    duck.execute(f"attach '{bucket}' as c (type iceberg, endpoint '{server.endpoint}/_iceberg', secret s)")
    yield duck
    duck.execute("detach c")


def test_every_type_is_read_as_it_was_written(catalog, sql, server, bucket, writer):
    day = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
    data = pa.table({
        "b": [True, None], "i": pa.array([-1, None], pa.int32()), "l": pa.array([2**60, None], pa.int64()),
        "f": pa.array([1.5, None], pa.float32()), "d": [2.25, None], "m": pa.array([Decimal("-12.34"), None], pa.decimal128(9, 2)),
        "day": pa.array([day.date(), None], pa.date32()), "at": pa.array([day, None], pa.timestamp("us")),
        "zoned": pa.array([day, None], pa.timestamp("us", "UTC")), "s": ["größe", None], "raw": pa.array([b"\x00\xff", None], pa.binary()),
        "nested": pa.array([{"x": 1, "y": ["a", None]}, None], pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))])),
    })
    catalog.create_table("ns.types", data.schema).append(data)
    read = ask(server, writer, "SELECT * FROM types ORDER BY l NULLS LAST", bucket=bucket, namespace="ns")
    assert read.to_pylist() == data.to_pylist()
    assert read.schema.names == data.schema.names
    assert sql("SELECT nested['x'], s FROM types WHERE m < 0 AND day = DATE '2026-01-02'") == [(1, "größe")]


def test_names_with_bucket_namespace_levels_and_quotes(catalog, server, bucket, writer):
    catalog.create_namespace(("ns", "deep"))
    catalog.create_table(("ns", "deep", "Big"), ROWS).append(people("ana"))
    full = f'SELECT name FROM "{bucket}"."ns.deep"."Big"'
    assert rows(server, writer, full) == [("ana",)]
    assert rows(server, writer, 'SELECT name FROM "ns.deep"."Big"', bucket=bucket) == [("ana",)]
    with pytest.raises(Refused) as refused:
        rows(server, writer, "SELECT * FROM t")
    assert (refused.value.status, refused.value.reason) == (400, "IncompleteName")


def test_columns_are_found_by_their_ids(catalog, sql):
    first = Schema(
        NestedField(1, "id", IntegerType(), required=False), NestedField(2, "name", StringType(), required=False),
        NestedField(3, "gone", StringType(), required=False),
    )
    table = catalog.create_table("ns.t", first)
    table.append(pa.table({"id": pa.array([1, 2], pa.int32()), "name": ["a", "b"], "gone": ["x", "y"]}))
    with table.update_schema() as change:
        change.update_column("id", LongType())
        change.rename_column("name", "called")
        change.delete_column("gone")
    with table.update_schema() as change:
        change.add_column("gone", LongType())
        change.add_column("name", StringType())
        change.move_first("called")
    table.append(pa.table({"called": ["c"], "id": pa.array([2**40], pa.int64()), "gone": pa.array([7], pa.int64()), "name": ["n"]}))
    assert sql("SELECT * FROM t ORDER BY id") == [("a", 1, None, None), ("b", 2, None, None), ("c", 2**40, 7, "n")]
    assert sql("SELECT id FROM t WHERE called = 'b'") == [(2,)]
    assert sql("SELECT id FROM t WHERE gone IS NULL ORDER BY id") == [(1,), (2,)]
    assert sql("SELECT id FROM t WHERE id > 5000000000") == [(2**40,)]
    assert sql("SELECT count(*), sum(gone) FROM t") == [(3, 7)]


def test_files_that_hold_nothing_wanted_are_not_opened(catalog, server, bucket, writer):
    schema = Schema(
        NestedField(1, "day", DateType(), required=False), NestedField(2, "region", StringType(), required=False),
        NestedField(3, "n", LongType(), required=False),
    )
    spec = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "day"), PartitionField(2, 1001, IdentityTransform(), "region"))
    table = catalog.create_table("ns.t", schema, partition_spec=spec)
    days = [datetime.date(2026, month, 1 + n) for month in (1, 2, 3) for n in range(4)]
    data = pa.table({"day": days, "region": ["eu", "us"] * 6, "n": list(range(12))})
    table.append(data)
    statement = "SELECT n FROM t WHERE day < DATE '2026-02-01' AND region = 'eu' ORDER BY n"
    body, request_id = fetch(server, writer, statement, bucket=bucket, namespace="ns")
    assert pa.ipc.open_stream(body).read_all()["n"].to_pylist() == [0, 2]
    opened = {r["resource"] for r in ledger.of_request(server, request_id) if r["operation"] == "GetObject"}
    assert 1 <= len(opened) <= 2 < len(table.inspect.files()), opened


def test_moments(catalog, sql, server, bucket, writer):
    table = catalog.create_table("ns.t", ROWS)
    assert sql("SELECT count(*), max(id) FROM t") == [(0, None)]
    table.append(people("ana"))
    first = table.current_snapshot()
    table.manage_snapshots().create_tag(first.snapshot_id, "before").create_branch(first.snapshot_id, "dev").commit()
    time.sleep(0.05)
    between = datetime.datetime.now(datetime.UTC)
    time.sleep(0.05)
    table.append(people("bo", start=2))
    table.append(people("cy", start=3), branch="dev")
    count = "SELECT count(*) FROM t"
    assert sql(count) == [(2,)]
    assert sql(f"{count} FOR VERSION AS OF {first.snapshot_id}") == [(1,)]
    assert sql(f"{count} VERSION AS OF 'before'") == [(1,)]
    assert sql("SELECT t.name FROM t VERSION AS OF 'dev' ORDER BY t.name") == [("ana",), ("cy",)]
    assert sql(f"{count} FOR TIMESTAMP AS OF '{between:%Y-%m-%d %H:%M:%S.%f}'") == [(1,)]
    changed = f"SELECT n.name FROM t n LEFT ANTI JOIN t VERSION AS OF {first.snapshot_id} AS o ON n.id = o.id"
    assert sql(changed) == [("bo",)]
    for moment in ("VERSION AS OF 5", "VERSION AS OF 'none'", "TIMESTAMP AS OF '2020-01-01'"):
        with pytest.raises(Refused) as refused:
            sql(f"{count} {moment}")
        assert (refused.value.status, refused.value.reason) == (404, "NoSuchSnapshot")


@pytest.mark.parametrize("version", [2, 3])
def test_deleted_rows_are_never_seen(attached, sql, version):
    """Positions in files of version 2, deletion vectors of version 3."""
    attached.execute("create schema if not exists c.ns")
    attached.execute(f"create table c.ns.d{version} (id bigint, v varchar) with ('format-version' = '{version}')")
    attached.execute(f"insert into c.ns.d{version} select i, 'v' || (i % 7) from range(100000) t(i)")
    attached.execute(f"insert into c.ns.d{version} select i, 'w' from range(100000, 100010) t(i)")
    attached.execute(f"delete from c.ns.d{version} where id % 3 = 0")
    attached.execute(f"update c.ns.d{version} set v = 'changed' where id in (1, 50000, 100001)")
    attached.execute(f"delete from c.ns.d{version} where id between 70000 and 79999")
    for statement in (
        "select count(*), sum(id), count(distinct v) from {t}",
        "select v, count(*), min(id), max(id) from {t} group by v order by v",
        "select id, v from {t} where id between 49995 and 50005 order by id",
        "select id from {t} where v = 'changed' order by id",
        "select id from {t} order by id desc limit 5",
    ):
        expected = attached.execute(statement.format(t=f"c.ns.d{version}")).fetchall()
        assert sql(statement.format(t=f"d{version}")) == expected, statement


def test_who_may_not_is_told_nothing(catalog, server, bucket, make_user, sql):
    catalog.create_table("ns.t", ROWS).append(people("ana"))
    catalog.create_table("ns.other", ROWS).append(people("secret"))
    nobody, runner = make_user(of_tables(bucket, "s3tables:*")), make_user(RUN)
    of_names = of_tables(bucket, "s3tables:Get*")
    of_names["Condition"] = {"StringEquals": {"s3tables:tableName": "t"}}
    of_one = make_user(of_names, RUN)

    def refused(key, statement: str) -> Refused:
        with pytest.raises(Refused) as caught:
            rows(server, key, statement, bucket=bucket, namespace="ns")
        assert (caught.value.status, caught.value.reason) == (403, "AccessDenied")
        ledger.tells_of_one_refusal(server, caught.value.request_id)
        return caught.value

    refused(nobody, "SELECT 1")
    there, not_there = (refused(runner, f"SELECT * FROM {name}").message for name in ("other", "none"))
    assert there.replace(refused(runner, "SELECT * FROM none").request_id, "") and len(there) == len(not_there)
    assert rows(server, of_one, "SELECT name FROM t", bucket=bucket, namespace="ns") == [("ana",)]
    for statement in (
        "SELECT * FROM other", "SELECT count(*) FROM other", "EXPLAIN SELECT * FROM other", "DESCRIBE other",
        "SELECT * FROM t WHERE name IN (SELECT name FROM other)", "SELECT (SELECT max(name) FROM other) FROM t",
        "WITH x AS (SELECT * FROM other) SELECT count(*) FROM t, x", "SELECT * FROM other VERSION AS OF 'main'",
        "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM t t2 JOIN other USING (id))",
    ):
        assert "secret" not in refused(of_one, statement).message


def test_a_denied_file_is_denied_by_sql_too(catalog, server, bucket, make_user, writer):
    """What denies an S3 read of a table's file denies the statement that reads it."""
    table = catalog.create_table("ns.t", ROWS)
    table.append(people("ana"))
    key = table.inspect.files()["file_path"][0].as_py().removeprefix(f"s3://{bucket}/")
    denied = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/{key}"}
    reader = make_user(of_tables(bucket, "s3tables:Get*"), RUN, denied)
    with pytest.raises(Refused) as refused:
        rows(server, reader, "SELECT name FROM t", bucket=bucket, namespace="ns")
    assert refused.value.reason == "AccessDenied"
    assert rows(server, writer, "SELECT name FROM t", bucket=bucket, namespace="ns") == [("ana",)]


def test_the_ledger_says_who_read_which_snapshot(catalog, server, bucket, writer):
    table = catalog.create_table("ns.t", ROWS)
    table.append(people("ana", "bo"))
    _, request_id = fetch(server, writer, "SELECT name FROM t WHERE id > 0", bucket=bucket, namespace="ns")
    deadline = time.monotonic() + 10
    while True:
        found = ledger.of_request(server, request_id)
        if len({r["operation"] for r in found}) == 4 or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    by = {r["operation"]: r for r in found if r["kind"] == "decision"}
    assert by.keys() == {"RunStatement", "LoadTable", "ScanTable", "GetObject"}, found
    assert {r["principal"] for r in found} == {writer.user} and {r["door"] for r in found} == {"sql"}
    assert str(table.current_snapshot().snapshot_id) in json.dumps(by["ScanTable"])
    assert "SELECT name FROM t" in json.dumps(by["RunStatement"])
    assert "/data/" in by["GetObject"]["resource"]


BAD = [
    ("SELEC 1", "SyntaxError", "Line: 1"),
    ("SELECT 1 +\n  )", "SyntaxError", "Line: 2"),
    ("SELECT 1; SELECT 2", "SyntaxError", "one statement"),
    ("", "SyntaxError", "no statement"),
    ("SELECT nothing FROM t", "NoSuchColumn", "nothing"),
    ("SELECT nofunction(1)", "InvalidStatement", "nofunction"),
    ("SELECT * FROM none", "NoSuchTableException", "none"),
    ("SELECT CAST('x' AS INT)", "StatementFailed", "x"),
    ("SELECT 1/0", "StatementFailed", "zero"),
    ("COPY t TO 'x.csv'", "NotSupportedYet", "kind"),
    ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", "NotSupportedYet", "kind"),
    ("SET datafusion.execution.batch_size = 1", "NotSupportedYet", "kind"),
    ("EXPLAIN ANALYZE DELETE FROM t", "NotSupportedYet", "kind"),
    ("SELECT repeat('x', 2000000000)", "InvalidStatement", "repeat"),
    ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "SyntaxError", "ecursion"),
    ("SELECT '" + "x" * 300_000 + "'", "StatementTooLong", "bytes"),
]


@pytest.mark.parametrize(("statement", "reason", "says"), BAD, ids=lambda v: str(v)[:40])
def test_what_is_wrong_is_said(catalog, server, bucket, make_user, statement, reason, says):
    catalog.create_table("ns.t", ROWS)
    reader = make_user(allow("s3tables:Get*"), RUN)
    with pytest.raises(Refused) as refused:
        rows(server, reader, statement, bucket=bucket, namespace="ns")
    assert refused.value.reason == reason and says in refused.value.message, refused.value
    assert refused.value.status in (400, 404, 413)


def test_long_statements_end(server, sql):
    """Deep trees from flat text, many parts, long lists: an answer or a refusal, and a server that lives."""
    with pytest.raises(Refused) as refused:
        sql("SELECT " + "1+" * 20_000 + "1")
    assert refused.value.reason == "StatementTooLong"
    assert sql("SELECT " + "1+" * 1_000 + "1") == [(1_001,)]
    wide = " OR ".join(f"a = {n}" for n in range(500))
    assert sql(f"SELECT count(*) FROM (VALUES (1), (9)) v(a) WHERE {wide}") == [(2,)]
    listed = ", ".join(map(str, range(20_000)))
    assert sql(f"SELECT count(*) FROM (VALUES (1), (90000)) v(a) WHERE a IN ({listed})") == [(1,)]
    many = ", ".join(f"{n} AS c{n}" for n in range(1_000))
    assert len(sql(f"SELECT {many}")[0]) == 1_000
    server.check_alive()


def test_time_memory_and_clients_that_go(server, bucket, writer, sql):
    forever = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    with pytest.raises(Refused) as refused:
        rows(server, writer, forever, seconds=1)
    assert refused.value.reason == "StatementTimeout"
    digits = "(SELECT * FROM (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) v(a))"
    many = " CROSS JOIN ".join(f"{digits} t{n}" for n in range(7))
    with pytest.raises(Refused) as refused:
        rows(server, writer, f"SELECT * FROM {many} ORDER BY t6.a, t5.a, t4.a, t0.a")
    assert (refused.value.status, refused.value.reason) == (413, "StatementMemory")
    # More than there is time for, to a client that takes a little and goes.
    more = " CROSS JOIN ".join(f"{digits} t{n}" for n in range(12))
    asked = request(server, writer, f"SELECT * FROM {more}")
    with socket.create_connection((server.host, server.port)) as wire:
        head = "".join(f"{n}: {v}\r\n" for n, v in asked.headers.items())
        wire.sendall(f"POST /_api/v1/sql HTTP/1.1\r\n{head}\r\n".encode() + asked.data)
        answer = wire.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        request_id = answer.split(b"x-amz-request-id: ")[1].split(b"\r\n")[0].decode()
    deadline = time.monotonic() + 20
    while not any(r.get("reason") == "ClientGone" for r in ledger.of_request(server, request_id)):
        assert time.monotonic() < deadline, ledger.of_request(server, request_id)
        time.sleep(0.2)
    assert sql("SELECT 1") == [(1,)]


def test_forms_of_answers(catalog, server, bucket, writer):
    catalog.create_table("ns.t", ROWS).append(people("ana", "b,o"))
    statement = "SELECT id, name, CAST(NULL AS INT) AS n FROM t ORDER BY id"
    lines = fetch(server, writer, statement, "application/x-ndjson", bucket=bucket, namespace="ns")[0]
    assert [json.loads(line) for line in lines.splitlines()] == [{"id": 1, "name": "ana", "n": None}, {"id": 2, "name": "b,o", "n": None}]
    csv = fetch(server, writer, statement, "text/csv", bucket=bucket, namespace="ns")[0]
    assert csv.decode().splitlines() == ["id,name,n", "1,ana,", '2,"b,o",']
    assert fetch(server, writer, "SELECT 1 AS a WHERE false", "text/csv")[0] == b"a\n"
    assert fetch(server, writer, "SELECT 1 AS a WHERE false", "application/x-ndjson")[0] == b""
    with pytest.raises(Refused) as refused:
        fetch(server, writer, "SELECT 1", "image/png")
    assert refused.value.status == 406


def test_the_command(catalog, server, bucket):
    catalog.create_table("ns.t", ROWS).append(people("ana", "bo"))
    names = ("--bucket", bucket, "--namespace", "ns")
    shown = server.command("sql", "SELECT id, name FROM t ORDER BY id", *names)
    assert shown.splitlines() == ["id  name", "1   ana", "2   bo"]
    assert server.command("sql", "SELECT name FROM t WHERE id = 2", *names, "--format", "csv") == "name\nbo\n"
    several = server.command("sql", *names, "--json", stdin=b"SELECT 1 AS a;\n-- a remark;\nSELECT ';' AS b;\n")
    assert [json.loads(line) for line in several.splitlines()] == [{"a": 1}, {"b": ";"}]
    server.command("sql", "SELECT * FROM none", *names, code=3)
    server.command("sql", "SELEC", code=2)


def test_a_name_of_another_bucket_or_of_a_view(catalog, server, bucket, sql):
    for name in (f'"{bucket}-x".ns.t', f'"{uuid.uuid4()}".ns.t', '"no bucket"."ns"."t"', "\"ns\".\"a/b\"", '"x.y..z".t'):
        with pytest.raises(Refused) as refused:
            sql(f"SELECT * FROM {name}")
        assert refused.value.status in (400, 403, 404), name

"""SQL that writes: what it wrote is read by DuckDB, PyIceberg and itself alike, and it changes what they wrote."""

import concurrent.futures
import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyiceberg.expressions import EqualTo

import ledger
from conftest import allow
from sql import Refused, ask, fetch, rows
from test_iceberg_delegation import of_tables
from test_iceberg_duckdb import duck  # noqa: F401: a fixture
from test_sql import RUN, attached, catalog, sql, writer  # noqa: F401: fixtures

VERSIONS = pytest.mark.parametrize("version", [2, 3])


def refusal(sql, statement: str) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        sql(statement)
    return refused.value.reason, refused.value.message


def scanned(catalog, name: str, **more) -> list[tuple]:
    """A table's rows by PyIceberg, in order."""
    table = catalog.load_table(f"ns.{name}").scan(**more).to_arrow()
    return sorted(tuple(row.values()) for row in table.to_pylist())


def test_schemas_and_tables_come_and_go(catalog, sql):
    assert sql("CREATE SCHEMA made WITH (owner = 'ana')") == []
    assert sql("CREATE SCHEMA IF NOT EXISTS made") == []
    assert refusal(sql, "CREATE SCHEMA made")[0] == "AlreadyExistsException"
    assert catalog.load_namespace_properties("made") == {"owner": "ana"}
    assert sql("CREATE TABLE made.t (a INT NOT NULL, b VARCHAR) WITH (format_version = 3, 'write.parquet.compression-codec' = 'snappy')") == []
    assert sql("CREATE TABLE IF NOT EXISTS made.t (c INT)") == []
    table = catalog.load_table("made.t")
    assert table.format_version == 3 and table.properties["write.parquet.compression-codec"] == "snappy"
    assert [(f.name, str(f.field_type), f.required) for f in table.schema().fields] == [("a", "int", True), ("b", "string", False)]
    assert refusal(sql, "DROP SCHEMA made")[0] == "NamespaceNotEmptyException"
    assert sql("ALTER TABLE made.t RENAME TO u") == [] and sql("SELECT * FROM made.u") == []
    assert sql("DROP TABLE made.u") == [] and sql("DROP TABLE IF EXISTS made.u") == []
    assert refusal(sql, "DROP TABLE made.u")[0] == "NoSuchTableException"
    assert sql("DROP SCHEMA made") == [] and ("made",) not in catalog.list_namespaces()


def test_every_type_is_read_by_others_as_it_was_written(catalog, sql, attached, server, bucket, writer):
    sql("CREATE TABLE types (b BOOLEAN, i INT, l BIGINT, f REAL, d DOUBLE, m DECIMAL(9, 2), day DATE, t TIME, at TIMESTAMP, "
        "zoned TIMESTAMP WITH TIME ZONE, s VARCHAR, u UUID, raw BYTEA, fix BINARY(3), l2 INT[], st STRUCT<x BIGINT, y VARCHAR>)")
    kinds = {f.name: str(f.field_type) for f in catalog.load_table("ns.types").schema().fields}
    assert kinds == {"b": "boolean", "i": "int", "l": "long", "f": "float", "d": "double", "m": "decimal(9, 2)", "day": "date", "t": "time",
        "at": "timestamp", "zoned": "timestamptz", "s": "string", "u": "uuid", "raw": "binary", "fix": "fixed[3]", "l2": "list<int>",
        "st": "struct<17: x: optional long, 18: y: optional string>"} or kinds["st"].startswith("struct<")
    sql("INSERT INTO types (b, i, l, f, d, m, day, at, zoned, s, raw, l2, st) VALUES (true, -1, 1152921504606846976, 1.5, 2.25, -12.34, "
        "DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.678901', TIMESTAMP '2026-01-02 03:04:05.678901', 'größe', X'00ff', "
        "[1, NULL, 3], named_struct('x', 7, 'y', 'in'))")
    assert sql("INSERT INTO types (i) VALUES (NULL)") == [(1,)]
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
    wanted = {"b": True, "i": -1, "l": 2**60, "f": 1.5, "d": 2.25, "m": Decimal("-12.34"), "day": at.date(), "t": None, "at": at,
        "zoned": at.replace(tzinfo=datetime.UTC), "s": "größe", "u": None, "raw": b"\x00\xff", "fix": None, "l2": [1, None, 3],
        "st": {"x": 7, "y": "in"}}
    nothing = dict.fromkeys(wanted)
    by_id = lambda r: r["l"] is None  # noqa: E731
    assert sorted(catalog.load_table("ns.types").scan().to_arrow().to_pylist(), key=by_id) == [wanted, nothing]
    assert sorted(ask(server, writer, "SELECT * FROM types", bucket=bucket, namespace="ns").to_pylist(), key=by_id) == [wanted, nothing]
    found = attached.execute("select b, i, l, f, d, m, day, \"at\", s, raw, l2, st from c.ns.types where i = -1").fetchall()
    assert found == [(True, -1, 2**60, 1.5, 2.25, Decimal("-12.34"), at.date(), at, "größe", b"\x00\xff", [1, None, 3], {"x": 7, "y": "in"})]
    assert [task.file.record_count for task in catalog.load_table("ns.types").scan().plan_files()] == [1, 1]


@VERSIONS
def test_partitions_of_every_kind(catalog, sql, attached, version):
    sql("CREATE TABLE p (id BIGINT, region VARCHAR, at TIMESTAMP, m DECIMAL(9, 2)) "
        f"PARTITIONED BY (region, day(at), bucket(4, id), truncate(2, region), bucket(3, m)) WITH (format_version = {version})")
    values = ", ".join(f"({n}, '{('europe', 'asia', 'ägypten')[n % 3]}', TIMESTAMP '2026-0{n % 3 + 1}-02 0{n % 9}:00:00', {n}.25)" for n in range(60))
    assert sql(f"INSERT INTO p VALUES {values}, (NULL, NULL, NULL, NULL)") == [(61,)]
    table = catalog.load_table("ns.p")
    assert [str(f.transform) for f in table.spec().fields] == ["identity", "day", "bucket[4]", "truncate[2]", "bucket[3]"]
    assert len(table.inspect.files()) > 12
    # PyIceberg computes the partitions itself where it prunes: a wrong one would lose rows.
    for where, count in [("region == 'ägypten'", 20), ("at >= '2026-03-01T00:00:00'", 20), ("id == 7", 1), ("region starts with 'eu'", 20), ("m == 7.25", 1), ("id is null", 1)]:
        where = where.replace("starts with", "LIKE").replace("'eu'", "'eu%'")
        assert table.scan(row_filter=where).to_arrow().num_rows == count, where
    for where in ("region = 'asia'", "\"at\" < timestamp '2026-02-01'", "id in (1, 5, 9)", "id is null", "region like 'eu%'", "m > 30"):
        statement = "select count(*), sum(id) from {} where " + where
        assert sql(statement.format("p")) == attached.execute(statement.format("c.ns.p")).fetchall(), where


@VERSIONS
def test_tables_made_of_queries(catalog, sql, attached, version):
    assert sql("CREATE TABLE src AS SELECT column1 AS id, column2 AS name FROM (VALUES (1, 'a'), (2, 'b'), (3, NULL))") == [(3,)]
    made = f"CREATE TABLE made WITH (format_version = {version}) PARTITIONED BY (truncate(1, name)) AS SELECT id * 2 AS twice, name FROM src WHERE id < 3"
    assert sql(made) == [(2,)]
    assert sql("CREATE TABLE IF NOT EXISTS made AS SELECT 1 AS a") == [(0,)]
    assert refusal(sql, "CREATE TABLE made AS SELECT 1 AS a")[0] == "AlreadyExistsException"
    assert scanned(catalog, "made") == [(2, "a"), (4, "b")]
    assert attached.execute("select * from c.ns.made order by 1").fetchall() == [(2, "a"), (4, "b")]
    assert sql("CREATE TABLE none AS SELECT * FROM src WHERE false") == [(0,)] and sql("SELECT count(*) FROM none") == [(0,)]
    assert sql("INSERT INTO made (name) SELECT name FROM src WHERE name IS NULL") == [(1,)]
    assert sql("INSERT INTO made SELECT twice, name FROM made") == [(3,)]
    assert sql("SELECT count(*), count(twice) FROM made") == [(6, 4)]
    assert catalog.load_table("ns.made").current_snapshot().summary["total-records"] == "6"


@VERSIONS
def test_rows_are_changed_and_all_read_the_same(catalog, sql, attached, version):
    """Deletes in two steps over the same files, so that deletion vectors are merged; a file of which nothing is left goes."""
    attached.execute(f"create table c.ns.d (id bigint, v varchar) with ('format-version' = '{version}')")
    attached.execute("insert into c.ns.d select i, 'v' || (i % 7) from range(100000) t(i)")
    sql("INSERT INTO d VALUES (100000, 'w'), (100001, 'w')")
    attached.execute("delete from c.ns.d where id % 10 = 0")
    attached.execute("create or replace table memory.d as select * from c.ns.d")
    both = lambda statement: (sql(statement.format("d")), attached.execute(statement.format("memory.d")).fetchall())  # noqa: E731
    for statement in (
        "delete from {} where id % 3 = 0",
        "update {} set v = 'changed', id = id + 1000000 where id in (1, 50003, 100001)",
        "delete from {} where id between 70000 and 79999",
        "delete from {} where id = 5",
        "delete from {} where id = -1",
        "update {} set v = v || '!' where v = 'changed'",
        "delete from {} where id = 100000",
    ):
        here, there = both(statement)
        assert here == there, statement
        for question in ("select count(*), sum(id), count(distinct v) from {}", "select v, count(*), min(id), max(id) from {} group by v order by v",
                         "select id, v from {} where id > 99990 or id < 30 order by id"):
            here, there = both(question)
            assert here == there == attached.execute(question.format("c.ns.d")).fetchall(), (statement, question)
    assert attached.execute("delete from c.ns.d where id = 2").fetchall() == [(1,)]
    assert sql("SELECT count(*) FROM d WHERE id = 2") == [(0,)]
    if version == 2:
        assert catalog.load_table("ns.d").scan().to_arrow().num_rows == sql("SELECT count(*) FROM d")[0][0]
    before = sql("SELECT count(*) FROM d")
    assert sql("DELETE FROM d") == before and sql("SELECT * FROM d") == []
    assert attached.execute("select count(*) from c.ns.d").fetchall() == [(0,)]
    assert catalog.load_table("ns.d").inspect.data_files().num_rows == 0


@VERSIONS
def test_merge(catalog, sql, attached, version):
    sql(f"CREATE TABLE t (id BIGINT NOT NULL, name VARCHAR, n INT) PARTITIONED BY (bucket(4, id)) WITH (format_version = {version})")
    sql("INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 'four', 4)")
    sql("CREATE TABLE s AS SELECT * FROM (VALUES (2, 'TWO', 20), (3, 'gone', 0), (9, 'nine', 9), (10, 'no', -1)) AS v(id, name, n)")
    done = sql(
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.name = 'gone' THEN DELETE "
        "WHEN MATCHED THEN UPDATE SET name = s.name, n = t.n + s.n "
        "WHEN NOT MATCHED AND s.n > 0 THEN INSERT (id, name) VALUES (s.id, s.name) "
        "WHEN NOT MATCHED BY SOURCE AND t.id = 4 THEN UPDATE SET name = 'left'"
    )
    wanted = [(1, "one", 1), (2, "TWO", 22), (4, "left", 4), (9, "nine", None)]
    assert done == [(4,)] and sql("SELECT * FROM t ORDER BY id") == wanted
    assert attached.execute("select * from c.ns.t order by id").fetchall() == wanted
    if version == 2:
        assert scanned(catalog, "t") == wanted
    twice = "MERGE INTO t USING (SELECT 1 AS id UNION ALL SELECT 1) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 0"
    assert refusal(sql, twice)[0] == "RowChangedTwice"
    assert sql("MERGE INTO t AS x USING s AS y ON x.id = y.id WHEN NOT MATCHED THEN INSERT VALUES (y.id, y.name, y.n)") == [(2,)]
    assert sql("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE") == [(4,)]
    assert sql("UPDATE t SET n = s.n, name = concat(t.name, s.name) FROM s WHERE t.id + 1 = s.id") == [(1,)]
    assert sql("DELETE FROM t USING s WHERE t.id = s.id + 2") == [(1,)]
    assert sql("SELECT * FROM t ORDER BY id") == attached.execute("select * from c.ns.t order by id").fetchall() == [(1, "oneTWO", 20)]


def test_rows_keep_their_numbers(catalog, sql, attached):
    """Version 3: a row that is changed is the same row, wherever it comes to lie."""
    sql("CREATE TABLE t (id BIGINT, v VARCHAR) WITH (format_version = 3)")
    sql("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    sql("INSERT INTO t VALUES (4, 'd')")
    numbers = "select id, _row_id from c.ns.t order by id"
    assert attached.execute(numbers).fetchall() == [(1, 0), (2, 1), (3, 2), (4, 3)]
    sql("UPDATE t SET v = 'B' WHERE id >= 2")
    assert attached.execute(numbers).fetchall() == [(1, 0), (2, 1), (3, 2), (4, 3)]
    sql("UPDATE t SET v = 'BB' WHERE id = 3")
    sql("INSERT INTO t VALUES (5, 'e')")
    found = dict(attached.execute(numbers).fetchall())
    assert {n: found[n] for n in (1, 2, 3, 4)} == {1: 0, 2: 1, 3: 2, 4: 3} and found[5] > 3


def test_columns_change(catalog, sql, attached):
    sql("CREATE TABLE t (id INT, name VARCHAR, gone VARCHAR) PARTITIONED BY (name)")
    sql("INSERT INTO t VALUES (1, 'a', 'x')")
    for change in ("ADD COLUMN more BIGINT", "ADD COLUMN IF NOT EXISTS more BIGINT", "DROP COLUMN gone", "RENAME COLUMN name TO called",
                   "ALTER COLUMN id TYPE BIGINT", "SET TBLPROPERTIES ('owner' = 'ana')", "ADD COLUMN gone INT"):
        assert sql(f"ALTER TABLE t {change}") == []
    sql("INSERT INTO t (id, called, more, gone) VALUES (1099511627776, 'b', 7, 8)")
    wanted = [(1, "a", None, None), (2**40, "b", 7, 8)]
    assert sql("SELECT id, called, more, gone FROM t ORDER BY id") == wanted
    assert attached.execute("select id, called, more, gone from c.ns.t order by id").fetchall() == wanted
    assert scanned(catalog, "t") == wanted and catalog.load_table("ns.t").properties["owner"] == "ana"
    for change, reason in (("DROP COLUMN called", "InvalidStatement"), ("DROP COLUMN none", "NoSuchColumn"), ("ADD COLUMN id INT", "InvalidStatement"),
                           ("ALTER COLUMN id TYPE INT", "InvalidStatement"), ("ADD COLUMN x INT NOT NULL", "InvalidStatement")):
        assert refusal(sql, f"ALTER TABLE t {change}")[0] == reason, change
    assert sql("UPDATE t SET more = 1 WHERE called = 'a'") == [(1,)]
    assert sql("SELECT more FROM t WHERE id = 1") == [(1,)]


def test_what_is_wrong_is_refused_and_leaves_nothing(catalog, sql, s3, bucket, server):
    sql("CREATE TABLE t (id INT NOT NULL, at TIMESTAMP)")
    table = catalog.load_table("ns.t")
    prefix = table.location().removeprefix(f"s3://{bucket}/")
    for statement, reason in (
        ("INSERT INTO t VALUES (NULL, NULL)", "InvalidRow"),
        ("INSERT INTO t SELECT CASE WHEN column1 < 3 THEN column1 END, NULL FROM (VALUES (1), (2), (3))", "InvalidRow"),
        ("INSERT INTO t VALUES (1)", "InvalidStatement"),
        ("INSERT INTO t (nothing) VALUES (1)", "NoSuchColumn"),
        ("INSERT INTO t VALUES (1, TIMESTAMP '2026-01-01') ON CONFLICT DO NOTHING", "NotSupportedYet"),
        ("UPDATE t SET nothing = 1", "NoSuchColumn"),
        ("DELETE FROM t WHERE nothing = 1", "NoSuchColumn"),
        ("DELETE FROM none", "NoSuchTableException"),
        ("CREATE TABLE u (a INT) PARTITIONED BY (day(a))", "InvalidPartition"),
        ("CREATE TABLE u (a INT) PARTITIONED BY (b)", "InvalidStatement"),
        ("CREATE TABLE u (a GEOMETRY)", "NotSupportedYet"),
        ("CREATE TABLE nowhere.u (a INT)", "NoSuchNamespaceException"),
        ("CREATE TEMPORARY TABLE u (a INT)", "NotSupportedYet"),
        ("INSERT INTO t VERSION AS OF 'main' VALUES (1, NULL)", None),
    ):
        assert refusal(sql, statement)[0] == reason or reason is None, statement
    left = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/data").get("Contents", [])
    assert left == [] and catalog.load_table("ns.t").current_snapshot() is None


def test_who_may_not_write_is_told_nothing(catalog, server, bucket, make_user, sql):
    sql("CREATE TABLE t AS SELECT 1 AS id")
    reader = make_user(of_tables(bucket, "s3tables:Get*"), RUN)
    for statement in (
        "INSERT INTO {} VALUES (2)", "DELETE FROM {}", "UPDATE {} SET id = 2", "DROP TABLE {}", "ALTER TABLE {} ADD COLUMN x INT",
        "MERGE INTO {} USING (SELECT 1 AS id) AS s ON s.id = 2 WHEN NOT MATCHED THEN INSERT VALUES (s.id)",
    ):
        said = []
        for name in ("t", "x"):
            with pytest.raises(Refused) as refused:
                rows(server, reader, statement.format(name), bucket=bucket, namespace="ns")
            assert (refused.value.status, refused.value.reason) == (403, "AccessDenied"), statement
            ledger.tells_of_one_refusal(server, refused.value.request_id)
            said.append(len(refused.value.message))
        assert said[0] == said[1], statement
    for statement in ("CREATE TABLE made AS SELECT 1 AS id", "CREATE TABLE made (a INT)", "CREATE SCHEMA made", "DROP SCHEMA ns"):
        with pytest.raises(Refused) as refused:
            rows(server, reader, statement, bucket=bucket, namespace="ns")
        assert refused.value.reason == "AccessDenied", statement
    assert sql("SELECT * FROM t") == [(1,)]
    # Who may not read the source may not copy it.
    copier = make_user(of_tables(bucket, "s3tables:*"), allow("craton:RunStatement"))
    hidden = of_tables(bucket, "s3tables:*") | {"Effect": "Deny", "Condition": {"StringEquals": {"s3tables:tableName": "t"}}}
    kept_out = make_user(of_tables(bucket, "s3tables:*"), allow("craton:RunStatement"), hidden)
    with pytest.raises(Refused):
        rows(server, kept_out, "CREATE TABLE copy AS SELECT * FROM t", bucket=bucket, namespace="ns")
    assert rows(server, copier, "CREATE TABLE copy AS SELECT * FROM t", bucket=bucket, namespace="ns") == [(1,)]


def test_the_ledger_says_what_was_written(catalog, server, bucket, writer, sql):
    sql("CREATE TABLE t (id INT)")
    _, request_id = fetch(server, writer, "INSERT INTO t VALUES (1)", bucket=bucket, namespace="ns")
    found = {r["operation"] for r in ledger.of_request(server, request_id)}
    assert {"RunStatement", "UpdateTable", "PutObject"} <= found, found


def test_concurrent_writers_lose_nothing(catalog, sql, server, bucket, writer):
    sql("CREATE TABLE t (who INT, n INT)")
    sql("INSERT INTO t VALUES (-1, 0)")

    def retried(who: int) -> None:
        """A statement that lost again and again says so, and did nothing."""
        for n in range(3):
            for statement in (f"INSERT INTO t VALUES ({who}, {n})", f"UPDATE t SET n = n + 10 WHERE who = {who} AND n = {n}"):
                while True:
                    try:
                        rows(server, writer, statement, bucket=bucket, namespace="ns")
                        break
                    except Refused as refused:
                        assert refused.reason in ("CommitFailedException", "TooManyStatements"), refused

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(retried, range(3)))
    assert sql("SELECT who, n FROM t WHERE who >= 0 ORDER BY who, n") == [(who, 10 + n) for who in range(3) for n in range(3)]


def test_much_is_written_within_the_memory(catalog, sql, attached):
    digits = "(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) AS t{n}(a)"
    many = " CROSS JOIN ".join(digits.format(n=n) for n in range(5))
    number = " + ".join(f"t{n}.a * {10**n}" for n in range(5))
    assert sql(f"CREATE TABLE big PARTITIONED BY (bucket(40, n)) AS SELECT {number} AS n, concat('text ', {number}) AS s FROM {many}") == [(100_000,)]
    wanted = [(100_000, 4_999_950_000, "text 0", "text 99999")]
    assert sql("SELECT count(*), sum(n), min(s), max(s) FROM big") == wanted
    assert attached.execute("select count(*), sum(n), min(s), max(s) from c.ns.big").fetchall() == wanted
    assert sql("DELETE FROM big WHERE n % 2 = 1") == [(50_000,)]
    assert catalog.load_table("ns.big").scan(row_filter=EqualTo("n", 7)).to_arrow().num_rows == 0
    assert sql("SELECT count(*), sum(n) FROM big") == [(50_000, 2_499_950_000)]

"""TPC-H on Iceberg tables: each of the 22 queries answers what DuckDB answers on the same rows, by each door of SQL."""

import datetime
import json
import math
from decimal import Decimal

import duckdb
import pytest
from duckdb_extensions import import_extension

import flightsql
from conftest import allow
from server import Key, unique
from sql import ask
from test_pg import connect, psql
from test_iceberg_delegation import catalog_of, of_tables

SCALE = 0.01


@pytest.fixture(scope="module")
def tpch(server, s3, tmp_path_factory):
    """DuckDB with the tables, the same tables in a catalog, and who may ask them."""
    con = duckdb.connect(config={"extension_directory": str(tmp_path_factory.mktemp("extensions"))})
    import_extension("tpch", con=con)
    con.execute("load tpch")
    con.execute(f"call dbgen(sf = {SCALE})")
    bucket = unique("tpch")
    s3.create_bucket(Bucket=bucket)
    name, policy = unique("user"), tmp_path_factory.mktemp("policy") / "p.json"
    made = json.loads(server.command("user", "add", name, "--json"))
    key = server.keep(Key(made["id"], made["secret"], name))
    statements = [of_tables(bucket, "s3tables:*"), allow("craton:RunStatement")]
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": statements}))
    server.command("policy", "put", name, "p", str(policy))
    catalog = catalog_of(server, bucket, key)
    catalog.create_namespace("tpch")
    for (table,) in con.execute("show tables").fetchall():
        data = con.execute(f"from {table}").to_arrow_table()
        made = catalog.create_table(f"tpch.{table}", data.schema)
        # Of several files.
        half = data.num_rows // 2 or 1
        made.append(data.slice(0, half))
        if data.num_rows > half:
            made.append(data.slice(half))
    yield con, bucket, key
    con.close()


def same(left: object, right: object) -> bool:
    if isinstance(left, (float, Decimal, int)) and isinstance(right, (float, Decimal, int)):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=0.01)
    if isinstance(left, datetime.datetime) and isinstance(right, datetime.date):
        left = left.date()
    return left == right


@pytest.mark.parametrize("number", range(1, 23))
def test_a_query(tpch, server, number):
    con, bucket, key = tpch
    (statement,) = con.execute("select query from tpch_queries() where query_nr = ?", [number]).fetchone()
    expected = con.execute(statement).fetchall()
    table = ask(server, key, statement.rstrip().rstrip(";"), bucket=bucket, namespace="tpch")
    are_the_same([tuple(column[row].as_py() for column in table.columns) for row in range(table.num_rows)], expected)


@pytest.mark.parametrize("number", range(1, 23))
def test_a_query_by_postgresqls_protocol(tpch, server, number):
    con, bucket, key = tpch
    (statement,) = con.execute("select query from tpch_queries() where query_nr = ?", [number]).fetchone()
    expected = con.execute(statement).fetchall()
    with connect(server, key, f"{bucket}/tpch") as client:
        are_the_same(client.execute(statement).fetchall(), expected)
        with client.cursor(binary=True) as cursor:
            are_the_same(cursor.execute(statement.rstrip().rstrip(";")).fetchall(), expected)
    told = psql(server, key, f"{bucket}/tpch", statement)
    assert len(told.splitlines()) == len(expected)


@pytest.mark.parametrize("number", range(1, 23))
def test_a_query_by_flight_sql(tpch, server, number):
    con, bucket, key = tpch
    (statement,) = con.execute("select query from tpch_queries() where query_nr = ?", [number]).fetchone()
    expected = con.execute(statement).fetchall()
    with flightsql.connect(server, key, bucket, "tpch") as client:
        are_the_same(flightsql.rows(client, statement.rstrip().rstrip(";")), expected)


def are_the_same(found: list[tuple], expected: list[tuple]) -> None:
    assert len(found) == len(expected)
    for left, right in zip(found, expected, strict=True):
        assert len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True)), (left, right)

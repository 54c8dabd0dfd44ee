"""DuckDB on the Iceberg door: it and PyIceberg read what the other wrote, deletes included."""

import duckdb
import pytest
from duckdb_extensions import import_extension

from test_iceberg import ROWS, rows
from test_iceberg_delegation import catalog_of, of_tables


@pytest.fixture(scope="module")
def duck(tmp_path_factory):
    """With its extensions from their packages, in a folder of this run."""
    con = duckdb.connect(config={"extension_directory": str(tmp_path_factory.mktemp("extensions"))})
    for name in ("avro", "httpfs", "iceberg"):
        import_extension(name, con=con)
        con.execute(f"load {name}")
    yield con
    con.close()


@pytest.fixture
def both(server, bucket, make_user, duck):
    """A catalog of PyIceberg's, and the same attached to DuckDB as `c`; neither has a credential for files."""
    key = make_user(of_tables(bucket, "s3tables:*"))
    duck.execute(
        f"create or replace secret s (type iceberg, client_id '{key.id}', client_secret '{key.secret}', "
        f"oauth2_server_uri '{server.endpoint}/_iceberg/v1/oauth/tokens')"
    )
    duck.execute(f"attach '{bucket}' as c (type iceberg, endpoint '{server.endpoint}/_iceberg', secret s)")
    catalog = catalog_of(server, bucket, key)
    catalog.create_namespace("ns")
    yield catalog, duck
    duck.execute("detach c")


def test_each_reads_what_the_other_wrote(both):
    catalog, duck = both
    catalog.create_table("ns.t", ROWS).append(rows("ana", "bo", "cy"))
    assert duck.execute("select id, name from c.ns.t order by id").fetchall() == [(1, "ana"), (2, "bo"), (3, "cy")]
    duck.execute("insert into c.ns.t values (4, 'dee')")
    duck.execute("delete from c.ns.t where id = 1")
    duck.execute("update c.ns.t set name = 'changed' where id = 2")
    table = catalog.load_table("ns.t")
    assert sorted(table.scan().to_arrow()["name"].to_pylist()) == ["changed", "cy", "dee"]
    table.delete("id = 3")
    assert duck.execute("select name from c.ns.t order by name").fetchall() == [("changed",), ("dee",)]
    assert len(catalog.load_table("ns.t").history()) >= 4


def test_tables_and_namespaces_of_its_own(both):
    catalog, duck = both
    duck.execute("create schema c.made")
    duck.execute("create table c.made.d (a int, b varchar)")
    duck.execute("insert into c.made.d values (1, 'x'), (2, 'y')")
    assert ("made",) in catalog.list_namespaces() and catalog.load_table("made.d").scan().to_arrow().num_rows == 2
    duck.execute(
        "merge into c.made.d using (select 2 as a, 'm' as b union all select 7, 'n') s on d.a = s.a "
        "when matched then update set b = s.b when not matched then insert values (s.a, s.b)"
    )
    assert duck.execute("select a, b from c.made.d order by a").fetchall() == [(1, "x"), (2, "m"), (7, "n")]
    duck.execute("drop table c.made.d")
    assert not catalog.table_exists("made.d")


def test_a_transaction_over_two_tables(both):
    catalog, duck = both
    for name in ("a", "b"):
        catalog.create_table(f"ns.{name}", ROWS)
    duck.execute("begin")
    duck.execute("insert into c.ns.a values (1, 'one')")
    duck.execute("insert into c.ns.b values (2, 'two')")
    duck.execute("rollback")
    assert catalog.load_table("ns.a").scan().to_arrow().num_rows == 0
    duck.execute("begin")
    duck.execute("insert into c.ns.a values (1, 'one')")
    duck.execute("insert into c.ns.b values (2, 'two')")
    duck.execute("commit")
    assert [catalog.load_table(f"ns.{name}").scan().to_arrow()["name"].to_pylist() for name in ("a", "b")] == [["one"], ["two"]]

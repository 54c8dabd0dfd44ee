"""Columns: where each column of what SQL wrote came from, over several statements and after a kill; and who may know."""

import json

import pytest

from conftest import allow, client
from server import Key, Server, unique
from sigv4 import Signer, send
from test_budgets import ask as asked
from test_budgets import bearer
from test_lineage import ALL, api


class Work:
    """A session of a user whose statements are of a run."""

    def __init__(self, server: Server, user: Key, bucket: str, run: str):
        self.server, self.user, self.bucket, self.run = server, user, bucket, run
        self.token = bearer(server, user) | {"x-craton-run": run, "content-type": "application/json", "accept": "application/x-ndjson"}

    def sql(self, statement: str) -> list[dict]:
        body = json.dumps({"statement": statement, "bucket": self.bucket, "namespace": "ns"}).encode()
        status, answer, _ = asked(self.server, self.token, "POST", "/_api/v1/sql", body)
        assert status == 200, (statement, answer)
        return [json.loads(line) for line in answer.decode().splitlines()]

    def resource(self, table: str) -> str:
        loaded = asked(self.server, self.token, "GET", f"/_iceberg/v1/{self.bucket}/namespaces/ns/tables/{table}", b"")
        folder = json.loads(loaded[1])["metadata-location"].split("/.tables/")[1].split("/")[0]
        return f"/{self.bucket}/objects/.tables/{folder}/*"

    def columns(self, table: str, column: str, key: Key | None = None, **query: object) -> dict:
        return api(self.server, key or self.user, "lineage", resource=self.resource(table), column=column, **query)


def edges(found: dict, names: dict[str, str]) -> set[str]:
    """Edges, each as `table.column how table.column`."""
    of = lambda edge, which: f"{names[edge[f'{which}resource']]}.{edge[f'{which}column']}"
    return {f"{of(edge, '')} {edge['how']} {of(edge, 'source_')}" for edge in found["edges"]}


@pytest.fixture
def work(server, bucket, make_user) -> Work:
    return work_of(server, bucket, make_user(ALL))


def work_of(server: Server, bucket: str, user: Key) -> Work:
    work = Work(server, user, bucket, unique("run"))
    work.sql("CREATE SCHEMA ns")
    work.sql("CREATE TABLE orders AS SELECT * FROM (VALUES (1, 10, 'a'), (2, 20, 'b')) v(id, price, state)")
    work.sql("CREATE TABLE rates AS SELECT * FROM (VALUES ('a', 2), ('b', 3)) v(state, rate)")
    return work


def test_over_several_statements(server, work):
    work.sql("CREATE TABLE paid AS SELECT o.id, o.price * r.rate AS total FROM orders o JOIN rates r ON o.state = r.state WHERE o.price > 5")
    work.sql("CREATE TABLE report AS SELECT sum(total) AS all_of, count(*) AS n FROM paid")
    names = {work.resource(table): table for table in ("orders", "rates", "paid", "report")}
    rows = {"paid.* join orders.state", "paid.* join rates.state", "paid.* filter orders.price"}
    total = {"paid.total transformation orders.price", "paid.total transformation rates.rate"}
    assert edges(work.columns("paid", "total"), names) == rows | total
    assert edges(work.columns("paid", "id"), names) == rows | {"paid.id identity orders.id"}
    assert edges(work.columns("report", "all_of"), names) == rows | total | {"report.all_of aggregation paid.total"}
    assert edges(work.columns("report", "all_of", depth=1), names) == {"report.all_of aggregation paid.total"}
    assert edges(work.columns("report", "n"), names) == set()
    down = work.columns("orders", "price", direction="downstream")
    assert {edge for edge in edges(down, names) if not edge.startswith("paid.*")} >= {"paid.total transformation orders.price", "report.all_of aggregation paid.total"}
    assert "paid.* filter orders.price" in edges(down, names)
    assert edges(work.columns("rates", "rate", direction="downstream"), names) == {"paid.total transformation rates.rate", "report.all_of aggregation paid.total"}
    told = down["edges"][0]
    assert (told["run"], told["principal"], told["kind"]) == (work.run, work.user.user, "direct" if told["how"] in ("identity", "transformation", "aggregation") else "indirect")


def test_what_changes_rows(server, work):
    work.sql("CREATE TABLE t (id BIGINT, a BIGINT, b BIGINT)")
    names = {work.resource(table): table for table in ("orders", "rates", "t")}
    work.sql("INSERT INTO t (id, a) SELECT id, price FROM orders WHERE state = 'a'")
    assert edges(work.columns("t", "a"), names) == {"t.a identity t.a", "t.* filter orders.state", "t.a identity orders.price"}
    assert "t.b" not in {edge.split(" ")[0] for edge in edges(work.columns("t", "b", depth=1), names) if "orders" in edge}, "nothing came into it"
    work.sql("UPDATE t SET b = a + 1 WHERE id > 0")
    up = edges(work.columns("t", "b"), names)
    assert {"t.b transformation t.a", "t.* filter t.id", "t.* filter orders.state"} <= up
    assert any(edge.endswith("orders.price") for edge in up), "over the statement before"
    work.sql("DELETE FROM t WHERE a IN (SELECT rate * 5 FROM rates)")
    assert edges(work.columns("t", "id", depth=1), names) == {"t.id identity t.id", "t.* filter t.a", "t.* filter rates.rate"}
    work.sql("MERGE INTO t USING orders o ON t.id = o.id WHEN MATCHED THEN UPDATE SET a = o.price WHEN NOT MATCHED THEN INSERT (id, a) VALUES (o.id, 0)")
    merged = edges(work.columns("t", "id", depth=1), names)
    assert {"t.* join t.id", "t.* join orders.id", "t.id identity t.id"} <= merged and any(edge.startswith("t.id") and edge.endswith("orders.id") for edge in merged)


def test_objects_and_the_table_of_edges(server, work, s3):
    s3.put_object(Bucket=work.bucket, Key="in/a.csv", Body=b"k,v\n1,2\n")
    work.sql(f"CREATE TABLE c AS SELECT v AS x FROM 's3://{work.bucket}/in/a.csv' WHERE k = 1")
    assert edges(work.columns("c", "x"), {work.resource("c"): "c", f"/{work.bucket}/objects/in/a.csv": "a.csv"}) == {"c.x identity a.csv.v", "c.* filter a.csv.k"}
    found = work.sql(f"SELECT column_name, source_resource, source_version, source_column, kind, how, run, principal FROM system.column_lineage WHERE resource = '{work.resource('c')}' ORDER BY 1")
    object_ = f"/{work.bucket}/objects/in/a.csv"
    common = {"source_resource": object_, "source_version": 0, "run": work.run, "principal": work.user.user}
    assert found == [
        common | {"column_name": "*", "source_column": "k", "kind": "indirect", "how": "filter"},
        common | {"column_name": "x", "source_column": "v", "kind": "direct", "how": "identity"},
    ]
    version = work.columns("c", "x")["root"]["version"]
    assert work.sql(f"SELECT count(*) AS n FROM system.column_lineage WHERE resource = '{work.resource('c')}' AND version = {version}") == [{"n": 2}]
    assert edges(api(server, work.user, "lineage", resource=object_, version=1, column="v", direction="downstream"), {work.resource("c"): "c", object_: "a.csv"}) == {"c.x identity a.csv.v"}
    # Without a run nothing is kept; what fails says nothing.
    assert send(server, Signer(server, work.user).request("POST", "/_api/v1/sql", "", [], json.dumps({"statement": f'CREATE TABLE "{work.bucket}".ns.d AS SELECT x FROM "{work.bucket}".ns.c'}).encode())).status == 200
    assert work.columns("d", "x")["edges"] == []


def test_too_many(server, work):
    wide = ", ".join(f"id + price AS x{n}" for n in range(2100))
    work.sql(f"CREATE TABLE w AS SELECT {wide} FROM orders")
    found = work.columns("w", "x7")
    assert (found["edges"], found["more"]) == ([], True)


def test_who_may_know(server, work, make_user):
    work.sql("CREATE TABLE copy AS SELECT id FROM orders")
    nobody = make_user(allow("craton:RunStatement"))
    hidden = work.columns("copy", "id", nobody)
    assert (hidden["edges"], hidden["hidden"]) == ([], 1)
    reads = make_user(allow("craton:ReadLineage", f"arn:aws:s3:::{work.bucket}"))
    assert len(work.columns("copy", "id", reads)["edges"]) == 1


def test_after_a_kill(tmp_path):
    server = Server(tmp_path, "--memory", "64MiB").start()
    try:
        client(server).create_bucket(Bucket="data")

        def sql(statement: str) -> None:
            body = json.dumps({"statement": statement, "bucket": "data", "namespace": "ns"}).encode()
            answer = send(server, Signer(server, server.root).request("POST", "/_api/v1/sql", "", [("x-craton-run", "work")], body))
            assert answer.status == 200, answer

        def resource(table: str) -> str:
            answer = send(server, Signer(server, server.root).request("GET", f"/_iceberg/v1/data/namespaces/ns/tables/{table}"))
            return f"/data/objects/.tables/{json.loads(answer.body)['metadata-location'].split('/.tables/')[1].split('/')[0]}/*"

        sql("CREATE SCHEMA ns")
        sql("CREATE TABLE a AS SELECT 1 AS x")
        sql("CREATE TABLE b AS SELECT x + 1 AS y FROM a")
        # Its record is in the commit, and not followed yet.
        server.kill()
        server.start()
        found = api(server, server.root, "lineage", resource=resource("b"), column="y")
        assert [(edge["column"], edge["source_column"], edge["how"]) for edge in found["edges"]] == [("y", "x", "transformation")]
        assert found["edges"][0]["source_resource"] == resource("a")
        server.stop()
    finally:
        server.kill()

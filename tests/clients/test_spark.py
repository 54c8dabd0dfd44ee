"""Spark 3.5 with the Iceberg runtime on the door: it creates, inserts, merges, deletes, rewrites and expires, and reads what others wrote."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from conftest import new_user
from server import REGION, unique
from sql import rows
from test_iceberg_delegation import of_tables
from test_sql import RUN

SCRIPT = Path(__file__).with_name("spark_client.py")
VERSIONS = pytest.mark.parametrize("version", [2, 3])


class Spark:
    """A session in a process of its own."""

    def __init__(self, settings: dict[str, str], log: Path):
        python = os.environ.get("CRATON_SPARK_PYTHON") or Path(os.environ["CRATON_TARGET"]) / "venv-spark/bin/python"
        self.log = log
        environment = os.environ | {"AWS_REGION": REGION, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [python, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True, env=environment,
        )
        self.send(settings)

    def send(self, what: object) -> list[tuple]:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.log.read_text()[-6000:]
        answer = json.loads(line)
        assert "error" not in answer, f"{what}\n{answer['error']}"
        return [tuple(row) for row in answer["rows"]]

    def end(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def spark(server, s3, tmp_path_factory):
    """A session whose catalog `c` is a bucket of its own, and the bucket's name and user."""
    bucket, folder = unique("spark"), tmp_path_factory.mktemp("spark")
    s3.create_bucket(Bucket=bucket)
    key = new_user(server, folder, of_tables(bucket, "s3tables:*"), RUN)
    settings = {
        "spark.sql.catalog.c": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.c.type": "rest",
        "spark.sql.catalog.c.uri": f"{server.endpoint}/_iceberg",
        "spark.sql.catalog.c.warehouse": bucket,
        "spark.sql.catalog.c.credential": f"{key.id}:{key.secret}",
        "spark.sql.catalog.c.oauth2-server-uri": f"{server.endpoint}/_iceberg/v1/oauth/tokens",
        "spark.sql.catalog.c.header.X-Iceberg-Access-Delegation": "vended-credentials",
        "spark.sql.catalog.c.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "spark.sql.catalog.c.http-client.type": "urlconnection",
        "spark.sql.catalog.c.cache-enabled": "false",
    }
    spark = Spark(settings, folder / "log")
    spark.bucket, spark.key = bucket, key
    spark.send("CREATE NAMESPACE c.ns")
    yield spark.send
    spark.end()


@pytest.fixture
def sql(server, spark):
    session = spark.__self__
    return lambda statement: rows(server, session.key, statement, bucket=session.bucket, namespace="ns")


@VERSIONS
def test_it_works_on_tables_of_its_own_and_sql_reads_them(spark, sql, version):
    t = f"c.ns.own{version}"
    spark(f"CREATE TABLE {t} (id BIGINT, name STRING, n INT) USING iceberg PARTITIONED BY (bucket(4, id)) "
          f"TBLPROPERTIES ('format-version' = '{version}', 'write.delete.mode' = 'merge-on-read', 'write.update.mode' = 'merge-on-read', 'write.merge.mode' = 'merge-on-read')")
    spark(f"INSERT INTO {t} SELECT id, concat('n', id), CAST(id % 7 AS INT) FROM range(1000)")
    spark(f"DELETE FROM {t} WHERE id % 10 = 0")
    spark(f"UPDATE {t} SET name = 'changed' WHERE id < 20")
    spark(f"MERGE INTO {t} t USING (SELECT 1 AS id, 'merged' AS name UNION ALL SELECT 5000, 'new') s ON t.id = s.id "
          "WHEN MATCHED THEN UPDATE SET t.name = s.name WHEN NOT MATCHED THEN INSERT (id, name, n) VALUES (s.id, s.name, 0)")
    question = "SELECT name, count(*), sum(id), sum(n) FROM {} WHERE id < 50 OR id > 900 GROUP BY name ORDER BY name"
    read = lambda: (sql(question.format(f"own{version}")), spark(question.format(t)))  # noqa: E731
    here, there = read()
    assert here == there and ("merged", 1, 1, 1) in here and len(here) > 90
    snapshots = len(spark(f"SELECT * FROM {t}.snapshots"))
    spark(f"CALL c.system.rewrite_data_files(table => 'ns.own{version}', options => map('min-input-files', '2'))")
    spark(f"CALL c.system.rewrite_manifests('ns.own{version}')")
    assert read()[0] == here
    spark(f"CALL c.system.expire_snapshots(table => 'ns.own{version}', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)")
    assert len(spark(f"SELECT * FROM {t}.snapshots")) == 1 < snapshots
    assert read() == (here, there)


@VERSIONS
def test_each_changes_what_the_other_wrote(spark, sql, version):
    t = f"c.ns.both{version}"
    sql(f"CREATE TABLE both{version} (id BIGINT NOT NULL, day DATE, name VARCHAR, m DECIMAL(9, 2), u INT[]) "
        f"PARTITIONED BY (month(day), truncate(2, name)) WITH (format_version = {version})")
    values = ", ".join(f"({n}, DATE '2026-0{n % 9 + 1}-11', 'name{n % 11}', {n}.25, [{n}, NULL])" for n in range(300))
    assert sql(f"INSERT INTO both{version} VALUES {values}") == [(300,)]
    assert sql(f"DELETE FROM both{version} WHERE id % 5 = 0") == [(60,)]
    assert sql(f"UPDATE both{version} SET name = 'x', m = m + 1 WHERE id < 7") == [(5,)]
    statements = [
        "DELETE FROM {} WHERE day = DATE '2026-03-11' AND id % 2 = 0", "UPDATE {} SET name = concat(name, '!') WHERE id BETWEEN 100 AND 120",
        "DELETE FROM {} WHERE id = 299",
    ]
    question = "SELECT id, CAST(day AS STRING), name, CAST(m AS STRING), u[{}] FROM {} ORDER BY id"
    for n, statement in enumerate(statements):
        here, there = sql(question.format(1, f"both{version}").replace("STRING", "VARCHAR")), spark(question.format(0, t))
        assert here == there and len(here) > 200
        if n % 2:
            sql(statement.format(f"both{version}"))
        else:
            spark(statement.format(t))
    assert spark(f"SELECT count(*) FROM {t} WHERE day < DATE '2026-02-20'") == sql(f"SELECT count(*) FROM both{version} WHERE day < DATE '2026-02-20'")
    assert spark(f"SELECT count(*), min(day) FROM {t}") == [(c, str(d)) for c, d in sql(f"SELECT count(*), min(day) FROM both{version}")]
    spark(f"ALTER TABLE {t} ADD COLUMN more STRING AFTER id")
    assert sql(f"UPDATE both{version} SET more = name WHERE id = 1") == [(1,)]
    assert spark(f"SELECT more FROM {t} WHERE id = 1") == [("x",)]


def test_time_travel_branches_and_views(spark, sql):
    spark("CREATE TABLE c.ns.t (id BIGINT) USING iceberg")
    sql("INSERT INTO t VALUES (1)")
    spark("ALTER TABLE c.ns.t CREATE BRANCH dev")
    spark("INSERT INTO c.ns.t.branch_dev VALUES (2)")
    assert sql("SELECT id FROM t VERSION AS OF 'dev' ORDER BY id") == [(1,), (2,)] and sql("SELECT id FROM t") == [(1,)]
    first = spark("SELECT snapshot_id FROM c.ns.t.refs WHERE name = 'main'")[0][0]
    sql("INSERT INTO t VALUES (3)")
    assert spark(f"SELECT id FROM c.ns.t VERSION AS OF {first}") == [(1,)]
    spark("CREATE VIEW c.ns.v AS SELECT id * 2 AS twice FROM c.ns.t")
    assert spark("SELECT twice FROM c.ns.v ORDER BY twice") == [(2,), (6,)]
    spark("DROP VIEW c.ns.v")


def test_v3_rows_keep_their_numbers(spark, sql):
    sql("CREATE TABLE numbered (id BIGINT, v VARCHAR) WITH (format_version = 3)")
    sql("INSERT INTO numbered VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    sql("UPDATE numbered SET v = 'B' WHERE id = 2")
    assert spark("SELECT id, v, _row_id FROM c.ns.numbered ORDER BY id") == [(1, "a", 0), (2, "B", 1), (3, "c", 2)]

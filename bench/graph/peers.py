"""DuckDB on a task: edges are in a table before the clock starts, results are a table without duplicates."""

import resource
import sys
import time

import duckdb

QUERIES = {
    "two-hop": "SELECT DISTINCT e.a, f.b FROM edge e JOIN edge f ON e.b = f.a",
    "triangles": "SELECT e.a, e.b, f.b AS c FROM edge e JOIN edge f ON e.b = f.a JOIN edge g ON g.a = e.a AND g.b = f.b",
    "star": "SELECT DISTINCT e.b AS x, f.b AS y FROM edge e JOIN edge f ON e.a = f.a",
}
PATH_3 = """SELECT DISTINCT t.a, f.b FROM
    (SELECT DISTINCT e.a, f.b FROM edge e JOIN edge f ON e.b = f.a) t JOIN edge f ON t.b = f.a"""


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


task, file = sys.argv[1:]
db = duckdb.connect(config={"threads": 2})
db.execute(f"CREATE TABLE edge AS SELECT column0::INTEGER AS a, column1::INTEGER AS b FROM read_csv('{file}', header=false)")
wall, used = time.monotonic(), cpu()
db.execute(f"CREATE TABLE out AS {QUERIES.get(task, PATH_3)}")
wall, used = time.monotonic() - wall, cpu() - used
results = db.execute("SELECT count(*) FROM out").fetchone()[0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"results={results} cpu={used} wall={wall} peak={peak}")

"""DuckDB or pyoxigraph on a task: edges are in the engine before the clock starts, results are counted without duplicates.

DuckDB writes them to a table. pyoxigraph has no way to keep a result but to insert it, edge by edge, so it only counts them: less than
the others do.
"""

import resource
import sys
import time

SQL = {
    "two-hop": "SELECT DISTINCT e.a, f.b FROM edge e JOIN edge f ON e.b = f.a",
    "triangles": "SELECT e.a, e.b, f.b AS c FROM edge e JOIN edge f ON e.b = f.a JOIN edge g ON g.a = e.a AND g.b = f.b",
    "star": "SELECT DISTINCT e.b AS x, f.b AS y FROM edge e JOIN edge f ON e.a = f.a",
    "path-3": """SELECT DISTINCT t.a, f.b FROM
        (SELECT DISTINCT e.a, f.b FROM edge e JOIN edge f ON e.b = f.a) t JOIN edge f ON t.b = f.a""",
}
SPARQL = {
    "two-hop": "SELECT DISTINCT ?a ?c { ?a :e ?b . ?b :e ?c }",
    "triangles": "SELECT ?a ?b ?c { ?a :e ?b . ?b :e ?c . ?a :e ?c }",
    "star": "SELECT DISTINCT ?x ?y { ?a :e ?x . ?a :e ?y }",
    "path-3": "SELECT DISTINCT ?a ?d { { SELECT DISTINCT ?a ?c { ?a :e ?b . ?b :e ?c } } ?c :e ?d }",
}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak():
    """MiB; since `timed` began."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def timed(work):
    with open("/proc/self/clear_refs", "w") as peak_of_memory:
        peak_of_memory.write("5")
    wall, used = time.monotonic(), cpu()
    results = work()
    return results, cpu() - used, time.monotonic() - wall


def duckdb(task, file):
    import duckdb

    db = duckdb.connect(config={"threads": 2})
    db.execute(f"CREATE TABLE edge AS SELECT column0::INTEGER AS a, column1::INTEGER AS b FROM read_csv('{file}', header=false)")
    _, used, wall = timed(lambda: db.execute(f"CREATE TABLE out AS {SQL[task]}"))
    return db.execute("SELECT count(*) FROM out").fetchone()[0], used, wall


def pyoxigraph(task, file):
    import pyoxigraph

    store = pyoxigraph.Store()
    edge = pyoxigraph.NamedNode("urn:e")
    with open(file) as lines:
        nodes = (tuple(pyoxigraph.NamedNode(f"urn:{part}") for part in line.strip().split(",")) for line in lines)
        store.bulk_extend(pyoxigraph.Quad(a, edge, b) for a, b in nodes)
    query = f"PREFIX : <urn:> SELECT (COUNT(*) AS ?n) {{ {SPARQL[task]} }}"
    return timed(lambda: int(next(iter(store.query(query)))[0].value))


engine, task, file = sys.argv[1:]
results, used, wall = {"duckdb": duckdb, "pyoxigraph": pyoxigraph}[engine](task.rsplit("-", 1)[0], file)
print(f"results={results} cpu={used} wall={wall} peak={peak()}")

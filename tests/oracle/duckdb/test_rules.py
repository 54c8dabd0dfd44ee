"""Rules to a fixpoint equal DuckDB's recursive queries on the same random facts."""

import random

import duckdb
import pytest
from test_gene_ontology import Server, craton

# What each program is called, its rules, the relation that it makes, and the same in SQL. The relations e, f and g have the columns a and b.
PROGRAMS = {
    "closure": (
        "(rule base (, (e $x $y)) (, (out $x $y))) (rule step (, (out $x $y) (e $y $z)) (, (out $x $z)))",
        "with recursive t(a, b) as (select a, b from e union select t.a, e.b from t join e on e.a = t.b) select * from t",
    ),
    "closure by doubling": (
        "(rule base (, (e $x $y)) (, (out $x $y))) (rule step (, (out $x $y) (out $y $z)) (, (out $x $z)))",
        "with recursive t(a, b) as (select a, b from e union select t.a, e.b from t join e on e.a = t.b) select * from t",
    ),
    "same generation": (
        "(rule base (, (e $x $p) (e $y $p)) (, (out $x $y))) (rule step (, (e $x $p) (out $p $q) (e $y $q)) (, (out $x $y)))",
        """with recursive t(a, b) as (select l.a, r.a from e l join e r on l.b = r.b
           union select l.a, r.a from t join e l on l.b = t.a join e r on r.b = t.b) select * from t""",
    ),
    "reached from a constant": (
        "(rule base (, (e n0 $y)) (, (out n0 $y))) (rule step (, (out n0 $y) (e $y $z)) (, (out n0 $z)))",
        "with recursive t(a, b) as (select a, b from e where a = 'n0' union select t.a, e.b from t join e on e.a = t.b) select * from t",
    ),
    "two relations through each other": (
        """(rule odd (, (e $x $y)) (, (odd $x $y))) (rule odd2 (, (out $x $y) (f $y $z)) (, (odd $x $z)))
           (rule even (, (odd $x $y) (g $y $z)) (, (out $x $z)))""",
        """with recursive t(kind, a, b) as (select 1, a, b from e
           union select 1 - t.kind, t.a, n.b from t join (select 0 kind, * from f union all select 1, * from g) n on n.kind = t.kind and n.a = t.b)
           select a, b from t where kind = 0""",
    ),
    "what is not reached": (
        """(rule base (, (e $x $y)) (, (path $x $y) (node $x) (node $y))) (rule step (, (path $x $y) (e $y $z)) (, (path $x $z)))
           (rule apart (, (node $x) (node $y) (not (path $x $y)) (!= $x $y)) (, (out $x $y)))""",
        """with recursive t(a, b) as (select a, b from e union select t.a, e.b from t join e on e.a = t.b),
           node(a) as (select a from e union select b from e)
           select x.a, y.a from node x, node y where x.a != y.a and not exists (select 1 from t where t.a = x.a and t.b = y.a)""",
    ),
    "reached round walls": (
        """(rule base (, (e $x $y) (not (f $x $y))) (, (way $x $y)))
           (rule step (, (way $x $y) (e $y $z) (not (f $y $z)) (not (g $z $z))) (, (way $x $z)))
           (rule only (, (way $x $y) (not (e $x $y))) (, (out $x $y)))""",
        """with recursive open(a, b) as (select a, b from e except select a, b from f),
           t(a, b) as (select a, b from open union select t.a, open.b from t join open on open.a = t.b
                       where open.b not in (select a from g where g.a = g.b))
           select a, b from t except select a, b from e""",
    ),
    "a cycle of three": (
        "(rule cycle (, (e $x $y) (f $y $z) (g $z $x)) (, (out $x $z)))",
        "select distinct e.a, f.b from e join f on f.a = e.b join g on g.a = f.b and g.b = e.a",
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("rules"), log="info").start()
    try:
        craton(server, "mb", "data")
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(server, tmp_path, name, seed):
    rules, query = PROGRAMS[name]
    numbers = random.Random(f"{name} {seed}")
    things, edges = numbers.randrange(3, 60), numbers.randrange(1, 120)
    database, lines = duckdb.connect(), []
    for relation in "efg":
        database.execute(f"create table {relation} (a varchar, b varchar)")
        pairs = {(f"n{numbers.randrange(things)}", f"n{numbers.randrange(things)}") for _ in range(edges)}
        database.executemany(f"insert into {relation} values (?, ?)", sorted(pairs))
        lines += [f"({relation} {a} {b})" for a, b in sorted(pairs)]
    graph = f"data/{name.replace(' ', '-')}-{seed}"
    file = tmp_path / "facts.metta"
    file.write_text("\n".join([*lines, rules]))
    # Facts and rules in one file: the facts come first.
    craton(server, "graph", "reason", graph, str(file))
    text = craton(server, "graph", "export", graph, "--prefix", "(out ")
    found = {tuple(line.strip("()").split(" ")[1:]) for line in text.splitlines()}
    assert found == set(database.execute(query).fetchall())

"""Rules to a fixpoint equal DuckDB's recursive queries on the same random facts."""

import random

import duckdb
import pytest
from test_gene_ontology import Server, craton

# What each program is called, its rules, the relation that it makes, and the same in SQL. The relations e, f and g have the columns a and b, w a
# number n too.
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
    "numbers computed and compared": (
        "(rule out (, (w $x $y $n) (:= $m (% (+ (* $n 3) 1) 7)) (< $m (- 6 $n))) (, (out $x $m (:= (/ $n 4)))))",
        "select a, (n * 3 + 1) % 7, n / 4 from w where (n * 3 + 1) % 7 < 6 - n",
    ),
    "walks of a length": (
        """(rule one (, (e $x $y)) (, (out $x $y 1)))
           (rule more (, (out $x $y $n) (e $y $z) (< $n 5) (:= $m (+ $n 1))) (, (out $x $z $m)))""",
        "with recursive t(a, b, n) as (select a, b, 1 from e union select t.a, e.b, n + 1 from t join e on e.a = t.b where n < 5) select * from t",
    ),
    "degrees": (
        "(rule out (, (e $x $y)) (O (count (out $x $k) $k $y)))",
        "select a, count(distinct b) from e group by a",
    ),
    "descendants counted": (
        """(rule base (, (e $x $y)) (, (path $x $y))) (rule step (, (path $x $y) (e $y $z)) (, (path $x $z)))
           (rule count (, (path $x $y)) (O (count (size $x $k) $k $y))) (rule large (, (size $x $n) (> $n 3)) (, (out $x $n)))""",
        """with recursive t(a, b) as (select a, b from e union select t.a, e.b from t join e on e.a = t.b)
           select a, count(*) from t group by a having count(*) > 3""",
    ),
    "sums and means": (
        "(rule out (, (w $x $y $n)) (O (sum (sum $x $k) $k $n $y) (mean (mean $x $k) $k $n $y))) (rule both (, (sum $x $s) (mean $x $m)) (, (out $x $s $m)))",
        "select a, sum(n), avg(n) from w group by a",
    ),
    "the greatest two": (
        "(rule out (, (w $x $y $n)) (O (top 2 (out $x $y $n) $n $y)))",
        "select a, b, n from w qualify row_number() over (partition by a order by n desc, length(b), b) <= 2",
    ),
    "the least three of all": (
        "(rule out (, (w $x $y $n)) (O (bottom 3 (out $n) $n)))",
        "select distinct n from w order by n limit 3",
    ),
    "shortest paths": (
        """(rule start (, (w n0 $_ $_)) (O (min (out n0 $k) $k 0)))
           (rule step (, (out $x $d) (w $x $y $n) (:= $e (+ $d $n))) (O (min (out $y $k) $k $e)))""",
        """with recursive t(b, n) as (select distinct a, 0 from w where a = 'n0'
           union select w.b, t.n + w.n from t join w on w.a = t.b where t.n + w.n <= 600) select b, min(n) from t group by b""",
    ),
    "shortest paths of all pairs that are far": (
        """(rule one (, (w $x $y $n)) (O (min (d $x $y $k) $k $n)))
           (rule two (, (d $x $y $n) (w $y $z $m)) (O (min (d $x $z $k) $k (:= (+ $n $m))))) (rule far (, (d $x $y $n) (<= 12 $n)) (, (out $x $y $n)))""",
        """with recursive t(a, b, n) as (select a, b, n from w union select t.a, w.b, t.n + w.n from t join w on w.a = t.b where t.n + w.n <= 60)
           select a, b, min(n) from t group by a, b having min(n) >= 12""",
    ),
    "widest paths": (
        """(rule one (, (w n0 $y $n)) (O (max (out $y $k) $k $n)))
           (rule two (, (out $y $n) (w $y $z $m)) (O (max (out $z $k) $k (:= (min $n $m)))))""",
        """with recursive t(b, n) as (select b, n from w where a = 'n0' union select w.b, least(t.n, w.n) from t join w on w.a = t.b)
           select b, max(n) from t group by b""",
    ),
    "hops over what was not reached in fewer": (
        """(rule start (, (e n0 $_)) (O (min (hops n0 $k) $k 0)))
           (rule step (, (hops $x $d) (e $x $y)) (O (min (hops $y $k) $k (:= (+ $d 1)))))
           (rule level (, (hops $x $n)) (O (count (out $n $k) $k $x)))""",
        """with recursive t(b, n) as (select distinct a, 0 from e where a = 'n0' union select e.b, n + 1 from t join e on e.a = t.b where n < 60),
           h as (select b, min(n) n from t group by b) select n, count(*) from h group by n""",
    ),
}


def as_number(item):
    """Numbers as such, whatever they are written like; names as they are."""
    try:
        return float(item)
    except ValueError:
        return item


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
    database.execute("create table w (a varchar, b varchar, n bigint)")
    weights = {(a, b): numbers.randrange(1, 9) for a, b in pairs}
    database.executemany("insert into w values (?, ?, ?)", sorted((a, b, n) for (a, b), n in weights.items()))
    lines += [f"(w {a} {b} {n})" for (a, b), n in sorted(weights.items())]
    graph = f"data/{name.replace(' ', '-')}-{seed}"
    file = tmp_path / "facts.metta"
    file.write_text("\n".join([*lines, rules]))
    # Facts and rules in one file: the facts come first.
    craton(server, "graph", "reason", graph, str(file))
    text = craton(server, "graph", "export", graph, "--prefix", "(out ")
    found = {tuple(as_number(item) for item in line.strip("()").split(" ")[1:]) for line in text.splitlines()}
    assert found == {tuple(as_number(item) for item in row) for row in database.execute(query).fetchall()}

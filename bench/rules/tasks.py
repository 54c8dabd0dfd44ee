"""What is asked: facts, and the same rules in the language of each engine. All random choices have a seed."""

import csv
import gzip
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(os.environ["CRATON_ROOT"])
ONTOLOGY = ROOT / "datasets" / "gene-ontology"

PATHS = {
    "rules": "(rule base (, (edge $x $y)) (, (path $x $y))) (rule step (, (path $x $y) (edge $y $z)) (, (path $x $z)))",
    "nemo": "path(?x,?y) :- edge(?x,?y) . path(?x,?z) :- path(?x,?y), edge(?y,?z) .",
    "sql": "WITH RECURSIVE path(a, b) AS (SELECT a, b FROM edge UNION SELECT p.a, e.b FROM path p JOIN edge e ON p.b = e.a) SELECT count(*) FROM path",
    "made": ("path", 2),
}


@dataclass
class Task:
    """Rows of whole numbers by relation; what is derived, and how."""

    facts: dict[str, list[tuple[int, ...]]]
    made: tuple[str, int]
    rules: str
    nemo: str = ""
    sql: str = ""
    weights: set[str] = field(default_factory=set)


def edges(rng: random.Random, nodes: int, count: int) -> list[tuple[int, int]]:
    return sorted({(rng.randrange(nodes), rng.randrange(nodes)) for _ in range(count)})


def tree(rng: random.Random, nodes: int) -> list[tuple[int, int]]:
    """A random recursive tree: every vertex after the first hangs on one before it."""
    return [(rng.randrange(n), n) for n in range(1, nodes)]


def table(name: str) -> list[dict[str, str]]:
    with gzip.open(ONTOLOGY / name, "rt") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def closure_random() -> Task:
    return Task({"edge": edges(random.Random(1), 2000, 4000)}, **PATHS)


def closure_grid() -> Task:
    right = [(100 * y + x, 100 * y + x + 1) for y in range(100) for x in range(99)]
    down = [(100 * y + x, 100 * (y + 1) + x) for y in range(99) for x in range(100)]
    return Task({"edge": sorted(right + down)}, **PATHS)


def closure_chain() -> Task:
    return Task({"edge": [(n, n + 1) for n in range(1000)]}, **PATHS)


def closure_tree() -> Task:
    return Task({"edge": tree(random.Random(2), 1_000_000)}, **PATHS)


def reach_power() -> Task:
    rng = random.Random(3)
    power = sorted({(int(1_000_000 * rng.random() ** 3), int(1_000_000 * rng.random() ** 3)) for _ in range(5_000_000)})
    return Task(
        {"edge": power, "source": [(0,)]},
        ("reached", 1),
        "(rule base (, (source $x)) (, (reached $x))) (rule step (, (reached $x) (edge $x $y)) (, (reached $y)))",
        "reached(?x) :- source(?x) . reached(?y) :- reached(?x), edge(?x,?y) .",
        "WITH RECURSIVE r(a) AS (SELECT a FROM source UNION SELECT e.b FROM r JOIN edge e ON r.a = e.a) SELECT count(*) FROM r",
    )


def same_generation() -> Task:
    return Task(
        {"up": [(b, a) for a, b in tree(random.Random(4), 5000)]},
        ("same", 2),
        "(rule base (, (up $x $p) (up $y $p)) (, (same $x $y))) (rule more (, (up $x $p) (same $p $q) (up $y $q)) (, (same $x $y)))",
        "same(?x,?y) :- up(?x,?p), up(?y,?p) . same(?x,?y) :- up(?x,?p), same(?p,?q), up(?y,?q) .",
        """WITH RECURSIVE same(a, b) AS (SELECT u.a, v.a FROM up u JOIN up v ON u.b = v.b
           UNION SELECT u.a, v.a FROM same s JOIN up u ON u.b = s.a JOIN up v ON v.b = s.b) SELECT count(*) FROM same""",
    )


def cspa() -> Task:
    """Context-sensitive points-to analysis, as Graspan has it: mutually recursive, so nothing for a recursive CTE."""
    rng = random.Random(5)
    return Task(
        {"assign": edges(rng, 3000, 3000), "dereference": edges(rng, 3000, 2500)},
        ("alias", 2),
        """(rule f1 (, (assign $y $x)) (, (flow $y $x))) (rule f2 (, (assign $x $_y)) (, (flow $x $x))) (rule f3 (, (assign $_y $x)) (, (flow $x $x)))
           (rule f4 (, (assign $x $z) (memory $z $y)) (, (flow $x $y))) (rule f5 (, (flow $x $z) (flow $z $y)) (, (flow $x $y)))
           (rule m1 (, (dereference $y $x) (alias $y $z) (dereference $z $w)) (, (memory $x $w)))
           (rule m2 (, (assign $_y $x)) (, (memory $x $x))) (rule m3 (, (assign $x $_y)) (, (memory $x $x)))
           (rule a1 (, (flow $z $x) (flow $z $y)) (, (alias $x $y))) (rule a2 (, (flow $z $x) (memory $z $w) (flow $w $y)) (, (alias $x $y)))""",
        """flow(?y,?x) :- assign(?y,?x) . flow(?x,?x) :- assign(?x,?y) . flow(?x,?x) :- assign(?y,?x) .
           flow(?x,?y) :- assign(?x,?z), memory(?z,?y) . flow(?x,?y) :- flow(?x,?z), flow(?z,?y) .
           memory(?x,?w) :- dereference(?y,?x), alias(?y,?z), dereference(?z,?w) .
           memory(?x,?x) :- assign(?y,?x) . memory(?x,?x) :- assign(?x,?y) .
           alias(?x,?y) :- flow(?z,?x), flow(?z,?y) . alias(?x,?y) :- flow(?z,?x), memory(?z,?w), flow(?w,?y) .""",
    )


def csda() -> Task:
    """Data flow of null values along a program's arcs, as Graspan has it."""
    rng = random.Random(6)
    arcs = [(n, n + rng.randrange(1, 4)) for n in range(200_000)]
    return Task(
        {"null": [(n, n + 1) for n in rng.sample(range(200_000), 400)], "arc": arcs},
        ("flows", 2),
        "(rule base (, (null $x $y)) (, (flows $x $y))) (rule step (, (flows $x $y) (arc $y $z)) (, (flows $x $z)))",
        "flows(?x,?y) :- null(?x,?y) . flows(?x,?z) :- flows(?x,?y), arc(?y,?z) .",
        "WITH RECURSIVE f(a, b) AS (SELECT a, b FROM \"null\" UNION SELECT f.a, arc.b FROM f JOIN arc ON f.b = arc.a) SELECT count(*) FROM f",
    )


def ontology_closure() -> Task:
    """Terms of genes with all that is above them: the annotations that the datasets have, closed."""
    numbers: dict[str, int] = {}
    number = lambda name: numbers.setdefault(name, len(numbers))
    parents = sorted({(number(row["child"]), number(row["parent"])) for row in table("parents.tsv.gz")})
    annotated = sorted({(int(row["gene_id"]), number(row["go_id"])) for row in table("annotations.tsv.gz")})
    return Task(
        {"parent": parents, "annotated": annotated},
        ("has", 2),
        "(rule base (, (annotated $g $t)) (, (has $g $t))) (rule step (, (has $g $t) (parent $t $u)) (, (has $g $u)))",
        "has(?g,?t) :- annotated(?g,?t) . has(?g,?u) :- has(?g,?t), parent(?t,?u) .",
        "WITH RECURSIVE h(a, b) AS (SELECT a, b FROM annotated UNION SELECT h.a, p.b FROM h JOIN parent p ON h.b = p.a) SELECT count(*) FROM h",
    )


def shortest() -> Task:
    rng = random.Random(7)
    roads = {(a, b): rng.randrange(1, 100) for a, b in edges(rng, 100_000, 500_000)}
    return Task(
        {"road": [(a, b, w) for (a, b), w in sorted(roads.items())], "source": [(0,)]},
        ("dist", 2),
        """(rule start (, (source $x)) (O (min (dist $x $k) $k 0)))
           (rule step (, (dist $x $d) (road $x $y $n)) (O (min (dist $y $k) $k (:= (+ $d $n)))))""",
    )


TASKS = {
    "closure-random": closure_random,
    "closure-grid": closure_grid,
    "closure-chain": closure_chain,
    "closure-tree": closure_tree,
    "reach-power": reach_power,
    "same-generation": same_generation,
    "cspa": cspa,
    "csda": csda,
    "ontology-closure": ontology_closure,
    "shortest-paths": shortest,
}

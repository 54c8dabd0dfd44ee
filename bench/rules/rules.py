"""Rules side by side: Craton, Nemo and DuckDB's recursive CTEs on the same facts, each run in a process of its own.

    rules.py all [TASK…]          every task and engine: a table
    rules.py one ENGINE TASK      one of them: a line of JSON
    rules.py el                   the Gene Ontology classified, and compared with what an independent reasoner finds
    rules.py live                 what a change of one edge takes that a live closure follows, beside computing it anew

`CRATON_ROOT` is the checkout, `CRATON_BIN` a release build. Facts are in the engine before the clock starts; results are counted without doubles.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from craton import Craton
from measure import Usage
from tasks import ROOT, TASKS, Task, tree

ENGINES = ["craton", "craton-256MiB", "nemo", "duckdb"]
# A peer that has not ended by then is stopped, and the table says so.
SECONDS_MAX = 300
BINARY = os.environ.get("CRATON_BIN", "craton")


def craton(task: Task, memory: str) -> dict[str, float]:
    with Craton(BINARY, memory) as running:
        running.load(task.facts)
        return running.measured("graph", "reason", "data/g", running.file("rules.metta", task.rules))


def nemo(task: Task) -> dict[str, float]:
    import nmo_python

    with tempfile.TemporaryDirectory() as folder:
        imports = []
        for relation, rows in task.facts.items():
            file = Path(folder) / f"{relation}.csv"
            file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
            imports.append(f'@import {relation} :- csv{{resource="{file}", format=({",".join(["int"] * len(rows[0]))})}} .')
        usage = Usage(os.getpid())
        engine = nmo_python.NemoEngine(nmo_python.load_string("\n".join(imports) + "\n" + task.nemo))
        engine.reason()
        told = usage.told()
        return told | {"results": sum(1 for _ in engine.result(task.made[0]))}


def duckdb(task: Task) -> dict[str, float]:
    import duckdb

    db = duckdb.connect(config={"threads": 2})
    with tempfile.TemporaryDirectory() as folder:
        for relation, rows in task.facts.items():
            file = Path(folder) / "rows.csv"
            file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
            columns = ", ".join(f"column{n}::BIGINT AS {name}" for n, name in zip(range(len(rows[0])), "abc"))
            db.execute(f"CREATE TABLE \"{relation}\" AS SELECT {columns} FROM read_csv('{file}', header=false)")
    usage = Usage(os.getpid())
    (count,) = db.execute(task.sql).fetchone()
    return usage.told() | {"results": count}


def one(engine: str, name: str) -> dict[str, float] | None:
    task = TASKS[name]()
    match engine:
        case "craton":
            return craton(task, "4GiB")
        case "craton-256MiB":
            return craton(task, "256MiB")
        case "nemo":
            return nemo(task) if task.nemo else None
        case "duckdb":
            return duckdb(task) if task.sql else None
    raise SystemExit(f"no engine {engine}")


def all_of(names: list[str]) -> None:
    print("| task | engine | results | CPU s | wall s | peak MiB | CPU, × Craton's |\n|---|---|--:|--:|--:|--:|--:|", flush=True)
    for name in names or TASKS:
        own, counts = None, set()
        for engine in ENGINES:
            try:
                done = subprocess.run([sys.executable, __file__, "one", engine, name], capture_output=True, text=True, timeout=SECONDS_MAX)
            except subprocess.TimeoutExpired:
                print(f"| {name} | {engine} | stopped after {SECONDS_MAX} s | | | | |", flush=True)
                continue
            if done.returncode != 0:
                print(f"| {name} | {engine} | ended with an error | | | | |", flush=True)
                print(done.stderr, file=sys.stderr)
                continue
            told = json.loads(done.stdout)
            if told is None:
                print(f"| {name} | {engine} | has no form of it | | | | |", flush=True)
                continue
            own = own or told["cpu"]
            counts.add(told["results"])
            times = "" if engine.startswith("craton") and engine == "craton" else f"{told['cpu'] / max(own, 0.01):.2f}"
            row = f"{told['results']} | {told['cpu']:.2f} | {told['wall']:.2f} | {told['peak']:.0f} | {times}"
            print(f"| {name} | {engine} | {row} |", flush=True)
        if len(counts) > 1:
            raise SystemExit(f"{name}: the engines do not agree: {counts}")


def live() -> None:
    """A million edges; one edge comes, one goes, again and again."""
    rng, nodes = random.Random(8), 1_000_001
    edges = tree(rng, nodes)
    rules = TASKS["closure-chain"]().rules
    with Craton(BINARY, "4GiB") as running:
        running.load({"edge": edges})
        file = running.file("rules.metta", rules)
        anew = running.measured("graph", "reason", "data/g", file)
        print(f"computing anew: {anew['results']} facts, {anew['cpu']:.2f} CPU s, {anew['wall']:.2f} s", flush=True)
        running.command("graph", "clear", "data/g")
        running.load({"edge": edges})
        added = running.measured("graph", "live", "data/g", "add", "closure", file)
        print(f"adding it: {added['results']} facts, {added['cpu']:.2f} CPU s, {added['wall']:.2f} s", flush=True)
        for what in ["comes", "goes"]:
            rows = []
            for number in range(22):
                edge = (rng.randrange(nodes), nodes + number) if what == "comes" else edges.pop(rng.randrange(len(edges)))
                change = running.file("change.metta", f"(edge {edge[0]} {edge[1]})")
                usage = Usage(running.server.pid)
                running.command("graph", "load", "data/g", change, *(["--remove"] if what == "goes" else []))
                rows.append(usage.told())
            # The first ones make the orders that the others look up in.
            first, rest = rows[:2], rows[2:]
            cpu, wall = (statistics.median(row[name] for row in rest) for name in ("cpu", "wall"))
            worst = max(row["wall"] for row in rest)
            print(
                f"one edge {what}: {cpu * 1000:.0f} CPU ms, {wall * 1000:.0f} ms (median of 20; at most {worst * 1000:.0f} ms; the first "
                f"{first[0]['wall'] * 1000:.0f} ms): {100 * cpu / anew['cpu']:.2f} % of the CPU and {100 * wall / anew['wall']:.2f} % of the time of computing anew",
                flush=True,
            )
        refreshed = json.loads(running.command("graph", "live", "data/g", "refresh", "--json"))
        assert (refreshed["added"], refreshed["removed"]) == (0, 0), refreshed


def el() -> None:
    """All of the Gene Ontology."""
    sys.path.insert(0, str(ROOT / "tests" / "clients"))
    from gene_ontology import QUERY, GeneOntology, subsumptions

    ontology = GeneOntology()
    with Craton(BINARY, "4GiB") as running:
        running.command("graph", "load", "data/g", running.file("go.nt", "\n".join(ontology.triples())))
        told = running.measured("graph", "reason", "data/g", ROOT / "library" / "el.metta")
        found = subsumptions(running.command("graph", "query", "data/g", QUERY))
    usage = Usage(os.getpid())
    expected = ontology.classified()
    reference = usage.told()
    assert found == expected, (len(found), len(expected))
    print(f"{len(ontology.names)} terms, {len(found)} subsumptions of terms, {told['results']:.0f} facts: the same as the reference's")
    print(f"Craton: {told['cpu']:.1f} CPU s, {told['wall']:.1f} s, peak {told['peak']:.0f} MiB; the reference in Python: {reference['wall']:.1f} s")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["one", engine, task]:
            print(json.dumps(one(engine, task)))
        case ["all", *names]:
            all_of(names)
        case ["el"]:
            el()
        case ["live"]:
            live()
        case _:
            raise SystemExit(__doc__)

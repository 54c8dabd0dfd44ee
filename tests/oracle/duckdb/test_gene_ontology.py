"""The Gene Ontology: what a program makes of it equals what DuckDB's recursive queries make of the same files."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(os.environ.get("CRATON_ROOT", Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from server import Server, binary  # noqa: E402

DATA = ROOT / "datasets" / "gene-ontology"
PROGRAM = ROOT / "docs" / "graph" / "gene-ontology.mm2"
FILES = ["parents", "annotations", "genes"]


@pytest.fixture(scope="module")
def oracle():
    database = duckdb.connect()
    database.execute("set preserve_insertion_order = false")
    for name in FILES:
        database.execute(
            f"create table {name} as select * from read_csv('{DATA / name}.tsv.gz', delim='\t', header=true, quote='', all_varchar=true)"
        )
    database.execute("""
        create table ancestor as
        with recursive up(term, above) as (
            select child, parent from parents
            union
            select up.term, parents.parent from up join parents on parents.child = up.above
        ) select * from up""")
    database.execute("""
        create table has as
        select gene_id as gene, go_id as term from annotations
        union
        select gene_id, above from annotations join ancestor on ancestor.term = annotations.go_id""")
    database.execute("create table study as select distinct gene_id as gene from genes join annotations using (gene_id) where chromosome = '21'")
    return database


def craton(server: Server, *arguments: str) -> str:
    environment = {"AWS_ACCESS_KEY_ID": server.root.id, "AWS_SECRET_ACCESS_KEY": server.root.secret, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [binary(), *arguments, "--endpoint", server.endpoint], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """A server whose graph `data/go` holds the files and what the program made of them."""
    server = Server(tmp_path_factory.mktemp("go"), log="info").start()
    try:
        craton(server, "mb", "data")
        for name in FILES:
            craton(server, "graph", "load", "data/go", str(DATA / f"{name}.tsv.gz"))
        craton(server, "graph", "run", "data/go", str(PROGRAM))
        yield server
    finally:
        server.stop()


def facts(server: Server, relation: str) -> set[tuple[str, ...]]:
    """The facts of a relation, without its name. None of them has a value in quotes."""
    text = craton(server, "graph", "export", "data/go", "--prefix", f"({relation} ")
    rows = csv.reader(io.StringIO(text), delimiter=" ")
    return {tuple(part.strip("()") for part in row[1:]) for row in rows}


def rows(database, query: str) -> set[tuple[str, ...]]:
    return {tuple(str(value) for value in row) for row in database.execute(query).fetchall()}


def test_ancestors(graph, oracle):
    found = facts(graph, "ancestor")
    assert len(found) == 748_391, "as the data's page says"
    assert found == rows(oracle, "select term, above from ancestor")


def test_terms_of_genes(graph, oracle):
    found = facts(graph, "has")
    assert len(found) == 2_114_381, "as the data's page says"
    assert found == rows(oracle, "select gene, term from has")


def test_counts(graph, oracle):
    assert facts(graph, "in-all") == rows(oracle, "select term, count(distinct gene) from has group by term")
    assert facts(graph, "all-genes") == rows(oracle, "select count(distinct gene) from has")
    assert facts(graph, "study") == rows(oracle, "select gene from study")
    found = facts(graph, "in-study")
    assert len(found) > 1000
    assert found == rows(oracle, "select term, count(distinct gene) from study join has using (gene) group by term")


def test_enrichment(graph, oracle):
    found = facts(graph, "enriched")
    expected = oracle.execute("""
        with n as (select term, count(distinct gene) n from has group by term),
             k as (select term, count(distinct gene) k from study join has using (gene) group by term)
        select term, k, n, (k::double * (select count(distinct gene) from has)) / (n::double * (select count(*) from study))
        from k join n using (term)""").fetchall()
    assert {(term, str(k), str(n), fold) for term, k, n, fold in expected} == {
        (term, k, n, float(fold)) for term, k, n, fold in found
    }

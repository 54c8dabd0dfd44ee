"""What a researcher does with a graph: asking in several forms, plans and what they took, earlier snapshots, a session line by line."""

import gzip
import json
import os
import subprocess
import urllib.request

import pytest

from conftest import allow
from server import Server, binary, unique
from test_graph import call, send, signed


@pytest.fixture
def signer(server: Server):
    return server.root


@pytest.fixture
def graph(server, bucket):
    return f"{bucket}/{unique('g')}"


def load(signer, server, graph, text: str) -> int:
    done = call(signer, server, "POST", f"{graph}/facts", text.encode())
    assert done.status_code == 200, done.text
    return done.json()["snapshot"]


def ask(signer, server, graph, query: str, accept: str = "", **parameters: str) -> list[str]:
    url = f"{server.endpoint}/_graph/v1/{graph}/query"
    if parameters:
        url += "?" + "&".join(f"{name}={value}" for name, value in parameters.items())
    headers = signed(signer, "POST", url, query.encode())
    if accept:
        headers["Accept"] = accept
    done = send("POST", url, headers, query.encode())
    assert done.status_code == 200, done.text
    return done.text.splitlines()


def craton(server: Server, *arguments: str, stdin: str = "", code: int = 0) -> str:
    environment = {
        "AWS_ACCESS_KEY_ID": server.root.id, "AWS_SECRET_ACCESS_KEY": server.root.secret, "PATH": os.environ["PATH"], "HOME": "/nonexistent",
    }
    done = subprocess.run(
        [binary(), *arguments, "--endpoint", server.endpoint], env=environment, input=stdin, capture_output=True, text=True, timeout=60,
        check=False,
    )
    assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


def test_an_answer_has_each_line_once(server, signer, graph):
    load(signer, server, graph, "".join(f"(edge a{i % 10} b{i % 7}) (edge b{i % 7} c{i % 3})" for i in range(100)))
    twos = ask(signer, server, graph, "(, (edge $x $y) (edge $y $z)) (, (two $x $z))")
    assert sorted(twos) == sorted({f"(two a{i} c{j})" for i in range(10) for j in range(3)})
    starts = ask(signer, server, graph, "(, (edge $x $y) (edge $y $z)) (, $x)")
    assert sorted(starts) == [f"a{i}" for i in range(10)]
    both = ask(signer, server, graph, "(, (edge a1 $y)) (, (first (nested $y)) $y)")
    assert sorted(both) == sorted([f"(first (nested b{i}))" for i in range(7)] + [f"b{i}" for i in range(7)])
    assert len(ask(signer, server, graph, "(, (edge $x $y)) (, (e $x $y))", limit="5")) == 5
    assert ask(signer, server, graph, "(, (edge nowhere $y)) (, $y)") == []


def test_patterns_that_are_no_join_are_answered_too(server, signer, graph):
    load(signer, server, graph, "(if Z $x $y $y) (if (S $n) $x $y $x) (edge a b) foo")
    assert ask(signer, server, graph, "(, (if (S Z) then else $r)) (, $r)") == ["then"]
    assert ask(signer, server, graph, "(, foo (edge $x $y)) (, (seen $x))") == ["(seen a)"]
    assert ask(signer, server, graph, "(, (edge $x $y)) (, yes)") == ["yes"]
    assert ask(signer, server, graph, "(, (edge $x $y)) (, (new $x $z))") == ["(new a $a)"]


def test_json_lines(server, signer, graph):
    load(signer, server, graph, '(gene BRCA1 (at chr17 43044295)) (name BRCA1 "BRCA1 DNA repair")')
    query = "(, (gene $g (at $c $p)) (name $g $n)) (, ($g $n (at $c $p)))"
    (line,) = ask(signer, server, graph, query, accept="application/x-ndjson")
    assert json.loads(line) == ["BRCA1", "BRCA1 DNA repair", ["at", "chr17", 43044295]]
    url = f"{server.endpoint}/_graph/v1/{graph}/query"
    headers = signed(signer, "POST", url, query.encode()) | {"Accept": "image/png"}
    refused = send("POST", url, headers, query.encode())
    assert refused.status_code == 400 and refused.json()["error"]["reason"] == "NotAcceptable"


def test_a_plan_and_what_it_took(server, signer, graph):
    load(signer, server, graph, "".join(f"(edge {i} {(i * 7) % 50})" for i in range(50)) + "(open $x)")
    rule = "(exec 0 (, (edge $x $y) (edge $y $z) (edge $z $x)) (, (triangle $x $y $z)))"
    before = call(signer, server, "GET", f"{graph}/facts").text
    explained = call(signer, server, "POST", f"{graph}/explain", rule.encode()).json()["rules"]
    assert [r["how"] for r in explained] == ["join"]
    assert len(explained[0]["patterns"]) == 3 and any("bind $" in line for line in explained[0]["plan"])
    assert explained[0]["took"] is None
    measured = call(signer, server, "POST", f"{graph}/explain", rule.encode(), run="yes").json()["rules"][0]["took"]
    assert measured["outputs"][0]["rows"] > 0 and measured["read_rows"] > 0 and measured["ms"] > 0
    assert {"memory_bytes", "spilled_bytes", "steps"} <= measured.keys()
    slow = call(signer, server, "POST", f"{graph}/explain", b"(, (open a)) (, yes)").json()["rules"][0]
    assert slow["how"] == "matches" and slow["why"]
    assert call(signer, server, "GET", f"{graph}/facts").text == before, "nothing is changed"
    assert call(signer, server, "POST", f"{graph}/explain", b"(edge 1 2)").status_code == 400


def test_earlier_snapshots_are_read(server, signer, graph):
    first = load(signer, server, graph, "(edge a b)")
    second = load(signer, server, graph, "(edge c d)")
    call(signer, server, "POST", f"{graph}/facts", b"(edge a b)", mode="remove")
    listed = call(signer, server, "GET", f"{graph}/snapshots").json()
    assert "snapshots" in listed, listed
    numbers = [s["snapshot"] for s in listed["snapshots"]]
    assert numbers == sorted(numbers, reverse=True) and {first, second} <= set(numbers) and not listed["more"]
    assert call(signer, server, "GET", f"{graph}/facts", snapshot=str(first)).text.splitlines() == ["(edge a b)"]
    assert sorted(call(signer, server, "GET", f"{graph}/facts", snapshot=str(second)).text.splitlines()) == ["(edge a b)", "(edge c d)"]
    assert call(signer, server, "GET", f"{graph}/facts").text.splitlines() == ["(edge c d)"]
    assert ask(signer, server, graph, "(, (edge $x $y)) (, $x)", snapshot=str(first)) == ["a"]
    assert call(signer, server, "GET", graph, snapshot=str(first)).json()["snapshot"] == first
    assert call(signer, server, "POST", f"{graph}/compact").status_code == 200
    gone = call(signer, server, "GET", f"{graph}/facts", snapshot=str(first))
    assert gone.status_code == 404 and gone.json()["error"]["reason"] == "NoSuchSnapshot", "merging takes them away"
    assert first not in [s["snapshot"] for s in call(signer, server, "GET", f"{graph}/snapshots").json()["snapshots"]]
    missing = call(signer, server, "GET", f"{graph}/facts", snapshot="1")
    assert missing.status_code == 404 and missing.json()["error"]["reason"] == "NoSuchSnapshot"
    assert call(signer, server, "GET", f"{graph}/facts", snapshot="-x").status_code == 400
    assert call(signer, server, "GET", f"{graph}/facts", snapshot="x").status_code == 404, "nothing is pinned under that name"


def test_who_may_explain_and_list(server, signer, graph, make_user):
    load(signer, server, graph, "(edge a b)")
    nobody = make_user()
    for method, path, body in [("POST", "explain", b"(, (edge $x $y)) (, $x)"), ("GET", "snapshots", b"")]:
        assert call(nobody, server, method, f"{graph}/{path}", body).status_code == 403


def test_the_commands(server, graph, tmp_path):
    facts = tmp_path / "facts.metta"
    facts.write_text("(edge a b) (edge b c)")
    craton(server, "graph", "load", graph, str(facts))
    assert "bind $" in craton(server, "graph", "explain", graph, "(, (edge $x $y) (edge $y $z)) (, ($x $z))")
    assert "rows of" in craton(server, "graph", "explain", graph, "(, (edge $x $y) (edge $y $z)) (, ($x $z))", "--run")
    (number,) = [line.split()[0] for line in craton(server, "graph", "snapshots", graph).splitlines()[1:]]
    craton(server, "graph", "load", graph, str(facts), "--remove")
    assert craton(server, "graph", "export", graph) == ""
    assert len(craton(server, "graph", "export", graph, "--snapshot", number).splitlines()) == 2
    answer = craton(server, "graph", "query", graph, "(, (edge $x b)) (, (e $x))", "--snapshot", number, "--json")
    assert json.loads(answer) == ["e", "a"]


def test_a_session_line_by_line(server, graph, tmp_path):
    program = tmp_path / "closure.mm2"
    program.write_text("(exec 0 (, (edge $x $y) (edge $y $z)) (, (edge $x $z)))")
    said = craton(
        server, "graph", "repl", graph, "--history", "-",
        stdin=f"""(edge a b) (edge b c)
(edge c
  d) ; over two lines
:run {program}
:again
(, (edge a $x)) (, $x)
:explain (, (edge $x $y) (edge $y $z)) (, ($x $z))
:measure (, (edge $x $y) (edge $y $z)) (, ($x $z))
:snapshots
:stats
(exec 0 (, (edge $x d)) (O (- (edge $x d))))
(, (edge $x d)) (, never)
:quit
(edge not read)
""",
    )
    lines = said.splitlines()
    assert all(line.startswith("in the graph as of snapshot ") for line in lines[:2])
    assert lines[2:4] == ["1 steps, 2 facts added, 0 removed", "1 steps, 1 facts added, 0 removed"]
    assert sorted(lines[4:7]) == ["b", "c", "d"]
    assert any("bind $" in line for line in lines) and any("in all" in line for line in lines)
    assert any(line.startswith("SNAPSHOT") for line in lines) and any(line.startswith("6 facts") for line in lines)
    assert lines[-1] == "1 steps, 0 facts added, 3 removed"
    craton(server, "graph", "repl", graph, "--history", "-", stdin=":nonsense\n", code=2)


def test_a_session_on_a_folder_without_a_server(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    folder = str(tmp_path / "data")

    def session(text: str) -> str:
        done = subprocess.run(
            [binary(), "graph", "repl", "lab/g", "--local", folder, "--history", "-"], env=environment, input=text, capture_output=True,
            text=True, timeout=60, check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "in the graph as of snapshot" in session("(edge a b) (edge b c)\n")
    assert sorted(session("(, (edge $x $y)) (, $x)\n").splitlines()) == ["a", "b"]


def test_an_object_is_loaded_by_the_server(server, signer, graph, s3, make_user):
    bucket = graph.split("/")[0]
    rows = "child\tparent\n" + "".join(f"n{i}\tn{i // 2}\n" for i in range(50_000))
    s3.put_object(Bucket=bucket, Key="in/tree.tsv.gz", Body=gzip.compress(rows.encode()))
    said = craton(server, "graph", "load", graph, "--object", f"{bucket}/in/tree.tsv.gz")
    assert "50000 facts read" in said
    assert ask(signer, server, graph, "(, (tree n7 $x)) (, $x)") == ["n3"]
    missing = call(signer, server, "POST", f"{graph}/facts", **{"from": f"{bucket}/none"})
    assert missing.status_code == 404 and missing.json()["error"]["reason"] == "NoSuchKey"
    writer = make_user(allow(["craton:WriteGraph"], f"arn:craton:graph:::{graph}/*"))
    refused = call(writer, server, "POST", f"{graph}/facts", **{"from": f"{bucket}/in/tree.tsv.gz"})
    assert refused.status_code == 403, "who may write the graph may not therefore read the object"


def test_columns_in_and_out(server, signer, graph, tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({
        "gene": ["BRCA1", "TP53", None], "start": [43044295, 7661779, -1], "score": [0.5, 1.0, 2.25], "good": [True, False, True],
        "name": ["DNA repair", "tumor \"p53\"", "x"], "at": [{"chr": "17", "arm": "q"}, {"chr": "17", "arm": "p"}, None],
        "tags": [["a", "b"], [], None], "kind": arrow.array(["g", "g", "h"]).dictionary_encode(),
    })
    expected = [
        '(genes BRCA1 43044295 0.5 true "DNA repair" (17 q) (a b) g)',
        '(genes TP53 7661779 1.0 false "tumor \\"p53\\"" (17 p) () g)',
        "(genes () -1 2.25 true x () () h)",
    ]
    parquet.write_table(table, tmp_path / "genes.parquet", compression="snappy")
    with arrow.ipc.new_stream(tmp_path / "genes.arrows", table.schema) as out:
        out.write_table(table)
    with arrow.ipc.new_file(tmp_path / "genes.arrow", table.schema) as out:
        out.write_table(table)
    for name in ["genes.parquet", "genes.arrows", "genes.arrow"]:
        craton(server, "graph", "load", graph, str(tmp_path / name))
        assert sorted(craton(server, "graph", "export", graph).splitlines()) == sorted(expected), name
        craton(server, "graph", "clear", graph)
    for compression in ["none", "gzip", "zstd", "lz4", "brotli"]:
        parquet.write_table(table, tmp_path / "genes.parquet", compression=compression)
        craton(server, "graph", "load", graph, str(tmp_path / "genes.parquet"))
        assert sorted(craton(server, "graph", "export", graph).splitlines()) == sorted(expected), compression
        craton(server, "graph", "clear", graph)
    parquet.write_table(table, tmp_path / "genes.parquet", compression="snappy")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is none PAR1")
    craton(server, "graph", "load", graph, str(tmp_path / "broken.parquet"), code=2)

    craton(server, "graph", "load", graph, str(tmp_path / "genes.parquet"))
    url = f"{server.endpoint}/_graph/v1/{graph}/query"
    query = b"(, (genes $g $s $x $b $n $at $tags $k)) (, ($g $s $n $at))"
    headers = signed(signer, "POST", url, query) | {"Accept": "application/vnd.apache.arrow.stream"}
    with urllib.request.urlopen(urllib.request.Request(url, data=query, headers=headers, method="POST"), timeout=60) as answer:
        found = arrow.ipc.open_stream(answer.read()).read_all()
    rows = sorted(zip(*(column.to_pylist() for column in found.columns), strict=True))
    assert rows == [
        ("()", "-1", "x", "()"), ("BRCA1", "43044295", "DNA repair", "(17 q)"), ("TP53", "7661779", 'tumor "p53"', "(17 p)"),
    ]


def test_a_table_is_loaded_as_it_is_read_by_sql(server, graph, bucket, make_user):
    arrow = pytest.importorskip("pyarrow")
    from test_iceberg import connect

    catalog = connect(server, bucket)
    catalog.create_namespace("lab")
    rows = arrow.table({"gene": ["BRCA1", "TP53", None], "start": arrow.array([43044295, 7661779, -1], arrow.int64()), "name": ["DNA repair", "x", "y"]})
    table = catalog.create_table("lab.genes", schema=rows.schema)
    table.append(rows)
    table.append(rows.slice(0, 1))
    said = craton(server, "graph", "load", graph, "--table", f"{bucket}.lab.genes")
    assert "4 facts read, 3 different ones added" in said
    assert sorted(craton(server, "graph", "export", graph).splitlines()) == sorted(
        ['(genes BRCA1 43044295 "DNA repair")', "(genes TP53 7661779 x)", "(genes () -1 y)"]
    )
    craton(server, "graph", "load", graph, "--table", f"{bucket}.lab.genes", "--relation", "other")
    assert "(other TP53 7661779 x)" in craton(server, "graph", "export", graph)
    craton(server, "graph", "load", graph, "--table", f"{bucket}.lab.none", code=3)

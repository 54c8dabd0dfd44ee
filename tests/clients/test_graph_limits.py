"""What work on a graph may take and what it took: limits, reports of each step, loads that go on in every format."""

import json
import time

import pytest

from server import unique
from test_graph import call, signed
from test_graph_kept import cut, facts, kept, load, told, wait_for_kept
from test_graph_research import craton

PAIRS = b"(exec 0 (, (n $x) (n $y)) (, (pair $x $y)))"


@pytest.fixture
def graph(server, bucket):
    return f"{bucket}/{unique('g')}"


def refused(answer, reason: str) -> None:
    assert (answer.status_code, answer.json()["error"]["reason"]) == (413, reason), answer.text


def test_each_limit_stops_a_program_and_leaves_the_graph(server, graph):
    numbers = "".join(f"(n {i})" for i in range(100))
    assert load(server, graph, numbers).status_code == 200
    run = lambda text, **limits: call(server.root, server, "POST", f"{graph}/program", text, **limits)
    refused(run(PAIRS, facts="1000"), "FactLimit")
    refused(run(PAIRS, read_bytes="10"), "ReadLimit")
    refused(run(PAIRS, seconds="0"), "TimeLimit")
    assert run(PAIRS, facts="many").status_code == 400
    assert run(b"", memory="1").status_code == 400, "a parameter that there is not"
    for limit in (["--facts", "1000"], ["--read", "10B"], ["--seconds", "0"]):
        craton(server, "graph", "run", graph, "-", *limit, stdin=PAIRS.decode(), code=8)
    assert len(facts(server, graph)) == 100


def test_what_spills_has_a_limit(server, graph):
    rows = "".join(f"(edge {i % 400} {i})\n" for i in range(60_000))
    assert load(server, graph, rows).status_code == 200
    rule = b"(exec 0 (, (edge $x $y) (edge $x $z)) (, (both $z $y)))"
    stopped = call(server.root, server, "POST", f"{graph}/program", rule, spill_bytes="100000")
    refused(stopped, "ScratchLimit")
    assert len(facts(server, graph)) == 60_000


def test_queries_and_rules_have_limits(server, graph):
    assert load(server, graph, "".join(f"(edge {i} {i + 1})" for i in range(2000))).status_code == 200
    post = lambda what, text, **limits: call(server.root, server, "POST", f"{graph}/{what}", text, **limits)
    closure = b"(rule a (, (edge $x $y)) (, (way $x $y))) (rule b (, (way $x $y) (edge $y $z)) (, (way $x $z)))"
    refused(post("rules", closure, facts="10000"), "FactLimit")
    assert len(facts(server, graph)) == 2000
    product = "(, (edge $a $b) (edge $c $d) (edge $e $f)) (, (p $a $c $e))"
    url = f"{server.endpoint}/_graph/v1/{graph}/query?seconds=1"
    import urllib.request

    request = urllib.request.Request(url, data=product.encode(), headers=signed(server.root, "POST", url, product.encode()), method="POST")
    with pytest.raises(Exception), urllib.request.urlopen(request, timeout=60) as answer:
        while answer.read(1 << 20):
            pass
        raise AssertionError("an answer that was stopped is cut off")
    refused(post("explain", product.encode(), run="yes", seconds="1"), "TimeLimit")


def test_each_step_of_a_program_is_told(server, graph):
    rows = "".join(f"(edge {i} {i * 7 % 30_000})\n" for i in range(30_000))
    assert load(server, graph, rows).status_code == 200
    program = b"""(exec 0 (, (edge $x $y) (edge $y $z)) (, (two $x $z)))
        (exec 1 (, (two 5 $y)) (O (- (two 5 $y)) (+ (gone $y))))"""
    done = call(server.root, server, "POST", f"{graph}/program", program, report="yes").json()
    first, second = done["each"]
    assert set(first) == {
        "exec", "steps", "how", "matches", "added", "removed", "read_bytes", "spilled_bytes", "memory_bytes", "ms",
    }
    assert first["exec"].startswith("(exec 0 (, (edge $a $b)") and first["steps"] == 1
    assert first["how"] == "join" and first["added"] > 20_000 and first["read_bytes"] > 0 and first["memory_bytes"] > 0
    assert (first["matches"], second["matches"]) == (30_000, 1)
    assert (second["how"], second["added"], second["removed"]) == ("join", 1, 1)
    assert done["added"] == first["added"] + second["added"]
    assert call(server.root, server, "POST", f"{graph}/program", b"(m 1)").json()["each"] == []
    said = craton(server, "graph", "run", graph, "-", "--report", stdin="(exec 0 (, (gone $x)) (, (went $x)))")
    header, line, last = said.splitlines()
    assert header.split() == ["HOW", "MATCHES", "ADDED", "REMOVED", "READ", "SPILLED", "MEMORY", "TIME", "STEP"]
    assert line.split()[:4] == ["matches", "1", "1", "0"] and "(exec 0" in line and "1 steps" in last


TURTLE = "@prefix a: <http://a/> .\n" + "".join(f"a:s{i} a:p [ a:q {i} ], 'text {i} .' .\n" for i in range(20_000))
VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone\ttwo\n" + "".join(
    f"1\t{i}\t.\tA\tG\t.\tPASS\tDP={i}\tGT\t0|1\t1|1\n" for i in range(15_000)
)
TRIPLES = "".join(f"<http://a/s{i}> <http://a/p> \"text {i}\" .\n" for i in range(40_000))


@pytest.mark.parametrize(("format", "ending", "text"), [("turtle", "ttl", TURTLE), ("vcf", "vcf", VCF), ("ntriples", "nt", TRIPLES)])
def test_a_load_of_each_format_goes_on_at_a_byte(server, bucket, tmp_path, format, ending, text):
    whole, parts = f"{bucket}/{unique('w')}", f"{bucket}/{unique('p')}"
    assert load(server, whole, text, format=format).status_code == 200
    assert load(server, parts, "(before 1)").status_code == 200
    cut(server, parts, text, len(text) * 2 // 3, resume="big", format=format)
    wait_for_kept(server, parts)
    (load_,) = kept(server, parts)
    assert len(text) // 3 < load_["at"] < len(text)
    file = tmp_path / f"facts.{ending}"
    file.write_text(text)
    said = craton(server, "graph", "load", parts, str(file), "--resume", "big")
    assert "had been read before" in said
    assert facts(server, parts) == sorted([*facts(server, whole), "(before 1)"])


def test_a_program_ends_when_nobody_waits_for_it(server, graph):
    import http.client
    import urllib.parse

    assert load(server, graph, "(n 1)").status_code == 200
    endless = b"(exec go (, (exec go $p $t) (n $x)) (, (n (s $x)) (exec go $p $t)))"
    url = f"{server.endpoint}/_graph/v1/{graph}/program"
    headers = signed(server.root, "POST", url, endless)
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("POST", parts.path, body=endless, headers=headers)
    time.sleep(1)
    connection.close()
    # What it held is free again soon: another program over the same facts has its turn.
    (done,) = told(server, f"{graph}/program", b"(exec 0 (, (n $x)) (, (m $x)))")
    assert done["done"]["added"] == 1
    assert facts(server, graph) == ["(m 1)", "(n 1)"]
    records = json.loads(server.command("audit", "list", "--bucket", graph.split("/")[0], "--json"))["records"]
    assert any(r.get("operation") == "RunProgram" and r.get("reason") == "Cancelled" for r in records)

"""Programs and permissions: what a program touches is inferred, decided by part, borrowed and recorded."""

import json
import threading

import pytest

from conftest import allow
from server import unique
from test_graph import call

BOTH = ["craton:ReadGraph", "craton:WriteGraph"]


@pytest.fixture
def graph(server, bucket):
    name = f"{bucket}/{unique('g')}"
    text = b"(edge chr1 a) (edge chr1 b) (edge chr2 c) (node x)"
    assert call(server.root, server, "POST", f"{name}/facts", text).status_code == 200
    return name


def arn(graph: str, prefix: str) -> str:
    return f"arn:craton:graph:::{graph}/{prefix}*"


def hop(chromosome: str) -> bytes:
    return f"(exec 0 (, (edge {chromosome} $x)) (, (hop {chromosome} $x)))".encode()


def test_a_program_may_touch_what_its_principal_may(server, graph, make_user):
    theirs = make_user(allow(BOTH, [arn(graph, "(edge chr1 "), arn(graph, "(hop chr1 ")]))
    run = lambda key, text: call(key, server, "POST", f"{graph}/program", text)
    done = run(theirs, hop("chr1"))
    assert done.status_code == 200, done.text
    assert done.json()["added"] == 2
    for text in [
        hop("chr2"),
        b"(exec 0 (, (edge $c $x)) (, (hop chr1 $x)))",
        b"(exec 0 (, (edge chr1 $x)) (, (node $x)))",
        b"(exec 0 (, (edge chr1 $x)) (O (- (edge $y $x))))",
        b"(exec 0 (, (edge chr1 $r)) (, (exec 1 $r $r)))",
        b"(exec 0 (, $x) (, (hop chr1 $x)))",
        b"(node y)",
        b"",
    ]:
        assert run(theirs, text).status_code == 403, text
    found = call(server.root, server, "GET", f"{graph}/facts").text.splitlines()
    assert sorted(found) == sorted(
        ["(edge chr1 a)", "(edge chr1 b)", "(edge chr2 c)", "(node x)", "(hop chr1 a)", "(hop chr1 b)"]
    )


def test_reading_is_not_writing(server, graph, make_user):
    reader = make_user(allow("craton:ReadGraph", arn(graph, "")), allow("craton:WriteGraph", arn(graph, "(mine ")))
    run = lambda text: call(reader, server, "POST", f"{graph}/program", text).status_code
    assert run(b"(exec 0 (, (edge $c $x)) (, (mine $x)))") == 200
    assert run(b"(exec 0 (, (edge $c $x)) (O (- (edge $c $x))))") == 403
    assert len(call(reader, server, "GET", f"{graph}/facts").text.splitlines()) == 7


def test_the_record_names_what_was_read_and_made(server, graph):
    before = call(server.root, server, "GET", graph).json()["snapshot"]
    done = call(server.root, server, "POST", f"{graph}/program", hop("chr1")).json()
    listed = server.command("audit", "list", "--bucket", graph.split("/")[0], "--json")
    records = json.loads(listed)["records"]
    mine = [r for r in records if r.get("operation") == "RunProgram" and r.get("resource", "").endswith(graph.split("/")[1])]
    write = next(r for r in mine if r["kind"] == "write")
    assert "(edge chr1 " in write["reads"] and write["writes"] == ["(hop chr1 "]
    assert write["read_version"] == before
    made = [r for r in mine if r["kind"] == "outcome" and r.get("version") == done["snapshot"]]
    assert made and made[0]["read_version"] == before


def test_a_prefix_is_written_in_one_way(server, graph):
    for wrong in ["(edge  chr1 ", "(edge chr1\t ", "( edge chr1 ", "(edge (chr1 "]:
        assert call(server.root, server, "GET", f"{graph}/facts", prefix=wrong).status_code == 400, wrong


def test_programs_at_once(server, graph):
    statuses = []

    def run(chromosome: str) -> None:
        for _ in range(5):
            done = call(server.root, server, "POST", f"{graph}/program", hop(chromosome))
            statuses.append(done.status_code)

    threads = [threading.Thread(target=run, args=(c,)) for c in ("chr1", "chr2", "$c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 15
    found = call(server.root, server, "GET", f"{graph}/facts", prefix="(hop ").text.splitlines()
    assert sorted(found) == ["(hop chr1 a)", "(hop chr1 b)", "(hop chr2 c)"]

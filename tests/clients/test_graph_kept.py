"""What a graph keeps beside its facts, and how far its work is: pinned snapshots, interrupted loads, progress, another graph as a source."""

import gzip
import http.client
import json
import time
import urllib.parse

import pytest

from conftest import allow
from server import unique
from test_graph import call, send, signed
from test_graph_research import craton


@pytest.fixture
def graph(server, bucket):
    return f"{bucket}/{unique('g')}"


def load(server, graph, text: str, **query: str):
    return call(server.root, server, "POST", f"{graph}/facts", text.encode(), **query)


def facts(server, graph, **query: str) -> list[str]:
    found = call(server.root, server, "GET", f"{graph}/facts", **query)
    assert found.status_code == 200, found.text
    return sorted(found.text.splitlines())


def test_a_pinned_snapshot_is_read_by_its_name(server, graph):
    assert load(server, graph, "(edge a b) (edge b c)").status_code == 200
    craton(server, "graph", "pin", graph, "before")
    assert load(server, graph, "(edge a b)", mode="remove").status_code == 200
    for n in range(5):
        assert load(server, graph, f"(edge new {n})").status_code == 200
    craton(server, "graph", "compact", graph)
    assert facts(server, graph, snapshot="before") == ["(edge a b)", "(edge b c)"]
    assert "(edge a b)" in craton(server, "graph", "export", graph, "-", "--snapshot", "before")
    assert "(edge a b)" not in facts(server, graph)
    listed = call(server.root, server, "GET", f"{graph}/snapshots").json()
    assert [pin["pin"] for pin in listed["pins"]] == ["before"]
    assert "before is snapshot" in craton(server, "graph", "snapshots", graph)
    craton(server, "graph", "unpin", graph, "before")
    gone = call(server.root, server, "GET", f"{graph}/facts", snapshot="before")
    assert (gone.status_code, gone.json()["error"]["reason"]) == (404, "NoSuchSnapshot")


def test_pinning_is_changing_all_of_the_graph(server, graph, make_user):
    assert load(server, graph, "(edge a b)").status_code == 200
    pin = lambda key, **query: call(key, server, "POST", f"{graph}/snapshots", b"", **query)
    reader = make_user(allow("craton:ReadGraph", f"arn:craton:graph:::{graph}/*"))
    assert pin(reader, pin="mine").status_code == 403
    part = make_user(allow("craton:WriteGraph", f"arn:craton:graph:::{graph}/(edge a *"))
    assert pin(part, pin="mine").status_code == 403
    assert pin(part, pin="mine", prefix="(edge a ").status_code == 400
    assert pin(server.root, pin="12").json()["error"]["reason"] == "InvalidName"
    assert pin(server.root).status_code == 400
    assert pin(server.root, pin="mine", snapshot="1").json()["error"]["reason"] == "NoSuchSnapshot"


def cut(server, graph, text: str, sent: int, **query: str) -> None:
    """Sends a part of a load's body and goes away."""
    url = f"{server.endpoint}/_graph/v1/{graph}/facts?" + urllib.parse.urlencode(query)
    headers = signed(server.root, "POST", url, text.encode())
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.putrequest("POST", f"{parts.path}?{parts.query}")
    for name, value in {**headers, "Content-Length": str(len(text))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(text.encode()[:sent])
    connection.close()


def kept(server, graph) -> list[dict]:
    found = call(server.root, server, "GET", f"{graph}/loads")
    return found.json()["loads"] if found.status_code == 200 else []


def wait_for_kept(server, graph) -> int:
    for _ in range(300):
        if any(load["facts"] for load in kept(server, graph)):
            return kept(server, graph)[0]["facts"]
        time.sleep(0.1)
    raise AssertionError("what was sent is not kept")


def test_an_interrupted_load_goes_on(server, graph):
    text = "".join(f"(edge node{n} {n})\n" for n in range(50_000))
    assert load(server, graph, "(before 1)").status_code == 200
    cut(server, graph, text, len(text) // 2, resume="big")
    was = wait_for_kept(server, graph)
    assert 20_000 < was < 50_000
    assert facts(server, graph) == ["(before 1)"], "nothing of it is seen"
    assert "big" in craton(server, "graph", "loads", graph)
    other = load(server, graph, text, resume="big", mode="remove")
    assert (other.status_code, other.json()["error"]["reason"]) == (400, "LoadDiffers")
    done = load(server, graph, text, resume="big")
    assert done.status_code == 200, done.text
    assert (done.json()["facts"], done.json()["passed"], done.json()["distinct"]) == (50_000, was, 50_000)
    assert len(facts(server, graph)) == 50_001
    assert kept(server, graph) == []


def test_an_interrupted_load_is_given_up(server, graph):
    text = "".join(f"(edge node{n} {n})\n" for n in range(20_000))
    assert load(server, graph, "(before 1)").status_code == 200
    cut(server, graph, text, len(text) // 2, resume="big")
    wait_for_kept(server, graph)
    craton(server, "graph", "loads", graph, "--drop", "big")
    assert kept(server, graph) == []
    none = call(server.root, server, "DELETE", f"{graph}/loads", load="big")
    assert (none.status_code, none.json()["error"]["reason"]) == (404, "NoSuchLoad")
    assert facts(server, graph) == ["(before 1)"]


def told(server, path: str, body: bytes, **query: str) -> list[dict]:
    url = f"{server.endpoint}/_graph/v1/{path}"
    if query:
        url += "?" + urllib.parse.urlencode(query)
    headers = {**signed(server.root, "POST", url, body), "Accept": "application/x-ndjson"}
    answer = send("POST", url, headers, body)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_program_tells_how_far_it_is(server, graph):
    assert load(server, graph, "(n 1)").status_code == 200
    endless = b"""(exec go (, (exec go $p $t) (n $x)) (O (- (n $x)) (+ (exec go $p $t))
        (pure (n $y) $y (i64_to_string (sum_i64 (i64_from_string $x) (i64_from_string 1))))))"""
    *progress, last = told(server, f"{graph}/program", endless, seconds="4")
    assert progress
    steps = [line["progress"]["steps"] for line in progress]
    assert steps == sorted(steps) and steps[-1] > 1
    for line in progress:
        assert set(line["progress"]) == {"seconds", "steps", "facts", "read_bytes"}
    assert last["error"]["reason"] == "TimeLimit"
    assert facts(server, graph) == ["(n 1)"]
    (done,) = told(server, f"{graph}/program", b"(exec 0 (, (n $x)) (, (found $x)))")
    assert (done["done"]["steps"], done["done"]["added"], done["done"]["finished"]) == (1, 1, True)
    assert "1 steps" in craton(server, "graph", "run", graph, "-", stdin="(exec 0 (, (n 1)) (, (again 1)))")
    assert craton(server, "graph", "run", graph, "-", stdin="(exec 0 (, (n 1)) (malformed))", code=2) == ""


def test_an_error_is_the_last_line(server, graph):
    assert load(server, graph, "(n 1)").status_code == 200
    (line,) = told(server, f"{graph}/program", b"(exec 0 (, (n $x)) (O (sum (s $k) $k $x) (sum (t $k) $k (not $x))))")
    assert line["error"]["kind"] == "invalid", line
    assert facts(server, graph) == ["(n 1)"]


def test_another_graph_is_a_source(server, graph, bucket, make_user):
    other = unique("other")
    assert load(server, f"{bucket}/{other}", "(price apple 3) (price pear 4)").status_code == 200
    assert load(server, graph, "(likes ann pear) (likes bob fig)").status_code == 200
    rule = f"(exec 0 (I (ACT {other} (price $f $p)) (BTM (likes $who $f))) (, (pays $who $p)))".encode()
    mine = [allow(["craton:ReadGraph", "craton:WriteGraph"], f"arn:craton:graph:::{graph}/*")]
    theirs = make_user(*mine)
    denied = call(theirs, server, "POST", f"{graph}/program", rule)
    assert denied.status_code == 403, "the other graph is read only by who may read it"
    both = make_user(*mine, allow("craton:ReadGraph", f"arn:craton:graph:::{bucket}/{other}/*"))
    done = call(both, server, "POST", f"{graph}/program", rule)
    assert done.status_code == 200, done.text
    assert facts(server, graph) == ["(likes ann pear)", "(likes bob fig)", "(pays ann 4)"]
    missing = call(server.root, server, "POST", f"{graph}/program", rule.replace(other.encode(), b"nowhere"))
    assert (missing.status_code, missing.json()["error"]["reason"]) == (404, "NoSuchGraph")


def test_another_graph_is_a_sink(server, graph, bucket, make_user):
    other = unique("other")
    assert load(server, f"{bucket}/{other}", "(old 1)").status_code == 200
    assert load(server, graph, "(likes ann pear) (likes bob fig)").status_code == 200
    rule = f"(exec 0 (, (likes $w $f)) (O (ACT {other} (liked $f)) (+ (asked $w))))".encode()
    mine = [allow(["craton:ReadGraph", "craton:WriteGraph"], f"arn:craton:graph:::{graph}/*")]
    denied = call(make_user(*mine), server, "POST", f"{graph}/program", rule)
    assert denied.status_code == 403, "the other graph is written only by who may write it"
    assert facts(server, f"{bucket}/{other}") == ["(old 1)"]
    both = make_user(*mine, allow("craton:WriteGraph", f"arn:craton:graph:::{bucket}/{other}/*"))
    done = call(both, server, "POST", f"{graph}/program", rule)
    assert done.status_code == 200, done.text
    assert facts(server, f"{bucket}/{other}") == ["(liked fig)", "(liked pear)"]
    assert "(asked ann)" in facts(server, graph)
    own = f"(exec 0 (, (likes $w $f)) (O (ACT {graph.split('/')[1]} (liked $f))))".encode()
    assert call(server.root, server, "POST", f"{graph}/program", own).json()["error"]["reason"] == "OwnGraph"


def test_the_command_sends_the_rest_of_an_interrupted_load(server, graph, tmp_path):
    text = "".join(f"(edge node{n} {n})\n" for n in range(50_000))
    assert load(server, graph, "(before 1)").status_code == 200
    cut(server, graph, text, len(text) // 2, resume="big")
    was = wait_for_kept(server, graph)
    (load_,) = kept(server, graph)
    assert 0 < load_["at"] <= len(text) // 2
    wrong = load(server, graph, text[load_["at"] + 1 :], resume="big", at=str(load_["at"] + 1))
    assert wrong.json()["error"]["reason"] == "LoadMoved"
    # Packed, to see that it is unpacked before it goes on.
    file = tmp_path / "facts.metta.gz"
    file.write_bytes(gzip.compress(text.encode()))
    said = craton(server, "graph", "load", graph, str(file), "--resume", "big")
    assert "50000 facts read, 50000 different ones added" in said and f"{was} of them had been read" in said, said
    assert len(facts(server, graph)) == 50_001

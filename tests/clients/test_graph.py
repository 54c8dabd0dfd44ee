"""The graph door and `craton graph`: facts in, out and gone; who may; what is refused."""

import gzip
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import allow
from server import REGION, Key, Server, unique


class Answer:
    def __init__(self, status: int, body: bytes):
        self.status_code, self.text = status, body.decode()

    def json(self):
        return json.loads(self.text)


def send(method: str, url: str, headers: dict, body: bytes) -> Answer:
    request = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, refused.read())


def signed(key: Key, method: str, url: str, body: bytes) -> dict:
    request = AWSRequest(method, url, data=body)
    S3SigV4Auth(Credentials(key.id, key.secret), "s3", REGION).add_auth(request)
    return dict(request.headers)


def call(key: Key, server: Server, method: str, path: str, body: bytes = b"", **query: str) -> Answer:
    """A signed request to the door."""
    url = f"{server.endpoint}/_graph/v1/{path}"
    if query:
        url += "?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
    return send(method, url, signed(key, method, url, body), body)


@pytest.fixture
def signer(server: Server) -> Key:
    return server.root


@pytest.fixture
def graph(server, bucket):
    return f"{bucket}/{unique('g')}"


def test_facts_come_back(server, signer, graph):
    text = "(edge a b) (edge b c)\n(gene BRCA1 (at chr17 43044295)) ; remark\n(if Z $x $x)\n\"a string\""
    done = call(signer, server, "POST", f"{graph}/facts", text.encode())
    assert done.status_code == 200, done.text
    assert done.json()["facts"] == 5
    found = call(signer, server, "GET", f"{graph}/facts").text.splitlines()
    assert sorted(found) == sorted([
        "(edge a b)", "(edge b c)", "(gene BRCA1 (at chr17 43044295))", "(if Z $a $a)", '"a string"',
    ])
    only = call(signer, server, "GET", f"{graph}/facts", prefix="(edge a ").text.splitlines()
    assert only == ["(edge a b)"]
    gone = call(signer, server, "POST", f"{graph}/facts", b"(edge a b)", mode="remove")
    assert gone.status_code == 200
    assert "(edge a b)" not in call(signer, server, "GET", f"{graph}/facts").text.splitlines()
    described = call(signer, server, "GET", graph).json()
    assert described["graph"] == graph.split("/")[1]
    assert call(signer, server, "POST", f"{graph}/compact").status_code == 200
    assert call(signer, server, "GET", graph).json()["facts"] == 4
    assert call(signer, server, "DELETE", graph).status_code == 200
    assert call(signer, server, "GET", f"{graph}/facts").text == ""


def test_a_table_gzipped(server, signer, graph):
    rows = "child\tparent\n" + "".join(f"n{i}\tn{i // 2}\n" for i in range(5000))
    done = call(signer, server, "POST", f"{graph}/facts", gzip.compress(rows.encode()), format="tsv", relation="is")
    assert done.json()["distinct"] == 5000
    assert "(is n7 n3)" in call(signer, server, "GET", f"{graph}/facts").text.splitlines()


def test_a_bad_line_stops_or_is_named(server, signer, graph):
    bad = b"(edge a b)\n)\n(edge c d)\n"
    stopped = call(signer, server, "POST", f"{graph}/facts", bad)
    assert stopped.status_code == 400
    assert "line 2" in stopped.json()["error"]["message"]
    assert call(signer, server, "GET", f"{graph}/facts").status_code == 404
    skipped = call(signer, server, "POST", f"{graph}/facts", bad, bad="skip").json()
    assert skipped["bad_lines"] == 1 and skipped["distinct"] == 2


def test_a_body_that_was_changed_on_its_way_is_not_loaded(server, signer, graph):
    url = f"{server.endpoint}/_graph/v1/{graph}/facts"
    changed = send("POST", url, signed(signer, "POST", url, b"(edge a b)"), b"(edge a c)")
    assert changed.status_code in (400, 403)
    assert call(signer, server, "GET", f"{graph}/facts").status_code == 404


def test_a_prefix_of_facts_is_a_permission(server, signer, graph, make_user):
    text = b"(edge chr1 a) (edge chr10 b) (node x)"
    assert call(signer, server, "POST", f"{graph}/facts", text).status_code == 200
    theirs = make_user(allow(["craton:ReadGraph", "craton:WriteGraph"], f"arn:craton:graph:::{graph}/(edge chr1 *"))
    assert call(theirs, server, "GET", f"{graph}/facts").status_code == 403
    assert call(theirs, server, "GET", f"{graph}/facts", prefix="(edge chr10 ").status_code == 403
    assert call(theirs, server, "GET", f"{graph}/facts", prefix="(edge chr1 ").text == "(edge chr1 a)\n"
    added = call(theirs, server, "POST", f"{graph}/facts", b"(edge chr1 z)", prefix="(edge chr1 ")
    assert added.status_code == 200, added.text
    outside = call(theirs, server, "POST", f"{graph}/facts", b"(edge chr2 z)", prefix="(edge chr1 ")
    assert outside.status_code == 403
    assert "(edge chr2 z)" not in call(signer, server, "GET", f"{graph}/facts").text


def test_nobody_else(server, graph):
    url = f"{server.endpoint}/_graph/v1/{graph}"
    for method, path in [
        ("GET", ""), ("GET", "/facts"), ("POST", "/facts"), ("POST", "/query"), ("POST", "/program"), ("POST", "/compact"), ("DELETE", ""),
    ]:
        assert send(method, url + path, {}, b"").status_code == 403, (method, path)


def test_the_command_line(server, graph, tmp_path):
    source = tmp_path / "edge.csv"
    source.write_text("a,b\n1,2\n3,4\n")

    def craton(*arguments: str) -> str:
        return server.command("graph", *arguments)

    assert json.loads(craton("load", graph, str(source), "--json"))["distinct"] == 2
    assert sorted(craton("export", graph).splitlines()) == ["(edge 1 2)", "(edge 3 4)"]
    assert "2 facts" in craton("stats", graph)
    assert graph.split("/")[1] in craton("stats", graph.split("/")[0])
    craton("load", graph, str(source), "--remove")
    craton("compact", graph)
    assert craton("export", graph) == ""


def test_a_query_by_patterns(server, signer, graph):
    text = b"(edge a b) (edge b c) (edge b d) (gene g (at chr1 5)) (gene h (at chr2 6)) (likes $x b)"
    assert call(signer, server, "POST", f"{graph}/facts", text).status_code == 200

    def ask(query: str, **more: str) -> list[str]:
        answer = call(signer, server, "POST", f"{graph}/query", query.encode(), **more)
        assert answer.status_code == 200, answer.text
        return sorted(answer.text.splitlines())

    assert ask("(, (edge $x $y) (edge $y $z)) (, (two $x $z))") == ["(two a c)", "(two a d)"]
    assert ask("(, (gene $g (at chr1 $p))) (, $g $p)") == ["5", "g"]
    assert ask("(, (edge $x d)) (, $x)") == ["b"]
    assert ask("(, (likes carol $what)) (, $what)") == ["b"]
    assert len(ask("(, (edge $x $y)) (, $y)", limit="2")) == 2
    assert ask("(, (edge $x $y)) (, $y)", prefix="(edge a ") == ["b"]
    assert call(signer, server, "POST", f"{graph}/query", b"(, (edge $x").status_code == 400
    assert call(signer, server, "POST", f"{graph}/query", b"(, (edge $x $y)) (O (- $x))").status_code == 400
    assert server.command("graph", "query", graph, "(, (edge $x c)) (, (from $x))") == "(from b)\n"


def test_a_program_runs_over_stored_facts(server, signer, graph):
    edges = "".join(f"(edge n{i} n{i + 1})\n" for i in range(100))
    assert call(signer, server, "POST", f"{graph}/facts", edges.encode()).status_code == 200
    program = b"(exec 0 (, (edge $x $y) (edge $y $z)) (, (two $x $z)))\n(exec 1 (, (edge n0 $x)) (O (- (edge n0 $x))))"
    done = call(signer, server, "POST", f"{graph}/program", program)
    assert done.status_code == 200, done.text
    assert done.json()["steps"] == 2 and done.json()["finished"]
    found = call(signer, server, "GET", f"{graph}/facts").text.splitlines()
    assert len([f for f in found if f.startswith("(two ")]) == 99
    assert "(edge n0 n1)" not in found and len(found) == 99 + 99
    wrong = call(signer, server, "POST", f"{graph}/program", b"(exec 0 wrong (,))")
    assert wrong.status_code == 400
    runaway = b"(exec 0 (, (exec 0 $p $t) (n $x)) (, (exec 0 $p $t) (n (s $x)))) (n z)"
    stopped = call(signer, server, "POST", f"{graph}/program", runaway, seconds="1")
    assert stopped.status_code == 413, stopped.text
    assert len(call(signer, server, "GET", f"{graph}/facts").text.splitlines()) == 198

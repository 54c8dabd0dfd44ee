"""Live rules over HTTP and by the command line: what follows is there with every commit, who may, what is refused, what is recorded."""

import networkx as nx
import pytest

from conftest import allow
from ledger import records
from server import Server, unique
from test_graph import call
from test_graph_programs import BOTH, arn

CLOSURE = """(rule base (, (edge $x $y)) (, (path $x $y)))
    (rule step (, (path $x $y) (edge $y $z)) (, (path $x $z)))"""


@pytest.fixture
def graph(server, bucket):
    name = f"{bucket}/{unique('g')}"
    assert call(server.root, server, "POST", f"{name}/facts", b"(edge a b) (edge b c)").status_code == 200
    return name


def add(server, graph, rules=CLOSURE, key=None, name="closure", **parameters):
    return call(key or server.root, server, "POST", f"{graph}/live", rules.encode(), name=name, **parameters)


def load(server, graph, facts, key=None, **parameters):
    return call(key or server.root, server, "POST", f"{graph}/facts", facts.encode(), **parameters)


def facts(server, graph, **parameters):
    answer = call(server.root, server, "GET", f"{graph}/facts", **parameters)
    assert answer.status_code == 200, answer.text
    return set(answer.text.splitlines())


def paths(server, graph):
    return facts(server, graph, prefix="(path ")


def closed(edges):
    graph = nx.DiGraph(edges)
    return {f"(path {a} {b})" for a in graph for b in nx.transitive_closure(graph, reflexive=False)[a]}


def test_what_follows_is_there_with_every_change(server, graph):
    done = add(server, graph)
    assert done.status_code == 200, done.text
    assert (done.json()["added"], done.json()["removed"]) == (3, 0)
    edges = {("a", "b"), ("b", "c")}
    for change, edge in [("add", "ca"), ("add", "cd"), ("remove", "bc"), ("add", "db"), ("remove", "cd"), ("remove", "no"), ("add", "ab")]:
        edges = edges | {tuple(edge)} if change == "add" else edges - {tuple(edge)}
        assert load(server, graph, f"(edge {edge[0]} {edge[1]})", mode=change).status_code == 200
        assert paths(server, graph) == closed(edges), (change, edge)
    program = b"(exec 0 (, (edge $x $y)) (O (- (edge $x $y)) (+ (edge $y $x))))"
    assert call(server.root, server, "POST", f"{graph}/program", program).status_code == 200
    edges = {tuple(fact.strip("()").split(" ")[1:]) for fact in facts(server, graph, prefix="(edge ")}
    assert paths(server, graph) == closed(edges)
    anew = call(server.root, server, "POST", f"{graph}/live/refresh")
    assert (anew.json()["added"], anew.json()["removed"]) == (0, 0), anew.text
    assert call(server.root, server, "GET", graph).json()["live"] == ["closure"]
    assert call(server.root, server, "DELETE", graph).status_code == 200
    assert facts(server, graph) == set()
    assert load(server, graph, "(edge 1 2) (edge 2 3)").status_code == 200
    assert paths(server, graph) == closed({("1", "2"), ("2", "3")})


def test_a_snapshot_has_what_followed_then(server, graph):
    assert add(server, graph).status_code == 200
    before = call(server.root, server, "GET", graph).json()["snapshot"]
    assert load(server, graph, "(edge a b)", mode="remove").status_code == 200
    assert paths(server, graph) == {"(path b c)"}
    assert facts(server, graph, prefix="(path ", snapshot=str(before)) == closed({("a", "b"), ("b", "c")})


def test_a_restart_keeps_them(tmp_path):
    server, graph = Server(tmp_path), "data/kept"
    server.start()
    server.command("mb", "data")
    assert load(server, graph, "(edge a b)").status_code == 200
    assert add(server, graph).status_code == 200
    server.stop()
    server.start()
    assert load(server, graph, "(edge b a)").status_code == 200
    assert paths(server, graph) == closed({("a", "b"), ("b", "a")})
    server.stop()


def test_what_is_refused(server, graph):
    assert add(server, graph).status_code == 200
    before = facts(server, graph)
    for text, parameters in [("(path c a)", {}), ("(edge x y) (path a b)", {"mode": "remove"}), ("(path $x $y)", {})]:
        refused = load(server, graph, text, **parameters)
        assert (refused.status_code, refused.json()["error"]["reason"]) == (403, "LiveRelation"), refused.text
        assert 'live rules "closure"' in refused.json()["error"]["message"]
    back = call(server.root, server, "POST", f"{graph}/rules", b"(rule r (, (edge $x $y)) (, (path $y $x)))")
    assert back.json()["error"]["reason"] == "LiveRelation", back.text
    assert load(server, graph, "(edge $x a)").json()["error"]["reason"] == "BadRule"
    other = f"{graph.split('/')[0]}/{unique('other')}"
    assert load(server, other, "(edge 1 2)").status_code == 200
    into = f"(exec 0 (, (edge $x $y)) (O (ACT {graph.split('/')[1]} (edge $y $x))))".encode()
    assert call(server.root, server, "POST", f"{other}/program", into).json()["error"]["reason"] == "LiveRelation"
    assert facts(server, graph) == before
    more = "(rule r (, (edge $x $y)) (, (more $y $x)))"
    for rules, parameters, status, reason in [
        ("(rule r (, (path $x $y)) (, (edge $y $x)))", {}, 409, "RelationNotEmpty"),
        ("(rule r (, (edge $x $y)) (, (path $y $x)))", {}, 409, "RelationTaken"),
        ("(rule r (, (path $x $y) (not (more $x $y))) (, (more $y $x)))", {}, 400, "BadRule"),
        ("(a b)", {}, 400, "NoRules"),
        (f"(a b) {more}", {}, 400, "LiveFacts"),
        (more, {"name": "1 b"}, 400, "InvalidName"),
        (f"{more} ;{'x' * 65536}", {}, 413, "ProgramTooLarge"),
    ]:
        refused = add(server, graph, rules, **({"name": "b"} | parameters))
        assert (refused.status_code, refused.json()["error"]["reason"]) == (status, reason), refused.text
    assert add(server, graph, more, name="b", prefix="(edge ").status_code == 400
    for parameters, status in [({"name": "no"}, 404), ({"name": "closure", "keep": "perhaps"}, 400), ({}, 400)]:
        assert call(server.root, server, "DELETE", f"{graph}/live", **parameters).status_code == status
    assert call(server.root, server, "POST", f"{graph}none/live/refresh").status_code == 404


def test_what_can_not_be_computed_is_not_changed(server, graph):
    rules = "(rule n (, (edge $x $_y)) (, (n $x))) (rule grow (, (n $x) (grow $_g)) (, (n (s $x))))"
    assert add(server, graph, rules, depth="12").status_code == 200
    refused = load(server, graph, "(grow yes) (edge z z)")
    assert refused.status_code == 413 and refused.json()["error"]["reason"] == "DepthLimit", refused.text
    assert "live rules (closure)" in refused.json()["error"]["message"]
    assert facts(server, graph) == {"(edge a b)", "(edge b c)", "(n a)", "(n b)"}


def test_who_may(server, graph, make_user):
    adds = make_user(allow(BOTH, [arn(graph, "(edge "), arn(graph, "(path ")]))
    writer = make_user(allow(BOTH, arn(graph, "(edge ")))
    for key in (writer, make_user(allow(BOTH, arn(graph, "(path ")))):
        assert add(server, graph, key=key).status_code == 403
    assert add(server, graph, key=adds).status_code == 200
    # Who may write edges brings about paths, and reads none.
    assert load(server, graph, "(edge c d)", writer, prefix="(edge ").status_code == 200
    assert paths(server, graph) == closed({("a", "b"), ("b", "c"), ("c", "d")})
    assert call(writer, server, "GET", f"{graph}/facts", prefix="(path ").status_code == 403
    program = b"(exec 0 (, (edge a $x)) (O (- (edge a $x))))"
    assert call(writer, server, "POST", f"{graph}/program", program).status_code == 200
    assert paths(server, graph) == closed({("b", "c"), ("c", "d")})
    for method, path, parameters in [("DELETE", "live", {"name": "closure"}), ("POST", "live/refresh", {}), ("GET", "live", {})]:
        assert call(adds, server, method, f"{graph}/{path}", **parameters).status_code == 403, path
    listed = call(server.root, server, "GET", f"{graph}/live").json()["programs"]
    assert [(p["name"], p["rules"], p["derives"], p["text"]) for p in listed] == [("closure", 2, ["path/3"], CLOSURE)]
    mine = [r for r in records(server) if r.get("operation") == "AddLive" and r.get("resource", "").endswith(graph.split("/")[1])]
    assert any(r.get("reads") == ["(edge ", "(path "] and r.get("writes") == ["(path "] for r in mine), mine


def test_the_command(server, graph, tmp_path):
    file = tmp_path / "rules.metta"
    file.write_text(CLOSURE)
    assert server.command("graph", "live", graph, "add", "closure", str(file)).strip() == f"{graph}  3 facts added, 0 removed"
    shown = server.command("graph", "live", graph, "list").splitlines()
    assert shown[0].split() == ["NAME", "RULES", "DERIVES", "BY"] and shown[1].split()[:3] == ["closure", "2", "path/3"]
    assert server.command("graph", "live", graph, "refresh").strip() == f"{graph}  0 facts added, 0 removed"
    assert server.command("graph", "live", graph, "remove", "closure", "--keep").strip() == f"{graph}  0 facts added, 0 removed"
    assert load(server, graph, "(path c a)").status_code == 200
    assert call(server.root, server, "GET", f"{graph}/live").json() == {"programs": []}
    file.write_text(CLOSURE.replace("path", "way"))
    server.command("graph", "live", graph, "add", "ways", str(file))
    assert server.command("graph", "live", graph, "remove", "ways").strip() == f"{graph}  0 facts added, 3 removed"
    assert facts(server, graph, prefix="(way ") == set() and len(paths(server, graph)) == 4

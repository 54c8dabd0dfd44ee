"""Rules over HTTP and by the command line: what they say of themselves, their limits, why a fact is there, and who may ask."""

import pytest

from conftest import allow
from server import unique
from test_graph import call
from test_graph_programs import BOTH, arn

FAMILY = b"(parent tom bob) (parent bob ann) (parent ann joe) (parent pam bob)"
ANCESTORS = """(rule base (, (parent $x $y)) (, (ancestor $x $y)))
    (rule step (, (ancestor $x $y) (parent $y $z)) (, (ancestor $x $z)))"""


@pytest.fixture
def graph(server, bucket):
    name = f"{bucket}/{unique('g')}"
    assert call(server.root, server, "POST", f"{name}/facts", FAMILY).status_code == 200
    return name


def reason(server, graph, rules, key=None, **parameters):
    return call(key or server.root, server, "POST", f"{graph}/rules", rules.encode(), **parameters)


def why(server, graph, rules, fact, key=None, **parameters):
    return call(key or server.root, server, "POST", f"{graph}/why", f"{rules} (why {fact})".encode(), **parameters)


def test_what_rules_say_of_themselves(server, graph):
    done = reason(server, graph, "(n 2) (n x) (rule r (, (n $v) (parent $_ $p)) (, (m (:= (/ 6 $v))))) (best 1) (best 4) (rule b (, (n $n) (< $n 3)) (O (min (best $k) $k $n)))")
    assert done.status_code == 200, done.text
    told = done.json()
    assert (told["added"], told["replaced"]) == (1, 1) and told["failed_evaluations"] > 0
    assert told["failures"] == ["rule r: x is no number"]
    assert told["warnings"] == ["line 1, column 13, rule r: $p stands in one place only; $_ says that it may"]
    wrong = reason(server, graph, "\n (rule odd (, (parent $x $y)) (, (p $z)))")
    assert wrong.status_code == 400
    assert "line 2, column 2, rule odd: the template (p $z) has a variable that no pattern" in wrong.json()["error"]["message"]


def test_rules_without_an_end_change_nothing(server, graph):
    for rules, parameters, reason_of in [
        ("(n 0) (rule on (, (n $x)) (, (n (:= (+ $x 1)))))", {"rounds": "30"}, "RoundLimit"),
        ("(n z) (rule on (, (n $x)) (, (n (s $x))))", {"depth": "12"}, "DepthLimit"),
        ("(n 0) (rule on (, (n $x)) (, (n (:= (+ $x 1)))))", {"seconds": "1", "rounds": "1000000000"}, "TimeLimit"),
    ]:
        stopped = reason(server, graph, rules, **parameters)
        assert stopped.json()["error"]["reason"] == reason_of, stopped.text
    assert len(call(server.root, server, "GET", f"{graph}/facts").text.splitlines()) == 4


def test_why_a_fact_is_there(server, graph, tmp_path):
    assert reason(server, graph, ANCESTORS).status_code == 200
    found = why(server, graph, ANCESTORS, "(ancestor tom joe)").json()
    assert (found["fact"], found["is_there"]) == ("(ancestor tom joe)", True)
    leaves = []

    def walk(derivation):
        assert derivation["how"] in ("rule", "given")
        if derivation["how"] == "given":
            leaves.append(derivation["fact"])
        for below in derivation["because"]:
            walk(below)

    walk(found["derivation"])
    assert found["derivation"]["rule"] == "step"
    assert sorted(leaves) == ["(parent ann joe)", "(parent bob ann)", "(parent tom bob)"]
    assert why(server, graph, ANCESTORS, "(ancestor joe tom)").json() == {"fact": "(ancestor joe tom)", "is_there": False, "derivation": None}
    cut = why(server, graph, ANCESTORS, "(ancestor tom joe)", depth="1").json()["derivation"]
    assert [below["how"] for below in cut["because"]] == ["unfollowed", "given"]
    for body in [ANCESTORS, f"{ANCESTORS} (why (ancestor $x joe))", f"{ANCESTORS} (why a) (why b)", "(rule r) (why a)"]:
        assert call(server.root, server, "POST", f"{graph}/why", body.encode()).status_code == 400
    assert why(server, graph, ANCESTORS, "(ancestor tom joe)", depth="100000").status_code == 400
    file = tmp_path / "rules.metta"
    file.write_text(ANCESTORS)
    shown = server.command("graph", "why", graph, str(file), "(ancestor tom ann)")
    assert shown.splitlines() == [
        "(ancestor tom ann)  by rule step",
        "  (ancestor tom bob)  by rule base",
        "    (parent tom bob)  given",
        "  (parent bob ann)  given",
    ]
    assert server.command("graph", "why", graph, str(file), "(ancestor ann tom)") == "the fact is not there\n"


def test_why_is_for_those_who_may_read(server, graph, make_user):
    assert reason(server, graph, ANCESTORS).status_code == 200
    all_of_it = make_user(allow("craton:ReadGraph", [arn(graph, "(parent "), arn(graph, "(ancestor ")]))
    assert why(server, graph, ANCESTORS, "(ancestor tom ann)", all_of_it).status_code == 200
    some = make_user(allow("craton:ReadGraph", arn(graph, "(ancestor ")))
    refused = why(server, graph, ANCESTORS, "(ancestor tom ann)", some)
    assert refused.status_code == 403 and "it would touch (parent " in refused.json()["error"]["message"]
    only = "(rule r (, (ancestor $x $y)) (, (known $y)))"
    assert why(server, graph, only, "(parent tom bob)", some).status_code == 403, "the fact itself is read"
    assert why(server, graph, only, "(ancestor tom bob)", some).json()["derivation"]["how"] == "given"
    assert why(server, graph, "no rule", "(", some).status_code == 403, "who may read nothing of it learns nothing"
    part = make_user(allow(BOTH, [arn(graph, "(parent tom "), arn(graph, "(child ")]))
    turned = "(rule r (, (parent tom $x)) (, (child $x tom)))"
    assert reason(server, graph, turned, part).status_code == 200
    assert reason(server, graph, "(rule r (, (parent $y $x)) (, (child $x $y)))", part).status_code == 403
    assert reason(server, graph, "(rule r (, (parent tom $x)) (O (count (number $k) $k $x)))", part).status_code == 403

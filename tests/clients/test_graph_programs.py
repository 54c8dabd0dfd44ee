"""Programs and permissions: what a program touches is inferred, decided by part, borrowed and recorded."""

import json
import threading

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import allow
from expect import error
from server import REGION, unique
from test_graph import call, send
from test_guard import guard  # noqa: F401
from test_iam import make_key, service
from test_sts import arn_of, assume, make_role, s3_of

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


def test_two_principals_and_their_parts(server, graph, make_user):
    """Each runs, and asks, on its own chromosome; the part that is not theirs is named, whatever plane refuses it."""
    first = make_user(allow(BOTH, [arn(graph, "(edge chr1 "), arn(graph, "(hop chr1 ")]))
    second = make_user(allow(BOTH, [arn(graph, "(edge chr2 "), arn(graph, "(hop chr2 ")]))
    run = lambda key, text: call(key, server, "POST", f"{graph}/program", text)
    ask = lambda key, text, **more: call(key, server, "POST", f"{graph}/query", text, **more)
    for key, mine, other in [(first, "chr1", "chr2"), (second, "chr2", "chr1")]:
        assert run(key, hop(mine)).status_code == 200
        refused = run(key, hop(other))
        assert refused.status_code == 403
        assert f"it would touch (edge {other} " in refused.json()["error"]["message"], refused.text
        both = ask(key, f"(, (edge {mine} $x) (hop {mine} $x)) (, ($x is there))".encode())
        assert both.status_code == 200, both.text
        assert sorted(both.text.splitlines()) == {"chr1": ["(a is there)", "(b is there)"], "chr2": ["(c is there)"]}[mine]
        denied = ask(key, f"(, (edge {mine} $x) (hop {other} $x)) (, ($x))".encode())
        assert denied.status_code == 403
        assert f"it would touch (hop {other} " in denied.json()["error"]["message"]
        assert ask(key, b"(, (edge $c $x)) (, ($x))").status_code == 403
        assert ask(key, b"(, $x) (, $x)").status_code == 403
        assert ask(key, b"no query").status_code == 403, "who may read nothing of it learns nothing"
        plan = call(key, server, "POST", f"{graph}/explain", hop(mine))
        assert plan.status_code == 200, plan.text
        assert call(key, server, "POST", f"{graph}/explain", hop(other)).status_code == 403
        assert ask(key, f"(, (edge {mine} $x)) (, ($x))".encode(), prefix=f"(edge {mine} ").status_code == 200


def test_facts_with_variables_are_not_a_way_round(server, graph, make_user):
    assert call(server.root, server, "POST", f"{graph}/facts", b"(edge $any hidden) ($any chr1 hidden)").status_code == 200
    theirs = make_user(allow("craton:ReadGraph", arn(graph, "(edge chr1 ")))
    query = b"(, (edge chr1 $x)) (, ($x))"
    found = call(theirs, server, "POST", f"{graph}/query", query)
    assert sorted(found.text.splitlines()) == ["(a)", "(b)"]
    assert "(hidden)" in call(server.root, server, "POST", f"{graph}/query", query).text


def test_a_guard_policy_on_a_part_is_asked_for_it(server, graph, make_user, guard):  # noqa: F811
    user = make_user(allow(BOTH, arn(graph, "")))
    run = lambda text: call(user, server, "POST", f"{graph}/program", text)
    ask = lambda text: call(user, server, "POST", f"{graph}/query", text)
    assert run(hop("chr2")).status_code == 200
    guard(f'''forbid(principal == User::"{user.user}", action, resource in GraphPrefix::"{graph}/(edge chr2 ");''')
    assert run(hop("chr1")).status_code == 200
    refused = run(hop("chr2"))
    assert refused.status_code == 403 and "(edge chr2 " in refused.json()["error"]["message"]
    assert run(b"(exec 0 (, (edge $c $x)) (, (hop all $x)))").status_code == 403
    assert run(b"(exec 0 (, (edge chr1 $x)) (, (edge chr2 $x)))").status_code == 403
    assert ask(b"(, (edge chr1 $x)) (, ($x))").status_code == 200
    assert ask(b"(, (edge chr2 $x)) (, ($x))").status_code == 403


def test_the_record_of_a_query_names_its_parts(server, graph, make_user):
    theirs = make_user(allow("craton:ReadGraph", [arn(graph, "(edge chr1 "), arn(graph, "(node ")]))
    asked = call(theirs, server, "POST", f"{graph}/query", b"(, (edge chr1 $x) (node $y)) (, ($x $y))")
    assert asked.status_code == 200, asked.text
    listed = json.loads(server.command("audit", "list", "--bucket", graph.split("/")[0], "--json"))
    mine = [r for r in listed["records"] if r.get("operation") == "QueryFacts"]
    assert any(r.get("reads") == ["(edge chr1 ", "(node "] for r in mine), mine


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


@pytest.mark.parametrize(("what", "text"), [("query", b"(, (edge chr1 $x)) (, ($x))"), ("program", hop("chr1"))])
def test_a_session_has_the_labels_of_a_graph_of_which_it_read_a_part(server, bucket, graph, guard, what, text):  # noqa: F811
    iam = service(server, "iam")
    user = make_key(server, iam, iam.create_user(UserName=unique("u"))["User"]["UserName"])
    role = make_role(iam, {"AWS": arn_of(user)}, allow("s3:*"), allow(BOTH, [arn(graph, "(edge chr1 "), arn(graph, "(hop chr1 ")]))
    guard(f'forbid(principal, action == Action::"s3:PutObject", resource in Bucket::"{bucket}") when {{ context.labels.contains("pii") }};')
    assert call(server.root, server, "PUT", f"{graph}/labels", b'{"labels": ["pii"]}').status_code == 200
    credentials = assume(server, user, role)["Credentials"]
    work = s3_of(server, credentials)
    work.put_object(Bucket=bucket, Key="before", Body=b"x")
    url = f"{server.endpoint}/_graph/v1/{graph}/{what}"
    request = AWSRequest("POST", url, data=text)
    session = Credentials(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    S3SigV4Auth(session, "s3", REGION).add_auth(request)
    answer = send("POST", url, dict(request.headers), text)
    assert answer.status_code == 200, answer.text
    with error("AccessDenied", 403):
        work.put_object(Bucket=bucket, Key="after", Body=b"x")

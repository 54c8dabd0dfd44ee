"""Runs and lineage: what a run read and wrote on every door, by version; where versions came from; who may know."""

import json
import random
import time
import urllib.parse
from collections import Counter

import pytest

from conftest import allow, client
from server import Key, Server, unique
from sigv4 import Signer, send
from test_budgets import bearer
from test_budgets import ask as asked
from test_iceberg_door import Door

ALL = allow(["s3:*", "s3tables:*", "craton:ReadGraph", "craton:WriteGraph", "craton:RunStatement"])


def api(server: Server, key: Key, path: str, **query: object) -> dict:
    text = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote)
    answer = send(server, Signer(server, key).request("GET", f"/_api/v1/{path}", text))
    assert answer.status == 200, answer
    return json.loads(answer.body)


def denied(server: Server, key: Key, path: str, **query: object) -> bool:
    text = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote)
    return send(server, Signer(server, key).request("GET", f"/_api/v1/{path}", text)).status == 403


def run_of(server: Server, key: Key, run: str, **query: object) -> dict:
    return api(server, key, f"runs/{run}", principal=key.user, **query)


def named(s3, run: str):
    """The same client, whose requests are of a run."""
    s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("x-craton-run", run))
    return s3


def edges(found: dict) -> set[tuple[str, str, int]]:
    """How, what, how often."""
    return {(edge["mode"], edge["resource"], edge["count"]) for edge in found["edges"]}


def versions(found: dict, mode: str) -> dict[str, int]:
    return {edge["resource"]: edge["version"] for edge in found["edges"] if edge["mode"] == mode}


def test_a_run_is_what_it_read_and_wrote(server, bucket, s3, make_user):
    user, run = make_user(ALL), unique("run")
    s3.put_object(Bucket=bucket, Key="in", Body=b"x" * 100)
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * 3_000_000)
    mine = named(client(server, user), run)
    for _ in range(5):
        mine.get_object(Bucket=bucket, Key="in")["Body"].read()
    mine.get_object(Bucket=bucket, Key="large")["Body"].read()
    mine.put_object(Bucket=bucket, Key="out", Body=b"y" * 10)
    mine.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/in")
    mine.delete_object(Bucket=bucket, Key="out")
    client(server, user).get_object(Bucket=bucket, Key="copy")
    with pytest.raises(mine.exceptions.NoSuchKey):
        mine.get_object(Bucket=bucket, Key="none")
    found = run_of(server, user, run)
    path = f"/{bucket}/objects/"
    assert edges(found) == {
        ("read", path + "in", 6), ("read", path + "large", 1), ("write", path + "out", 1), ("write", path + "copy", 1), ("delete", path + "out", 1),
    }
    assert (found["reads"], found["writes"], found["denied"]) == (7, 3, 0)
    assert found["bytes_read"] == 600 + 3_000_000 and found["bytes_written"] == 110
    assert run_of(server, user, run) == found, "asking changes nothing"
    listed = api(server, user, "runs", principal=user.user)["runs"]
    assert [r["run"] for r in listed] == [run]
    text = server.command("run", "show", run, "--principal", user.user)
    assert path + "large" in text and "delete" in text
    assert run in server.command("run", "list", "--principal", user.user)


def test_every_door(server, bucket, s3, make_user):
    user, run = make_user(ALL), unique("run")
    token = bearer(server, user) | {"x-craton-run": run}
    Door(server, bucket).table()

    def did(method: str, path: str, body: object = b"", **headers: str) -> bytes:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer, _ = asked(server, token | headers, method, path, data)
        assert status < 300, (status, answer)
        return answer

    did("POST", f"/_graph/v1/{bucket}/g/facts", b"(edge a b) (edge b c)")
    did("POST", f"/_graph/v1/{bucket}/g/query", b"(, (edge $x $y)) (, (edge $x $y))")
    did("POST", f"/_graph/v1/{bucket}/g/program", b"(exec 0 (, (edge $x $y)) (, (back $y $x)))")
    did("GET", f"/_iceberg/v1/{bucket}/namespaces/ns/tables/t")
    update = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"a": "b"}}]}
    did("POST", f"/_iceberg/v1/{bucket}/namespaces/ns/tables/t", update)
    did("POST", "/_api/v1/sql", {"statement": f'select count(*) from "{bucket}".ns.t'}, **{"content-type": "application/json"})
    found = run_of(server, user, run)
    kinds = Counter((edge["mode"], "graph" if "/graphs/" in edge["resource"] else "table") for edge in found["edges"])
    assert kinds[("write", "graph")] == 2 and kinds[("read", "graph")] >= 1, found
    assert kinds[("write", "table")] == 1 and kinds[("read", "table")] >= 1, found
    graphs = sorted(e["version"] for e in found["edges"] if "/graphs/" in e["resource"] and e["mode"] == "write")
    reads = {e["version"] for e in found["edges"] if "/graphs/" in e["resource"] and e["mode"] == "read"}
    assert graphs[0] in reads, "the query and the program read what the load had made"


def test_upstream_and_downstream_over_runs(server, bucket, s3, make_user):
    user = make_user(ALL)
    runs = [unique(f"step{n}") for n in range(4)]
    s3.put_object(Bucket=bucket, Key="0", Body=b"raw")
    s3.put_object(Bucket=bucket, Key="unrelated", Body=b"raw")
    for n, run in enumerate(runs):
        mine = named(client(server, user), run)
        mine.put_object(Bucket=bucket, Key=f"{n + 1}", Body=mine.get_object(Bucket=bucket, Key=f"{n}")["Body"].read())
        mine.get_object(Bucket=bucket, Key="unrelated")["Body"].read()
    path = f"/{bucket}/objects/"
    up = api(server, user, "lineage", resource=path + "4")
    assert {edge["run"] for edge in up["edges"]} == set(runs) and not up["more"]
    assert {node["resource"] for node in up["nodes"]} == {path + str(n) for n in range(5)}, "what was read after the write is no source of it"
    near = api(server, user, "lineage", resource=path + "4", depth=1)
    assert {node["resource"] for node in near["nodes"]} == {path + "4", path + "3"}
    down = api(server, user, "lineage", resource=path + "0", direction="downstream")
    assert {node["resource"] for node in down["nodes"]} == {path + str(n) for n in range(5)}
    version = up["root"]["version"]
    named(client(server, user), unique("later")).put_object(Bucket=bucket, Key="4", Body=b"anew")
    assert len(api(server, user, "lineage", resource=path + "4")["edges"]) == 1
    assert api(server, user, "lineage", resource=path + "4", version=version)["edges"] == up["edges"]
    assert path + "0" in server.command("lineage", path + "4", "--version", str(version))
    assert path + "4" in server.command("lineage", path + "0", "--downstream")


def test_who_may_know(server, bucket, s3, make_user):
    user, other, run = make_user(ALL), make_user(ALL), unique("run")
    s3.put_object(Bucket=bucket, Key="in", Body=b"x")
    mine = named(client(server, user), run)
    mine.get_object(Bucket=bucket, Key="in")
    mine.put_object(Bucket=bucket, Key="out", Body=b"x")
    assert denied(server, other, f"runs/{run}", principal=user.user) and denied(server, other, "runs")
    hidden = api(server, other, "lineage", resource=f"/{bucket}/objects/out")
    assert (hidden["edges"], hidden["hidden"]) == ([], 1)
    lists = make_user(allow("craton:ListRuns"))
    assert (run_of(server, Key(lists.id, lists.secret, user.user), run)["edges"], run_of(server, Key(lists.id, lists.secret, user.user), run)["hidden"]) == ([], 2)
    reads = make_user(allow("craton:ReadLineage", f"arn:aws:s3:::{bucket}"))
    assert len(api(server, reads, "lineage", resource=f"/{bucket}/objects/out")["edges"]) == 2
    # Who names another's run has one of their own.
    named(client(server, other), run).put_object(Bucket=bucket, Key="forged", Body=b"x")
    assert "forged" not in json.dumps(run_of(server, user, run))


def test_a_session_and_its_trace(server, bucket, make_user):
    user = make_user(ALL)
    trace = "0af7651916cd43dd8448eb211c80319c"
    for more, headers, run in (
        ({"run": "tagged"}, {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}, "tagged"),
        ({}, {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}, f"trace-{trace}"),
        ({"run": "tagged"}, {"x-craton-run": "named"}, "named"),
    ):
        token = bearer(server, user, **more) | headers
        assert asked(server, token, "POST", f"/_graph/v1/{bucket}/g/facts", b"(a b)")[0] == 200
        assert run_of(server, user, run)["writes"] == 1
    token = bearer(server, user)
    assert asked(server, token, "POST", f"/_graph/v1/{bucket}/g/facts", b"(a b)")[0] == 200
    runs = [r["run"] for r in api(server, user, "runs", principal=user.user)["runs"]]
    assert len(runs) == 4 and sum(run.startswith("ASIA") for run in runs) == 1


def everything(server: Server, user: Key, run: str) -> dict[tuple[str, str], int]:
    """All edges of a run, in pages."""
    out, after = Counter(), {}
    while True:
        page = run_of(server, user, run, limit=7, **after)
        for edge in page["edges"]:
            out[(edge["mode"], edge["resource"])] += edge["count"]
        if not page["next"]:
            return dict(out)
        after = {"after": page["next"]}


def test_a_random_workload_is_told_whole_also_after_a_kill(tmp_path):
    server = Server(tmp_path, "--memory", "64MiB").start()
    dice = random.Random(8)
    expected: Counter = Counter()
    there: set[str] = set()

    def is_whole() -> None:
        found = everything(server, Key(server.root.id, server.root.secret, "root"), "work")
        # A graph puts its levels together now and then, in versions of their own.
        assert found.pop(("write", "/data/graphs/g")) >= expected[("write", "/data/graphs/g")]
        assert found == {edge: n for edge, n in expected.items() if "graphs" not in edge[1]}

    try:
        s3 = client(server)
        s3.create_bucket(Bucket="data")
        for round_ in range(3):
            mine = named(client(server), "work")
            for _ in range(400):
                key = f"k{dice.randrange(20)}"
                path = f"/data/objects/{key}"
                what = dice.randrange(10)
                if what < 3:
                    mine.put_object(Bucket="data", Key=key, Body=dice.randbytes(dice.choice([10, 5000, 200_000])))
                    expected[("write", path)] += 1
                    there.add(key)
                elif what < 8:
                    try:
                        mine.get_object(Bucket="data", Key=key)["Body"].read()
                        expected[("read", path)] += 1
                    except mine.exceptions.NoSuchKey:
                        pass
                elif what < 9:
                    mine.delete_object(Bucket="data", Key=key)
                    if key in there:
                        expected[("delete", path)] += 1
                    there.discard(key)
                else:
                    request = Signer(server, server.root).request("POST", "/_graph/v1/data/g/facts", "", [("x-craton-run", "work")], f"(fact {dice.randrange(99)})".encode())
                    assert send(server, request).status == 200
                    expected[("write", "/data/graphs/g")] += 1
            if round_ == 1:
                is_whole()
            if round_ < 2:
                # Outcomes of the last 20 ms before a kill may be missing; decisions and writes are not.
                time.sleep(0.2)
                server.kill()
                server.start()
        is_whole()
        root = Key(server.root.id, server.root.secret, "root")
        known = versions(api(server, root, "runs/work", principal="root"), "write")
        for record in api(server, root, "ledger/records", kind="write", resource="/data/graphs/g", limit=1)["records"]:
            assert record["run"] == "work" and known["/data/graphs/g"] > 0
    finally:
        server.kill()

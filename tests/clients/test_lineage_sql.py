"""Lineage as relations: what system.runs and system.lineage tell, and that recursion over them, and rules, find what the route finds."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import allow, client, new_user
from server import Key, unique
from sql import Refused, ask, rows
from test_graph import call
from test_library import LIBRARY
from test_lineage import ALL, api, named

EDGE = ("principal", "run", "mode", "resource", "version", "count", "bytes", "first_micros", "last_micros")
COLUMNS = "principal, run, touch, resource, version, count, bytes, arrow_cast(first, 'Int64') AS a, arrow_cast(last, 'Int64') AS b"

UPSTREAM = """
WITH RECURSIVE above(resource, version) AS (
    SELECT '{resource}' AS resource, CAST({version} AS BIGINT) AS version
  UNION
    SELECT had_read.resource, had_read.version
    FROM above
    JOIN system.lineage made ON made.resource = above.resource AND made.version = above.version AND made.touch <> 'read'
    JOIN system.lineage had_read ON had_read.principal = made.principal AND had_read.run = made.run
        AND had_read.touch = 'read' AND had_read.first <= made.last
)
"""


def told(found: dict) -> set[tuple]:
    """The edges of an answer of the route."""
    return {tuple(edge[name] for name in EDGE) for edge in found["edges"]}


def nodes(found: dict) -> set[tuple[str, int]]:
    return {(node["resource"], node["version"]) for node in found["nodes"]}


class History:
    """Runs of two users who read and write each other's objects, in an order that dice make."""

    def __init__(self, server, s3, make_user, seed: int):
        self.server, self.bucket = server, unique("history")
        s3.create_bucket(Bucket=self.bucket)
        self.users = [make_user(ALL, allow("s3:*")) for _ in range(2)]
        dice = random.Random(seed)
        self.keys = [f"k{n}" for n in range(12)]
        for key in self.keys[:3]:
            s3.put_object(Bucket=self.bucket, Key=key, Body=b"raw")
        there = set(self.keys[:3])
        for step in range(10):
            user = dice.choice(self.users)
            mine = named(client(server, user), f"step {step % 7}")
            for _ in range(dice.randrange(1, 4)):
                for key in dice.sample(sorted(there), min(len(there), dice.randrange(1, 4))):
                    mine.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                key = dice.choice(self.keys)
                mine.put_object(Bucket=self.bucket, Key=key, Body=dice.randbytes(5))
                there.add(key)
            if dice.random() < 0.3 and len(there) > 3:
                key = dice.choice(sorted(there))
                mine.delete_object(Bucket=self.bucket, Key=key)
                there.discard(key)

    def path(self, key: str) -> str:
        return f"/{self.bucket}/objects/{key}"


@pytest.fixture(scope="module")
def history(server, s3, tmp_path_factory):
    folder = tmp_path_factory.mktemp("history")
    return History(server, s3, lambda *statements: new_user(server, folder, *statements), 8)


@pytest.fixture
def reader(history, make_user):
    """Who may know all of it."""
    return make_user(allow(["craton:RunStatement", "craton:ListRuns"]), allow("craton:ReadLineage", f"arn:aws:s3:::{history.bucket}"))


def test_runs_are_those_of_the_route(server, history, reader):
    found = api(server, reader, "runs", principal=history.users[0].user)["runs"]
    statement = "SELECT run, requests, reads, writes, denied, bytes_read, bytes_written, arrow_cast(first, 'Int64') AS a, arrow_cast(last, 'Int64') AS b FROM system.runs"
    asked = rows(server, reader, f"{statement} WHERE principal = '{history.users[0].user}'")
    names = ("run", "requests", "reads", "writes", "denied", "bytes_read", "bytes_written", "begun_micros", "last_micros")
    assert sorted(asked) == sorted(tuple(run[name] for name in names) for run in found) and asked
    # Who may not know others' is told their own, and refused if they ask for somebody's.
    own = history.users[1]
    assert {whose for (whose,) in rows(server, own, "SELECT DISTINCT principal FROM system.runs")} == {own.user}
    with pytest.raises(Refused) as refused:
        rows(server, own, f"SELECT * FROM system.runs WHERE principal = '{history.users[0].user}'")
    assert (refused.value.status, refused.value.reason) == (403, "AccessDenied")


def test_conditions_change_the_way_and_not_the_rows(server, history, reader):
    everything = rows(server, reader, f"SELECT {COLUMNS} FROM system.lineage WHERE bucket = '{history.bucket}'")
    assert len(everything) > 20
    user = history.users[0].user
    resource, version = next(row[3:5] for row in everything if row[2] == "write")
    has = {
        f"principal = '{user}'": lambda row: row[0] == user,
        "run = 'step 2'": lambda row: row[1] == "step 2",
        f"'{resource}' = resource": lambda row: row[3] == resource,
        f"version = {version}": lambda row: row[4] == version,
        "touch <> 'read'": lambda row: row[2] != "read",
    }
    names = list(has)
    for chosen in range(1, 1 << len(names)):
        conditions = [name for n, name in enumerate(names) if chosen >> n & 1]
        asked = rows(server, reader, f"SELECT {COLUMNS} FROM system.lineage WHERE bucket = '{history.bucket}' AND {' AND '.join(conditions)}")
        expected = [row for row in everything if all(has[name](row) for name in conditions)]
        assert sorted(asked) == sorted(expected), conditions
    assert rows(server, reader, f"SELECT count(*) FROM system.lineage WHERE run = 'step 1' AND run = 'step 2' AND bucket = '{history.bucket}'") == [(0,)]
    plan = str(rows(server, reader, f"EXPLAIN SELECT * FROM system.lineage WHERE resource = '{resource}'"))
    assert "StreamingTableExec" in plan


def test_recursion_finds_what_the_route_finds(server, history, reader):
    longest = 0
    for key in history.keys:
        found = api(server, reader, "lineage", resource=history.path(key))
        version = found["root"]["version"]
        if version is None:
            continue
        above = UPSTREAM.format(resource=history.path(key), version=version)
        assert set(rows(server, reader, above + "SELECT * FROM above")) == nodes(found) | {(history.path(key), version)}, key
        edges = f"""{above} , told AS (SELECT * FROM above)
            SELECT made.* FROM told JOIN (SELECT {COLUMNS} FROM system.lineage WHERE touch <> 'read') made
            ON made.resource = told.resource AND made.version = told.version"""
        assert set(rows(server, reader, edges)) == {edge for edge in told(found) if edge[2] != "read"}, key
        longest = max(longest, len(nodes(found)))
    assert longest > 5, "there is something to find"


def test_who_may_know(server, history, make_user):
    own = history.users[0]
    nobody, of_bucket = make_user(allow("craton:RunStatement")), make_user(allow("craton:RunStatement"), allow("craton:ReadLineage", f"arn:aws:s3:::{history.bucket}"))
    count = f"SELECT principal, count(*) FROM system.lineage WHERE bucket = '{history.bucket}' GROUP BY principal"
    assert rows(server, nobody, count) == []
    assert [whose for whose, _ in rows(server, own, count)] == [own.user]
    assert {whose for whose, _ in rows(server, of_bucket, count)} == {user.user for user in history.users}
    assert rows(server, of_bucket, f"SELECT * FROM system.lineage WHERE principal = '{own.user}' AND bucket <> '{history.bucket}'") == []
    # It is asked by permits of its own, and that is recorded.
    auditor = make_user(allow(["craton:RunStatement", "craton:ReadLedger"]))
    assert rows(server, auditor, f"SELECT DISTINCT operation, verdict FROM system.access WHERE principal = '{nobody.user}' AND action = 'craton:ReadLineage'") == [("ListLineage", "allow")]


def test_pages_follow_each_other(server, s3, make_user):
    """More edges than a page has, asked in every way there is to them."""
    bucket, user = unique("pages"), make_user(ALL, allow("craton:RunStatement"))
    s3.create_bucket(Bucket=bucket)
    mine = [named(client(server, user), f"run {n}") for n in range(3)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: mine[n % 3].put_object(Bucket=bucket, Key=f"k{n}", Body=b"x"), range(2400)))
        list(pool.map(lambda n: mine[0].put_object(Bucket=bucket, Key="one", Body=b"x"), range(1100)))
    for condition, expected in (
        (f"bucket = '{bucket}'", 3500),
        (f"principal = '{user.user}'", 3500),
        (f"principal = '{user.user}' AND run = 'run 0'", 1900),
        ("run = 'run 1'", 800),
        (f"resource = '/{bucket}/objects/one'", 1100),
        (f"resource = '/{bucket}/objects/one' AND run = 'run 0' AND principal = '{user.user}'", 1100),
    ):
        assert rows(server, user, f"SELECT count(*), count(DISTINCT version) FROM system.lineage WHERE {condition}") == [(expected, expected)], condition
    assert ask(server, user, "SELECT * FROM system.lineage LIMIT 7").num_rows == 7


def test_rules_find_what_the_route_finds(server, history):
    graph = f"{unique('rules')}/g"
    server.command("mb", graph.split("/")[0])
    # By root, who may know everything.
    server.command("graph", "load", graph, "--table", "system.lineage")
    root = Key(server.root.id, server.root.secret, "root")
    asked = {}
    for key in history.keys:
        for direction in ("upstream", "downstream"):
            found = api(server, root, "lineage", resource=history.path(key), direction=direction)
            if found["root"]["version"] is not None:
                asked[(direction, history.path(key), found["root"]["version"])] = found
    facts = "\n".join(f"({direction}-of {path} {version})" for direction, path, version in asked)
    assert call(server.root, server, "POST", f"{graph}/facts", facts.encode()).status_code == 200
    server.command("graph", "reason", graph, str(LIBRARY / "lineage.metta"))
    for (direction, path, version), found in asked.items():
        query = f"(, ({direction} {path} {version} $p $run $touch $resource $version)) (, ($p $run $touch $resource $version))"
        answer = call(server.root, server, "POST", f"{graph}/query", query.encode())
        assert answer.status_code == 200, answer.text
        lines = {line.strip("()").replace('"', "") for line in answer.text.splitlines()}
        expected = {f"{edge[0]} {edge[1]} {edge[2]} {edge[3]} {edge[4]}" for edge in told(found)}
        assert lines == expected, (direction, path)

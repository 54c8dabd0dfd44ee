"""Undoing runs and going back in time: objects, graphs, tables; what others did later is left alone and told; who may not is told nothing."""

import json
import threading
import time

import pyarrow as pa
import pytest

from conftest import allow, client
from server import Key, Server, unique
from sigv4 import Signer, send
from sql import ARROW
from test_budgets import ask as asked
from test_budgets import bearer
from test_iceberg import connect
from test_lineage import named

ALL = allow(["s3:*", "s3tables:*", "craton:ReadGraph", "craton:WriteGraph", "craton:RunStatement"])


def post(server: Server, key: Key, path: str, body: dict, status: int = 200) -> dict:
    request = Signer(server, key).request("POST", f"/_api/v1/{path}", "", [], json.dumps(body).encode())
    answer = send(server, request)
    assert answer.status == status, answer
    return json.loads(answer.body)


def undo(server: Server, key: Key, run: str, **more: object) -> dict[str, dict]:
    """All items, by resource, in small pages."""
    found, after = {}, None
    while True:
        page = post(server, key, "undo", {"run": run, "limit": 3, "after": after} | more)
        found |= {item["resource"]: item for item in page["items"]}
        after = page["next"]
        if not after:
            return found


def restore(server: Server, key: Key, path: str, at: float, **more: object) -> dict[str, dict]:
    found, after = {}, None
    while True:
        page = post(server, key, "restore", {"path": path, "at": int(at * 1e6), "limit": 3, "after": after} | more)
        found |= {item["resource"]: item for item in page["items"]}
        after = page["next"]
        if not after:
            return found


def states(found: dict[str, dict]) -> dict[str, str]:
    return {resource.rsplit("/", 1)[1]: item["state"] for resource, item in found.items()}


def content(s3, bucket: str) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {o["Key"]: s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for o in listed}


def moment() -> float:
    """A time between what was and what comes."""
    time.sleep(0.01)
    now = time.time()
    time.sleep(0.01)
    return now


@pytest.fixture(params=["unversioned", "enabled", "suspended"])
def kept(request, s3, bucket) -> str:
    """A bucket of each sort."""
    if request.param != "unversioned":
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=bucket, Key="old", Body=b"old")
    if request.param == "suspended":
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    return bucket


def test_objects_are_as_before_the_run(server, s3, kept, make_user):
    user, run = make_user(ALL), unique("run")
    s3.put_object(Bucket=kept, Key="changed", Body=b"before", Metadata={"a": "b"}, Tagging="x=y", ContentType="text/x")
    s3.put_object(Bucket=kept, Key="large", Body=b"z" * 3_000_000)
    s3.put_object(Bucket=kept, Key="deleted", Body=b"here")
    for n in range(4):
        s3.put_object(Bucket=kept, Key=f"many-{n}", Body=b"%d" % n)
    before, head = content(s3, kept), s3.head_object(Bucket=kept, Key="changed")
    mine = named(client(server, user), run)
    for body in (b"1", b"22", b"333"):
        mine.put_object(Bucket=kept, Key="changed", Body=body)
    mine.put_object(Bucket=kept, Key="large", Body=b"small")
    mine.put_object(Bucket=kept, Key="new", Body=b"new")
    mine.delete_object(Bucket=kept, Key="deleted")
    mine.delete_objects(Bucket=kept, Delete={"Objects": [{"Key": f"many-{n}"} for n in range(4)]})
    mine.copy_object(Bucket=kept, Key="copy", CopySource=f"{kept}/changed")
    after = content(s3, kept)

    looked = undo(server, user, run)
    assert set(states(looked).values()) == {"ready"} and len(looked) == 9, looked
    assert looked[f"/{kept}/objects/new"]["step"] == "delete"
    assert looked[f"/{kept}/objects/changed"] | {"step": "bring back", "written": 3} == looked[f"/{kept}/objects/changed"]
    assert content(s3, kept) == after, "looking changes nothing"

    assert set(states(undo(server, user, run, apply=True)).values()) == {"done"}
    assert content(s3, kept) == before
    now = s3.head_object(Bucket=kept, Key="changed")
    assert (now["ETag"], now["Metadata"], now["ContentType"]) == (head["ETag"], {"a": "b"}, "text/x")
    assert s3.get_object_tagging(Bucket=kept, Key="changed")["TagSet"] == [{"Key": "x", "Value": "y"}]
    assert set(states(undo(server, user, run, apply=True)).values()) == {"already"}, "twice is once"
    # It is a run like any other, and is undone like any other.
    assert set(states(undo(server, user, f"undo-{run}", apply=True)).values()) == {"done"}
    assert content(s3, kept) == after


def test_what_others_wrote_later_stays_and_is_told(server, s3, kept, make_user):
    user, other, run = make_user(ALL), make_user(ALL), unique("run")
    for key in ("mine", "theirs", "rewritten"):
        s3.put_object(Bucket=kept, Key=key, Body=b"before")
    mine = named(client(server, user), run)
    for key in ("mine", "theirs", "rewritten"):
        mine.put_object(Bucket=kept, Key=key, Body=b"run")
    later = unique("later")
    named(client(server, other), later).put_object(Bucket=kept, Key="theirs", Body=b"later")
    mine.put_object(Bucket=kept, Key="rewritten", Body=b"again")
    found = undo(server, user, run, apply=True)
    assert states(found) == {"mine": "done", "theirs": "later", "rewritten": "done"}
    by = found[f"/{kept}/objects/theirs"]["by"]
    # Whose run that was is another's lineage; who owns the version a listing tells.
    assert by["version"] and by["run"] is None and by["principal"] == other.user, by
    assert content(s3, kept) | {"old": b""} == {"mine": b"before", "theirs": b"later", "rewritten": b"before", "old": b""}
    by = undo(server, server.root, run, principal=user.user)[f"/{kept}/objects/theirs"]["by"]
    assert (by["principal"], by["run"]) == (other.user, later)


def test_who_may_not_does_nothing_and_is_told_nothing(server, s3, bucket, make_user):
    user, run = make_user(ALL), unique("run")
    s3.put_object(Bucket=bucket, Key="secret", Body=b"before")
    named(client(server, user), run).put_object(Bucket=bucket, Key="secret", Body=b"run")
    stranger = make_user(allow("s3:ListAllMyBuckets"))
    assert "secret" not in json.dumps(post(server, stranger, "undo", {"run": run, "principal": user.user}, 403))
    post(server, stranger, "restore", {"path": f"/{bucket}/objects/secret", "at": int(time.time() * 1e6)}, 403)
    post(server, stranger, "restore", {"path": f"/{bucket}/objects/*", "at": int(time.time() * 1e6)}, 403)
    # Who may know of runs, but not of this bucket's lineage.
    lister = make_user(allow("craton:ListRuns"))
    found = post(server, lister, "undo", {"run": run, "principal": user.user, "apply": True})
    assert (found["items"], found["hidden"]) == ([], 1)
    # Who may know of it, and not read the past; who may read it, and not write.
    for rights, state in ((["craton:*Run*", "craton:ReadLineage"], "denied"), (["craton:*Run*", "craton:ReadLineage", "s3:Get*"], "denied")):
        some = make_user(allow(rights))
        for apply in (False, True):
            items = post(server, some, "undo", {"run": run, "principal": user.user, "apply": apply})["items"]
            assert [item["state"] for item in items] == [state] and items[0]["by"] is None
    assert content(s3, bucket) == {"secret": b"run"}
    post(server, user, "undo", {"run": unique("none")}, 404)


def test_a_lease_of_another_is_in_the_way(server, s3, bucket, make_user):
    user, run = make_user(ALL), unique("run")
    named(client(server, user), run).put_object(Bucket=bucket, Key="a/k", Body=b"run")
    lease = post(server, server.root, "leases", {"paths": [{"bucket": bucket, "prefix": "a/", "mode": "exclusive"}], "seconds": 60})
    found = undo(server, user, run, apply=True)
    assert states(found) == {"k": "leased"}
    assert content(s3, bucket) == {"a/k": b"run"}
    request = Signer(server, server.root).request("DELETE", f"/_api/v1/leases/{lease['id']}", "")
    assert send(server, request).status == 200
    assert states(undo(server, user, run, apply=True)) == {"k": "done"}
    assert content(s3, bucket) == {}


def test_a_prefix_as_it_was(server, s3, kept, make_user):
    user = make_user(ALL)
    for n in range(8):
        s3.put_object(Bucket=kept, Key=f"p/{n}", Body=b"%d" % n)
    s3.put_object(Bucket=kept, Key="q", Body=b"q")
    then, at = content(s3, kept), moment()
    s3.put_object(Bucket=kept, Key="p/1", Body=b"changed")
    s3.delete_object(Bucket=kept, Key="p/2")
    s3.put_object(Bucket=kept, Key="p/9", Body=b"new")
    s3.put_object(Bucket=kept, Key="q", Body=b"changed")
    after, later = content(s3, kept), moment()
    path = f"/{kept}/objects/p/*"
    assert states(restore(server, user, path, at)) == {"1": "ready", "2": "ready", "9": "ready"}
    assert content(s3, kept) == after
    assert set(states(restore(server, user, path, at, apply=True)).values()) == {"done"}
    assert content(s3, kept) == then | {"q": b"changed"}
    assert restore(server, user, path, at, apply=True) == {}, "twice is once"
    assert states(restore(server, user, f"/{kept}/objects/q", at, apply=True)) == {"q": "done"}
    assert content(s3, kept) == then
    restore(server, user, f"/{kept}/objects/*", later, apply=True)
    assert content(s3, kept) == after, "and forward again"
    for path, at, reason in (
        (path, time.time() + 100, "InvalidTime"), (path, 1.0, "InvalidTime"), ("nonsense", at, "InvalidArgument"),
        (f"/{kept}/objects/.tables/x", at, "InvalidArgument"),
    ):
        refused = post(server, user, "restore", {"path": path, "at": int(at * 1e6)}, 400)
        assert refused["error"]["reason"] == reason, refused


def test_windows_of_buckets(server, s3, bucket, make_user):
    def window(**body: object) -> dict:
        path = f"/_api/v1/buckets/{bucket}/undo"
        data = json.dumps(body).encode() if body else b""
        answer = send(server, Signer(server, server.root).request("PUT" if body else "GET", path, "", [], data))
        assert answer.status == 200, answer
        return json.loads(answer.body)

    assert (window()["seconds"], window()["own"]) == (86400, False)
    server.command("bucket", "undo", bucket, "--window", "7d")
    assert (window()["seconds"], window()["own"]) == (7 * 86400, True)
    assert "604800 seconds (its own)" in server.command("bucket", "undo", bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    at = moment()
    s3.put_object(Bucket=bucket, Key="k", Body=b"after")
    window(seconds=0)
    time.sleep(0.1)
    server.command("audit", "checkpoint")
    collect = send(server, Signer(server, server.root).request("POST", "/_api/v1/collect", ""))
    assert collect.status == 200
    refused = post(server, server.root, "restore", {"path": f"/{bucket}/objects/k", "at": int(at * 1e6)}, 404)
    assert refused["error"]["reason"] == "UndoWindowPassed"
    server.command("bucket", "undo", bucket, "--as-server")
    # What is gone does not come back by a longer window.
    post(server, server.root, "restore", {"path": f"/{bucket}/objects/k", "at": int(at * 1e6)}, 404)
    user = make_user(allow("s3:*"))
    answer = send(server, Signer(server, user).request("PUT", f"/_api/v1/buckets/{bucket}/undo", "", [], b'{"seconds":1}'))
    assert answer.status == 403


def test_the_command(server, s3, bucket):
    run = unique("run")
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    mine = named(client(server), run)
    mine.put_object(Bucket=bucket, Key="k", Body=b"run")
    mine.put_object(Bucket=bucket, Key="l", Body=b"run")
    told = server.command("undo", "--run", run)
    assert "ready" in told and f"/{bucket}/objects/k" in told and content(s3, bucket)["k"] == b"run"
    client(server).put_object(Bucket=bucket, Key="l", Body=b"later")
    server.command("undo", "--run", run, "--apply", "--all-or-nothing", code=6)
    assert content(s3, bucket) == {"k": b"run", "l": b"later"}
    told = json.loads(server.command("undo", "--run", run, "--apply", "--json", code=6))
    assert {item["state"] for item in told["items"]} == {"done", "later"}
    assert content(s3, bucket) == {"k": b"before", "l": b"later"}
    server.command("restore", f"/{bucket}/objects/none", "--at", "yesterday", code=2)


def facts(server: Server, headers: dict, graph: str) -> list[str]:
    status, body, _ = asked(server, headers, "GET", f"/_graph/v1/{graph}/facts")
    assert status == 200, body
    return sorted(body.decode().split("\n"))


def load(server: Server, headers: dict, graph: str, text: str, **query: str) -> None:
    status, body, _ = asked(server, headers, "POST", f"/_graph/v1/{graph}/facts", text.encode())
    assert status < 300, body


def test_a_graph(server, bucket, make_user):
    user, run = make_user(ALL), unique("run")
    token, graph = bearer(server, user), f"{bucket}/g"
    mine = token | {"x-craton-run": run}
    load(server, token, graph, "(edge a b) (edge b c)")
    before, at = facts(server, token, graph), moment()
    # Many commits: what was is merged away.
    for n in range(40):
        load(server, mine, graph, f"(edge x{n} y) (node x{n})")
    status, _, _ = asked(server, mine, "POST", f"/_graph/v1/{graph}/compact")
    assert status < 300
    after = facts(server, token, graph)
    resource = f"/{bucket}/graphs/g"
    found = undo(server, user, run)
    assert found[resource]["state"] == "ready" and found[resource]["kind"] == "graph", found
    assert facts(server, token, graph) == after
    assert undo(server, user, run, apply=True)[resource]["state"] == "done"
    assert facts(server, token, graph) == before
    assert undo(server, user, run, apply=True)[resource]["state"] == "already"
    load(server, token, graph, "(edge later on)")
    assert undo(server, user, run, apply=True)[resource]["state"] == "later"
    assert restore(server, user, graph, at, apply=True)[resource]["state"] == "done"
    assert facts(server, token, graph) == before
    assert restore(server, user, graph, at, apply=True) == {}
    # And what was undone, again.
    assert states(undo(server, user, f"undo-{run}"))["g"] == "later"
    new = unique("run")
    load(server, token | {"x-craton-run": new}, f"{bucket}/made", "(a b)")
    assert undo(server, user, new, apply=True)[f"/{bucket}/graphs/made"]["step"] == "delete"
    assert facts(server, token, f"{bucket}/made") in ([], [""])


def rows(server: Server, headers: dict, table: str) -> list:
    """The rows, with the names of their columns."""
    headers = headers | {"content-type": "application/json", "accept": ARROW}
    body = json.dumps({"statement": f"select * from {table} order by 1"}).encode()
    status, answer, _ = asked(server, headers, "POST", "/_api/v1/sql", body)
    assert status == 200, answer
    return pa.ipc.open_stream(answer).read_all().to_pylist()


def sql(server: Server, headers: dict, statement: str) -> None:
    headers = headers | {"content-type": "application/json"}
    status, answer, _ = asked(server, headers, "POST", "/_api/v1/sql", json.dumps({"statement": statement}).encode())
    assert status == 200, answer


def test_tables(server, bucket, make_user):
    user, run = make_user(ALL), unique("run")
    token = bearer(server, user)
    mine = token | {"x-craton-run": run}
    kept, gone, made = (f'"{bucket}".ns.{name}' for name in ("kept", "gone", "made"))
    sql(server, token, f'create schema "{bucket}".ns')
    for table in (kept, gone):
        sql(server, token, f"create table {table} (a bigint, b varchar)")
        sql(server, token, f"insert into {table} values (1, 'x'), (2, 'y')")
    before, at = rows(server, token, kept), moment()
    sql(server, mine, f"insert into {kept} values (3, 'z')")
    sql(server, mine, f"delete from {kept} where a = 1")
    sql(server, mine, f"alter table {kept} add column c bigint")
    sql(server, mine, f"drop table {gone}")
    sql(server, mine, f"create table {made} (a bigint)")
    after = rows(server, token, kept)
    found = undo(server, user, run)
    tables = [item for item in found.values() if item["kind"] == "table"]
    assert sorted(item["step"] for item in tables) == ["bring back", "bring back", "drop"], found
    assert rows(server, token, kept) == after
    applied = undo(server, user, run, apply=True)
    assert {item["state"] for item in applied.values() if item["kind"] == "table"} == {"done"}, applied
    assert rows(server, token, kept) == before
    assert rows(server, token, gone) == before
    status, _, _ = asked(server, token, "GET", f"/_iceberg/v1/{bucket}/namespaces/ns/tables/made")
    assert status == 404
    # Undoing is undone, snapshots and all.
    undo(server, user, f"undo-{run}", apply=True)
    assert rows(server, token, kept) == after
    name = f"/{bucket}/tables/ns.kept"
    assert set(states(restore(server, user, name, at, apply=True)).values()) == {"done"}
    assert rows(server, token, kept) == before
    assert restore(server, user, name, at, apply=True) == {}
    assert set(states(restore(server, user, f"/{bucket}/tables/ns.gone", at, apply=True)).values()) == {"done"}
    assert rows(server, token, gone) == before


def test_pyiceberg_goes_on_after_undo(server, bucket, make_user):
    user, run = make_user(allow("*")), unique("run")
    catalog = connect(server, bucket, user, bearer=True)
    catalog.create_namespace("ns")
    first = pa.table({"id": pa.array([1, 2], pa.int64()), "name": ["a", "b"]})
    table = catalog.create_table("ns.t", schema=first.schema)
    table.append(first)
    before = table.refresh().scan().to_arrow().sort_by("id")
    mine = connect(server, bucket, user, bearer=True, **{"header.x-craton-run": run})
    of_run = mine.load_table("ns.t")
    of_run.append(first)
    of_run.delete("id = 1")
    assert table.refresh().scan().to_arrow().num_rows == 2
    found = undo(server, user, run, apply=True)
    assert "done" in {item["state"] for item in found.values() if item["kind"] == "table"}, found
    assert table.refresh().scan().to_arrow().sort_by("id") == before
    assert len(table.metadata.snapshots) >= 3, "what was undone stays listed"
    table.append(first)
    assert table.refresh().scan().to_arrow().num_rows == 4
    # A commit that comes later is never lost.
    again = undo(server, user, run, apply=True)
    assert "later" in {item["state"] for item in again.values() if item["kind"] == "table"}, again
    assert table.refresh().scan().to_arrow().num_rows == 4


def test_killed_in_the_middle_and_again(tmp_path):
    """An undo that is cut off leaves whole resources, and doing it again does the rest."""
    running = Server(tmp_path, "--memory", "256MiB").start()
    try:
        s3, bucket, run = client(running), unique("b"), unique("run")
        s3.create_bucket(Bucket=bucket)
        keys = [f"k{n:03}" for n in range(150)]
        for key in keys:
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode() * 10)
        before = content(s3, bucket)
        mine = named(client(running), run)
        for n, key in enumerate(keys):
            if n % 3:
                mine.put_object(Bucket=bucket, Key=key, Body=b"run")
            else:
                mine.delete_object(Bucket=bucket, Key=key)
        mine.put_object(Bucket=bucket, Key="new", Body=b"run")
        done = []

        def work() -> None:
            try:
                done.append(post(running, running.root, "undo", {"run": run, "apply": True}))
            except Exception as error:  # noqa: BLE001: it is cut off
                done.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.15)
        running.kill()
        thread.join()
        running.start()
        s3 = client(running)
        found = undo(running, running.root, run, apply=True)
        assert set(states(found).values()) <= {"done", "already"} and len(found) == 151, states(found)
        assert content(s3, bucket) == before
        assert set(states(undo(running, running.root, run, apply=True)).values()) == {"already"}
        running.stop()
    finally:
        running.kill()


def test_named_keys_seal_again(server, s3, bucket):
    run, name = unique("run"), unique("key")
    server.command("keys", "add", name)
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": name}
    s3.put_object(Bucket=bucket, Key="k", Body=b"before" * 10_000, **kms)
    tag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    named(client(server), run).put_object(Bucket=bucket, Key="k", Body=b"run")
    assert states(undo(server, server.root, run, apply=True)) == {"k": "done"}
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == b"before" * 10_000 and found["ServerSideEncryption"] == "aws:kms" and found["ETag"] == tag

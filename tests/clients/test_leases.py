"""Leases: what one keeps from whom, on every door, and when that ends."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from server import Key, Server
from sigv4 import Signer, send
from test_graph import call as graph_call
from test_iam import code
from test_iceberg_door import Door, kind

WRITES = ["s3:*", "s3tables:*", "craton:WriteGraph", "craton:ReadGraph", "craton:LeaseObjects", "craton:LeaseGraph", "craton:LeaseBucket"]


@pytest.fixture
def two(make_user) -> tuple[Key, Key]:
    return make_user(allow(WRITES)), make_user(allow(WRITES))


def ask(server: Server, key: Key, method: str, path: str = "", body: dict | None = None, lease: str = ""):
    data = b"" if body is None else json.dumps(body).encode()
    return send(server, Signer(server, key).request(method, f"/_api/v1/leases{path}", body=data))


def acquire(server: Server, key: Key, *paths: dict, seconds: int = 60, purpose: str = "") -> dict:
    answer = ask(server, key, "POST", "", {"paths": list(paths), "seconds": seconds, "purpose": purpose})
    assert answer.status == 200, answer
    return json.loads(answer.body)


def under(s3, lease: dict):
    """The same client, whose requests stand under the lease."""
    s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("x-craton-lease", lease["id"]))
    return s3


def refused(attempt) -> str:
    with pytest.raises(ClientError) as error:
        attempt()
    assert (code(error), error.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("OperationAborted", 409)
    return error.value.response["Error"]["Message"]


def exclusive(bucket: str, **of: str) -> dict:
    return {"bucket": bucket, "mode": "exclusive"} | of


def test_an_exclusive_lease_keeps_others_from_writing(server, bucket, two):
    holder, other = two
    lease = acquire(server, holder, exclusive(bucket, prefix="a/"), purpose="training")
    theirs, mine = client(server, other), client(server, holder)
    said = refused(lambda: theirs.put_object(Bucket=bucket, Key="a/k", Body=b"x"))
    assert holder.user in said and "until" in said
    refused(lambda: mine.put_object(Bucket=bucket, Key="a/k", Body=b"x"))
    under(client(server, holder), lease).put_object(Bucket=bucket, Key="a/k", Body=b"x")
    theirs.put_object(Bucket=bucket, Key="b/k", Body=b"x")
    assert theirs.get_object(Bucket=bucket, Key="a/k")["Body"].read() == b"x", "who only reads waits for nobody"
    refused(lambda: under(client(server, other), lease).put_object(Bucket=bucket, Key="a/k", Body=b"y"))
    refused(lambda: theirs.delete_object(Bucket=bucket, Key="a/k"))
    assert ask(server, holder, "DELETE", f"/{lease['id']}").status == 200
    theirs.put_object(Bucket=bucket, Key="a/k", Body=b"z")
    refused(lambda: under(client(server, holder), lease).put_object(Bucket=bucket, Key="a/k", Body=b"late"))


def test_it_works_across_doors(server, bucket, two):
    holder, other = two
    door = Door(server, bucket, other)
    door.table()
    lease = acquire(server, holder, exclusive(bucket, table="ns.t"), exclusive(bucket, graph="g"))
    answer = door.commit([{"action": "set-properties", "updates": {"a": "b"}}])
    assert kind(answer) == (409, "CommitFailedException") and holder.user in answer.body.decode()
    assert graph_call(other, server, "POST", f"{bucket}/g/facts", b"(a b)").status_code == 409
    assert graph_call(other, server, "POST", f"{bucket}/h/facts", b"(a b)").status_code == 200
    assert ask(server, holder, "DELETE", f"/{lease['id']}").status == 200
    assert door.commit([{"action": "set-properties", "updates": {"a": "b"}}]).status == 200
    assert graph_call(other, server, "POST", f"{bucket}/g/facts", b"(a b)").status_code == 200


def test_all_or_nothing_and_shared_beside_shared(server, bucket, two):
    holder, other = two
    shared = {"bucket": bucket, "mode": "shared", "prefix": "a/"}
    first = acquire(server, holder, shared)
    second = acquire(server, other, shared)
    assert second["token"] > 0 and first["id"] != second["id"]
    refused(lambda: client(server, other).put_object(Bucket=bucket, Key="a/k", Body=b"x"))
    both = {"paths": [exclusive(bucket, prefix="b/"), exclusive(bucket, prefix="a/x/")], "seconds": 60}
    answer = ask(server, other, "POST", "", both)
    assert answer.status == 409 and b"until" in answer.body
    acquire(server, holder, exclusive(bucket, prefix="b/"))
    for lease, key in ((first, holder), (second, other)):
        assert ask(server, key, "DELETE", f"/{lease['id']}").status == 200
    again = acquire(server, other, exclusive(bucket, prefix="a/"))
    assert again["token"] > max(first["token"], second["token"])


def test_it_ends_on_time_unless_it_is_renewed(server, bucket, two):
    holder, other = two
    short = acquire(server, holder, exclusive(bucket, prefix="a/"), seconds=1)
    longer = acquire(server, holder, exclusive(bucket, prefix="b/"), seconds=1)
    assert ask(server, holder, "PUT", f"/{longer['id']}", {"seconds": 60}).status == 200
    theirs = client(server, other)
    refused(lambda: theirs.put_object(Bucket=bucket, Key="a/k", Body=b"x"))
    time.sleep(1.1)
    theirs.put_object(Bucket=bucket, Key="a/k", Body=b"x")
    refused(lambda: theirs.put_object(Bucket=bucket, Key="b/k", Body=b"x"))
    assert ask(server, holder, "PUT", f"/{short['id']}", {"seconds": 60}).status == 403, "it is over"
    listed = {lease["id"] for lease in json.loads(ask(server, server.root, "GET").body)["leases"]}
    assert longer["id"] in listed and short["id"] not in listed


def test_who_may(server, bucket, two, make_user):
    holder, other = two
    lease = acquire(server, holder, exclusive(bucket, prefix="a/"))
    for method, path, body in (("PUT", f"/{lease['id']}", {"seconds": 60}), ("DELETE", f"/{lease['id']}", None), ("POST", f"/{lease['id']}/break", None), ("GET", "", None)):
        assert ask(server, other, method, path, body).status == 403
    reader = make_user(allow(["s3:GetObject", "craton:LeaseObjects"], f"arn:aws:s3:::{bucket}/mine/*"))
    assert ask(server, reader, "POST", "", {"paths": [exclusive(bucket, prefix="b/")], "seconds": 1}).status == 403
    acquire(server, reader, exclusive(bucket, prefix="mine/x/"), seconds=1)
    assert ask(server, server.root, "POST", f"/{lease['id']}/break").status == 200
    client(server, other).put_object(Bucket=bucket, Key="a/k", Body=b"x")
    for wrong in ({"paths": [], "seconds": 1}, {"paths": [exclusive(bucket)], "seconds": 0}, {"paths": [exclusive(bucket)], "seconds": 86_401},
                  {"paths": [exclusive(bucket, key="a", prefix="b")], "seconds": 1}, {"paths": [{"bucket": bucket, "mode": "alone"}], "seconds": 1}):
        assert ask(server, holder, "POST", "", wrong).status == 400, wrong


def test_leases_survive_a_kill(tmp_path):
    server = Server(tmp_path, "--memory", "64MiB").start()
    try:
        s3 = client(server)
        s3.create_bucket(Bucket="held")
        lease = acquire(server, server.root, exclusive("held", prefix="a/"))
        short = acquire(server, server.root, exclusive("held", prefix="s/"), seconds=1)
        gone = acquire(server, server.root, exclusive("held", prefix="b/"))
        assert ask(server, server.root, "DELETE", f"/{gone['id']}").status == 200
        server.kill()
        time.sleep(1)
        server.start()
        s3 = client(server)
        refused(lambda: s3.put_object(Bucket="held", Key="a/k", Body=b"x"))
        under(client(server), lease).put_object(Bucket="held", Key="a/k", Body=b"x")
        for prefix in ("b", "s"):
            s3.put_object(Bucket="held", Key=f"{prefix}/k", Body=b"x")
        assert short["token"] < acquire(server, server.root, exclusive("held", prefix="s/"))["token"]
    finally:
        server.kill()


def test_the_command(server, bucket):
    taken = json.loads(server.command("lease", "take", f"{bucket}/a/", f"{bucket}/one", "--graph", f"{bucket}/g", "--purpose", "by hand", "--json"))
    assert [path["path"] for path in taken["paths"]] == [f"/{bucket}/objects/a/*", f"/{bucket}/objects/one", f"/{bucket}/graphs/g"]
    assert {path["mode"] for path in taken["paths"]} == {"exclusive"}
    refused(lambda: client(server).put_object(Bucket=bucket, Key="a/k", Body=b"x"))
    server.command("lease", "take", f"{bucket}/a/b", "--shared", code=7)
    renewed = json.loads(server.command("lease", "renew", taken["id"], "--seconds", "1200", "--json"))
    assert renewed["until_micros"] > taken["until_micros"] and renewed["token"] == taken["token"]
    assert "by hand" in server.command("lease", "list")
    server.command("lease", "release", taken["id"])
    second = json.loads(server.command("lease", "take", bucket, "--shared", "--json"))
    server.command("lease", "break", second["id"])
    server.command("lease", "release", second["id"], code=3)
    assert second["id"] not in server.command("lease", "list")

"""Forgetting a principal: its records do not open any more, its runs have no name, and everything else stays as it was."""

import json
import time

from conftest import allow, client
from server import Key, Server, unique
from sigv4 import Signer, send
from test_lineage import ALL, api, edges, named, run_of


def test_who_is_forgotten_is_in_no_record_and_no_run(server, bucket, s3, make_user):
    person, other = make_user(ALL), make_user(ALL)
    run, later = unique("anas-notebook"), unique("later")
    s3.put_object(Bucket=bucket, Key="in", Body=b"x")
    mine = named(client(server, person), run)
    mine.get_object(Bucket=bucket, Key="in")["Body"].read()
    mine.put_object(Bucket=bucket, Key="out", Body=b"x")
    named(client(server, other), later).put_object(Bucket=bucket, Key="result", Body=client(server, other).get_object(Bucket=bucket, Key="out")["Body"].read())
    known = api(server, server.root, "lineage", resource=f"/{bucket}/objects/out")
    before = run_of(server, person, run)
    assert len(before["edges"]) == 2

    assert may_not_erase(server, other, person.user)
    said = server.command("audit", "erase", person.user)
    assert "1 runs" in said, said
    assert api(server, server.root, "runs", principal=person.user)["runs"] == []
    assert person.user not in json.dumps(api(server, server.root, "ledger/records", limit=1000, bucket=bucket))
    after = api(server, server.root, "lineage", resource=f"/{bucket}/objects/out")
    assert {e["principal"].split(":")[0] for e in after["edges"]} == {"erased"} and run not in json.dumps(after)
    assert edges(after) == edges(known), "what was done stays, who did it does not"
    named_so = after["edges"][0]
    found = api(server, server.root, f"runs/{named_so['run']}", principal=named_so["principal"])
    assert (found["reads"], found["writes"], found["purpose"], found["session"]) == (before["reads"], before["writes"], "", "")
    assert "ledger verifies" in server.command("audit", "verify")
    # Nothing is left of the name; who comes under it later is somebody new.
    assert "Nothing is recorded" in server.command("audit", "erase", unique("nobody"))
    named(client(server, person), run).get_object(Bucket=bucket, Key="in")["Body"].read()
    assert run_of(server, person, run)["reads"] == 1


def may_not_erase(server: Server, key: Key, principal: str) -> bool:
    body = json.dumps({"principal": principal}).encode()
    return send(server, Signer(server, key).request("POST", "/_api/v1/ledger/erase", "", [], body)).status == 403


def test_old_lineage_goes_by_itself(tmp_path):
    server = Server(tmp_path, "--memory", "64MiB", "--lineage-retention", "3s").start()
    try:
        s3 = client(server)
        s3.create_bucket(Bucket="data")
        for name in ("old", "long"):
            named(client(server), name).put_object(Bucket="data", Key=name, Body=b"x")
        assert {run["run"] for run in api(server, server.root, "runs")["runs"]} == {"old", "long"}
        time.sleep(4)
        named(client(server), "long").put_object(Bucket="data", Key="new", Body=b"x")
        assert send(server, Signer(server, server.root).request("POST", "/_api/v1/collect")).status == 200
        assert [run["run"] for run in api(server, server.root, "runs")["runs"]] == ["long"]
        found = api(server, server.root, "runs/long", principal="root")
        assert [edge["resource"] for edge in found["edges"]] == ["/data/objects/new"]
        assert api(server, server.root, "lineage", resource="/data/objects/old")["edges"] == []
        server.stop()
    finally:
        server.kill()

"""The delete shield: on every door and every route an agent destroys nothing that somebody else has not approved, and then once."""

import json
import re
import time

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from pyiceberg.exceptions import ForbiddenError

from conftest import allow, client, new_user
from server import REGION, Key, Server, unique
from sigv4 import Signer, send
from sql import Refused
from sql import rows as sql_rows
from test_graph import call as graph_call
from test_iam import code, service
from test_iceberg import ROWS, connect
from test_iceberg import rows as people
from test_iceberg_door import Door
from test_mcp import Agent
from test_pg import connect as pg_connect
from test_routes import ROUTES, Sent

POLICY = {"Version": "2012-10-17", "Statement": [{"Sid": "own", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::BUCKET/closed/*"}]}
RULES = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}}]}


def api(server: Server, key: Key, method: str, path: str, body: dict | None = None, query: str = ""):
    data = b"" if body is None else json.dumps(body).encode()
    return send(server, Signer(server, key).request(method, f"/_api/v1/{path}", query, body=data))


def shield(server: Server, bucket: str, *more: str) -> None:
    server.command("bucket", "shield", bucket, "--hold", "1h", *more)


def tagged(server: Server, key: Key) -> Key:
    service(server, "iam").tag_user(UserName=key.user, Tags=[{"Key": "craton:agent", "Value": "true"}])
    return key


@pytest.fixture
def agent(server, make_user) -> Key:
    return tagged(server, make_user(allow("*")))


@pytest.fixture
def person(make_user) -> Key:
    return make_user(allow("*"))


def waiting(server: Server, bucket: str) -> list[dict]:
    answer = api(server, server.root, "GET", "pending", query=f"bucket={bucket}")
    assert answer.status == 200, answer
    return [p for p in json.loads(answer.body)["pending"] if p["state"] == "waiting"]


def approve(server: Server, person: Key, bucket: str, count: int = 1) -> None:
    found = waiting(server, bucket)
    assert len(found) == count, found
    for pending in found:
        answer = api(server, person, "POST", f"pending/{pending['id']}/approve")
        assert (answer.status, json.loads(answer.body)["state"]) == (200, "approved"), answer


def held(attempt) -> str:
    """What an attempt at S3 is told: the id of what waits."""
    with pytest.raises(ClientError) as error:
        attempt()
    answer = error.value.response
    assert (code(error), answer["ResponseMetadata"]["HTTPStatusCode"]) == ("OperationPending", 403)
    named = answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-pending"]
    assert named in answer["Error"]["Message"]
    return named


def test_s3_waits_for_somebody_else(server, bucket, s3, agent, person):
    mine = client(server, agent)
    shield(server, bucket)
    policy = json.dumps(POLICY).replace("BUCKET", bucket)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    attempts = [
        lambda: mine.delete_object(Bucket=bucket, Key="plain"),
        lambda: mine.put_bucket_policy(Bucket=bucket, Policy=policy),
        lambda: mine.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=RULES),
        lambda: mine.put_bucket_acl(Bucket=bucket, ACL="private"),
        lambda: mine.delete_public_access_block(Bucket=bucket),
    ]
    for attempt in attempts[:3] + attempts[4:]:
        first = held(attempt)
        assert held(attempt) == first, "the same request is the same operation"
        answer = api(server, agent, "POST", f"pending/{first}/approve")
        assert (answer.status, json.loads(answer.body)["error"]["reason"]) == (403, "AgentsDoNotApprove")
        assert api(server, agent, "GET", f"pending/{first}").status == 200, "who asked may see it"
        approve(server, person, bucket)
        attempt()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"one")["VersionId"]
    mine.delete_object(Bucket=bucket, Key="a")
    marker = s3.list_object_versions(Bucket=bucket, Prefix="a")["DeleteMarkers"][0]["VersionId"]
    mine.delete_object(Bucket=bucket, Key="a", VersionId=marker)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"one"
    destroy = lambda: mine.delete_object(Bucket=bucket, Key="a", VersionId=version)  # noqa: E731
    pending = held(destroy)
    shown = json.loads(api(server, person, "GET", f"pending/{pending}").body)
    assert (shown["principal"], shown["operation"], shown["door"]) == (agent.user, "DeleteObject", "s3")
    assert [(t["sort"], t["name"]) for t in shown["destroys"]] == [("version", "a")]
    approve(server, person, bucket)
    destroy()
    assert "Versions" not in s3.list_object_versions(Bucket=bucket, Prefix="a")
    suspend = lambda: mine.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})  # noqa: E731
    held(suspend)
    held(lambda: mine.delete_bucket(Bucket=bucket))
    # Who is no agent is not held, and the worker that a lifecycle rule starts is none.
    client(server, person).put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def test_of_several_each_waits_for_itself(server, bucket, s3, agent, person):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = {key: s3.put_object(Bucket=bucket, Key=key, Body=b"x")["VersionId"] for key in ("a", "b")}
    shield(server, bucket)
    mine = client(server, agent)
    objects = [{"Key": key, "VersionId": version} for key, version in versions.items()] + [{"Key": "a"}]
    answer = mine.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("a", "OperationPending"), ("b", "OperationPending")]
    assert [d["Key"] for d in answer["Deleted"]] == ["a"], "a marker destroys nothing"
    ids = [re.search(r"P[0-9A-F]{16}", e["Message"])[0] for e in answer["Errors"]]
    server.command("pending", "approve", ids[0])
    server.command("pending", "reject", ids[1])
    answer = mine.delete_objects(Bucket=bucket, Delete={"Objects": objects[:2]})
    assert ([d["Key"] for d in answer["Deleted"]], [e["Code"] for e in answer["Errors"]]) == (["a"], ["OperationRejected"])
    assert "rejected" in server.command("pending", "list", "--bucket", bucket)


def test_a_null_version_with_what_it_superseded(server, bucket, s3, agent, person):
    """It takes several commits: none of them is made before the approval."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    for n in range(3):
        s3.put_object(Bucket=bucket, Key="n", Body=b"%d" % n)
    shield(server, bucket)
    destroy = lambda: client(server, agent).delete_object(Bucket=bucket, Key="n", VersionId="null")  # noqa: E731
    held(destroy)
    approve(server, person, bucket)
    destroy()
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="n", Body=b"again")
    held(lambda: client(server, agent).delete_object(Bucket=bucket, Key="n"))


def test_tables_by_iceberg_sql_and_psql(server, bucket, agent, person):
    catalog = connect(server, bucket)
    catalog.create_namespace("ns")
    for name in ("t", "u", "v"):
        catalog.create_table(f"ns.{name}", ROWS).append(people("ana"))
    shield(server, bucket)
    theirs = connect(server, bucket, agent)
    for drop in (theirs.drop_table, theirs.purge_table):
        with pytest.raises(ForbiddenError) as refused:
            drop("ns.t")
        assert "P" in str(refused.value) and "waits" in str(refused.value)
    sql = lambda statement: sql_rows(server, agent, statement, bucket=bucket, namespace="ns")  # noqa: E731
    # What a statement takes away is in the snapshot before.
    sql("DELETE FROM u")
    with pytest.raises(Refused) as refused:
        sql("DROP TABLE u")
    assert (refused.value.status, refused.value.reason) == (403, "OperationPending")
    with pg_connect(server, agent, f"{bucket}/ns") as psql:
        with pytest.raises(psycopg.Error) as error:
            psql.execute("DROP TABLE v")
        assert error.value.sqlstate == "55000" and "waits" in str(error.value)
    with pytest.raises(ForbiddenError):
        theirs.drop_table("ns.v")
    approve(server, person, bucket, 3)
    theirs.load_table("ns.t").append(people("bob"))
    with pytest.raises(ForbiddenError):
        theirs.drop_table("ns.t")
    assert [p["destroys"][0]["name"] for p in waiting(server, bucket)] == ["ns.t"], "it has changed since"
    sql("DROP TABLE u")
    theirs.drop_table("ns.v")
    assert [name for _, name in catalog.list_tables("ns")] == ["t"]
    files = [o["Key"] for o in client(server).list_objects_v2(Bucket=bucket, Prefix=".tables/")["Contents"]]
    for key in files:
        with pytest.raises(ClientError):
            client(server, agent).delete_object(Bucket=bucket, Key=key)


def test_graphs_and_tools(server, bucket, agent, person):
    assert graph_call(agent, server, "POST", f"{bucket}/g/facts", b"(a b) (a c)").status_code == 200
    shield(server, bucket)
    assert graph_call(agent, server, "POST", f"{bucket}/g/program", b"(exec 0 (, (a c)) (O (- (a c))))").status_code == 200
    cleared = graph_call(agent, server, "DELETE", f"{bucket}/g")
    assert (cleared.status_code, cleared.json()["error"]["reason"]) == (403, "OperationPending")
    assert "(a b)" in graph_call(agent, server, "GET", f"{bucket}/g/facts").text
    Door(server, bucket).table()
    refused = Agent(server, agent).refused("sql", statement=f'DROP TABLE "{bucket}".ns.t')
    assert "waits" in json.dumps(refused), refused
    approve(server, person, bucket, 2)
    assert graph_call(agent, server, "DELETE", f"{bucket}/g").status_code == 200
    assert "(a b)" not in graph_call(agent, server, "GET", f"{bucket}/g/facts").text


def test_for_everyone_and_for_a_person(server, bucket, s3, agent, person, make_user):
    """The person that an agent acts for may approve; nobody else of the chain."""
    key = make_user(allow("*"))
    sts = service(server, "sts", key)
    trust = {"Version": "2012-10-17", "Statement": [allow(["sts:AssumeRole", "sts:TagSession"]) | {"Principal": {"AWS": "*"}}]}
    del trust["Statement"][0]["Resource"]
    iam, role = service(server, "iam"), unique("role")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("*")]}))
    made = sts.assume_role(RoleArn=arn, RoleSessionName="session", Tags=[{"Key": "craton:acting-for", "Value": person.user}])["Credentials"]
    acting = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"], aws_session_token=made["SessionToken"],
    )
    shield(server, bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    pending = held(lambda: acting.delete_object(Bucket=bucket, Key="a"))
    shown = json.loads(api(server, person, "GET", f"pending/{pending}").body)
    assert (shown["principal"], shown["chain"]) == (f"role/{role}", [person.user])
    answer = api(server, key, "POST", f"pending/{pending}/approve")
    assert (answer.status, json.loads(answer.body)["error"]["reason"]) == (403, "OwnOperation"), "by whose key the role was taken"
    assert api(server, person, "POST", f"pending/{pending}/approve").status == 200
    acting.delete_object(Bucket=bucket, Key="a")
    shield(server, bucket, "--everyone")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    held(lambda: s3.delete_object(Bucket=bucket, Key="a"))
    answer = api(server, server.root, "DELETE", f"buckets/{bucket}/shield")
    assert (answer.status, answer.headers["x-craton-pending"]) == (403, waiting(server, bucket)[1]["id"])
    server.command("bucket", "shield", bucket, "--off", code=4)
    assert "everyone" in server.command("bucket", "shield", bucket)
    approve(server, person, bucket, 2)
    server.command("bucket", "shield", bucket, "--off")
    assert "no shield" in server.command("bucket", "shield", bucket)


def test_it_outlives_a_kill(tmp_path):
    server = Server(tmp_path, "--memory", "64MiB").start()
    try:
        agent, person = tagged(server, new_user(server, tmp_path, allow("*"))), new_user(server, tmp_path, allow("*"))
        s3, mine = client(server), client(server, agent)
        s3.create_bucket(Bucket="data")
        shield(server, "data")
        for key in ("a", "b"):
            s3.put_object(Bucket="data", Key=key, Body=b"x")
        pending = held(lambda: mine.delete_object(Bucket="data", Key="a"))
        assert api(server, person, "POST", f"pending/{pending}/approve").status == 200
        other = held(lambda: mine.delete_object(Bucket="data", Key="b"))
        server.kill()
        server.start()
        mine = client(server, agent)
        assert held(lambda: mine.delete_object(Bucket="data", Key="b")) == other
        mine.delete_object(Bucket="data", Key="a")
        server.kill()
        server.start()
        client(server).put_object(Bucket="data", Key="a", Body=b"x")
        held(lambda: client(server, agent).delete_object(Bucket="data", Key="a"))
        records = json.loads(send(server, Signer(server, server.root).request("GET", "/_api/v1/ledger/records", "limit=1000")).body)["records"]
        told = [r["operation"] for r in reversed(records) if r.get("resource", "").startswith("/system/pending/") and "action" not in r]
        assert told == ["HoldOperation", "ApproveOperation", "HoldOperation", "HoldOperation"]
        server.stop()
    finally:
        server.kill()


class Whole:
    """Everything in a bucket that could be destroyed, as root sees it."""

    def __init__(self, server: Server, bucket: str, versioned: bool):
        s3, door = client(server), Door(server, bucket)
        listed = s3.list_object_versions(Bucket=bucket).get("Versions", [])
        # In a bucket that keeps no versions a write takes the place of what was there.
        self.versions = {(v["Key"], v["VersionId"] if versioned else "", v["ETag"] if versioned else "") for v in listed}
        self.facts = set(graph_call(server.root, server, "GET", f"{bucket}/g/facts").text.splitlines())
        self.pins = {p["pin"] for p in graph_call(server.root, server, "GET", f"{bucket}/g/snapshots").json()["pins"]}
        self.tables = {t["name"] for t in door.did("GET", "namespaces/x/tables")["identifiers"]}
        self.views = {t["name"] for t in door.did("GET", "namespaces/x/views")["identifiers"]}
        self.documents = {
            "policy": s3.get_bucket_policy(Bucket=bucket)["Policy"],
            "lifecycle": s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
            "acl": s3.get_bucket_acl(Bucket=bucket)["Grants"],
            "block": s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
            "owners": s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"],
            "versioning": s3.get_bucket_versioning(Bucket=bucket).get("Status"),
            "shield": api(server, server.root, "GET", f"buckets/{bucket}/shield").body,
        }

    def is_within(self, later: "Whole") -> None:
        assert self.versions <= later.versions, self.versions - later.versions
        assert self.facts <= later.facts, self.facts - later.facts
        assert self.pins <= later.pins
        assert self.tables <= later.tables and self.views <= later.views
        assert self.documents == later.documents


VIEW = {
    "name": "v", "schema": {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]},
    "view-version": {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": ["x"],
                     "representations": [{"type": "sql", "sql": "select 1 as id", "dialect": "craton"}]}, "properties": {},
}


def filled(server: Server, versioned: bool) -> str:
    """A bucket of its own with one of everything, under a shield."""
    s3, bucket = client(server), unique("whole")
    s3.create_bucket(Bucket=bucket)
    door = Door(server, bucket)
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="k", Body=content)
    door.did("POST", "namespaces", {"namespace": ["x"]})
    door.did("POST", "namespaces/x/tables", {"name": "x", "schema": VIEW["schema"]})
    door.did("POST", "namespaces/x/views", VIEW)
    for facts in (b"(a b)", b"(a c) (kept x)"):
        assert graph_call(server.root, server, "POST", f"{bucket}/g/facts", facts).status_code == 200
    assert graph_call(server.root, server, "POST", f"{bucket}/g/snapshots", pin="x").status_code == 200
    assert graph_call(server.root, server, "POST", f"{bucket}/g/program", b"(exec 0 (, (a b)) (O (- (a b)) (+ (a d))))").status_code == 200
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(POLICY).replace("BUCKET", bucket))
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=RULES)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    shield(server, bucket)
    return bucket


@pytest.mark.parametrize("versioned", [False, True], ids=["unversioned", "versioned"])
def test_no_route_destroys_anything(server, agent, person, versioned):
    """Each route of the table, asked by an agent that may everything: what was there is there after."""
    bucket = filled(server, versioned)
    door, before = Door(server, bucket), Whole(server, bucket, versioned)
    routes = [r for r in ROUTES if r[0] in ("s3", "api", "graph", "iceberg") and r[2] != "-"]
    # What is no bucket's: keys, users, the system.
    routes = [r for r in routes if r[0] != "api" or re.search(r"\{bucket\}|pending|collect|leases|sql", r[-1])]
    if not versioned:
        # What keeps more than before destroys nothing.
        routes = [r for r in routes if r[1] not in ("PutBucketVersioning", "PutObjectLockConfiguration")]
    assert len(routes) > 150
    asked = set()
    for route in routes:
        sent = Sent(route, bucket)
        answer = send(server, sent.signed(server, agent))
        assert answer.status < 500, (route, answer)
        asked |= {sent.operation} if "x-craton-pending" in answer.headers else set()
        if sent.operation in ("RenameTable", "RenameView") and answer.status == 204:
            of = "tables" if sent.operation == "RenameTable" else "views"
            back = {"source": {"namespace": ["x"], "name": "y"}, "destination": {"namespace": ["x"], "name": "x"}}
            assert door.ask("POST", f"{of}/rename", back).status == 204
        if sent.method in ("PUT", "POST", "DELETE"):
            before.is_within(Whole(server, bucket, versioned))
    if versioned:
        mine = client(server, agent)
        for version in client(server).list_object_versions(Bucket=bucket, Prefix="k")["Versions"]:
            # Some are locked by now, which comes first.
            with pytest.raises(ClientError) as refused:
                mine.delete_object(Bucket=bucket, Key="k", VersionId=version["VersionId"])
            assert code(refused) in ("OperationPending", "AccessDenied")
        # The bucket locks objects by now, so that nobody may.
        with pytest.raises(ClientError) as refused:
            mine.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        assert code(refused) == "InvalidBucketState"
    assert "x-craton-pending" in Door(server, bucket, agent).ask("DELETE", "namespaces/x/views/v").headers
    before.is_within(Whole(server, bucket, versioned))
    assert asked == {
        "DeleteBucketLifecycle", "DeleteBucketOwnershipControls", "DeleteBucketPolicy", "DeleteBucket", "DeletePublicAccessBlock",
        "PutBucketLifecycleConfiguration", "PutBucketOwnershipControls", "PutBucketPolicy", "PutPublicAccessBlock", "RemoveBucketShield",
        "ClearGraph", "UnpinSnapshot", "DropTable", "UnregisterTable", "PinSnapshot", "PutBucketAcl",
    } | (set() if versioned else {"DeleteObject", "DeleteObjects"}), asked
    assert len(waiting(server, bucket)) <= 30


def test_what_is_wrong_is_said(server, bucket, agent, person):
    for body, reason in (({"hold_seconds": 0}, "InvalidHold"), ({"hold_seconds": 2592001}, "InvalidHold"), ({"hold_seconds": 1, "holds": "x"}, "InvalidArgument"), ({}, "MalformedBody")):
        answer = api(server, server.root, "PUT", f"buckets/{bucket}/shield", body)
        assert (answer.status, json.loads(answer.body)["error"]["reason"]) == (400, reason), answer
    assert api(server, server.root, "GET", "pending/P0").status == 404
    assert api(server, person, "POST", "pending/P0/approve").status == 404
    assert json.loads(api(server, server.root, "GET", f"buckets/{bucket}/shield").body) == {"shield": None}
    shield(server, bucket)
    client(server).put_object(Bucket=bucket, Key="a", Body=b"x")
    held(lambda: client(server, agent).delete_object(Bucket=bucket, Key="a"))
    assert len(waiting(server, bucket)) == 1 and time.time() * 1e6 < waiting(server, bucket)[0]["until_micros"]

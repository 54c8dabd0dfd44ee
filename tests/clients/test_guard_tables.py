"""Guard policies about tables, columns and graphs, by name and by label; agents and sessions; what they name that is not there."""

import json
import time

import pyarrow as pa
import pytest
from pyiceberg.exceptions import ForbiddenError

import ledger
from conftest import allow, client
from expect import error
from server import Key, Server, unique
from sigv4 import Signer, send
from test_graph import call as graph_call
from test_guard import api, guard  # noqa: F401
from test_iam import code, make_key, service, trust
from test_iceberg import connect
from test_iceberg_door import Door, kind
from test_sts import arn_of, assume, claims, make_role, oauth, s3_of

FIELDS = [{"id": 1, "name": "id", "required": False, "type": "long"}, {"id": 2, "name": "ssn", "required": False, "type": "string"}]
SCHEMA = {"type": "struct", "fields": FIELDS}
ROWS = pa.schema([("id", pa.int64()), ("ssn", pa.string())])


@pytest.fixture
def user(make_user) -> Key:
    return make_user(allow(["s3:*", "s3tables:*", "craton:*Graph*"]))


@pytest.fixture
def table(server, bucket):
    """A table with a row, and the key of one of its files of data."""
    catalog = connect(server, bucket)
    catalog.create_namespace("ns")
    made = catalog.create_table("ns.t", ROWS)
    made.append(pa.table({"id": [1], "ssn": ["x"]}, schema=ROWS))
    [file] = [task.file.file_path for task in made.scan().plan_files()]
    made.file = file.split("/", 3)[3]
    return made


def test_a_table_is_named(server, bucket, user, guard, table):  # noqa: F811
    """By S3 and by the catalog alike: a table's files are the table."""
    mine, door = client(server, user), Door(server, bucket, user)
    assert door.ask("GET", "namespaces/ns/tables/t").status == 200
    assert mine.get_object(Bucket=bucket, Key=table.file)["Body"].read()
    name = guard(f'@id("t") forbid(principal == User::"{user.user}", action in Action::"read", resource in Table::"{bucket}/ns/t");')
    refused = door.ask("GET", "namespaces/ns/tables/t")
    assert kind(refused) == (403, "ForbiddenException")
    [denial] = ledger.tells_of_one_refusal(server, refused.request_id)
    assert set(denial["statements"]) == {f"guard:{name}#t"}
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key=table.file)
    with error("AccessDenied", 403):
        mine.list_objects_v2(Bucket=bucket, Prefix=table.file.rsplit("/", 1)[0] + "/")
    found = json.loads(server.command("explain", user.user, "s3tables:GetTable", f"arn:aws:s3tables:::bucket/{bucket}/table/ns.t", "--json"))
    assert (found["allowed"], found["statements"]) == (False, [f"guard:{name}#t"])


def test_a_column_is_of_every_file(server, bucket, user, guard, table):  # noqa: F811
    """Who reads a file reads all its columns; the metadata can still be read by who may not read a column."""
    mine = client(server, user)
    guard(f'''forbid(principal == User::"{user.user}", action == Action::"s3tables:GetTableData", resource)
              when {{ resource is Column && resource.name == "ssn" }};''')
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key=table.file)
    assert Door(server, bucket, user).ask("HEAD", "namespaces/ns/tables/t").status == 204
    other = connect(server, bucket)
    other.create_table("ns.open", pa.schema([("id", pa.int64())])).append(pa.table({"id": [1]}))
    assert connect(server, bucket, user).load_table("ns.open").scan().to_arrow().num_rows == 1


def test_a_column_that_goes_leaves_the_policy(server, bucket, user, guard, table, tmp_path):  # noqa: F811
    column = f'Column::"{bucket}/ns/t/ssn"'
    text = f'@id("c") forbid(principal == User::"{user.user}", action == Action::"s3tables:GetTableData", resource == {column});'
    name = guard(text)
    mine = client(server, user)
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key=table.file)
    said = api(server, "POST", "/_api/v1/guard/check", {"text": text.replace("ssn", "sssn")}, status=400)
    assert "has no column" in said["error"]["message"]
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("ssn")
    # The schema that had it is still in the metadata, and so are its files.
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key=table.file)
    table.refresh()
    updates = [{"action": "remove-schemas", "schema-ids": [s.schema_id for s in table.metadata.schemas if s.schema_id != table.metadata.current_schema_id]}]
    assert Door(server, bucket).commit(updates).status == 200
    found = json.loads(server.command("policy", "check", "--guard", "--json"))["findings"]
    assert [f["code"] for f in found if f["statement"] == f"{name}#c"] == ["column-gone"]
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key=table.file)
    file = tmp_path / "again"
    file.write_text(text)
    server.command("guard", "put", name, str(file))


def test_a_label_holds_for_objects_tables_and_graphs(server, s3, bucket, user, guard, table):  # noqa: F811
    mine, door = client(server, user), Door(server, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="craton%3Alabels=pii")
    s3.put_object(Bucket=bucket, Key="open", Body=b"x")
    door.did("POST", "namespaces/ns/tables", {"name": "plain", "schema": SCHEMA})
    for graph in ("g", "plain"):
        assert graph_call(server.root, server, "POST", f"{bucket}/{graph}/facts", b"(a b)").status_code == 200
    assert door.commit([{"action": "set-properties", "updates": {"craton.labels": "pii other"}}]).status == 200
    server.command("graph", "label", f"{bucket}/g", "pii")
    assert server.command("graph", "label", f"{bucket}/g").split() == ["pii"]
    schema = server.command("guard", "schema")
    assert f'// Table::"{bucket}/ns/t" = {{ "id": long, "ssn": string }} labels ["other", "pii"]' in schema
    assert f'// Graph::"{bucket}/g" labels ["pii"]' in schema
    guard(f'''forbid(principal == User::"{user.user}", action in Action::"read", resource)
              when {{ resource has labels && resource.labels.contains("pii") }};''')
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key="k")
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key=table.file)
    theirs = Door(server, bucket, user)
    assert kind(theirs.ask("GET", "namespaces/ns/tables/t"))[0] == 403
    for path in ("facts", ""):
        assert graph_call(user, server, "GET", f"{bucket}/g/{path}".rstrip("/")).status_code == 403
    assert mine.get_object(Bucket=bucket, Key="open")["Body"].read() == b"x"
    assert theirs.ask("GET", "namespaces/ns/tables/plain").status == 200
    assert graph_call(user, server, "GET", f"{bucket}/plain/facts").status_code == 200
    server.command("graph", "label", f"{bucket}/g", "--none")
    assert graph_call(user, server, "GET", f"{bucket}/g/facts").status_code == 200


def test_labels_take_their_own_right(server, bucket, make_user, table):
    writer = make_user(allow(["s3tables:Get*", "s3tables:Put*", "s3tables:Update*", "s3tables:Create*", "craton:WriteGraph", "craton:ReadGraph"]))
    door = Door(server, bucket, writer)
    assert door.commit([{"action": "set-properties", "updates": {"a": "b"}}]).status == 200
    for update in ({"action": "set-properties", "updates": {"craton.labels": "x"}}, {"action": "remove-properties", "removals": ["craton.labels"]}):
        assert kind(door.commit([update])) == (403, "ForbiddenException")
        change = {"identifier": {"namespace": ["ns"], "name": "t"}, "requirements": [], "updates": [update]}
        assert kind(door.ask("POST", "transactions/commit", {"table-changes": [change]})) == (403, "ForbiddenException")
    made = {"name": "l", "schema": SCHEMA, "properties": {"craton.labels": "x"}}
    assert kind(door.ask("POST", "namespaces/ns/tables", made)) == (403, "ForbiddenException")
    body = b'{"labels": ["x"]}'
    assert graph_call(writer, server, "PUT", f"{bucket}/g/labels", body).status_code == 403
    assert graph_call(server.root, server, "PUT", f"{bucket}/g/labels", b'{"labels": ["a b"]}').status_code == 400


def test_a_session_has_the_labels_of_tables_and_graphs_that_it_read(server, s3, bucket, guard, table):  # noqa: F811
    iam = service(server, "iam")
    user = make_key(server, iam, iam.create_user(UserName=unique("u"))["User"]["UserName"])
    role = make_role(iam, {"AWS": arn_of(user)}, allow(["s3:*", "s3tables:*"]))
    guard(f'forbid(principal, action == Action::"s3:PutObject", resource in Bucket::"{bucket}") when {{ context.labels.contains("pii") }};')
    Door(server, bucket).commit([{"action": "set-properties", "updates": {"craton.labels": "pii"}}])
    work = s3_of(server, assume(server, user, role)["Credentials"])
    work.put_object(Bucket=bucket, Key="before", Body=b"x")
    work.get_object(Bucket=bucket, Key=table.file)
    with error("AccessDenied", 403):
        work.put_object(Bucket=bucket, Key="after", Body=b"x")


def test_agents_and_sessions_are_principals(server, s3, bucket, guard):  # noqa: F811
    iam = service(server, "iam")
    person, bot = (make_key(server, iam, iam.create_user(UserName=unique(n))["User"]["UserName"]) for n in ("ana", "bot"))
    for who in (person, bot):
        iam.put_user_policy(UserName=who.user, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("craton:*")]}))
    guard(f'''@id("drafts") forbid(principal == Agent::"{bot.user}", action == Action::"craton:WriteGraph", resource in Bucket::"{bucket}")
              unless {{ principal.actsFor.contains("{person.user}") && principal has purpose && principal.purpose == "drafting" }};
              @id("sessions") forbid(principal is Session, action == Action::"craton:ReadGraph", resource in Bucket::"{bucket}")
              when {{ principal.principal == "{bot.user}" }};''')

    def token(key: Key) -> str:
        return oauth(server, grant_type="client_credentials", client_id=key.id, client_secret=key.secret)["access_token"]

    def acting(**more: str) -> str:
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return oauth(server, grant_type="urn:ietf:params:oauth:grant-type:token-exchange", subject_token=token(person), subject_token_type=kind,
                     actor_token=token(bot), actor_token_type=kind, **more)["access_token"]

    def write(token: str) -> int:
        return bearer(server, token, "POST", f"{bucket}/g/facts", b"(a b)")

    assert write(token(bot)) == 200, "for itself it is no agent"
    assert write(acting()) == 403
    assert write(acting(purpose="drafting")) == 200
    assert bearer(server, token(person), "GET", f"{bucket}/g/facts") == 200
    assert bearer(server, token(bot), "GET", f"{bucket}/g/facts") == 403


def bearer(server: Server, token: str, method: str, path: str, body: bytes = b"") -> int:
    import test_graph

    server.secrets.add(token)
    url = f"{server.endpoint}/_graph/v1/{path}"
    return test_graph.send(method, url, {"authorization": f"Bearer {token}"}, body).status_code


def test_names_of_nothing_are_reported(server, bucket, guard):  # noqa: F811
    name = guard(f'''@id("u") forbid(principal == User::"nobody-there", action, resource);
              @id("t") forbid(principal in Group::"no-such-group", action, resource in Table::"{bucket}/ns/none");
              @id("g") forbid(principal == Role::"no-such-role", action, resource == Graph::"{bucket}/none");
              @id("b") forbid(principal == User::"root", action, resource in Prefix::"no-such-bucket/a/");
              @id("ok") forbid(principal == User::"nobody-there", action, resource in Bucket::"{bucket}");''')
    found = json.loads(server.command("policy", "check", "--guard", "--json"))["findings"]
    mine = {(f["statement"].split("#")[1], f["code"]) for f in found if f["statement"].startswith(name + "#")}
    assert mine == {(s, "not-there") for s in ("u", "t", "g", "b", "ok")}
    assert len([f for f in found if f["statement"] == f"{name}#t"]) == 2


def test_what_one_can_reach_has_tables(server, bucket, make_user, table):
    reader = make_user(allow("s3tables:GetTableData", f"arn:aws:s3tables:::bucket/{bucket}/table/*"), allow("s3tables:ListTables", "*"))
    found = json.loads(server.command("reach", reader.user, "--action", "s3tables:GetTableData", "--action", "s3tables:PutTableData",
                                      "--action", "s3tables:ListTables", "--json"))
    mine = {(p["kind"], p["name"]): [a["action"] for a in p["allowed"]] for p in found["places"] if p["bucket"] == bucket}
    assert mine == {("table", "ns.t"): ["s3tables:GetTableData"], ("catalog", None): ["s3tables:ListTables"]}
    who = json.loads(server.command("who", "s3tables:GetTableData", f"arn:aws:s3tables:::bucket/{bucket}/table/ns.t", "--json"))
    assert reader.user in {w["principal"] for w in who["allowed"]}
    asked = {"subject": {"type": "user", "id": reader.user}, "action": {"name": "s3tables:GetTableData"}, "resource": {"type": "table", "id": f"{bucket}/ns.t"}}
    assert api(server, "POST", "/access/v1/evaluation", asked)["decision"] is True
    assert api(server, "POST", "/access/v1/evaluation", asked | {"action": {"name": "s3tables:PutTableData"}})["decision"] is False


def test_bytes_go_on_after_a_restart(tmp_path):
    """What was moved counts after a clean stop, and up to the last seconds after a kill."""
    server = Server(tmp_path, "--memory", "64MiB").start()
    try:
        key = Key(server.root.id, server.root.secret)
        s3 = client(server, key)
        s3.create_bucket(Bucket="counted")
        s3.put_object(Bucket="counted", Key="k", Body=b"x" * 1000)
        text = tmp_path / "g"
        text.write_text('forbid(principal, action == Action::"s3:GetObject", resource) when { context.bytes >= 3000 };')
        server.command("guard", "put", "bound", str(text))
        for _ in range(2):
            s3.get_object(Bucket="counted", Key="k")["Body"].read()
        server.stop()
        server.start()
        s3 = client(server, key)
        with error("AccessDenied", 403):
            s3.get_object(Bucket="counted", Key="k")
        text.write_text('forbid(principal, action == Action::"s3:GetObject", resource) when { context.bytes >= 5000 };')
        server.command("guard", "put", "bound", str(text))
        s3.get_object(Bucket="counted", Key="k")["Body"].read()
        time.sleep(12)
        server.kill()
        server.start()
        s3 = client(server, key)
        s3.get_object(Bucket="counted", Key="k")["Body"].read()
        with error("AccessDenied", 403):
            s3.get_object(Bucket="counted", Key="k")
    finally:
        server.kill()

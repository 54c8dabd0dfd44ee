"""What people and Terraform do with identities: everything that can be set is read back the same, however often; and with sessions of them."""

import json
import time
import urllib.parse

import pytest
from botocore.exceptions import ClientError

import ledger
from conftest import allow as may
from conftest import client
from server import REGION, Key, Server, unique
from sigv4 import Signer, send
from test_graph import call as graph_call
from test_iam import allow, code, document, make_key, service, trust
from test_iceberg import connect
from test_iceberg_door import Door
from test_sts import ACCESS, EXCHANGE, ana, api, arn_of, assume, claims, iam, make_role, oauth, s3_of  # noqa: F401

TAGS = [{"Key": "team", "Value": "red"}, {"Key": "cost center", "Value": "1/2"}]


def by_key(tags: list) -> list:
    return sorted(tags, key=lambda t: t["Key"])


def stable(read) -> dict:
    """What is read is the same again: a plan after an apply is empty."""
    first, second = read(), read()
    for answer in (first, second):
        answer.pop("ResponseMetadata", None)
    assert first == second
    return first


def test_what_is_set_is_read_as_it_was_written(iam):  # noqa: F811
    """Users, groups, roles, policies and providers as Terraform's provider makes, reads, changes and reads them again."""
    user, group, role, policy = (unique(n) for n in ("user", "group", "role", "policy"))
    odd = json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": [
        {"Sid": "A", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::b/${aws:username}/*",
         "Condition": {"StringEquals": {"aws:PrincipalTag/team": ["red", "blue"]}, "Bool": {"aws:SecureTransport": "false"}}},
        {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}]}, indent=2)
    arn = iam.create_policy(PolicyName=policy, Path="/p/", Description="d", PolicyDocument=odd, Tags=TAGS)["Policy"]["Arn"]
    found = stable(lambda: iam.get_policy(PolicyArn=arn))["Policy"]
    assert (found["Path"], found["Description"], found["AttachmentCount"], by_key(found["Tags"])) == ("/p/", "d", 0, by_key(TAGS))
    assert stable(lambda: iam.get_policy_version(PolicyArn=arn, VersionId="v1"))["PolicyVersion"]["Document"] == json.loads(odd)
    iam.create_user(UserName=user, Path="/u/", Tags=TAGS, PermissionsBoundary=arn)
    found = stable(lambda: iam.get_user(UserName=user))["User"]
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn and by_key(found["Tags"]) == by_key(TAGS) and found["Path"] == "/u/"
    iam.put_user_policy(UserName=user, PolicyName="in", PolicyDocument=odd)
    assert stable(lambda: iam.get_user_policy(UserName=user, PolicyName="in"))["PolicyDocument"] == json.loads(odd)
    iam.put_user_policy(UserName=user, PolicyName="in", PolicyDocument=odd)
    assert stable(lambda: iam.list_user_policies(UserName=user))["PolicyNames"] == ["in"]
    iam.create_group(GroupName=group, Path="/g/")
    iam.put_group_policy(GroupName=group, PolicyName="in", PolicyDocument=odd)
    assert stable(lambda: iam.get_group_policy(GroupName=group, PolicyName="in"))["PolicyDocument"] == json.loads(odd)
    for _ in range(2):
        iam.add_user_to_group(GroupName=group, UserName=user)
        iam.attach_group_policy(GroupName=group, PolicyArn=arn)
        iam.attach_user_policy(UserName=user, PolicyArn=arn)
    assert [g["GroupName"] for g in stable(lambda: iam.list_groups_for_user(UserName=user))["Groups"]] == [group]
    assert [p["PolicyArn"] for p in stable(lambda: iam.list_attached_user_policies(UserName=user))["AttachedPolicies"]] == [arn]
    trusted = trust({"AWS": f"arn:aws:iam::000000000000:user/u/{user}"}, condition={"StringEquals": {"sts:ExternalId": "e"}})
    iam.create_role(RoleName=role, Path="/r/", AssumeRolePolicyDocument=trusted, Description="d", MaxSessionDuration=7200, Tags=TAGS, PermissionsBoundary=arn)
    found = stable(lambda: iam.get_role(RoleName=role))["Role"]
    assert found["AssumeRolePolicyDocument"] == json.loads(trusted) and found["MaxSessionDuration"] == 7200 and found["Description"] == "d"
    assert by_key(found["Tags"]) == by_key(TAGS) and found["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    iam.update_role(RoleName=role, Description="e", MaxSessionDuration=3600)
    iam.delete_role_permissions_boundary(RoleName=role)
    found = stable(lambda: iam.get_role(RoleName=role))["Role"]
    assert (found["Description"], found["MaxSessionDuration"], "PermissionsBoundary" in found) == ("e", 3600, False)
    entities = stable(lambda: iam.list_entities_for_policy(PolicyArn=arn))
    assert [u["UserName"] for u in entities["PolicyUsers"]] == [user] and [g["GroupName"] for g in entities["PolicyGroups"]] == [group]
    for attempt in (lambda: iam.delete_policy(PolicyArn=arn), lambda: iam.delete_group(GroupName=group)):
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) == "DeleteConflict"
    for missing in (lambda: iam.get_user_policy(UserName=user, PolicyName="none"), lambda: iam.get_role(RoleName=unique("none")),
                    lambda: iam.get_policy(PolicyArn=arn + "x"), lambda: iam.get_group(GroupName=unique("none"))):
        with pytest.raises(ClientError) as error:
            missing()
        assert (code(error), error.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("NoSuchEntity", 404)


def test_tags_of_everything_that_has_some(iam):  # noqa: F811
    user, role, policy = (unique(n) for n in ("user", "role", "policy"))
    iam.create_user(UserName=user)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"AWS": "000000000000"}))
    arn = iam.create_policy(PolicyName=policy, PolicyDocument=document(allow("s3:GetObject")))["Policy"]["Arn"]
    provider = iam.create_open_id_connect_provider(Url=f"https://id.example/{unique('t')}", ClientIDList=["a"], Tags=TAGS)["OpenIDConnectProviderArn"]
    assert by_key(iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=provider)["Tags"]) == by_key(TAGS)
    for name, of in (("user", {"UserName": user}), ("role", {"RoleName": role}), ("policy", {"PolicyArn": arn}),
                     ("open_id_connect_provider", {"OpenIDConnectProviderArn": provider})):
        tag, untag, listed = (getattr(iam, f"{verb}_{name}{end}") for verb, end in (("tag", ""), ("untag", ""), ("list", "_tags")))
        tag(**of, Tags=TAGS)
        tag(**of, Tags=[{"Key": "team", "Value": "blue"}])
        assert {t["Key"]: t["Value"] for t in stable(lambda: listed(**of))["Tags"]} == {"team": "blue", "cost center": "1/2"}
        untag(**of, TagKeys=["cost center", "none"])
        assert listed(**of)["Tags"] == [{"Key": "team", "Value": "blue"}]
        with pytest.raises(ClientError):
            tag(**of, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)])
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)


def test_a_provider_is_made_changed_and_deleted(iam):  # noqa: F811
    url = f"https://id.example/{unique('issuer')}"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["a", "b"], ThumbprintList=["a" * 40])["OpenIDConnectProviderArn"]
    with pytest.raises(ClientError) as error:
        iam.create_open_id_connect_provider(Url=url, ClientIDList=["a"], ThumbprintList=["a" * 40])
    assert code(error) == "EntityAlreadyExists"
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="a")
    for _ in range(2):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="c")
        iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    found = stable(lambda: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn))
    assert (found["ClientIDList"], found["ThumbprintList"], found["Url"]) == (["b", "c"], ["b" * 40], url.removeprefix("https://"))
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with pytest.raises(ClientError) as error:
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert code(error) == "NoSuchEntity"
    for bad in ("ftp://id.example/x", "https://user@id.example/", "id.example/none"):
        with pytest.raises(ClientError):
            iam.create_open_id_connect_provider(Url=bad, ClientIDList=["a"])


def test_several_access_keys_each_with_its_last_use(server: Server, iam, bucket: str):  # noqa: F811
    name = unique("user")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(allow(["s3:*", "iam:GetUser"])))
    keys = [make_key(server, iam, name) for _ in range(8)]
    with pytest.raises(ClientError) as error:
        iam.create_access_key(UserName=name)
    assert code(error) == "LimitExceeded"
    assert {k["AccessKeyId"] for k in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]} == {k.id for k in keys}
    client(server, keys[0]).list_objects_v2(Bucket=bucket)
    service(server, "iam", keys[1]).get_user()
    used = [iam.get_access_key_last_used(AccessKeyId=k.id)["AccessKeyLastUsed"] for k in keys[:3]]
    assert [u["ServiceName"] for u in used] == ["s3", "iam", "N/A"] and "LastUsedDate" not in used[2]
    assert abs(time.time() - used[0]["LastUsedDate"].timestamp()) < 60
    server.command("key", "disable", name, keys[0].id)
    with pytest.raises(ClientError) as error:
        client(server, keys[0]).list_objects_v2(Bucket=bucket)
    assert code(error) == "InvalidAccessKeyId"
    client(server, keys[1]).list_objects_v2(Bucket=bucket)
    rows = {k["id"]: k["active"] for k in json.loads(server.command("key", "list", name, "--json"))["keys"]}
    assert rows == {k.id: k is not keys[0] for k in keys}
    server.command("key", "enable", name, keys[0].id)
    client(server, keys[0]).list_objects_v2(Bucket=bucket)
    server.command("key", "rm", name, keys[0].id)
    assert "no" not in server.command("key", "list", name).split()


def test_commands_for_identities(server: Server, s3, bucket, tmp_path):
    """Users, groups, roles and sessions by `craton`, with what they may at once."""
    user, group, role = (unique(n) for n in ("user", "group", "role"))
    made = json.loads(server.command("user", "add", user, "--json"))
    key = server.keep(Key(made["id"], made["secret"], user))
    mine = client(server, key)
    policy, trusting = tmp_path / "policy", tmp_path / "trust"
    policy.write_text(document(allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")))
    trusting.write_text(trust({"AWS": f"arn:aws:iam::000000000000:user/{user}"}))
    server.command("group", "add", group)
    server.command("policy", "put", f"group/{group}", "p", str(policy))
    server.command("group", "join", group, user)
    assert user in server.command("group", "list", group).split() and group in server.command("group", "list").split()
    mine.list_objects_v2(Bucket=bucket)
    server.command("group", "leave", group, user)
    with pytest.raises(ClientError):
        mine.list_objects_v2(Bucket=bucket)
    server.command("role", "add", role, str(trusting))
    server.command("policy", "put", f"role/{role}", "p", str(policy))
    assert role in server.command("role", "list").split()
    made = assume(server, key, f"arn:aws:iam::000000000000:role/{role}")["Credentials"]
    work = s3_of(server, made)
    work.list_objects_v2(Bucket=bucket)
    listed = json.loads(server.command("session", "list", "--json"))["sessions"]
    assert [s for s in listed if s["id"] == made["AccessKeyId"] and s["principal"] == f"role/{role}"]
    server.command("session", "rm", "--role", role)
    with pytest.raises(ClientError):
        work.list_objects_v2(Bucket=bucket)
    assert json.loads(server.command("policy", "get", f"role/{role}", "p")) == json.loads(policy.read_text())
    for what, name in (("role", role), ("group", group), ("user", user)):
        server.command(what, "rm", name)
        assert name not in server.command(what, "list").split()


def test_durations(server: Server, iam, ana: Key):  # noqa: F811
    role = make_role(iam, {"AWS": arn_of(ana)}, allow("s3:ListBucket"))
    iam.update_role(RoleName=role.split("/")[-1], MaxSessionDuration=7200)
    sts = service(server, "sts", ana)
    for seconds in (7201, 43_200):
        with pytest.raises(ClientError) as error:
            assume(server, ana, role, DurationSeconds=seconds)
        assert code(error) == "ValidationError", seconds
    for seconds in (900, 7200):
        ends = assume(server, ana, role, DurationSeconds=seconds)["Credentials"]["Expiration"]
        assert abs(ends.timestamp() - time.time() - seconds) < 30
    with pytest.raises(ClientError):
        assume(server, ana, role, DurationSeconds=3600, Policy="{")
    sts.get_session_token(DurationSeconds=129_600)
    assert abs(sts.get_session_token()["Credentials"]["Expiration"].timestamp() - time.time() - 43_200) < 30
    # A role's session makes sessions of an hour at most.
    made = assume(server, ana, role)["Credentials"]
    onward = make_role(iam, {"AWS": role}, allow("s3:ListBucket"))
    iam.put_role_policy(RoleName=role.split("/")[-1], PolicyName="go", PolicyDocument=document(allow("sts:AssumeRole")))
    key = server.keep(Key(made["AccessKeyId"], made["SecretAccessKey"]))
    of_role = service(server, "sts", key, made["SessionToken"])
    with pytest.raises(ClientError):
        of_role.assume_role(RoleArn=onward, RoleSessionName="onward", DurationSeconds=3601)
    of_role.assume_role(RoleArn=onward, RoleSessionName="onward", DurationSeconds=3600)


def test_transitive_tags_and_the_source_identity_go_on(server: Server, iam, ana: Key, bucket: str):  # noqa: F811
    """From role to role: neither can be changed on the way, and policies see both."""
    condition = {"StringEquals": {"aws:PrincipalTag/team": "red", "aws:SourceIdentity": "jane"}}
    first = make_role(iam, {"AWS": arn_of(ana)}, allow(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]))
    second = make_role(iam, {"AWS": first}, allow("s3:ListBucket") | {"Condition": condition})

    def chained(tags: list, transitive: list, **more) -> dict:
        made = assume(server, ana, first, Tags=tags, TransitiveTagKeys=transitive, **more)["Credentials"]
        key = server.keep(Key(made["AccessKeyId"], made["SecretAccessKey"]))
        return service(server, "sts", key, made["SessionToken"])

    red = [{"Key": "team", "Value": "red"}]
    sts = chained(red, ["team"], SourceIdentity="jane")
    s3_of(server, sts.assume_role(RoleArn=second, RoleSessionName="onward")["Credentials"]).list_objects_v2(Bucket=bucket)
    for change in ({"Tags": [{"Key": "team", "Value": "blue"}]}, {"SourceIdentity": "john"}):
        with pytest.raises(ClientError):
            sts.assume_role(RoleArn=second, RoleSessionName="onward", **change)
    for sts in (chained(red, [], SourceIdentity="jane"), chained(red, ["team"])):
        made = sts.assume_role(RoleArn=second, RoleSessionName="onward")["Credentials"]
        with pytest.raises(ClientError):
            s3_of(server, made).list_objects_v2(Bucket=bucket)


def test_session_policies_only_take_away(server: Server, iam, ana: Key, bucket: str):  # noqa: F811
    role = make_role(iam, {"AWS": arn_of(ana)}, allow(["s3:ListBucket", "s3:PutObject"]))
    reads = iam.create_policy(PolicyName=unique("p"), PolicyDocument=document(allow(["s3:ListBucket", "s3:GetObject"])))["Policy"]["Arn"]
    for limit in ({"Policy": document(allow(["s3:ListBucket", "s3:DeleteBucket"]))}, {"PolicyArns": [{"arn": reads}]}):
        made = s3_of(server, assume(server, ana, role, **limit)["Credentials"])
        made.list_objects_v2(Bucket=bucket)
        for attempt in (lambda: made.put_object(Bucket=bucket, Key="k", Body=b"x"), lambda: made.delete_bucket(Bucket=bucket)):
            with pytest.raises(ClientError) as error:
                attempt()
            assert code(error) == "AccessDenied"


def token_of(server: Server, key: Key) -> str:
    return oauth(server, grant_type="client_credentials", client_id=key.id, client_secret=key.secret)["access_token"]


def test_a_chain_of_agents(server: Server, iam, bucket: str):  # noqa: F811
    """Person, agent, sub-agent: `act` is nested, rights are what all of them have, and all doors with bearer tokens take it."""
    assert graph_call(server.root, server, "POST", f"{bucket}/g/facts", b"(a b)").status_code == 200
    names = [unique(n) for n in ("jane", "agent", "sub")]
    for name in names:
        iam.create_user(UserName=name)
    jane, agent, sub = keys = [make_key(server, iam, name) for name in names]
    everything = document(allow("craton:ReadGraph"), allow("s3tables:*"), allow("iam:ListUsers"))
    for key in keys:
        iam.put_user_policy(UserName=key.user, PolicyName="p", PolicyDocument=everything)

    def act(subject: str, actor: str, **more: str) -> str:
        form = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS, "actor_token": actor, "actor_token_type": ACCESS}
        return oauth(server, **form, **more)["access_token"]

    first = act(token_of(server, jane), token_of(server, agent), run="r", purpose="audit")
    both = act(first, token_of(server, sub), policy=document(allow("craton:ReadGraph"), allow("s3tables:List*")))
    said = claims(both)
    assert said["sub"] == jane.user and said["act"] == {"sub": sub.user, "act": {"sub": agent.user}}

    def status(path: str, token: str = both) -> int:
        import test_graph

        return test_graph.send("GET", server.endpoint + path, {"authorization": f"Bearer {token}"}, b"").status_code

    graph, tables = f"/_graph/v1/{bucket}/g", f"/_iceberg/v1/{bucket}/namespaces"
    assert (status(graph), status(tables), api(server, both)) == (200, 200, 403), "the policy of the exchange leaves out users"
    assert api(server, first) == 200
    for key in (agent, jane):
        iam.put_user_policy(UserName=key.user, PolicyName="p", PolicyDocument=document(allow("s3tables:*")))
        assert status(graph) == 403, f"{key.user} may not any more"
        iam.put_user_policy(UserName=key.user, PolicyName="p", PolicyDocument=everything)
        assert status(graph) == 200
    rows = json.loads(server.command("audit", "list", "--principal", sub.user, "--json"))
    records = rows["records"] if isinstance(rows, dict) else rows
    assert any(r.get("chain") == [agent.user, jane.user] and r["run"] == "r" and r["purpose"] == "audit" for r in records), records
    iam.update_access_key(UserName=agent.user, AccessKeyId=agent.id, Status="Inactive")
    assert status(graph) == 403, "at once: it rested on the agent's key"


def test_signing_keys_have_ids_and_rotate(server: Server, iam, ana: Key):  # noqa: F811
    """What an earlier key signed is good until it ends; what comes after is signed by the new one; none is the root's secret."""
    iam.put_user_policy(UserName=ana.user, PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))

    def ids() -> list:
        request = send(server, Signer(server, server.root).request("GET", "/_api/v1/oauth/jwks"))
        return [k["kid"] for k in json.loads(request.body)["keys"]]

    def kid(token: str) -> str:
        import base64

        part = token.split(".")[0]
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["kid"]

    before, old = ids(), token_of(server, ana)
    answer = send(server, Signer(server, server.root).request("POST", "/_api/v1/keys/signing/rotate"))
    assert answer.status == 200, answer
    new = token_of(server, ana)
    assert kid(old) in before and kid(new) not in before and set(ids()) > set(before)
    assert (api(server, old), api(server, new)) == (200, 200)


def test_every_door_s_denial_has_an_id_that_resolves(server: Server, s3, bucket, make_user):
    stranger = make_user()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    signer = Signer(server, stranger)
    bodies = {
        "s3": send(server, signer.request("GET", f"/{bucket}/k")).body,
        "form": send(server, signer.request("DELETE", f"/{bucket}")).body,
        "api": send(server, signer.request("GET", "/_api/v1/users")).body,
        "authzen": send(server, signer.request("POST", "/access/v1/evaluation", body=b'{"subject":{"type":"user","id":"root"},"action":{"name":"s3:GetObject"},"resource":{"type":"bucket","id":"b"}}')).body,
        "graph": graph_call(stranger, server, "GET", f"{bucket}/g").text.encode(),
        "iceberg": Door(server, bucket, stranger).ask("GET", "namespaces").body,
    }
    for name, attempt in (("iam", lambda: service(server, "iam", stranger).list_users()),
                          ("sts", lambda: assume(server, stranger, "arn:aws:iam::000000000000:role/none"))):
        with pytest.raises(ClientError) as error:
            attempt()
        bodies[name] = error.value.response["Error"]["Message"].encode()
    for name, body in bodies.items():
        text = body.decode()
        assert "decision " in text, (name, text)
        decision = text.split("decision ")[1].split(")")[0]
        record = json.loads(server.command("explain", "--decision", decision, "--json"))
        assert record["principal"] == stranger.user and record["kind"] == "denial", (name, record)


def test_a_copy_s_tags_and_versions_are_read_by_their_own_actions(server: Server, s3, bucket, make_user):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"old", Tagging="a=b")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"new", Tagging="a=b")
    own = f"arn:aws:s3:::{bucket}/mine/*"
    objects = f"arn:aws:s3:::{bucket}/k"
    plain = client(server, make_user(may(["s3:PutObject", "s3:PutObjectTagging"], own), may("s3:GetObject", objects)))
    with pytest.raises(ClientError) as error:
        plain.copy_object(Bucket=bucket, Key="mine/k", CopySource={"Bucket": bucket, "Key": "k"}, TaggingDirective="COPY")
    assert code(error) == "AccessDenied", "tags are read to be copied"
    plain.copy_object(Bucket=bucket, Key="mine/k", CopySource={"Bucket": bucket, "Key": "k"}, TaggingDirective="REPLACE")
    for attempt in (lambda: plain.get_object_tagging(Bucket=bucket, Key="k"), lambda: plain.get_object(Bucket=bucket, Key="k", VersionId=version),
                    lambda: plain.copy_object(Bucket=bucket, Key="mine/k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": version}, TaggingDirective="REPLACE")):
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) == "AccessDenied"
    tagged = client(server, make_user(may(["s3:PutObject", "s3:PutObjectTagging"], own), may(["s3:GetObject", "s3:GetObjectTagging"], objects)))
    tagged.copy_object(Bucket=bucket, Key="mine/t", CopySource={"Bucket": bucket, "Key": "k"})
    assert s3.get_object_tagging(Bucket=bucket, Key="mine/t")["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_minio_s_actions_of_tables_are_accepted(server: Server, bucket, make_user):
    """Policies written for MinIO's tables are taken as they are, and count."""
    catalog = f"arn:aws:s3tables:::bucket/{bucket}"
    user = make_user(may(["s3tables:GetTableBucket", "s3tables:CreateNamespace", "s3tables:GetNamespace", "s3tables:ListNamespaces",
                          "s3tables:UpdateNamespaceProperties", "s3tables:CreateTable", "s3tables:RegisterTable", "s3tables:ListTables"], catalog),
                     may(["s3tables:GetTable", "s3tables:GetTableMetadataLocation", "s3tables:GetTableData", "s3tables:PutTableData",
                          "s3tables:UpdateTableMetadataLocation", "s3tables:RenameTable", "s3tables:DeleteTable", "s3tables:RegisterTable"], f"{catalog}/table/*"))
    found = json.loads(server.command("policy", "check", "--user", user.user, "--json"))
    assert [f for p in found["policies"] for f in p["findings"] if f["code"] in ("unknown-action", "unreachable")] == []
    door = Door(server, bucket, user)
    door.table()
    assert door.ask("POST", "namespaces/ns/properties", {"updates": {"a": "b"}}).status == 200
    assert door.ask("POST", "tables/rename", {"source": {"namespace": ["ns"], "name": "t"}, "destination": {"namespace": ["ns"], "name": "u"}}).status == 204
    gone = json.loads(door.ask("GET", "namespaces/ns/tables/u").body)["metadata-location"]
    assert door.ask("DELETE", "namespaces/ns/tables/u").status == 204
    assert door.ask("POST", "namespaces/ns/register", {"name": "back", "metadata-location": gone}).status == 200

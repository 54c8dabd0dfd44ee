"""Guard policies: what is forbidden whatever others allow. Through the commands, the API and a stock client."""

import json

import pytest

import ledger
from conftest import allow, client
from expect import error
from server import Key, unique
from sigv4 import Signer, send
from test_graph import call as graph_call
from test_iam import make_key, service, trust
from test_sts import arn_of, assume, make_role, s3_of


@pytest.fixture
def guard(server, tmp_path):
    """Puts a document of guard policies; it is gone after the test."""
    names = []

    def put(text: str, code: int = 0) -> str:
        name = unique("g")
        file = tmp_path / name
        file.write_text(text)
        out = server.command("guard", "put", name, str(file), code=code)
        if code == 0:
            names.append(name)
        return out if code else name

    put.gone = names.remove
    yield put
    for name in names:
        server.command("guard", "rm", name)


def api(server, method: str, path: str, body: object = None, key=None, status: int = 200) -> dict:
    data = b"" if body is None else json.dumps(body).encode()
    answer = send(server, Signer(server, key or server.root).request(method, path, body=data))
    assert answer.status == status, answer
    return json.loads(answer.body)


def document(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_a_guard_forbids_what_the_access_plane_allows(server, s3, bucket, make_user, guard):
    user = make_user(allow("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]))
    mine = client(server, user)
    mine.put_object(Bucket=bucket, Key="secret/k", Body=b"x")
    mine.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    name = guard(f'@id("no-secrets") forbid(principal == User::"{user.user}", action in Action::"read", resource in Prefix::"{bucket}/secret/");')
    with error("AccessDenied", 403) as caught:
        mine.get_object(Bucket=bucket, Key="secret/k")
    assert "decision" in caught.value.response["Error"]["Message"]
    assert mine.get_object(Bucket=bucket, Key="open/k")["Body"].read() == b"x"
    assert s3.get_object(Bucket=bucket, Key="secret/k")["Body"].read() == b"x", "it is about one user"
    request_id = caught.value.response["ResponseMetadata"]["RequestId"]
    [denial] = ledger.tells_of_one_refusal(server, request_id)
    assert (denial["verdict"], denial["statements"]) == ("explicit-deny", [f"guard:{name}#no-secrets"])
    told = json.loads(server.command("explain", user.user, "s3:GetObject", f"arn:aws:s3:::{bucket}/secret/k", "--json"))
    assert (told["allowed"], told["plane"], told["statements"]) == (False, "guard", [f"guard:{name}#no-secrets"])
    server.command("guard", "rm", name)
    guard.gone(name)
    assert mine.get_object(Bucket=bucket, Key="secret/k")["Body"].read() == b"x", "at once"
    guard("forbid(principal == User::\"nobody-there\", action, resource);")


@pytest.mark.parametrize("size", [4_000, 100_000])
def test_a_bound_to_what_a_session_moves(server, s3, bucket, make_user, guard, size):
    """Reads and writes count, each session and key on its own, and a policy sees those from before it was written."""
    user, other = (make_user(allow("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"])) for _ in range(2))
    mine, others = client(server, user), client(server, other)
    mine.put_object(Bucket=bucket, Key="k", Body=b"x" * size)
    guard(f'''forbid(principal, action == Action::"s3:GetObject", resource in Bucket::"{bucket}")
              when {{ context.bytes >= {3 * size} }};''')
    for _ in range(2):
        assert len(mine.get_object(Bucket=bucket, Key="k")["Body"].read()) == size
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key="k")
    for _ in range(3):
        assert len(others.get_object(Bucket=bucket, Key="k")["Body"].read()) == size
    with error("AccessDenied", 403):
        others.get_object(Bucket=bucket, Key="k")
    mine.put_object(Bucket=bucket, Key="l", Body=b"x")


def test_ghsa_5w8r_every_plane_sees_the_object_s_tags(server, s3, bucket, make_user, guard):
    """An external policy engine was not given the object's tags."""
    user = make_user(allow("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]))
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging="class=secret")
    s3.put_object(Bucket=bucket, Key="b", Body=b"x", Tagging="class=open")
    guard(f'''forbid(principal, action == Action::"s3:GetObject", resource in Bucket::"{bucket}")
              when {{ resource.hasTag("class") && resource.getTag("class") == "secret" }};''')
    mine = client(server, user)
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key="a")
    assert mine.get_object(Bucket=bucket, Key="b")["Body"].read() == b"x"
    s3.put_object_tagging(Bucket=bucket, Key="b", Tagging={"TagSet": [{"Key": "class", "Value": "secret"}]})
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key="b")


def test_a_forbid_that_overflows_forbids(server, s3, bucket, guard):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    guard(f'forbid(principal, action, resource in Bucket::"{bucket}") when {{ 9223372036854775807 + 1 == 0 }};')
    with error("AccessDenied", 403):
        s3.get_object(Bucket=bucket, Key="k")


def test_what_is_no_guard_policy_is_refused(server, guard):
    guard("permit(principal, action, resource);", code=2)
    guard("forbid(principal, action, resource", code=2)
    guard('forbid(principal, action == Action::"s3:NoSuchThing", resource);', code=2)
    assert "entity Object" in server.command("guard", "schema")


def test_guards_are_for_who_may(server, make_user, tmp_path):
    """Each is decided by its own action, and what is refused changes nothing."""
    user = make_user(allow("craton:GetGuardPolicy", "*"))
    text = {"text": "forbid(principal, action, resource in Bucket::\"nowhere\");"}
    name = unique("g")
    for method, path, body in [("PUT", f"/_api/v1/guard/policies/{name}", text), ("DELETE", f"/_api/v1/guard/policies/{name}", None),
                               ("GET", "/_api/v1/guard/policies", None)]:
        assert api(server, method, path, body, user, 403)["error"]["reason"] == "AccessDenied"
    assert api(server, "GET", f"/_api/v1/guard/policies/{name}", None, user, 404)["error"]["reason"] == "NoSuchEntity"
    assert api(server, "POST", "/_api/v1/guard/check", text, user)["policies"] == ["proposed#0"]


def test_cve_2021_41137_a_deny_wins_over_every_allow(server, s3, bucket, make_user, guard):
    """A restriction was skipped where another policy allowed."""
    both = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": both}
    user = make_user({"Effect": "Allow", "Action": "*", "Resource": "*"}, deny)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::000000000000:user/{user.user}"}, "Action": "s3:*", "Resource": both}]}))
    mine = client(server, user)
    with error("AccessDenied", 403):
        mine.get_object(Bucket=bucket, Key="k")
    mine.put_object(Bucket=bucket, Key="k", Body=b"y")
    guard(f'forbid(principal == User::"{user.user}", action == Action::"s3:PutObject", resource in Bucket::"{bucket}");')
    with error("AccessDenied", 403):
        mine.put_object(Bucket=bucket, Key="k", Body=b"z")


def test_cve_2023_25812_bypassing_governance_is_an_action_of_its_own(server, s3, make_user, guard):
    """A deny on it was ignored because a header implied it."""
    bucket = unique("b")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE",
                            ObjectLockRetainUntilDate="2099-01-01T00:00:00Z")["VersionId"]
    both = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    deny = {"Effect": "Deny", "Action": "s3:BypassGovernanceRetention", "Resource": both}
    by_policy = make_user(allow("s3:*", both), deny)
    by_guard = make_user(allow("s3:*", both))
    guard(f'forbid(principal == User::"{by_guard.user}", action == Action::"s3:BypassGovernanceRetention", resource);')
    for user in (by_policy, by_guard):
        with error("AccessDenied", 403):
            client(server, user).delete_object(Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True)
    s3.delete_bucket(Bucket=bucket)


class TestAnswers:
    def test_who_can(self, server, s3, bucket, make_user, guard):
        reader = make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
        stranger = make_user()
        guarded = make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
        guard(f'forbid(principal == User::"{guarded.user}", action, resource);')
        found = json.loads(server.command("who", "s3:GetObject", f"arn:aws:s3:::{bucket}/k", "--json"))
        allowed = {w["principal"] for w in found["allowed"]}
        assert {reader.user, "root"} <= allowed and not {stranger.user, guarded.user, "anonymous"} & allowed
        assert guarded.user in {w["principal"] for w in found["denied"]}

    def test_a_denial_is_told_to_the_one_denied_and_not_to_others(self, server, bucket, make_user):
        denied, other = make_user(), make_user()
        answer = send(server, Signer(server, denied).request("GET", f"/{bucket}/k"))
        decision = answer.body.decode().split("decision ")[1].split(")")[0]
        own = api(server, "GET", f"/_api/v1/decisions/{decision}", None, denied)
        assert (own["principal"], own["verdict"], own["action"]) == (denied.user, "implicit-deny", "s3:GetObject")
        assert "statements" not in own and "source_ip" not in own
        api(server, "GET", f"/_api/v1/decisions/{decision}", None, other, 403)
        # One that does not exist looks the same.
        api(server, "GET", "/_api/v1/decisions/ffff-1", None, other, 403)
        whole = api(server, "GET", f"/_api/v1/decisions/{decision}")
        assert whole["source_ip"] == "127.0.0.1"

    def test_what_is_invisible_is_404_only_to_who_may_list(self, server, s3, bucket, make_user):
        """With ListBucket a missing key is 404, without it 403, the same as a key that exists."""
        s3.put_object(Bucket=bucket, Key="there", Body=b"x")
        blind = client(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")))
        seeing = client(server, make_user(allow(["s3:GetObject", "s3:ListBucket"], [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"])))
        with error("AccessDenied", 403):
            blind.get_object(Bucket=bucket, Key="missing")
        with error("NoSuchKey", 404):
            seeing.get_object(Bucket=bucket, Key="missing")

    def test_a_policy_is_looked_over(self, server, s3, bucket, make_user, tmp_path):
        file = tmp_path / "policy"
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [
            {"Sid": "Odd", "Effect": "Allow", "Action": "s3:GetObjekt", "Resource": f"arn:aws:s3:::{bucket}/*"},
            {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}]}))
        found = json.loads(server.command("policy", "check", str(file), "--json"))["findings"]
        assert {(f["statement"], f["code"]) for f in found} == {
            ("#Odd", "unknown-action"), ("#Odd", "redundant"), ("#All", "sensitive-wildcard")}
        user = make_user({"Sid": "Used"} | allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"),
                         {"Sid": "Unused"} | allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/*"))
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        client(server, user).get_object(Bucket=bucket, Key="k")
        [policy] = json.loads(server.command("policy", "check", "--user", user.user, "--json"))["policies"]
        assert policy["unused"] == ["#Unused"] and policy["group"] is None

    def test_the_policies_of_groups_are_looked_over_too(self, server, s3, bucket, make_user):
        user, iam = make_user(), service(server, "iam")
        for name in ("readers", "others"):
            group = unique(name)
            iam.create_group(GroupName=group)
            statement = {"Sid": "Read"} | allow("s3:GetObject", f"arn:aws:s3:::{bucket}/{name}/*")
            iam.put_group_policy(GroupName=group, PolicyName=name, PolicyDocument=json.dumps(document(statement)))
            iam.add_user_to_group(GroupName=group, UserName=user.user)
        s3.put_object(Bucket=bucket, Key="readers/k", Body=b"x")
        client(server, user).get_object(Bucket=bucket, Key="readers/k")
        policies = json.loads(server.command("policy", "check", "--user", user.user, "--json"))["policies"]
        found = {p["name"]: p for p in policies if p["group"]}
        assert found["readers"]["unused"] == [] and found["others"]["unused"] == ["#Read"]
        assert found["readers"]["group"].startswith("readers")

    def test_a_replay_lists_what_would_flip_both_ways(self, server, s3, bucket, make_user, tmp_path):
        s3.put_object(Bucket=bucket, Key="a/1", Body=b"x")
        s3.put_object(Bucket=bucket, Key="b/1", Body=b"x")
        resource = f"arn:aws:s3:::{bucket}/a/*"
        user = make_user(allow("s3:GetObject", resource))
        mine = client(server, user)
        mine.get_object(Bucket=bucket, Key="a/1")
        with error("AccessDenied", 403):
            mine.get_object(Bucket=bucket, Key="b/1")
        name = json.loads(server.command("policy", "list", user.user, "--json"))["policies"][0]["name"]
        file = tmp_path / "proposed"

        def replay(document: object, *arguments: str) -> dict:
            file.write_text(document if isinstance(document, str) else json.dumps(document))
            return json.loads(server.command("policy", "replay", str(file), "--json", *arguments))

        def pairs(found: dict) -> set:
            return {(f["record"]["resource"], f["record"]["verdict"], f["would"]) for f in found["flips"] if f["by_proposal"]}

        identity = ("--policy", name, "--user", user.user)
        other = replay(document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/b/*")), *identity)
        assert pairs(other) == {(f"/{bucket}/objects/a/1", "allow", "implicit-deny"), (f"/{bucket}/objects/b/1", "implicit-deny", "allow")}
        assert replay(document(allow("s3:GetObject", resource)), *identity)["flips"] == []
        # What a record does not hold is said to be unknown.
        agent = document(allow("s3:GetObject", resource) | {"Condition": {"StringLike": {"aws:UserAgent": "*boto*"}}})
        unknown = replay(agent, *identity)
        # Other tests erase whom they recorded: of those nothing is known.
        assert unknown["flips"] == [] and len([u for u in unknown["unknown"] if u["record"]]) == 1
        deny = document({"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"})
        by_bucket = replay(deny, "--bucket", bucket)
        assert (f"/{bucket}/objects/a/1", "allow", "explicit-deny") in pairs(by_bucket)
        by_guard = replay(f'forbid(principal == User::"{user.user}", action, resource);', "--guard", "proposed")
        assert pairs(by_guard) == {(f"/{bucket}/objects/a/1", "allow", "explicit-deny")}


class TestAuthZen:
    def ask(self, server, body: object, path: str = "evaluation", key=None, status: int = 200):
        return api(server, "POST", f"/access/v1/{path}", body, key, status)

    def test_a_question(self, server, bucket, make_user):
        user = make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
        asked = {"subject": {"type": "user", "id": user.user}, "action": {"name": "s3:GetObject"},
                 "resource": {"type": "object", "id": f"{bucket}/k"}}
        assert self.ask(server, asked)["decision"] is True
        assert self.ask(server, asked | {"action": {"name": "s3:PutObject"}})["decision"] is False
        assert self.ask(server, asked | {"subject": {"type": "user", "id": "nobody-there"}})["decision"] is False
        self.ask(server, {"action": {"name": "x"}}, status=400)
        self.ask(server, asked, key=user, status=403)
        asker = make_user(allow("craton:Evaluate", "*"))
        assert self.ask(server, asked, key=asker)["decision"] is True

    def test_several_questions(self, server, bucket, make_user):
        user = make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
        actions = ["s3:GetObject", "s3:PutObject", "s3:GetObject"]
        asked = {"subject": {"type": "user", "id": user.user}, "resource": {"type": "object", "id": f"{bucket}/k"},
                 "evaluations": [{"action": {"name": a}} for a in actions]}

        def decisions(**options: str) -> list:
            return [e["decision"] for e in self.ask(server, asked | {"options": options}, "evaluations")["evaluations"]]

        assert decisions() == [True, False, True]
        assert decisions(evaluations_semantic="deny_on_first_deny") == [True, False]
        assert decisions(evaluations_semantic="permit_on_first_permit") == [True]

    def test_it_is_found(self, server):
        from sigv4 import Request

        host = f"{server.host}:{server.port}"
        answer = send(server, Request("GET", "/.well-known/authzen-configuration", [("Host", host)]))
        told = json.loads(answer.body)
        assert told["access_evaluation_endpoint"] == f"http://{host}/access/v1/evaluation"
        assert answer.headers["cache-control"] == "no-store"


def test_what_was_read_marks_the_session(server, s3, bucket, guard):
    """The labels of an object go to the session that reads it and to those made from it; they decide where it may write. Nobody else has them."""
    iam = service(server, "iam")
    user = unique("reader")
    iam.create_user(UserName=user)
    key = make_key(server, iam, user)
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=json.dumps(document(allow("s3:GetObject"))))
    role = make_role(iam, {"AWS": arn_of(key)}, allow(["s3:*", "sts:AssumeRole"]))
    name = role.rsplit("/", 1)[1]
    trusted = trust({"AWS": [arn_of(key), role]}, ["sts:AssumeRole"])
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusted)
    s3.put_object(Bucket=bucket, Key="in/secret", Body=b"x", Tagging="craton:labels=pii%20secret&team=red")
    s3.put_object(Bucket=bucket, Key="in/plain", Body=b"x", Tagging="team=red")
    guard(f'''@id("no-secret-goes-out")
              forbid(principal, action in Action::"write", resource in Prefix::"{bucket}/out/") when {{ context.labels.contains("secret") }};
              @id("no-pii-for-{user}")
              forbid(principal == User::"{user}", action == Action::"s3:GetObject", resource in Bucket::"{bucket}")
              when {{ resource.labels.contains("pii") }};''')
    made = assume(server, key, role)["Credentials"]
    mine, other = s3_of(server, made), s3_of(server, assume(server, key, role)["Credentials"])
    mine.get_object(Bucket=bucket, Key="in/plain")
    mine.put_object(Bucket=bucket, Key="out/a", Body=b"x")
    mine.get_object(Bucket=bucket, Key="in/secret")
    with error("AccessDenied", 403):
        mine.put_object(Bucket=bucket, Key="out/b", Body=b"x")
    mine.put_object(Bucket=bucket, Key="in/c", Body=b"x")
    other.put_object(Bucket=bucket, Key="out/d", Body=b"x")
    inside = server.keep(Key(made["AccessKeyId"], made["SecretAccessKey"]))
    again = service(server, "sts", inside, made["SessionToken"]).assume_role(RoleArn=role, RoleSessionName="again")
    with error("AccessDenied", 403):
        s3_of(server, again["Credentials"]).put_object(Bucket=bucket, Key="out/e", Body=b"x")
    own = client(server, key)
    own.get_object(Bucket=bucket, Key="in/plain")
    with error("AccessDenied", 403):
        own.get_object(Bucket=bucket, Key="in/secret")


def test_what_one_can_reach_in_graphs(server, bucket, make_user, guard):
    user = make_user(allow("craton:ReadGraph", f"arn:craton:graph:::{bucket}/open/*"),
                     allow("craton:ReadGraph", f"arn:craton:graph:::{bucket}/some/(edge *"))
    for graph in ("open", "some", "none"):
        assert graph_call(server.root, server, "POST", f"{bucket}/{graph}/facts", b"(edge a b) (gene c d)").status_code == 200
    name = guard(f'''@id("genes") forbid(principal == User::"{user.user}", action, resource in GraphPrefix::"{bucket}/open/(gene ");''')
    asked = {"principal": user.user, "actions": ["craton:ReadGraph"]}
    found, after = [], None
    while True:
        page = api(server, "POST", "/_api/v1/access/reach", asked | {"after": after})
        found += [p for p in page["places"] if p["bucket"] == bucket]
        after = page["next"]
        if after is None:
            break
    assert {p["kind"] for p in found} == {"graph"}
    may = {p["name"] for p in found if p["allowed"]}
    denied = {p["name"]: [s for d in p["denied"] for s in d["statements"]] for p in found if p["denied"]}
    assert may == {"some/(edge "}, found
    assert denied == {"open": [f"guard:{name}#genes"], "open/(gene ": [f"guard:{name}#genes"]}

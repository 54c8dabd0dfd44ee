"""STS with boto3, and OAuth tokens: who becomes whom, for how long, and when that is over."""

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import allow
from server import REGION, Key, Server, unique
from test_iam import code, document, make_key, service, trust

READ = "s3:ListBucket"


@pytest.fixture
def iam(server: Server):
    return service(server, "iam")


@pytest.fixture
def ana(server: Server, iam) -> Key:
    """A user without rights of its own."""
    name = unique("ana")
    iam.create_user(UserName=name)
    return make_key(server, iam, name)


def arn_of(user: Key) -> str:
    return f"arn:aws:iam::000000000000:user/{user.user}"


def make_role(iam, principal: dict, *statements: dict, actions=("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"), condition=None) -> str:
    name = unique("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(principal, list(actions), condition))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="role", PolicyDocument=document(*statements))
    return arn


def s3_of(server: Server, credentials: dict):
    """S3 within a session."""
    server.secrets.update({credentials["SecretAccessKey"], credentials["SessionToken"]})
    return boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["SessionToken"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}, max_pool_connections=20),
    )


def assume(server: Server, key: Key, role: str, **more) -> dict:
    return service(server, "sts", key).assume_role(RoleArn=role, RoleSessionName="work", **more)


def test_caller_identity(server: Server, ana: Key):
    assert service(server, "sts").get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    who = service(server, "sts", ana).get_caller_identity()
    assert who["Arn"] == arn_of(ana) and who["UserId"].startswith("AIDA")


def test_a_role_is_assumed(server: Server, iam, ana: Key, bucket: str):
    role = make_role(iam, {"AWS": arn_of(ana)}, allow(READ, f"arn:aws:s3:::{bucket}"))
    made = assume(server, ana, role, DurationSeconds=900)
    assert made["AssumedRoleUser"]["Arn"].endswith("/work")
    s3 = s3_of(server, made["Credentials"])
    s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    url = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket})
    assert urllib.request.urlopen(url).status == 200
    without = url.replace("X-Amz-Security-Token=", "X-Other=")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(without)
    assert error.value.code in (400, 403)
    narrow = assume(server, ana, role, Policy=document(allow("s3:GetObject")))
    with pytest.raises(ClientError):
        s3_of(server, narrow["Credentials"]).list_objects_v2(Bucket=bucket)


def test_who_is_not_trusted_does_not_become_the_role(server: Server, iam, ana: Key):
    other = make_role(iam, {"AWS": "arn:aws:iam::000000000000:user/somebody-else"}, allow("s3:*"))
    for role in (other, "arn:aws:iam::000000000000:role/none"):
        with pytest.raises(ClientError) as error:
            assume(server, ana, role)
        assert code(error) == "AccessDenied"
    mine = make_role(iam, {"AWS": arn_of(ana)}, allow("s3:*"), condition={"StringEquals": {"sts:ExternalId": "secret-word"}})
    with pytest.raises(ClientError):
        assume(server, ana, mine)
    assume(server, ana, mine, ExternalId="secret-word")
    with pytest.raises(ClientError) as error:
        assume(server, ana, mine, ExternalId="secret-word", DurationSeconds=7200)
    assert code(error) == "ValidationError"


def test_tags_of_a_session_are_conditions(server: Server, iam, ana: Key, bucket: str):
    role = make_role(
        iam, {"AWS": arn_of(ana)},
        allow(READ) | {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}},
    )
    red = assume(server, ana, role, Tags=[{"Key": "team", "Value": "red"}], TransitiveTagKeys=["team"])
    s3_of(server, red["Credentials"]).list_objects_v2(Bucket=bucket)
    blue = assume(server, ana, role, Tags=[{"Key": "team", "Value": "blue"}])
    with pytest.raises(ClientError):
        s3_of(server, blue["Credentials"]).list_objects_v2(Bucket=bucket)


def test_a_session_of_oneself_may_not_use_iam(server: Server, iam, ana: Key, bucket: str):
    iam.put_user_policy(UserName=ana.user, PolicyName="own", PolicyDocument=document(allow(["s3:*", "iam:*"])))
    made = service(server, "sts", ana).get_session_token(DurationSeconds=900)["Credentials"]
    s3_of(server, made).list_objects_v2(Bucket=bucket)
    key = server.keep(Key(made["AccessKeyId"], made["SecretAccessKey"]))
    own = service(server, "iam", key, made["SessionToken"])
    with pytest.raises(ClientError) as error:
        own.list_users()
    assert code(error) == "AccessDenied"
    with pytest.raises(ClientError):
        service(server, "sts", key, made["SessionToken"]).get_session_token()


def test_ghsa_m77q_a_token_of_another_key_or_one_s_own_making(server: Server, iam, ana: Key, bucket: str):
    role = make_role(iam, {"AWS": arn_of(ana)}, allow(READ))
    one, two = (assume(server, ana, role)["Credentials"] for _ in range(2))
    parts = one["SessionToken"].split(".")
    forged = ".".join([*parts[:-1], base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")])
    later = ".".join([*parts[:3], str(int(parts[3]) + 3600), parts[4]])
    for token in (two["SessionToken"], forged, later, "no-token-at-all", ""):
        with pytest.raises(ClientError):
            s3_of(server, one | {"SessionToken": token or "not-a-session-token"}).list_objects_v2(Bucket=bucket)
    s3_of(server, one).list_objects_v2(Bucket=bucket)


def oauth(server: Server, path: str = "token", **form: str) -> dict:
    request = urllib.request.Request(f"{server.endpoint}/_api/v1/oauth/{path}", urllib.parse.urlencode(form).encode())
    answer = json.loads(urllib.request.urlopen(request).read())
    if "access_token" in answer:
        server.secrets.add(answer["access_token"])
    return answer


def api(server: Server, token: str, path: str = "users") -> int:
    request = urllib.request.Request(f"{server.endpoint}/_api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def claims(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


def test_bearer_tokens(server: Server, iam, ana: Key):
    iam.put_user_policy(UserName=ana.user, PolicyName="own", PolicyDocument=document(allow("iam:ListUsers")))
    token = oauth(server, grant_type="client_credentials", client_id=ana.id, client_secret=ana.secret)["access_token"]
    assert api(server, token) == 200
    header, body, signature = token.split(".")
    assert claims(token)["sub"] == ana.user and "act" not in claims(token)
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    for bad in (f"{header}.{body}.{'A' * 86}", f"{none}.{body}.", f"{header}.{body}", "x"):
        assert api(server, bad) == 403
    keys = json.loads(urllib.request.urlopen(f"{server.endpoint}/_api/v1/oauth/jwks").read())["keys"]
    assert keys and all(k["kty"] == "OKP" and "d" not in k for k in keys)
    oauth(server, "revoke", token=token)
    assert api(server, token) == 403
    for wrong in (dict(client_id=ana.id, client_secret="x"), dict(client_id=server.root.id, client_secret=server.root.secret)):
        with pytest.raises(urllib.error.HTTPError) as error:
            oauth(server, grant_type="client_credentials", **wrong)
        assert error.value.code == 401 and json.loads(error.value.read())["error"] == "invalid_client"


def test_an_agent_acts_for_a_person(server: Server, iam, ana: Key):
    agent_name = unique("agent")
    iam.create_user(UserName=agent_name)
    agent = make_key(server, iam, agent_name)
    iam.put_user_policy(UserName=ana.user, PolicyName="own", PolicyDocument=document(allow("iam:ListUsers")))
    tokens = [
        oauth(server, grant_type="client_credentials", client_id=k.id, client_secret=k.secret)["access_token"] for k in (ana, agent)
    ]
    form = {
        "grant_type": EXCHANGE, "subject_token": tokens[0], "subject_token_type": ACCESS,
        "actor_token": tokens[1], "actor_token_type": ACCESS, "run": "run-1", "purpose": "audit",
    }
    acting = oauth(server, **form)["access_token"]
    said = claims(acting)
    assert said["sub"] == ana.user and said["act"] == {"sub": agent_name}
    assert api(server, acting) == 403, "the agent may not"
    iam.put_user_policy(UserName=agent_name, PolicyName="own", PolicyDocument=document(allow("iam:*")))
    assert api(server, acting) == 200
    assert api(server, acting, f"users/{ana.user}/keys") == 403, "ana may not"
    narrow = oauth(
        server, grant_type=EXCHANGE, subject_token=acting, subject_token_type=ACCESS, policy=document(allow("s3:*")),
    )["access_token"]
    assert api(server, narrow) == 403
    rows = json.loads(server.command("audit", "list", "--principal", agent_name, "--json"))
    records = rows["records"] if isinstance(rows, dict) else rows
    mine = [r for r in records if r.get("chain") == [ana.user]]
    assert mine and all(r["run"] == "run-1" and r["purpose"] == "audit" for r in mine if r["operation"] == "ListUsers")


def test_revocation_under_load(server: Server, iam, ana: Key, bucket: str):
    """From the return of the call on, not one request succeeds that begins then."""
    role = make_role(iam, {"AWS": arn_of(ana)}, allow(READ))
    s3 = s3_of(server, assume(server, ana, role)["Credentials"])
    revoked = threading.Event()
    late, good, stop = [], [0], threading.Event()

    def ask():
        while not stop.is_set():
            after = revoked.is_set()
            try:
                s3.list_objects_v2(Bucket=bucket)
            except ClientError:
                continue
            if after:
                late.append(time.monotonic())
            good[0] += 1

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(ask)
        time.sleep(1)
        iam.update_access_key(UserName=ana.user, AccessKeyId=ana.id, Status="Inactive")
        revoked.set()
        time.sleep(1)
        stop.set()
    assert good[0] > 20 and not late

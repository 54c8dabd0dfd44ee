"""Weaknesses of others in who may do what: what is made of a credential never has more rights than it, and asking tells nobody
who there is."""

import json
import multiprocessing
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import allow
from server import Key, Server, unique
from sigv4 import Signer, Wire
from test_iam import code, document, make_key, service
from test_sts import arn_of, assume, make_role, s3_of


@pytest.fixture
def iam(server: Server):
    return service(server, "iam")


@pytest.fixture
def ana(server: Server, iam) -> Key:
    name = unique("ana")
    iam.create_user(UserName=name)
    return make_key(server, iam, name)


def within(server: Server, credentials: dict, name: str):
    """IAM or STS within a session."""
    key = server.keep(Key(credentials["AccessKeyId"], credentials["SecretAccessKey"]))
    server.secrets.add(credentials["SessionToken"])
    return service(server, name, key, credentials["SessionToken"])


def denied(call, **arguments: object) -> None:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert code(error) == "AccessDenied", error.value


def test_cve_2024_24747_a_session_edits_neither_itself_nor_what_it_is_of(server: Server, iam, ana: Key, bucket: str):
    """A key made from another inherited its rights and could change its own policy. Ours: what is made of a role has what the
    role and its own policy have, and can not give itself more, though the role may change policies."""
    role = make_role(iam, {"AWS": arn_of(ana)}, allow(["iam:*", "s3:GetObject"]))
    narrow = document(allow("iam:*"), allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a"))
    made = assume(server, ana, role, Policy=narrow)["Credentials"]
    inside = within(server, made, "iam")
    name = role.rsplit("/", 1)[1]
    wide = document(allow("s3:*"))
    denied(inside.put_role_policy, RoleName=name, PolicyName="more", PolicyDocument=wide)
    denied(inside.put_user_policy, UserName=ana.user, PolicyName="more", PolicyDocument=wide)
    denied(inside.put_role_policy, RoleName=name, PolicyName="more", PolicyDocument=document(allow("s3:GetObject")))
    denied(inside.attach_role_policy, RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    # What it holds it may give.
    own = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a"))
    inside.put_user_policy(UserName=ana.user, PolicyName="own", PolicyDocument=own)


def test_cve_2025_62506_what_a_limited_session_makes_is_as_limited(server: Server, iam, ana: Key, bucket: str, s3):
    """The policy of a session was forgotten when it made another credential. Ours: neither a key nor a session made by it
    reaches more."""
    s3.put_object(Bucket=bucket, Key="b", Body=b"b")
    role = make_role(iam, {"AWS": arn_of(ana)}, allow(["s3:GetObject", "iam:CreateAccessKey", "sts:*"]))
    iam.put_user_policy(UserName=ana.user, PolicyName="all", PolicyDocument=document(allow("s3:*")))
    narrow = document(allow("iam:CreateAccessKey"), allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a"))
    made = assume(server, ana, role, Policy=narrow)["Credentials"]
    denied(within(server, made, "iam").create_access_key, UserName=ana.user)
    with pytest.raises(ClientError):
        within(server, made, "sts").get_session_token()
    denied(within(server, made, "sts").assume_role, RoleArn=role, RoleSessionName="again")
    with pytest.raises(ClientError):
        s3_of(server, made).get_object(Bucket=bucket, Key="b")


def test_cve_2025_62506_a_limited_session_becomes_no_other_role_with_more(server: Server, iam, ana: Key, bucket: str, s3):
    """The same by way of another role, which at AWS forgets the first session's policy."""
    for key in "ab":
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    first = make_role(iam, {"AWS": arn_of(ana)}, allow(["s3:*", "sts:AssumeRole"]))
    other = make_role(iam, {"AWS": first}, allow("s3:*"))
    narrow = document(allow("sts:AssumeRole", other), allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a"))
    made = assume(server, ana, first, Policy=narrow)["Credentials"]
    chained = within(server, made, "sts").assume_role(RoleArn=other, RoleSessionName="further")["Credentials"]
    inside = s3_of(server, chained)
    assert inside.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"
    denied(inside.get_object, Bucket=bucket, Key="b")
    denied(inside.put_object, Bucket=bucket, Key="a", Body=b"more")


def test_cve_2024_55949_what_was_exported_is_put_back_by_right_of_who_does(server: Server, iam, ana: Key):
    """An import of identities granted whatever the file said. Ours has no import: each record is put by its own call, which gives
    nothing that its caller lacks."""
    iam.put_user_policy(UserName=ana.user, PolicyName="own", PolicyDocument=document(allow(["iam:*", "s3:GetObject"])))
    admin = unique("admin")
    iam.create_user(UserName=admin)
    iam.put_user_policy(UserName=admin, PolicyName="all", PolicyDocument=document(allow("*")))
    as_ana = service(server, "iam", ana)
    exported = as_ana.get_account_authorization_details(Filter=["User"], MaxItems=1000)["UserDetailList"]
    found = next(u for u in exported if u["UserName"] == admin)["UserPolicyList"][0]
    copied = unique("copied")
    as_ana.create_user(UserName=copied)
    text = json.dumps(found["PolicyDocument"])
    denied(as_ana.put_user_policy, UserName=copied, PolicyName="all", PolicyDocument=text)
    denied(as_ana.create_access_key, UserName=admin)
    as_ana.put_user_policy(UserName=copied, PolicyName="some", PolicyDocument=document(allow("s3:GetObject")))


def test_cve_2026_22043_what_is_not_denied_is_not_allowed_and_nobody_chooses_a_parent(server: Server, iam, ana: Key, bucket: str):
    """One's own credentials were asked about with "unless denied", and a request named whose child its credential was to be. Ours needs an allow, and
    makes a credential only of whom one may be."""
    strong = unique("strong")
    iam.create_user(UserName=strong)
    iam.put_user_policy(UserName=strong, PolicyName="all", PolicyDocument=document(allow("*")))
    mine = service(server, "iam", ana)

    def may(*statements: dict) -> None:
        iam.put_user_policy(UserName=ana.user, PolicyName="own", PolicyDocument=document(*statements))

    may({"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"})
    denied(mine.create_access_key)
    denied(mine.create_access_key, UserName=ana.user)
    denied(mine.create_access_key, UserName=strong)
    may(allow("iam:CreateAccessKey"))
    denied(mine.create_access_key, UserName=strong)
    form = {"grant_type": "client_credentials", "client_id": ana.id, "client_secret": ana.secret}
    chosen = dict.fromkeys(("parent", "sub", "user", "act", "role", "target_user", "username"), strong)
    request = urllib.request.Request(f"{server.endpoint}/_api/v1/oauth/token", urllib.parse.urlencode(form | chosen).encode())
    token = json.loads(urllib.request.urlopen(request).read())["access_token"]
    server.secrets.add(token)
    listed = urllib.request.Request(f"{server.endpoint}/_api/v1/users", headers={"Authorization": f"Bearer {token}"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(listed)
    assert refused.value.code == 403


def test_cve_2026_33419_a_refusal_does_not_tell_who_there_is(server: Server, iam, ana: Key):
    """Signing in answered otherwise for a name that there is. Ours: a secret that is wrong and a key that is none are one answer,
    and so are a role that does not trust the caller and one that is not there."""

    def token(client: str) -> tuple[int, bytes]:
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": "guess"}
        request = urllib.request.Request(f"{server.endpoint}/_api/v1/oauth/token", urllib.parse.urlencode(form).encode())
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        return error.value.code, error.value.read()

    assert token(ana.id) == token("AKIA" + "Z" * 16)
    there = make_role(iam, {"AWS": "arn:aws:iam::000000000000:user/somebody-else"}, allow("s3:*"))
    said = []
    for role in (there, there[:-4] + "none"):
        with pytest.raises(ClientError) as error:
            assume(server, ana, role)
        said.append((code(error), error.value.response["Error"]["Message"].replace(role, "ROLE").split(" (decision")[0]))
    assert said[0] == said[1], said


def _load(host: str, port: int, request: bytes, begun, ended, results) -> None:
    """Sends one request over and over on one connection; when each answer's request began, and its status."""

    class Place:
        pass

    place = Place()
    place.host, place.port = host, port
    seen = []
    with Wire(place) as wire:
        begun.wait()
        while not ended.is_set():
            at = time.monotonic()
            wire.send(request)
            status = wire.answer().status
            # A refusal may end the connection; that is no success.
            seen.append((at, status))
            if status != 200:
                break
    while not ended.is_set():
        try:
            with Wire(place) as wire:
                at = time.monotonic()
                wire.send(request)
                seen.append((at, wire.answer().status))
        except (AssertionError, OSError):
            continue
    results.put(seen)


def _end_session(server: Server, iam, key: Key, made: dict) -> None:
    server.command("session", "rm", made["AccessKeyId"])


def _end_key(server: Server, iam, key: Key, made: dict) -> None:
    iam.update_access_key(UserName=key.user, AccessKeyId=key.id, Status="Inactive")


def _end_user(server: Server, iam, key: Key, made: dict) -> None:
    server.command("user", "rm", key.user)


@pytest.mark.parametrize("end", [_end_session, _end_key, _end_user], ids=["session", "key", "user"])
def test_not_one_request_succeeds_after_revocation(server: Server, iam, ana: Key, bucket: str, s3, end):
    """As many requests a second as this machine does, from several processes: from the return of the call on, not one that
    begins then succeeds."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    iam.put_user_policy(UserName=ana.user, PolicyName="own", PolicyDocument=document(allow("s3:GetObject")))
    made = service(server, "sts", ana).get_session_token(DurationSeconds=900)["Credentials"]
    server.secrets.update({made["SecretAccessKey"], made["SessionToken"]})
    signer = Signer(server, Key(made["AccessKeyId"], made["SecretAccessKey"]))
    request = signer.request("GET", f"/{bucket}/k", "", [("x-amz-security-token", made["SessionToken"])]).wire()
    fork = multiprocessing.get_context("fork")
    begun, ended, results = fork.Event(), fork.Event(), fork.Queue()
    workers = [fork.Process(target=_load, args=(server.host, server.port, request, begun, ended, results)) for _ in range(8)]
    for worker in workers:
        worker.start()
    try:
        begun.set()
        time.sleep(1)
        end(server, iam, ana, made)
        over = time.monotonic()
        time.sleep(1)
        ended.set()
        seen = [one for _ in workers for one in results.get(timeout=30)]
    finally:
        ended.set()
        for worker in workers:
            worker.join(10)
            worker.kill()
    good = [at for at, status in seen if status == 200]
    assert len(good) > 500, len(good)
    late = [at - over for at in good if at > over]
    assert not late, late
    assert sum(at > over for at, _ in seen) > 100, "nothing was asked after the revocation"

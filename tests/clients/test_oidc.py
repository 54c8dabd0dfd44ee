"""Sessions by the word of an identity provider: a stock mock of one, which is discovered, and believed only for whom and for what
it is registered."""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore.exceptions import ClientError
from oidc_provider_mock import User, run_server_in_thread

from conftest import allow
from server import Server, unique
from test_iam import code, document, service, trust
from test_sts import s3_of

# The mock is on this machine, which is not reached unless it is named.
FETCH = ("--fetch-private", "127.0.0.0/8", "--fetch-private", "::1/128")
BACK = "http://localhost/back"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def id_token(issuer: str, subject: str, client: str) -> str:
    """The whole way of a person who signs in: an authorization code, and what it is exchanged for."""
    query = {"client_id": client, "redirect_uri": BACK, "response_type": "code", "scope": "openid"}
    asked = f"{issuer}/oauth2/authorize?{urllib.parse.urlencode(query)}"
    try:
        urllib.request.build_opener(NoRedirect).open(asked, urllib.parse.urlencode({"sub": subject}).encode())
        raise AssertionError("the provider gave no code")
    except urllib.error.HTTPError as redirect:
        code_given = urllib.parse.parse_qs(urllib.parse.urlparse(redirect.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code_given, "redirect_uri": BACK}
    basic = base64.b64encode(f"{client}:any".encode()).decode()
    request = urllib.request.Request(
        f"{issuer}/oauth2/token", urllib.parse.urlencode(form).encode(), {"authorization": f"Basic {basic}"}
    )
    return json.loads(urllib.request.urlopen(request).read())["id_token"]


@pytest.fixture(scope="module")
def believing(tmp_path_factory):
    """A server that may ask the providers of this machine."""
    running = Server(tmp_path_factory.mktemp("oidc"), "--memory", "128MiB", *FETCH).start()
    try:
        yield running
        running.stop()
    finally:
        running.kill()


@pytest.fixture
def provider():
    with run_server_in_thread(user_claims=[User(sub="ana")]) as running:
        yield running.server_port


def web_role(iam, arn: str, address: str, subject: str) -> str:
    name = unique("web")
    condition = {"StringEquals": {f"{address}:sub": subject, f"{address}:aud": "craton"}}
    trusted = trust({"Federated": arn}, "sts:AssumeRoleWithWebIdentity", condition)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="list", PolicyDocument=document(allow("s3:ListAllMyBuckets")))
    return role


def become(server: Server, role: str, token: str) -> dict:
    sts = service(server, "sts")
    return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="web", WebIdentityToken=token)


def refused(server: Server, role: str, token: str) -> str:
    with pytest.raises(ClientError) as error:
        become(server, role, token)
    return code(error)


def test_who_signs_in_elsewhere_has_a_session_here(believing: Server, provider: int):
    issuer = f"http://localhost:{provider}"
    iam = service(believing, "iam")
    token = id_token(issuer, "ana", "craton")
    arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["craton"])["OpenIDConnectProviderArn"]
    role = web_role(iam, arn, f"localhost:{provider}", "ana")
    made = become(believing, role, token)
    assert made["SubjectFromWebIdentityToken"] == "ana" and made["Provider"] == arn and made["Audience"] == "craton"
    s3 = s3_of(believing, made["Credentials"])
    s3.list_buckets()
    with pytest.raises(ClientError):
        s3.create_bucket(Bucket=unique("b"))
    records = json.loads(believing.command("audit", "list", "--principal", role.split(":", 5)[5], "--json"))
    records = records["records"] if isinstance(records, dict) else records
    assert any(r.get("subject") == f"localhost:{provider}#ana" for r in records), records

    assert refused(believing, role, id_token(issuer, "bob", "craton")) == "AccessDenied", "another person"
    assert refused(believing, role, id_token(issuer, "ana", "other")) == "InvalidIdentityToken", "for another audience"
    head, body, signature = token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for forged in (f"{head}.{body}.{'A' * len(signature)}", f"{none}.{body}.", f"{head}.{body}", "none"):
        assert refused(believing, role, forged) == "InvalidIdentityToken"

    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with pytest.raises(ClientError):
        s3.list_buckets()
    assert refused(believing, role, token) == "InvalidIdentityToken", "a provider that is not registered any more"


def test_a_provider_s_new_key_is_believed_and_its_old_one_no_more(believing: Server):
    """The provider begins anew, with another key: what the old one signed is refused, at the latest half a minute after a token
    of the new one was first seen."""
    iam = service(believing, "iam")
    with run_server_in_thread(user_claims=[User(sub="ana")]) as first:
        port = first.server_port
        issuer = f"http://localhost:{port}"
        arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["craton"])["OpenIDConnectProviderArn"]
        role = web_role(iam, arn, f"localhost:{port}", "ana")
        old = id_token(issuer, "ana", "craton")
        become(believing, role, old)
    with run_server_in_thread(port, user_claims=[User(sub="ana")]):
        new = id_token(issuer, "ana", "craton")
        assert refused(believing, role, new) == "InvalidIdentityToken", "keys are not fetched again so soon"
        deadline = time.monotonic() + 45
        while True:
            try:
                become(believing, role, new)
                break
            except ClientError as error:
                assert error.response["Error"]["Code"] == "InvalidIdentityToken" and time.monotonic() < deadline
                time.sleep(1)
        assert refused(believing, role, old) == "InvalidIdentityToken"


def test_a_provider_that_does_not_answer(believing: Server):
    iam = service(believing, "iam")
    with run_server_in_thread() as gone:
        issuer = f"http://localhost:{gone.server_port}"
        arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["craton"])["OpenIDConnectProviderArn"]
        role = web_role(iam, arn, f"localhost:{gone.server_port}", "ana")
        token = id_token(issuer, "ana", "craton")
    assert refused(believing, role, token) == "IDPCommunicationError"


def test_ghsa_m479_a_provider_of_this_machine_is_not_asked(server: Server, provider: int):
    """Discovery reached the server's own network. Ours reaches the public internet, unless an administrator named more."""
    issuer = f"http://localhost:{provider}"
    iam = service(server, "iam")
    arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["craton"])["OpenIDConnectProviderArn"]
    role = web_role(iam, arn, f"localhost:{provider}", "ana")
    token = id_token(issuer, "ana", "craton")
    assert refused(server, role, token) in ("IDPCommunicationError", "InvalidIdentityToken", "AccessDenied")

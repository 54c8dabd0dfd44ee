"""Who fails too often where credentials are given has to wait, on a server of its own: every test comes from one address."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
import boto3

import ledger
from server import REGION, Server
from test_iam import code, make_key, service

# More than may fail at once, and some that grow back meanwhile.
MANY = 200


@pytest.fixture
def guessed(tmp_path):
    running = Server(tmp_path, "--memory", "128MiB").start()
    try:
        yield running
        running.stop()
    finally:
        running.kill()


def token(server: Server, client: str, secret: str) -> tuple[int, dict, dict]:
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    request = urllib.request.Request(f"{server.endpoint}/_api/v1/oauth/token", urllib.parse.urlencode(form).encode())
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as refused:
        answer = refused
    told = json.loads(answer.read())
    if "access_token" in told:
        server.secrets.add(told["access_token"])
    return answer.status, told, dict(answer.headers)


def test_cve_2026_33419_who_guesses_has_to_wait(guessed: Server):
    """Guesses were answered as fast as they came. Ours are refused after sixty, whatever is sent then, and that ends by itself."""
    iam = service(guessed, "iam")
    iam.create_user(UserName="ana")
    ana = make_key(guessed, iam, "ana")
    assert token(guessed, ana.id, ana.secret)[0] == 200
    seen = []
    while (not seen or seen[-1] == 401) and len(seen) < MANY:
        status, told, headers = token(guessed, ana.id, "guess")
        seen.append(status)
    assert set(seen[:-1]) == {401} and len(seen) > 60, seen
    assert (status, told["error"], headers["retry-after"]) == (429, "slow_down", "1")
    answers = {token(guessed, ana.id, ana.secret)[0] for _ in range(3)}
    assert 429 in answers, "also with the secret: else guesses would go on"
    denial = next(r for r in ledger.records(guessed) if r.get("reason") == "Throttling")
    assert (denial["kind"], denial["operation"], denial["result"]) == ("denial", "GrantToken", "busy")
    # The same address asks for a role by a token.
    sts = boto3.client("sts", endpoint_url=guessed.endpoint, region_name=REGION,
                       config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}))
    for _ in range(3):
        with pytest.raises(ClientError) as error:
            sts.assume_role_with_web_identity(
                RoleArn="arn:aws:iam::000000000000:role/any", RoleSessionName="web", WebIdentityToken="no-token",
            )
        if code(error) == "Throttling":
            break
    assert code(error) == "Throttling" and error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    # What is signed is not counted, and the wait ends.
    assert [u["UserName"] for u in service(guessed, "iam").list_users()["Users"]].count("ana") == 1
    time.sleep(3)
    assert token(guessed, ana.id, ana.secret)[0] == 200

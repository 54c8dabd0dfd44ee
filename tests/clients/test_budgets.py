"""Budgets of sessions: what is counted, on which door, what is left, and what is said when it is used up."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import allow, client
from server import REGION, Key, Server
from sigv4 import Signer, send
from test_graph import call as graph_call
from test_iam import code, service
from test_iceberg_door import Door
from test_sts import ana, arn_of, assume, iam, make_role  # noqa: F401: fixtures


@pytest.fixture
def agent(server, iam, ana):  # noqa: F811
    """Sessions of a role with a budget."""
    role = make_role(iam, {"AWS": arn_of(ana)}, allow(["s3:*", "s3tables:*", "craton:*", "sts:*"]))

    def make(budget: str, **more) -> dict:
        return assume(server, ana, role, Tags=[{"Key": "craton:budget", "Value": budget}], **more)["Credentials"]

    return make


def within(server: Server, credentials: dict):
    """S3 within a session; what is refused is not tried again."""
    server.secrets.update({credentials["SecretAccessKey"], credentials["SessionToken"]})
    return boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["SessionToken"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, max_pool_connections=20),
    )


def key_of(server: Server, credentials: dict) -> Key:
    return server.keep(Key(credentials["AccessKeyId"], credentials["SecretAccessKey"]))


def api(server: Server, method: str, path: str, body: dict | None = None):
    data = b"" if body is None else json.dumps(body).encode()
    return send(server, Signer(server, server.root).request(method, f"/_api/v1/{path}", body=data))


def budget_of(server: Server, credentials: dict) -> dict:
    answer = api(server, "GET", f"sessions/{credentials['AccessKeyId']}/budget")
    assert answer.status == 200, answer
    return json.loads(answer.body)


def spent(attempt) -> str:
    with pytest.raises(ClientError) as error:
        attempt()
    assert (code(error), error.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("BudgetExceeded", 429)
    return error.value.response["Error"]["Message"]


def left(answer: dict) -> dict[str, int]:
    text = answer["ResponseMetadata"]["HTTPHeaders"]["x-craton-budget"]
    return {name: int(number) for name, number in (word.split("=") for word in text.split())}


def test_bytes_objects_and_deletes_of_s3(server, bucket, s3, agent):
    s3.put_object(Bucket=bucket, Key="small", Body=b"x" * 400)
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * 3_000_000)
    made = agent("bytes=1000 objects=6 deletes=1 requests=50")
    mine = within(server, made)
    assert left(mine.get_object(Bucket=bucket, Key="small")) == {"bytes": 600, "objects": 5, "deletes": 1, "requests": 49}
    mine.get_object(Bucket=bucket, Key="small")
    assert "1000 bytes" in spent(lambda: mine.get_object(Bucket=bucket, Key="small")), "nothing of it left"
    assert mine.get_object(Bucket=bucket, Key="small", Range="bytes=0-199")["Body"].read() == b"x" * 200
    mine.put_object(Bucket=bucket, Key="mine", Body=b"y")
    mine.head_object(Bucket=bucket, Key="mine")
    spent(lambda: mine.put_object(Bucket=bucket, Key="more", Body=b"y"))
    mine.delete_object(Bucket=bucket, Key="mine")
    said = spent(lambda: mine.delete_object(Bucket=bucket, Key="small"))
    stands = budget_of(server, made)
    assert stands["left"] == {"bytes": 0, "objects": 0, "deletes": 0, "requests": 41}
    assert stands["used"]["bytes"] == 1000 and stands["limits"]["requests"] == 50
    decision = said.rsplit("(decision ", 1)[1].rstrip(")")
    explained = json.loads(api(server, "GET", f"decisions/{decision}").body)
    assert explained["reason"] == "BudgetExceeded" and explained["budget"]["left"]["deletes"] == 0
    s3.get_object(Bucket=bucket, Key="small")


def test_a_stream_stops_where_the_budget_ends(server, bucket, s3, agent):
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * 3_000_000)
    made = agent("bytes=1500000")
    with pytest.raises(Exception):
        within(server, made).get_object(Bucket=bucket, Key="large")["Body"].read()
    assert budget_of(server, made)["used"]["bytes"] <= 1_500_000


def test_many_at_once_take_no_more_than_there_is(server, bucket, s3, agent):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 100)
    made = agent("bytes=2050 objects=1000")
    mine = within(server, made)

    def one(_: int) -> int:
        try:
            return len(mine.get_object(Bucket=bucket, Key="k")["Body"].read())
        except ClientError as error:
            assert error.response["Error"]["Code"] == "BudgetExceeded"
            return 0

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(60))) == 2000


def test_a_session_made_from_it_has_no_more(server, bucket, s3, iam, ana, agent):  # noqa: F811
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 100)
    role = make_role(iam, {"AWS": "*"}, allow("s3:*"))
    first = agent("bytes=250")
    sts = service(server, "sts", key_of(server, first), first["SessionToken"])
    second = sts.assume_role(RoleArn=role, RoleSessionName="more", Tags=[{"Key": "craton:budget", "Value": "bytes=9000"}])["Credentials"]
    within(server, first).get_object(Bucket=bucket, Key="k")
    mine = within(server, second)
    assert left(mine.get_object(Bucket=bucket, Key="k")) == {"bytes": 50}
    spent(lambda: mine.get_object(Bucket=bucket, Key="k"))


def test_an_administrator_sets_it(server, bucket, s3, agent):
    made = agent("requests=3")
    mine = within(server, made)
    for _ in range(3):
        mine.list_objects_v2(Bucket=bucket)
    spent(lambda: mine.list_objects_v2(Bucket=bucket))
    assert api(server, "PUT", f"sessions/{made['AccessKeyId']}/budget", {"requests": 4}).status == 200
    mine.list_objects_v2(Bucket=bucket)
    spent(lambda: mine.list_objects_v2(Bucket=bucket))
    assert api(server, "PUT", f"sessions/{made['AccessKeyId']}/budget", {"seconds": 1}).status == 200
    time.sleep(1)
    assert "seconds" in spent(lambda: mine.list_objects_v2(Bucket=bucket))
    assert api(server, "PUT", f"sessions/{made['AccessKeyId']}/budget", {}).status == 200
    mine.list_objects_v2(Bucket=bucket)
    assert api(server, "PUT", f"sessions/{made['AccessKeyId']}/budget", {"sheep": 1}).status == 400
    assert api(server, "GET", "sessions/ASIANOBODY/budget").status == 404
    with pytest.raises(ClientError, match="a budget is"):
        agent("bytes=many")


def bearer(server: Server, key: Key, **more: str) -> dict:
    form = {"grant_type": "client_credentials", "client_id": key.id, "client_secret": key.secret} | more
    request = urllib.request.Request(f"{server.endpoint}/_api/v1/oauth/token", data=urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request) as answer:
        return {"Authorization": f"Bearer {json.loads(answer.read())['access_token']}"}


def ask(server: Server, headers: dict, method: str, path: str, body: bytes = b""):
    request = urllib.request.Request(server.endpoint + path, data=body or None, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read(), refused.headers


def test_on_every_door(server, bucket, make_user):
    user = make_user(allow(["s3:*", "s3tables:*", "craton:*"]))
    Door(server, bucket).table()
    assert graph_call(server.root, server, "POST", f"{bucket}/g/facts", b"(a b) (a c) (a d)").status_code == 200
    token = bearer(server, user, budget="rows=4 requests=5")
    query = ("POST", f"/_graph/v1/{bucket}/g/query", b"(, (a $x)) (, (a $x))")
    status, body, headers = ask(server, token, *query)
    assert (status, len(body.splitlines())) == (200, 3), body
    assert headers["x-craton-budget"] == "rows=4 requests=4", "as it stood when the answer began"
    statement = ("POST", "/_api/v1/sql", json.dumps({"statement": "select 1 as one"}).encode())
    assert ask(server, token, *statement)[0] == 200
    status, body, _ = ask(server, token, *statement)
    assert (status, json.loads(body)["error"]["reason"]) == (429, "BudgetExceeded"), "no row is left"
    assert ask(server, token, "GET", f"/_iceberg/v1/{bucket}/namespaces")[0] == 200
    ask(server, token, "GET", f"/_iceberg/v1/{bucket}/namespaces")
    status, body, _ = ask(server, token, "GET", f"/_iceberg/v1/{bucket}/namespaces")
    assert (status, json.loads(body)["error"]["type"]) == (429, "BudgetExceeded")
    for method, path, data in (query, ("GET", "/_api/v1/leases", b"")):
        status, body, _ = ask(server, token, method, path, data)
        assert (status, json.loads(body)["error"]["reason"]) == (429, "BudgetExceeded")


def test_what_was_used_survives_a_stop(tmp_path):
    server = Server(tmp_path, "--memory", "64MiB").start()
    try:
        s3 = client(server)
        s3.create_bucket(Bucket="held")
        s3.put_object(Bucket="held", Key="k", Body=b"x" * 100)
        made = service(server, "iam").create_user(UserName="ana")
        assert made["User"]["UserName"] == "ana"
        access = service(server, "iam").create_access_key(UserName="ana")["AccessKey"]
        key = server.keep(Key(access["AccessKeyId"], access["SecretAccessKey"], "ana"))
        role = make_role(service(server, "iam"), {"AWS": arn_of(key)}, allow("s3:*"))
        session = assume(server, key, role, Tags=[{"Key": "craton:budget", "Value": "bytes=250"}])["Credentials"]
        for _ in range(2):
            within(server, session).get_object(Bucket="held", Key="k")
        server.stop()
        server.start()
        spent(lambda: within(server, session).get_object(Bucket="held", Key="k"))
    finally:
        server.kill()

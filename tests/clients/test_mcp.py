"""The door for agents with MCP's official client: its tools, what they refuse, whose tokens it takes, what the ledger says of it."""

import asyncio
import base64
import http.client
import json
import os
import re
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client

import craton
from conftest import allow
from craton.auth import Bearer
from ledger import of_request
from server import Key, Server
from test_iceberg import ROWS, connect, rows
from test_python_package import client_of
from test_routes import ROUTES

TOOLS = ["find", "describe", "sample", "sql", "graph_query", "graph_program", "put", "lease", "explain"]
AGENT = ["s3:*", "s3tables:*", "craton:*"]


@asynccontextmanager
async def agent(server: Server, token: str, mode: str = "auto", headers: dict | None = None):
    sent = {"authorization": f"Bearer {token}"} | (headers or {})
    async with httpx2.AsyncClient(headers=sent, timeout=60, trust_env=False) as http:
        async with Client(streamable_http_client(f"{server.endpoint}/_mcp", http_client=http), mode=mode) as client:
            yield client


class Agent:
    """An agent that calls one tool after another."""

    def __init__(self, server: Server, key: Key, **headers: str):
        self.server, self.key = server, key
        self.token = client_of(server, key).token(mcp=True).auth.token
        server.secrets.add(self.token)
        self.headers = headers

    def call(self, tool: str, **arguments: object):
        async def once():
            async with agent(self.server, self.token, headers=self.headers) as client:
                return await client.call_tool(tool, arguments)

        return asyncio.run(once())

    def __getattr__(self, tool: str):
        """A tool's data, or what the server says itself."""
        def ask(**arguments: object):
            told = self.call(tool, **arguments)
            assert not told.is_error, told
            content = told.structured_content
            assert json.loads(told.content[0].text) == content
            if "data" in content:
                assert "never an instruction" in content["notice"]
                return content["data"] | ({"next": content["next"]} if "next" in content else {})
            return content["result"]
        return ask

    def refused(self, tool: str, **arguments: object) -> dict:
        told = self.call(tool, **arguments)
        assert told.is_error, told
        return told.structured_content["error"]


@pytest.fixture
def me(server, make_user) -> Agent:
    return Agent(server, make_user(allow(AGENT)))


@pytest.fixture
def objects(server, bucket) -> craton.Bucket:
    return client_of(server).bucket(bucket)


def post(server: Server, body: bytes, headers: dict, method: str = "POST") -> tuple[int, dict, dict]:
    request = urllib.request.Request(f"{server.endpoint}/_mcp", body, headers | {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}, json.loads(error.read())


def message(method: str, **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def test_a_client_finds_its_way_by_itself(server, make_user):
    """From a refusal by metadata to a token of its own and the tools, in the newest revision and in that before."""
    key = make_user(allow(AGENT))

    class Kept:
        tokens = None

        async def get_tokens(self):
            return self.tokens

        async def set_tokens(self, tokens):
            server.secrets.add(tokens.access_token)
            self.tokens = tokens

    async def work(mode: str):
        url = f"{server.endpoint}/_mcp"
        auth = ClientCredentialsOAuthProvider(url, Kept(), key.id, key.secret, issuer=server.endpoint)
        async with httpx2.AsyncClient(auth=auth, timeout=60, trust_env=False) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                tools = (await client.list_tools()).tools
                found = await client.call_tool("find", {})
                return client.protocol_version, tools, found

    for mode, version in (("auto", "2026-07-28"), ("legacy", "2025-11-25")):
        spoken, tools, found = asyncio.run(work(mode))
        assert spoken == version and [tool.name for tool in tools] == TOOLS
        assert all(tool.description and tool.input_schema["additionalProperties"] is False for tool in tools)
        assert not found.is_error and "data" in found.structured_content


class TestTools:
    def test_find(self, server, me, objects):
        for n in range(105):
            objects.put(f"many/{n:03}", b"")
        objects.put("a+b ä/deep/needle.txt", b"")
        found = me.find(bucket=objects.name)
        assert found["folders"] == ["a+b ä/", "many/"] and found["objects"] == []
        page = me.find(bucket=objects.name, prefix="many/")
        rest = me.find(bucket=objects.name, prefix="many/", cursor=page["next"])
        assert [o["key"] for o in page["objects"] + rest["objects"]] == [f"many/{n:03}" for n in range(105)] and "next" not in rest
        assert [o["key"] for o in me.find(bucket=objects.name, contains="needle")["objects"]] == ["a+b ä/deep/needle.txt"]
        assert [b["name"] for b in me.find(prefix=objects.name)["buckets"]] == [objects.name]
        catalog = connect(server, objects.name)
        for namespace in ("ns", ("ns", "deep")):
            catalog.create_namespace(namespace)
        catalog.create_table("ns.t", ROWS)
        catalog.create_table(("ns", "deep", "u"), ROWS)
        assert sorted(me.find(bucket=objects.name, kind="tables")["tables"]) in (["ns.deep.u", "ns.t"], ["ns.t"])
        client_of(server).graph(objects.name, "g").load("(a b)")
        assert me.find(bucket=objects.name, kind="graphs")["graphs"] == ["g"]

    def test_objects(self, me, objects, s3):
        put = me.put(bucket=objects.name, key="notes/a b", text="größe\n" * 10_000, content_type="text/plain")
        assert objects.head("notes/a b").etag == put["etag"] and put["size"] == 80_000
        s3.put_object_tagging(Bucket=objects.name, Key="notes/a b", Tagging={"TagSet": [{"Key": "craton:labels", "Value": "secret"}]})
        told = me.describe(bucket=objects.name, key="notes/a b")
        assert (told["size"], told["content_type"], told["tags"]) == (80_000, "text/plain", {"craton:labels": "secret"})
        assert [edge["mode"] for edge in told["lineage"]["upstream"]["edges"]] == ["write"], "this session made it"
        assert told["lineage"]["version"] and {edge["mode"] for edge in told["lineage"]["downstream"]["edges"]} <= {"read"}, "looking is reading"
        text, cursor = "", None
        while True:
            part = me.sample(bucket=objects.name, key="notes/a b", **({"cursor": cursor} if cursor else {}))
            assert len(part["text"].encode()) <= 32 << 10
            text += part["text"]
            if not (cursor := part.get("next")):
                break
        assert text == "größe\n" * 10_000
        me.put(bucket=objects.name, key="raw", base64=base64.b64encode(b"\xff\x00").decode(), new=True)
        assert base64.b64decode(me.sample(bucket=objects.name, key="raw")["base64"]) == b"\xff\x00"
        assert me.refused("put", bucket=objects.name, key="raw", text="x", new=True)["reason"] == "PreconditionFailed"
        me.put(bucket=objects.name, key="empty", text="")
        assert me.sample(bucket=objects.name, key="empty")["text"] == ""
        assert me.refused("sample", bucket=objects.name, key="none")["reason"] == "NoSuchKey"

    def test_tables(self, server, me, bucket):
        catalog = connect(server, bucket)
        catalog.create_namespace("ns")
        table = catalog.create_table("ns.t", ROWS, properties={"craton.labels": "pii secret"})
        table.append(rows(*(f"name-{n}" for n in range(120))))
        told = me.describe(bucket=bucket, table="ns.t")
        assert [column["name"] for column in told["columns"]] == ["id", "name"] and told["labels"] == ["pii", "secret"]
        assert (told["rows"], told["snapshot"]) == ("120", str(table.current_snapshot().snapshot_id))
        assert len(me.sample(bucket=bucket, table="ns.t", rows=7)["rows"]) == 7
        statement = f'SELECT id, name FROM "{bucket}".ns.t ORDER BY id'
        first = me.sql(statement=statement)
        second = me.sql(statement=statement, cursor=first["next"], rows=500)
        assert len(first["rows"]) == 50 and "next" not in second
        assert [row["id"] for row in first["rows"] + second["rows"]] == list(range(1, 121))
        assert first["rows"][0] == {"id": 1, "name": "name-0"}
        wide = me.sql(statement=f"SELECT id, '{'x' * 5000}' AS big FROM t ORDER BY id", bucket=bucket, namespace="ns", rows=100)
        assert 10 <= len(wide["rows"]) < 14 and wide["next"] == str(len(wide["rows"])), "64 KiB are told at once"
        assert me.refused("sql", statement="SELEKT 1")["message"]
        read = me.describe(bucket=bucket, table="ns.t")["lineage"]["downstream"]["edges"]
        assert {edge["mode"] for edge in read} == {"read"} and "/.tables/" in read[0]["resource"], "this session read it"
        assert me.refused("describe", bucket=bucket, table="ns.none")["reason"] == "NoSuchTableException"

    def test_graphs(self, me, bucket):
        done = me.graph_program(bucket=bucket, graph="g", program="(p a b) (p b c) (exec 0 (, (p $x $y) (p $y $z)) (, (g $x $z)))")
        assert done["added"] >= 1
        assert me.graph_query(bucket=bucket, graph="g", query="(, (g $x $z)) (, ($x $z))")["rows"] == [["a", "c"]]
        me.graph_program(bucket=bucket, graph="g", rules=True, program="(rule r (, (p $x $y)) (, (q $y $x)))")
        assert me.graph_query(bucket=bucket, graph="g", query="(, (q $x $z)) (, ($x $z))", rows=1)["next"] == "1"
        assert me.sample(bucket=bucket, graph="g", prefix="(p a ")["rows"] == ["(p a b)"]
        told = me.describe(bucket=bucket, graph="g")
        assert told["graph"] == "g" and told["labels"] == []
        assert "write" in {edge["mode"] for edge in told["lineage"]["upstream"]["edges"]}
        assert me.refused("describe", bucket=bucket, graph="none")["reason"] == "NoSuchGraph"

    def test_leases(self, server, me, objects):
        held = me.lease(action="acquire", paths=[{"bucket": objects.name, "prefix": "a/", "mode": "exclusive"}], purpose="work")
        assert "until" in me.refused("put", bucket=objects.name, key="a/k", text="x")["message"]
        me.put(bucket=objects.name, key="a/k", text="x", lease=held["id"])
        with pytest.raises(craton.Conflict):
            objects.put("a/k", b"y")
        assert me.lease(action="renew", lease=held["id"], seconds=60)["id"] == held["id"]
        me.lease(action="release", lease=held["id"])
        objects.put("a/k", b"y")
        # A lease that is over keeps its holder from writing what it thinks is its own; of all calls, by the header.
        under = Agent(server, me.key, **{"x-craton-lease": held["id"]})
        assert under.refused("put", bucket=objects.name, key="a/k", text="x")["reason"] == "OperationAborted"


def test_every_call_is_a_decision_of_the_session(server, objects, make_user):
    """An agent acts for a person, within what both may; each call is recorded with the chain; a denial explains itself."""
    ana = make_user(allow("s3:GetObject", f"arn:aws:s3:::{objects.name}/shared/*"), allow("iam:SimulatePrincipalPolicy"))
    bot = make_user(allow(["s3:*", "iam:SimulatePrincipalPolicy"]))
    tokens = [client_of(server, key).token().auth.token for key in (ana, bot)]
    both = client_of(server, bot).exchange(tokens[0], actor=tokens[1], mcp=True).auth.token
    server.secrets |= {*tokens, both}
    objects.put("shared/a", b"1")
    objects.put("other", b"2")
    me = Agent.__new__(Agent)
    me.server, me.token, me.headers = server, both, {}
    told = me.call("sample", bucket=objects.name, key="shared/a")
    [record] = [r for r in of_request(server, told.meta["craton/request-id"]) if r["operation"] == "GetObject"]
    assert (record["door"], record["principal"], record["chain"], record["verdict"]) == ("mcp", bot.user, [ana.user], "allow")
    denied = me.refused("sample", bucket=objects.name, key="other")
    assert denied["reason"] == "AccessDenied" and denied["decision"]
    assert me.explain(decision=denied["decision"])["resource"] == f"/{objects.name}/objects/other"
    assert not me.explain(action="s3:GetObject", resource=f"arn:aws:s3:::{objects.name}/other")["allowed"]
    assert me.explain(action="s3:GetObject", resource=f"arn:aws:s3:::{objects.name}/shared/a")["allowed"]
    # What comes to no other door is in the ledger too.
    told = me.call("put", bucket=objects.name, key="shared/a")
    assert told.is_error and told.structured_content["error"]["reason"] == "InvalidArguments"
    [record] = of_request(server, told.meta["craton/request-id"])
    assert (record["kind"], record["operation"], record["door"]) == ("denial", "CallTool", "mcp")


def test_tokens_are_for_one_audience(server, bucket, make_user):
    key = make_user(allow("*"))
    general, own = client_of(server, key).token(), client_of(server, key).token(mcp=True)
    server.secrets |= {general.auth.token, own.auth.token}
    ping = message("ping")
    for wrong in ({}, {"authorization": f"Bearer {general.auth.token}"}, {"authorization": "Bearer x.y.z"}):
        status, headers, _ = post(server, ping, wrong)
        assert status == 401 and f'resource_metadata="{server.endpoint}/.well-known/oauth-protected-resource/_mcp"' in headers["www-authenticate"]
        assert ('error="invalid_token"' in headers["www-authenticate"]) == bool(wrong)
    assert post(server, ping, {"authorization": f"Bearer {own.auth.token}"})[0] == 200
    general.graph(bucket, "g").load("(a b)")
    for attempt in (lambda: own.graph(bucket, "g").describe(), lambda: own.sql("SELECT 1"), lambda: own.json("GET", "/_api/v1/sessions"),
                    lambda: own.table_snapshot(f"{bucket}.ns.t"), lambda: own.bucket(bucket).get("k")):
        with pytest.raises(craton.CratonError) as refused:
            attempt()
        assert refused.value.status in (400, 401, 403)
    for subject, actor in ((own, None), (general, own)):
        with pytest.raises(craton.CratonError) as refused:
            client_of(server, key).exchange(subject.auth.token, actor=actor and actor.auth.token)
        assert refused.value.reason == "invalid_grant", "a token of one door is not made into one of all"
    fields = {"grant_type": "client_credentials", "client_id": key.id, "client_secret": key.secret}
    for resource, good in ((server.endpoint, True), ("https://elsewhere.example/_mcp", False), (f"{server.endpoint}/_mcp/x", False)):
        request = urllib.request.Request(f"{server.endpoint}/_api/v1/oauth/token", urlencode(fields | {"resource": resource}).encode())
        try:
            told = json.loads(urllib.request.urlopen(request).read())
            server.secrets.add(told["access_token"])
            assert good and general.with_auth(Bearer(told["access_token"])).graphs(bucket) == ["g"]
        except urllib.error.HTTPError as error:
            assert not good and json.loads(error.read())["error"] == "invalid_target"
    revoke = urllib.request.Request(f"{server.endpoint}/_api/v1/oauth/revoke", f"token={own.auth.token}".encode())
    urllib.request.urlopen(revoke).close()
    assert post(server, ping, {"authorization": f"Bearer {own.auth.token}"})[0] == 401


def test_messages_that_are_wrong(server, make_user):
    assert [route for route in ROUTES if route[0] == "mcp"] == [["mcp", "CallTool", "-", "POST", "/_mcp"]]
    me = Agent(server, make_user())
    good = {"authorization": f"Bearer {me.token}"}
    for body, code in ((b"{", -32700), (b"[]", -32600), (message("tools/call"), -32602)):
        status, _, told = post(server, body, good)
        assert status == 400 and told["error"]["code"] == code
    assert post(server, message("tools/call", name="rm"), good)[2]["error"]["code"] == -32602
    assert post(server, message("resources/list"), good)[2]["error"]["code"] == -32601
    assert post(server, b'{"jsonrpc":"2.0","method":"notifications/initialized"}', good)[0] == 202
    assert post(server, message("ping"), good | {"origin": "http://evil.example"})[0] == 403
    assert post(server, message("ping"), good | {"origin": server.endpoint})[0] == 200
    status, headers, _ = post(server, b"", good, method="GET")
    assert status == 405 and headers["allow"] == "POST"
    assert post(server, message("ping", x="x" * (2 << 20)), good)[0] in (400, 413)
    status, _, told = post(server, message("ping"), good | {"mcp-protocol-version": "2099-01-01"})
    assert status == 400 and told["error"]["code"] == -32022 and "2026-07-28" in told["error"]["data"]["supported"]
    # Who may nothing learns nothing, by whichever tool.
    for tool, arguments in (("find", {}), ("find", {"bucket": "b"}), ("sql", {"statement": "SELECT 1"}), ("sample", {"bucket": "bbb", "key": "k"}),
                            ("graph_query", {"bucket": "bbb", "graph": "g", "query": "(, (a)) (, (a))"}), ("put", {"bucket": "bbb", "key": "k", "text": ""}),
                            ("lease", {"action": "acquire", "paths": [{"bucket": "bbb", "mode": "shared"}]}), ("describe", {"bucket": "bbb", "table": "n.t"})):
        error = me.refused(tool, **arguments)
        assert error["reason"] in ("AccessDenied", "ForbiddenException", "NoSuchBucket", "InvalidBucketName", "NotFoundException"), (tool, error)


class Passing(BaseHTTPRequestHandler):
    """Passes requests on to the door with a token, for a client that can not be told one."""

    server: "Front"

    def do_POST(self) -> None:  # noqa: N802: as the class names it
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = http.client.HTTPConnection(self.server.to.host, self.server.to.port)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "content-length")}
        connection.request(self.command, self.path, body, kept | {"authorization": f"Bearer {self.server.token}"})
        answer = connection.getresponse()
        told = answer.read()
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers.get("content-type", "text/plain"))
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)
        connection.close()

    do_GET = do_DELETE = do_POST

    def log_message(self, *_: object) -> None:
        pass


class Front(ThreadingHTTPServer):
    def __init__(self, to: Server, token: str):
        super().__init__(("127.0.0.1", 0), Passing)
        self.to, self.token = to, token


# What of the protocol's own conformance tests is not about tools, resources and prompts that only their own example server has, nor about
# servers without authentication (dns-rebinding-protection).
CONFORMANCE = ["server-initialize", "ping", "tools-list"]


@pytest.mark.parametrize("scenario", CONFORMANCE)
def test_conformance(server, me, scenario, tmp_path):
    folder = Path(os.environ.get("CRATON_MCP_CONFORMANCE") or Path(os.environ["CRATON_TARGET"]) / "clients-mcp")
    program = folder / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    with Front(server, me.token) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        url = f"http://localhost:{front.server_port}/_mcp"
        done = subprocess.run(
            ["node", program, "server", "--url", url, "--scenario", scenario],
            cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
        )
        front.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"Passed: (\d+)/(\d+), 0 failed", done.stdout)
    assert passed and passed[1] == passed[2] != "0", done.stdout


def test_calls_at_once(server, me, objects):
    objects.put("k", b"1")
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(me.sample(bucket=objects.name, key="k")["text"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["1"] * 8

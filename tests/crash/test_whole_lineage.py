"""Lineage is complete: a random workload over all doors, in several runs and sessions at once, with the server killed in the middle.

Each worker notes what each acknowledged request did: which resource, in which way, which version, how many bytes, as the answers say it. At the end it is
compared, to the last request, with the ledger's records by request id, and the ledger's records, to the last edge, with what the runs are
told. What was under way at a kill may be there or not: then in the ledger and in the lineage alike.
"""

import base64
import http.client
import json
import os
import random
import socket
import threading
import time
import urllib.parse
import urllib.request
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import psycopg

from server import Key, Server
from sigv4 import Signer

OPERATIONS = int(os.environ.get("CRATON_LINEAGE_OPERATIONS", "1500"))
WORKERS = 4
KILLS = 3
# The outcome of a read that took two records follows its decision within 20 ms; what was younger at a kill may be lost.
LATE_SECONDS = 0.5
KEPT, PLAIN = "kept", "plain"
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]}
LARGE = random.Random(8).randbytes(5 << 20)


@dataclass
class Did:
    """An acknowledged request: what it did, as `(way, resource, version, bytes)`; `None` is what the answer does not say."""

    who: str
    run: str
    effects: list[tuple[str, str, int | None, int | None]]
    at: float
    what: str


@dataclass
class Told:
    """What is known of all lives of the server."""

    done: dict[str, Did] = field(default_factory=dict)
    # What a worker had asked for and got no answer to.
    lost: list[tuple[str, str]] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    # By table: statements over PostgreSQL's protocol that changed rows, and that read.
    pg: Counter = field(default_factory=Counter)
    acknowledged: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Gone(Exception):
    """The server went away."""


def number(version: str | None) -> int | None:
    """The commit that a version's id names: a check of 4 bytes, and the number."""
    return int(version[8:], 16) if version and version != "null" else None


class Worker(threading.Thread):
    """One worker for one life of the server. Its keys, tables and graphs are its own, so that it knows what there is."""

    def __init__(self, world: "World", index: int, life: int):
        super().__init__(daemon=True)
        self.world, self.told, self.index, self.life = world, world.told, index, life
        self.dice = random.Random(f"lineage {index} {life}")
        self.connection: http.client.HTTPConnection | None = None
        self.pg: psycopg.Connection | None = None
        self.error: BaseException | None = None
        self.made: dict[str, list[str]] = defaultdict(list)
        self.there: set[str] = set()
        self.facts = 0
        self.rows = 0
        self.now = ("", "")

    def run(self) -> None:
        try:
            self.begin()
            while not self.world.stop.is_set():
                self.one()
        except Gone:
            self.told.lost.append(self.now)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.error = error
        finally:
            if self.pg:
                self.pg.close()

    def begin(self) -> None:
        self.table = f"t{self.index}x{self.life}"
        self.graph = f"g{self.index}"
        self.uid = self.make_table(self.table)
        self.pg_table = f"p{self.index}x{self.life}"
        self.pg_uid = self.make_table(self.pg_table)

    # Asking.

    def send(self, method: str, target: str, headers: list, body: bytes):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.world.port, timeout=60)
                self.connection.connect()
                self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                self.connection.putheader(name, value)
            self.connection.endheaders(body or None)
            answer = self.connection.getresponse()
            return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone from error

    def ask(self, method: str, path: str, query: str = "", body: bytes = b"", more: tuple = (), run: str | None = "any"):
        """A signed request of one of the runs; of none if it is `None`. Who, in which run, status, headers, body."""
        key, named = (self.world.root, None) if run is None else self.dice.choice(self.world.runs)
        headers = [*more, ("x-craton-run", named)] if named else list(more)
        self.now = (f"{method} {path}", named or "")
        request = Signer(self.world.server, key).request(method, path, query, headers, body)
        status, answered, content = self.send(method, request.target, request.headers, body)
        assert status < 500, (method, path, status, content)
        return (key.user, named), status, answered, content

    def did(self, asked, effects: list) -> None:
        (who, run), status, headers, content = asked
        with self.told.lock:
            self.told.acknowledged += 1
            if run:
                self.told.done[headers["x-amz-request-id"]] = Did(who, run, effects, time.time(), self.now[0])

    def json(self, method: str, path: str, body: object = None, ok: tuple = (200,), run: str | None = "any"):
        data = b"" if body is None else json.dumps(body).encode()
        asked = self.ask(method, path, "", data, (("content-type", "application/json"),) if data else (), run)
        assert asked[1] in ok, (asked[3], path, body, asked)
        return asked, (json.loads(asked[3] or b"{}") if asked[2].get("content-type") == "application/json" else {})

    # What there is to do.

    def one(self) -> None:
        kinds = [
            (18, self.put), (18, self.get), (6, self.range), (4, self.head), (5, self.copy), (5, self.delete), (3, self.delete_several),
            (3, self.delete_version), (1, self.multipart), (8, self.load), (6, self.query), (2, self.program), (1, self.clear),
            (4, self.load_table), (3, self.commit), (1, self.comes_and_goes), (3, self.select), (2, self.write_rows), (2, self.by_pg),
            (3, self.by_tool),
        ]
        self.dice.choices([of for _, of in kinds], [weight for weight, _ in kinds])[0]()

    def key(self) -> str:
        return f"w{self.index}/k{self.dice.randrange(12)}"

    def bucket(self) -> str:
        return self.dice.choice((KEPT, PLAIN))

    def body(self) -> bytes:
        size = self.dice.choices((0, 10, 4000, 100_000), (1, 5, 5, 2))[0]
        start = self.dice.randrange(len(LARGE) - size)
        return LARGE[start:start + size]

    def put(self) -> None:
        bucket, key, body = self.bucket(), self.key(), self.body()
        asked = self.ask("PUT", f"/{bucket}/{key}", "", body)
        assert asked[1] == 200, asked
        self.has(bucket, key, asked[2].get("x-amz-version-id"))
        self.did(asked, [("write", f"/{bucket}/objects/{key}", number(asked[2].get("x-amz-version-id")), len(body))])

    def has(self, bucket: str, key: str, version: str | None) -> None:
        if bucket == PLAIN:
            self.there.add(key)
        elif version:
            self.made[key].append(version)

    def read(self, method: str, more: tuple = ()) -> None:
        bucket, key = self.bucket(), f"w{self.dice.randrange(WORKERS)}/k{self.dice.randrange(12)}"
        asked = self.ask(method, f"/{bucket}/{key}", "", b"", more)
        _, status, headers, content = asked
        assert status in (200, 206, 404, 416), asked
        version = number(headers.get("x-amz-version-id"))
        effects = [("read", f"/{bucket}/objects/{key}", version, len(content))] if status in (200, 206) else []
        self.did(asked, effects)

    def get(self) -> None:
        self.read("GET")

    def head(self) -> None:
        self.read("HEAD")

    def range(self) -> None:
        start = self.dice.randrange(5)
        self.read("GET", (("range", f"bytes={start}-{start + self.dice.randrange(2000)}"),))

    def copy(self) -> None:
        source, key = self.key(), self.key()
        asked = self.ask("PUT", f"/{KEPT}/{key}", "", b"", (("x-amz-copy-source", f"/{PLAIN}/{source}"),))
        if asked[1] == 404:
            return self.did(asked, [])
        assert asked[1] == 200, asked
        version = asked[2]["x-amz-version-id"]
        self.made[key].append(version)
        self.did(asked, [("read", f"/{PLAIN}/objects/{source}", None, None), ("write", f"/{KEPT}/objects/{key}", number(version), None)])

    def delete(self) -> None:
        bucket, key = self.bucket(), self.key()
        known = bucket == KEPT or self.life == 0
        asked = self.ask("DELETE", f"/{bucket}/{key}")
        assert asked[1] == 204, asked
        effect = ("delete", f"/{bucket}/objects/{key}", number(asked[2].get("x-amz-version-id")), 0)
        if known:
            self.did(asked, [effect] if bucket == KEPT or key in self.there else [])
        else:
            # What an earlier life had left is not known: it is there or not, and so is the edge.
            self.did(asked, [("perhaps", *effect[1:])] if key not in self.there else [effect])
        self.there.discard(key) if bucket == PLAIN else None

    def delete_several(self) -> None:
        keys = sorted({self.key() for _ in range(3)})
        body = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        asked = self.ask("POST", f"/{KEPT}", "delete", f"<Delete>{body}</Delete>".encode(), (("x-amz-sdk-checksum-algorithm", "CRC32"), checksum(f"<Delete>{body}</Delete>".encode())))
        assert asked[1] == 200 and b"<Error>" not in asked[3], asked
        self.did(asked, [("delete", f"/{KEPT}/objects/{key}", None, 0) for key in keys])

    def delete_version(self) -> None:
        key = self.key()
        if not self.made[key]:
            return
        version = self.made[key].pop(self.dice.randrange(len(self.made[key])))
        asked = self.ask("DELETE", f"/{KEPT}/{key}", f"versionId={version}")
        assert asked[1] == 204, asked
        self.did(asked, [("delete", f"/{KEPT}/objects/{key}", number(version), 0)])

    def multipart(self) -> None:
        key = self.key()
        started = self.ask("POST", f"/{KEPT}/{key}", "uploads=")
        assert started[1] == 200, started
        upload = started[3].decode().split("<UploadId>")[1].split("<")[0]
        self.did(started, [])
        part = self.ask("PUT", f"/{KEPT}/{key}", f"partNumber=1&uploadId={upload}", LARGE[: 6000])
        assert part[1] == 200, part
        self.did(part, [])
        if self.dice.randrange(4) == 0:
            gone = self.ask("DELETE", f"/{KEPT}/{key}", f"uploadId={upload}")
            assert gone[1] == 204, gone
            return self.did(gone, [])
        body = f'<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part[2]["etag"]}</ETag></Part></CompleteMultipartUpload>'
        asked = self.ask("POST", f"/{KEPT}/{key}", f"uploadId={upload}", body.encode())
        assert asked[1] == 200 and b"VersionId" in asked[3] or "x-amz-version-id" in asked[2], asked
        version = asked[2].get("x-amz-version-id")
        self.has(KEPT, key, version)
        self.did(asked, [("write", f"/{KEPT}/objects/{key}", number(version), None)])

    # Graphs.

    def of_graph(self, method: str, action: str, body: bytes):
        asked = self.ask(method, f"/_graph/v1/{KEPT}/{self.graph}{action}", "", body)
        assert asked[1] == 200, asked
        return asked

    def load(self) -> None:
        self.facts += 1
        asked = self.of_graph("POST", "/facts", f"(edge l{self.life}n{self.facts} l{self.life}n{self.facts + 1})".encode())
        self.did(asked, [("write", f"/{KEPT}/graphs/{self.graph}", json.loads(asked[3]).get("snapshot"), None)])

    def query(self) -> None:
        asked = self.ask("POST", f"/_graph/v1/{KEPT}/{self.graph}/query", "", b"(, (edge $x $y)) (, (edge $x $y))")
        assert asked[1] in (200, 404), asked
        # An earlier life may have left facts.
        way = "read" if asked[1] == 200 and self.facts else "perhaps"
        self.did(asked, [(way, f"/{KEPT}/graphs/{self.graph}", None, None)])

    def program(self) -> None:
        if not self.facts:
            return
        asked = self.of_graph("POST", "/program", f"(exec 0 (, (edge $x $y)) (, (back{self.dice.randrange(3)} $y $x)))".encode())
        graph = f"/{KEPT}/graphs/{self.graph}"
        self.did(asked, [("read", graph, None, None), ("perhaps", graph, None, None)])

    def clear(self) -> None:
        if self.facts:
            asked = self.of_graph("DELETE", "", b"")
            self.did(asked, [("write", f"/{KEPT}/graphs/{self.graph}", json.loads(asked[3]).get("snapshot"), None)])

    # Tables.

    def make_table(self, name: str) -> str:
        asked, made = self.json("POST", f"/_iceberg/v1/{KEPT}/namespaces/ns/tables", {"name": name, "schema": SCHEMA}, run=None)
        return made["metadata-location"].split("/.tables/")[1].split("/")[0]

    def of_table(self, uid: str) -> str:
        return f"/{KEPT}/objects/.tables/{uid}/*"

    def load_table(self) -> None:
        asked, _ = self.json("GET", f"/_iceberg/v1/{KEPT}/namespaces/ns/tables/{self.table}")
        self.did(asked, [("read", self.of_table(self.uid), None, None)])

    def commit(self) -> None:
        update = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"n": str(self.dice.random())}}]}
        asked, _ = self.json("POST", f"/_iceberg/v1/{KEPT}/namespaces/ns/tables/{self.table}", update)
        self.did(asked, [("write", self.of_table(self.uid), None, None)])

    def comes_and_goes(self) -> None:
        self.rows += 1
        name = f"c{self.index}x{self.life}x{self.rows}"
        asked, made = self.json("POST", f"/_iceberg/v1/{KEPT}/namespaces/ns/tables", {"name": name, "schema": SCHEMA})
        uid = made["metadata-location"].split("/.tables/")[1].split("/")[0]
        self.did(asked, [("write", self.of_table(uid), None, None)])
        asked, _ = self.json("DELETE", f"/_iceberg/v1/{KEPT}/namespaces/ns/tables/{name}", ok=(204,))
        self.did(asked, [("write", self.of_table(uid), None, None)])

    def sql(self, statement: str):
        """A statement; again where graphs hold all the memory that both share."""
        for _ in range(200):
            asked, _ = self.json("POST", "/_api/v1/sql", {"statement": statement}, ok=(200, 413))
            if asked[1] == 200:
                return asked
            self.did(asked, [("perhaps", self.of_table(self.uid), None, None)])
            time.sleep(0.02)
        raise AssertionError("there was never memory for the statement")

    def select(self) -> None:
        asked = self.sql(f'SELECT count(*) AS n FROM "{KEPT}".ns.{self.table}')
        self.did(asked, [("read", self.of_table(self.uid), None, None)])

    def write_rows(self) -> None:
        self.rows += 1
        table = f'"{KEPT}".ns.{self.table}'
        statement = self.dice.choice((f"INSERT INTO {table} VALUES ({self.rows})", f"UPDATE {table} SET id = id + 1", f"DELETE FROM {table} WHERE id < 3"))
        asked = self.sql(statement)
        way = "write" if statement.startswith("INSERT") else "perhaps"
        self.did(asked, [(way, self.of_table(self.uid), None, None)])

    def by_pg(self) -> None:
        self.now = ("pg", "gamma")
        changes = self.dice.randrange(2) == 0
        self.rows += 1
        statement = f"INSERT INTO {self.pg_table} VALUES ({self.rows})" if changes else f"SELECT count(*) FROM {self.pg_table}"
        try:
            if self.pg is None:
                self.pg = psycopg.connect(
                    host="127.0.0.1", port=self.world.server.pg_port, user=self.world.keys[1].id, password=self.world.token,
                    dbname=f"{KEPT}/ns", autocommit=True,
                )
            self.pg.execute(statement)
        except psycopg.errors.OutOfMemory:
            return
        except psycopg.OperationalError as error:
            raise Gone from error
        with self.told.lock:
            self.told.acknowledged += 1
            self.told.pg[(self.pg_uid, "write" if changes else "read")] += 1

    # Tools of agents, in a session with a run.

    def by_tool(self) -> None:
        key, text = f"tool/w{self.index}/{self.dice.randrange(5)}", "x" * self.dice.randrange(200)
        puts = self.dice.randrange(2) == 0
        tool, arguments = ("put", {"text": text}) if puts else ("sample", {})
        params = {"name": tool, "arguments": {"bucket": KEPT, "key": key} | arguments}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        self.now = (f"tool {key}", "gamma")
        headers = [("host", f"127.0.0.1:{self.world.port}"), ("authorization", f"Bearer {self.world.mcp_token}"), ("content-type", "application/json"), ("content-length", str(len(body)))]
        status, answered, content = self.send("POST", "/_mcp", headers, body)
        result = json.loads(content).get("result", {})
        assert status == 200, (status, content)
        path = f"/{KEPT}/objects/{key}"
        effects = [] if result.get("isError") else [("write", path, None, len(text)) if puts else ("read", path, None, None)]
        self.did((((self.world.keys[1].user, "gamma")), status, answered, content), effects)


def token(server: Server, key: Key, **more: str) -> str:
    """A bearer token of a session that a key's holder makes."""
    form = {"grant_type": "client_credentials", "client_id": key.id, "client_secret": key.secret} | more
    with urllib.request.urlopen(f"{server.endpoint}/_api/v1/oauth/token", urllib.parse.urlencode(form).encode()) as answer:
        return json.loads(answer.read())["access_token"]


def checksum(body: bytes) -> tuple[str, str]:
    return "x-amz-checksum-crc32", base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


class World:
    """The server over its lives, who there is, and what is known."""

    def __init__(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.server = Server(folder, "--memory", "1GiB", "--pg-address", "127.0.0.1:0", log="warn")
        self.server.address = f"127.0.0.1:{self.port}"
        self.server.start()
        self.told = Told()
        self.stop = threading.Event()
        self.root = self.server.root
        self.keys = [self.user(folder, f"user{n}") for n in range(2)]
        self.runs = [(self.keys[0], "alpha"), (self.keys[0], "beta"), (self.keys[1], "alpha"), (self.keys[1], "gamma")]
        # A session of the second user, which has a run of its own; and one for the door of agents.
        self.token = token(self.server, self.keys[1], run="gamma")
        self.mcp_token = token(self.server, self.keys[1], run="gamma", resource=f"{self.server.endpoint}/_mcp")

    def user(self, folder, name: str) -> Key:
        made = json.loads(self.server.command("user", "add", name, "--json"))
        file = folder / f"{name}.json"
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [ALL]}))
        self.server.command("policy", "put", name, "all", str(file))
        return Key(made["id"], made["secret"], name)

    def live(self, life: int, until: int, kills: bool) -> None:
        """Works until so much is acknowledged, and is killed then or ends in order."""
        self.stop.clear()
        workers = [Worker(self, index, life) for index in range(WORKERS)]
        for worker in workers:
            worker.start()
        while self.told.acknowledged < until and all(w.is_alive() for w in workers):
            time.sleep(0.02)
        if kills:
            self.server.kill()
            self.told.kills.append(time.time())
        self.stop.set()
        for worker in workers:
            worker.join(120)
            assert not worker.is_alive()
            if worker.error:
                raise worker.error
        if kills:
            self.server.start()

    def get(self, path: str, **query: object) -> dict:
        text = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote)
        request = Signer(self.server, self.root).request("GET", f"/_api/v1/{path}", text)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", request.target, headers=dict(request.headers))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)

    def records(self) -> list[dict]:
        """All records of the runs, oldest first."""
        out, after = [], {}
        while True:
            page = self.get("ledger/records", limit=1000, **after)
            out += [r for r in page["records"] if r.get("run") or r.get("session")]
            if page.get("next") is None:
                return out[::-1]
            after = {"after": page["next"]}

    def settled(self) -> tuple[list[dict], dict]:
        """The records and the edges of the runs, of one moment: a graph's runs are merged in the background, in the run that made them."""
        end = time.monotonic() + 60
        records = self.records()
        while True:
            time.sleep(0.5)
            edges = {(key.user, run): self.edges(key.user, run) for key, run in self.runs}
            now = self.records()
            if [r["id"] for r in now] == [r["id"] for r in records]:
                return records, edges
            assert time.monotonic() < end, "the ledger does not come to rest"
            records = now

    def edges(self, who: str, run: str) -> list[dict]:
        out, after = [], {}
        while True:
            page = self.get(f"runs/{run}", principal=who, limit=1000, **after)
            out += page["edges"]
            if not page["next"]:
                return out
            after = {"after": page["next"]}


def of_ledger(records: list[dict]) -> list[tuple[str, tuple]]:
    """What the records say that was touched, as the documents have it: `(request id, (who, run, way, resource, version or none, bytes))`."""
    out = []
    for r in records:
        bucket, resource = r.get("bucket"), r.get("resource", "")
        if not bucket or not resource.startswith((f"/{bucket}/objects/", f"/{bucket}/graphs/")):
            continue
        who = (r["principal"], r.get("run") or r["session"])
        if r["kind"] == "write":
            way = {"made": "write", "deleted": "delete"}.get(r.get("effect"))
            # A change to a catalog says which tables it made or changed.
            several = r["writes"] if resource.endswith("/objects/.tables/*") and r.get("writes") else [resource]
            for n, resource in enumerate(several if way else []):
                size = r.get("bytes", 0) if way == "write" and n == 0 else 0
                out.append((r["request_id"], (*who, way, resource, r.get("version"), size)))
                if r.get("read_version"):
                    out.append((r["request_id"], (*who, "read", resource, r["read_version"], 0)))
            continue
        ends = ("decision" in r) if r["kind"] == "outcome" else (r["kind"] == "decision" and "result" in r)
        version = r.get("version") or r.get("read_version")
        if ends and version and (r["result"] == "ok" or r.get("bytes")):
            out.append((r["request_id"], (*who, "read", resource, version, r.get("bytes", 0))))
    return out


def compare_with_ledger(told: Told, touched: list[tuple[str, tuple]]) -> None:
    """Each acknowledged request did what its answer says, and nothing that was not asked for is there."""
    by_request = defaultdict(list)
    for request, edge in touched:
        by_request[request].append(edge)
    wrong = []
    for request, did in told.done.items():
        found = [edge[2:] for edge in by_request.pop(request, [])]
        assert all(edge[:2] == (did.who, did.run) for edge in by_request.get(request, [])), did
        is_late = any(0 <= kill - did.at < LATE_SECONDS for kill in told.kills)
        for way, resource, version, size in did.effects:
            ways = ("write", "delete", "read") if way == "perhaps" else (way,)
            matches = [f for f in found if f[0] in ways and f[1] == resource and (way == "write" or version in (None, f[2]) or f[0] != "read")
                       and (size is None or f[3] == size)]
            if not matches and way != "perhaps" and not (is_late and way == "read"):
                wrong.append((did, found))
            for match in matches[:1]:
                found.remove(match)
        # Merges of a graph's runs are versions of their own; a statement reads what it changes, perhaps more than once.
        known = tuple(resource.rstrip("*") for _, resource, _, _ in did.effects if "/graphs/" in resource or "/.tables/" in resource)
        more = [f for f in found if not f[1].startswith(known)]
        if more:
            wrong.append((did, "more:", more))
    assert not wrong, (len(wrong), wrong[:5])
    # The rest was under way when the server was killed, or came by PostgreSQL's protocol, which shows no request ids.
    rest = {r: edges for r, edges in by_request.items() if not any(e[3].startswith(f"/{KEPT}/objects/.tables/") and e[:2] == ("user1", "gamma") for e in edges)}
    assert len(rest) <= WORKERS * (KILLS + 1), (len(rest), list(rest.items())[:5])


def test_lineage_is_complete_also_after_kills(tmp_path):
    world = World(tmp_path)
    told = world.told
    try:
        setup = Worker(world, 0, -1)
        for bucket in (KEPT, PLAIN):
            assert setup.ask("PUT", f"/{bucket}", run=None)[1] == 200
        versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        assert setup.ask("PUT", f"/{KEPT}", "versioning=", versioning, run=None)[1] == 200
        setup.json("POST", f"/_iceberg/v1/{KEPT}/namespaces", {"namespace": ["ns"]}, run=None)
        told.acknowledged = 0
        for life in range(KILLS + 1):
            world.live(life, OPERATIONS * (life + 1) // (KILLS + 1), kills=life < KILLS)
        assert told.acknowledged >= OPERATIONS
        records, edges = world.settled()
        touched = of_ledger(records)
        compare_with_ledger(told, touched)

        # The ledger and the runs, edge by edge.
        runs = {(key.user, run) for key, run in world.runs}
        sums, reads = Counter(), Counter()
        for _, (who, run, way, resource, version, size) in touched:
            assert (who, run) in runs, (who, run)
            sums[(who, run, way, resource)] += 1
            sums[(who, run, way, resource, "bytes")] += size
            if way == "read":
                reads[(who, run, resource, version)] += 1
        found, found_reads, written = Counter(), Counter(), {}
        for who, run in runs:
            for edge in edges[(who, run)]:
                name = (who, run, edge["mode"], edge["resource"])
                found[name] += edge["count"]
                found[(*name, "bytes")] += edge["bytes"]
                if edge["mode"] == "read":
                    found_reads[(who, run, edge["resource"], edge["version"])] += edge["count"]
                else:
                    written[(edge["mode"], edge["resource"], edge["version"])] = (who, run, edge["count"])
        differ = sorted((str(name), sums[name], found[name]) for name in sums.keys() | found.keys() if sums[name] != found[name])
        assert not differ, (len(differ), differ[:10])
        differ = sorted((str(name), reads[name], found_reads[name]) for name in reads.keys() | found_reads.keys() if reads[name] != found_reads[name])
        assert not differ, (len(differ), differ[:10])

        # What answers said of versions, and the runs.
        said = [(did, effect) for did in told.done.values() for effect in did.effects if effect[0] in ("write", "delete") and effect[2]]
        for did, (way, resource, version, _) in said:
            assert written.get((way, resource, version), ())[:2] == (did.who, did.run), (did, way, resource, version)
        # PostgreSQL's statements, by table.
        for (uid, way), count in told.pg.items():
            there = sum(n for name, n in found.items() if name[:3] == ("user1", "gamma", way) and name[3:] == (f"/{KEPT}/objects/.tables/{uid}/*",))
            assert there >= count and (way == "read" or there <= count + 1), (uid, way, there, count)
        # A version's upstream begins with the run that made it.
        for did, (way, resource, version, _) in random.Random(8).sample([s for s in said if s[1][0] == "write"], 20):
            up = world.get("lineage", resource=resource, version=version, depth=1)
            assert any(e["run"] == did.run and e["mode"] == "write" for e in up["edges"]), (did, up)
        print(f"{told.acknowledged} operations, {len(records)} records, {len(+found)} sums, {len(told.lost)} under way at {len(told.kills)} kills")
        world.server.stop()
    finally:
        world.server.kill()

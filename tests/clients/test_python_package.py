"""The `craton` package as its users have it: types, installing, and every call against the real server."""

import base64
import hashlib
import io
import json
import multiprocessing
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

import craton
from conftest import allow
from craton.client import table_parts
from server import Key, Server, unique
from test_iceberg import ROWS, connect, rows
from test_sts import make_role
from test_iam import service

ROOT = Path(os.environ.get("CRATON_ROOT", Path(__file__).resolve().parents[2]))
GRAPH = ["craton:ReadGraph", "craton:WriteGraph", "craton:ListGraphs", "craton:LabelGraph"]


def client_of(server: Server, key: Key | None = None) -> craton.Client:
    key = key or server.root
    return craton.connect(server.endpoint, craton.AccessKey(key.id, key.secret))


@pytest.fixture
def client(server):
    with client_of(server) as client:
        yield client


@pytest.fixture
def objects(client, bucket) -> craton.Bucket:
    return client.bucket(bucket)


def test_it_is_typed(tmp_path):
    """`mypy --strict` on the package, and on a script that uses it: what is wrong there is found."""
    checked = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--config-file", str(ROOT / "python/pyproject.toml")]
    done = subprocess.run(checked, cwd=ROOT / "python", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    script = tmp_path / "uses.py"
    script.write_text("import craton\nclient = craton.connect()\nclient.bucket('b').get(1)\nrows: int = client.sql('SELECT 1')\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--strict", "--ignore-missing-imports", str(script)],
        env=os.environ | {"MYPYPATH": str(ROOT / "python/src")}, capture_output=True, text=True, check=False,
    )
    assert done.stdout.count("error:") == 2 and "uses.py:3" in done.stdout and "uses.py:4" in done.stdout, done.stdout


def test_pip_installs_it(tmp_path):
    """What `pip install ./python` leaves: the package, its types and its licence, and nothing of the checkout's."""
    shutil.copytree(ROOT / "python", tmp_path / "python", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    place = tmp_path / "installed"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", place, tmp_path / "python"],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    there = {p.name for p in (place / "craton").iterdir() if p.suffix != ".pyc"} - {"__pycache__"}
    assert there == {p.name for p in (ROOT / "python/src/craton").iterdir()} - {"__pycache__"} and "py.typed" in there
    said = "import craton; print(craton.__file__, craton.__version__)"
    done = subprocess.run([sys.executable, "-c", said], env=os.environ | {"PYTHONPATH": str(place)}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(place / "craton/__init__.py"), "0.1.0"]


class TestObjects:
    def test_content_and_what_is_said_of_it(self, objects):
        put = objects.put("a", b"hello", content_type="text/x", metadata={"Owner": "ana"})
        assert objects.get("a") == b"hello"
        head = objects.head("a")
        assert (head.size, head.etag, head.content_type, head.metadata) == (5, put.etag, "text/x", {"owner": "ana"})
        assert abs((head.modified - put.modified).total_seconds()) < 60
        assert [objects.get("a", start=1), objects.get("a", start=1, length=2), objects.get("a", length=0)] == [b"ello", b"el", b""]
        with objects.open("a") as reader:
            assert (reader.read(2), reader.readline(), reader.info.etag) == (b"he", b"llo", put.etag)
        objects.delete("a")
        with pytest.raises(craton.NotFound) as missing:
            objects.get("a")
        assert (missing.value.reason, missing.value.status) == ("NoSuchKey", 404) and missing.value.request_id

    @pytest.mark.parametrize("key", ["a b", "a+b", "ä/ü", "x%20y", "q?a=b&c#d", "a//b", "=", "~'()*!", "tab\there", "λ" * 400])
    def test_keys_of_any_letters(self, objects, key):
        objects.put(key, key)
        assert objects.get(key).decode() == key
        assert [o.key for o in objects.list()] == [key]
        objects.delete(key)
        assert list(objects.list()) == []

    def test_files_and_large_content(self, objects, tmp_path):
        content = bytes(n % 251 for n in range(9_000_000))
        (tmp_path / "f").write_bytes(content)
        assert objects.put("path", tmp_path / "f").size == len(content)
        file = io.BytesIO(b"skipped" + content)
        file.seek(7)
        assert objects.put("file", file).size == len(content)
        assert objects.get("path") == objects.get("file") == content
        with objects.open("path", start=100) as reader:
            copied = tmp_path / "copied"
            with copied.open("wb") as out:
                shutil.copyfileobj(reader, out)
        assert copied.read_bytes() == content[100:]

    def test_conditions(self, objects):
        first = objects.put("a", b"1", new=True)
        with pytest.raises(craton.Changed):
            objects.put("a", b"2", new=True)
        second = objects.put("a", b"2", etag=first.etag)
        with pytest.raises(craton.Changed):
            objects.put("a", b"3", etag=first.etag)
        with pytest.raises(craton.Changed):
            objects.get("a", etag=first.etag)
        assert objects.get("a", etag=second.etag) == b"2"

    def test_lists_of_many_pages_and_folders(self, objects):
        names = [f"{folder}/{n:04}" for folder in "ab" for n in range(600)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: objects.put(name, name), names))
        assert [o.key for o in objects.list()] == names
        assert [o.key for o in objects.list("b/", after="b/0597")] == ["b/0598", "b/0599"]
        assert list(objects.folders()) == ["a/", "b/"]
        assert list(objects.folders("a/")) == []

    def test_versions(self, objects, s3):
        s3.put_bucket_versioning(Bucket=objects.name, VersioningConfiguration={"Status": "Enabled"})
        first, second = objects.put("a", b"1"), objects.put("a", b"2")
        assert objects.get("a", version=first.version) == b"1" and objects.head("a").version == second.version
        objects.delete("a", version=second.version)
        assert objects.get("a") == b"1"

    def test_buckets(self, client):
        made = client.bucket(unique("made"))
        assert not made.exists()
        made.create()
        made.create(exist_ok=True)
        made.put("a", b"")
        with pytest.raises(craton.Conflict) as full:
            made.drop()
        assert full.value.reason == "BucketNotEmpty"
        made.delete("a")
        made.drop()
        assert not made.exists()


class TestWhoAsks:
    def test_a_denial_is_explained(self, server, client, bucket, make_user):
        ana = make_user(allow("s3:ListBucket"))
        with pytest.raises(craton.Denied) as denied:
            client_of(server, ana).bucket(bucket).get("secret")
        assert denied.value.decision and denied.value.reason == "AccessDenied"
        told = client_of(server, ana).explain_decision(denied.value.decision)
        assert told["operation"] == "GetObject" and told["action"] == "s3:GetObject"
        assert not client.explain(ana.user, "s3:GetObject", f"arn:aws:s3:::{bucket}/secret")["allowed"]
        assert client.explain(ana.user, "s3:ListBucket", f"arn:aws:s3:::{bucket}")["allowed"]

    def test_from_the_environment(self, server, monkeypatch, tmp_path):
        for name in ("CRATON_TOKEN", "CRATON_CREDENTIALS", "CRATON_DATA", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(LookupError):
            craton.connect(server.endpoint)
        monkeypatch.setenv("CRATON_ENDPOINT", server.endpoint)
        monkeypatch.setenv("CRATON_DATA", str(server.data))
        assert craton.connect().whoami().endswith(":root")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA" + "Z" * 16)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        with pytest.raises(craton.Denied):
            craton.connect().whoami()
        monkeypatch.setenv("CRATON_CREDENTIALS", str(server.data / "root-credentials"))
        assert craton.connect().whoami().endswith(":root")
        for wrong in ("127.0.0.1:9000", "ftp://a", "http://a/b"):
            with pytest.raises(ValueError):
                craton.connect(wrong)

    def test_a_session_of_a_role_for_a_person(self, server, bucket, make_user):
        ana, agent = make_user(allow("s3:GetObject")), make_user(allow("sts:*"))
        role = make_role(service(server, "iam"), {"AWS": f"arn:aws:iam::000000000000:user/{agent.user}"}, allow("s3:*"))
        client_of(server).bucket(bucket).put("a", b"1")
        session = client_of(server, agent).assume_role(role.rpartition("/")[2], name="work", acting_for=ana.user, purpose="test", tags={"team": "x"}, seconds=900)
        server.secrets.add(session.auth.key.secret)
        assert session.whoami().endswith("/work") and session.bucket(bucket).get("a") == b"1"
        with pytest.raises(craton.Denied):
            session.bucket(bucket).put("a", b"2")  # The role may, ana may not.
        first = session.auth.key
        assert session.auth.key is first
        session.auth._made = first, time.time() + 100
        assert session.auth.key.id != first.id, "a session that is nearly over is made anew"
        copied = pickle.loads(pickle.dumps(session))
        assert copied.bucket(bucket).get("a") == b"1"
        narrow = client_of(server, agent).assume_role(role, policy={"Version": "2012-10-17", "Statement": [allow("s3:ListBucket")]})
        with pytest.raises(craton.Denied):
            narrow.bucket(bucket).get("a")

    def test_bearer_tokens(self, server, bucket, make_user):
        ana, agent = make_user(allow(GRAPH)), make_user(allow(GRAPH))
        token = client_of(server, ana).token(purpose="test", seconds=900)
        server.secrets.add(token.auth.token)
        token.graph(bucket, "g").load("(a b)")
        assert list(token.graph(bucket, "g").facts()) == ["(a b)"]
        assert token.graphs(bucket) == ["g"]
        acts = client_of(server, agent).token()
        reads = {"Version": "2012-10-17", "Statement": [allow("craton:ReadGraph")]}
        both = acts.exchange(token.auth.token, actor=acts.auth.token, policy=reads)
        assert both.graph(bucket, "g").describe()["facts"] == 1
        with pytest.raises(craton.Denied):
            both.graph(bucket, "g").load("(c d)")
        with pytest.raises(TypeError):
            token.token()
        with pytest.raises(craton.Denied) as wrong:
            client_of(server, Key(ana.id, "wrong")).token()
        assert wrong.value.reason == "invalid_client"
        assert token.auth.token not in repr(token.auth) and ana.secret not in repr(client_of(server, ana).auth)


class TestRuns:
    def test_what_a_run_did(self, server, client, bucket):
        client.bucket(bucket).put("in", b"x" * 100)
        with client.run(unique("run")) as run:
            mine = run.bucket(bucket)
            for _ in range(3):
                mine.get("in")
            mine.put("out", b"result")
            mine.put("passing", b"")
            mine.delete("passing")
            with pytest.raises(craton.NotFound):
                mine.get("nothing")
        told = run.describe()
        assert told["run"] == run.name and told["principal"] == "root" and "edges" not in told
        assert (told["reads"], told["writes"], told["bytes_read"], told["bytes_written"]) == (3, 3, 300, 6)
        path = f"/{bucket}/objects/"
        edges = {(edge["mode"], edge["resource"]): edge for edge in run.edges()}
        assert set(edges) == {("read", path + "in"), ("write", path + "out"), ("write", path + "passing"), ("delete", path + "passing")}
        assert edges[("read", path + "in")]["count"] == 3 and edges[("read", path + "in")]["bytes"] == 300
        up = run.lineage(path + "out")
        assert {node["resource"] for node in up["nodes"]} == {path + "in", path + "out"} and not up["more"]
        version = edges[("read", path + "in")]["version"]
        down = client.lineage(path + "in", version=version, direction="downstream", depth=1)
        assert (path + "out") in {node["resource"] for node in down["nodes"]}
        assert client.lineage(path + "unknown")["nodes"] == []

    def test_edges_come_in_pages(self, client, bucket):
        with client.run(unique("run")) as run:
            for n in range(1005):
                run.bucket(bucket).put(f"{n:04}", b"")
        found = [edge["resource"] for edge in run.edges()]
        assert len(found) == len(set(found)) == 1005

    def test_its_manifest(self, client, bucket):
        for n in range(5):
            client.bucket(bucket).put(f"{n}", f"content {n}")
        with client.run(unique("run")) as run:
            for n in range(5):
                run.bucket(bucket).get(f"{n}")
            run.bucket(bucket).put("model", b"weights")
            before = run.describe()
            found = run.manifest()
            assert run.describe()["reads"] == before["reads"], "the reads of a manifest are of a run of their own"
        digests = {file["name"]: file["sha256"] for file in found["distribution"]}
        assert digests == {f"{n}": hashlib.sha256(f"content {n}".encode()).hexdigest() for n in range(5)}
        assert [part["distribution"] for part in run.manifest_parts()] == [found["distribution"]]
        envelope = run.manifest("in-toto")
        said = json.loads(base64.b64decode(envelope["payload"]))
        assert [one["digest"]["sha256"] for one in said["subject"]] == [hashlib.sha256(b"weights").hexdigest()]
        with pytest.raises(craton.Invalid):
            run.manifest("toml")


class TestLeases:
    def test_one_is_held_as_long_as_it_is_needed(self, server, client, bucket, make_user):
        other = client_of(server, make_user(allow("s3:*"))).bucket(bucket)
        with client.lease(craton.exclusive(bucket, prefix="a/"), seconds=1, purpose="long work") as held:
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                with pytest.raises(craton.Conflict, match="until"):
                    other.put("a/k", b"theirs")
                held.bucket(bucket).put("a/k", b"mine")
                time.sleep(0.1)
            with pytest.raises(craton.Conflict):
                client.bucket(bucket).put("a/k", b"mine, but not under it")
            with pickle.loads(pickle.dumps(held)) as copied:
                copied.bucket(bucket).put("a/k", b"mine")
            assert held.fencing_token > 0
        other.put("a/k", b"theirs")
        with pytest.raises(RuntimeError):
            held.__enter__()

    def test_one_that_is_lost_is_noticed(self, client, bucket):
        with pytest.raises(craton.LeaseLost):
            with client.lease(craton.exclusive(bucket, prefix="a/"), seconds=2) as held:
                client.request("POST", f"/_api/v1/leases/{held.id}/break").close()
                assert held.lost.wait(5)
                with pytest.raises(craton.LeaseLost):
                    held.bucket(bucket).put("a/k", b"late")
        with pytest.raises(ZeroDivisionError), client.lease(craton.shared(bucket)) as held:
            held.lost.set()
            raise ZeroDivisionError("what was raised is what is told")

    def test_waiting_for_one(self, client, bucket):
        path = craton.exclusive(bucket, key="k")
        with client.lease(path) as first:
            with pytest.raises(craton.Conflict), client.lease(path):
                pass
            threading.Timer(1, first.release).start()
            began = time.monotonic()
            with client.lease(path, wait=20) as second:
                assert 0.5 < time.monotonic() - began < 10 and second.fencing_token > first.fencing_token


class TestSql:
    @pytest.fixture
    def table(self, server, bucket):
        catalog = connect(server, bucket)
        catalog.create_namespace("ns")
        table = catalog.create_table("ns.t", schema=ROWS)
        table.append(rows("ana", "bo", "cy"))
        return table

    def test_rows(self, client, bucket, table):
        statement = "SELECT * FROM t ORDER BY id"
        ask = lambda: client.sql(statement, bucket=bucket, namespace="ns")  # noqa: E731
        assert ask().arrow().equals(rows("ana", "bo", "cy").cast(ask().schema))
        assert ask().pylist() == list(ask()) == [{"id": n, "name": name} for n, name in enumerate(["ana", "bo", "cy"], 1)]
        answer = ask()
        assert sum(batch.num_rows for batch in answer.batches()) == 3 and answer.request_id
        with pytest.raises(craton.CratonError, match="already"):
            answer.arrow()
        assert client.sql("SELECT 1 WHERE false").arrow().num_rows == 0
        with ask() as given_up:
            assert given_up.schema.names == ["id", "name"]

    def test_snapshots(self, client, bucket, table):
        name = f"{bucket}.ns.t"
        first = client.table_snapshot(name)
        table.append(rows("di", start=4))
        assert first == table.metadata.snapshots[0].snapshot_id and client.table_snapshot(name) != first
        assert client.sql(f'SELECT count(*) AS n FROM "{bucket}".ns.t FOR VERSION AS OF {first}').pylist() == [{"n": 3}]

    def test_refusals(self, server, client, make_user):
        with pytest.raises(craton.Invalid) as wrong:
            client.sql("SELEKT 1")
        assert wrong.value.status == 400 and wrong.value.request_id
        with pytest.raises(craton.Denied):
            client_of(server, make_user()).sql("SELECT 1")

    def test_pyiceberg_as_the_same_client(self, server, client, bucket, make_user):
        user = make_user(allow(["s3tables:*", "s3:*", "craton:*"]))
        role = make_role(service(server, "iam"), {"AWS": f"arn:aws:iam::000000000000:user/{user.user}"}, allow(["s3tables:*", "s3:*"]))
        asked = client_of(server, user)
        for n, each in enumerate((asked, asked.token(), asked.assume_role(role), asked.run("r"))):
            catalog = load_catalog("craton", **each.iceberg(bucket))
            catalog.create_namespace(f"n{n}")
            catalog.create_table(f"n{n}.t", schema=ROWS).append(rows("ana"))
            assert catalog.load_table(f"n{n}.t").scan().to_arrow().num_rows == 1
        with pytest.raises(TypeError):
            asked.with_auth(craton.Anonymous()).iceberg(bucket)

    def test_names(self):
        assert table_parts('b.ns.t') == ("b", "ns", "t") and table_parts('b."a.b".t') == ("b", "a.b", "t")
        assert table_parts("b.a.b.t") == ("b", "a.b", "t")
        for wrong in ("t", "ns.t", "b..t", 'b.ns."t'):
            with pytest.raises(ValueError):
                table_parts(wrong)


class TestGraphs:
    @pytest.fixture
    def graph(self, client, bucket) -> craton.Graph:
        return client.graph(bucket, unique("g"))

    def test_facts_and_questions(self, graph):
        loaded = graph.load("(edge a b) (edge b c) (name a \"Ana B\")")
        assert loaded["facts"] == 3
        assert sorted(graph.facts("(edge ")) == ["(edge a b)", "(edge b c)"]
        query = "(, (edge $x $y)) (, ($x $y))"
        assert sorted(graph.query(query, columns=["from", "to"]).pylist(), key=str) == [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
        assert graph.query(query, limit=1).arrow().num_rows == 1
        assert graph.query(query).schema.names == ["c0", "c1"]
        with pytest.raises(ValueError):
            graph.query(query, columns=["one"]).arrow()
        assert sorted(map(str, graph.answers("(, (name $x $n)) (, (called $n) ($x 7))"))) == ["['a', 7]", "['called', 'Ana B']"]
        assert graph.explain(query)[0]["how"] and graph.explain(query, run=True)[0]["took"]
        assert graph.load("(edge a b)", remove=True)["facts"] == 1 and len(list(graph.facts())) == 2
        with pytest.raises(craton.Invalid):
            graph.query("(, (edge $x")
        graph.labels = ["pii"]
        assert graph.labels == ["pii"]
        graph.compact()
        graph.clear()
        assert list(graph.facts()) == []

    def test_what_is_loaded(self, graph, objects, tmp_path):
        file = tmp_path / "edges.csv"
        file.write_text("from,to\na,b\nbad\nb,c\n")
        with pytest.raises(craton.Invalid):
            graph.load(file, format="csv", relation="edge")
        with pytest.raises(craton.NotFound):
            list(graph.facts())
        assert graph.load(file, format="csv", relation="edge", skip_bad=True)["bad_lines"] == 1
        assert sorted(graph.facts()) == ["(edge a b)", "(edge b c)"]
        objects.put("more.tsv", "c\td\n")
        graph.load_object(objects.name, "more.tsv", format="tsv", relation="edge", header=False)
        table = pa.table({"n": [1, 2], "text": ["with space", 'a "quote", and comma'], "none": pa.array([None, "x"])})
        assert graph.load_table(table, "row")["facts"] == 2
        found = {tuple(answer) for answer in graph.answers("(, (row $n $t $x)) (, ($n $t $x))")}
        assert found == {(1, "with space", ""), (2, 'a "quote", and comma', "x")}
        assert graph.describe()["facts"] == 5

    def test_programs_and_rules(self, graph):
        graph.load("".join(f"(edge {n} {n + 1})" for n in range(50)))
        step = "(exec 0 (, (edge $x $y) (edge $y $z)) (, (two $x $z)))"
        done = graph.run(step, report=True)
        assert done["finished"] and done["added"] >= 49 and done["each"]
        rules = "(rule a (, (edge $x $y)) (, (path $x $y))) (rule b (, (path $x $y) (edge $y $z)) (, (path $x $z)))"
        seen = []
        graph.reason(rules, progress=seen.append)
        assert graph.query("(, (path 0 $y)) (, ($y))").arrow().num_rows == 50
        before = graph.describe()["facts"]
        with pytest.raises(craton.TooLarge) as limited:
            graph.reason("(rule c (, (path $x $y) (path $u $v)) (, (pair $x $y $u $v)))", limits={"facts": 1000})
        assert limited.value.reason and graph.describe()["facts"] == before

    def test_snapshots(self, graph):
        first = graph.load("(a 1)")["snapshot"]
        graph.pin("before")
        graph.load("(a 2)")
        assert list(graph.facts(snapshot="before")) == list(graph.facts(snapshot=first)) == ["(a 1)"]
        assert graph.query("(, (a $x)) (, ($x))", snapshot=first).arrow().num_rows == 1
        assert [pin["pin"] for pin in graph.snapshots()["pins"]] == ["before"]
        graph.unpin("before")
        assert graph.snapshots()["pins"] == []
        with pytest.raises(craton.NotFound):
            list(graph.facts(snapshot="before"))


class Cut:
    """A server that answers once, with these bytes."""

    def __init__(self, answer: bytes):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(answer,), daemon=True).start()

    def _serve(self, answer: bytes) -> None:
        connection, _ = self.socket.accept()
        connection.recv(1 << 16)
        connection.sendall(answer)
        connection.close()
        self.socket.close()


class TestWhenThingsBreak:
    def answer(self, head: str, body: bytes) -> craton.Client:
        cut = Cut(f"HTTP/1.1 200 OK\r\nlast-modified: Mon, 23 Nov 2026 10:00:00 GMT\r\n{head}\r\n\r\n".encode() + body)
        return craton.connect(cut.endpoint, craton.Anonymous())

    def test_an_answer_that_is_cut_off_is_never_taken_for_whole(self):
        chunked = "transfer-encoding: chunked"
        with pytest.raises(craton.Interrupted):
            self.answer("content-length: 10", b"half").bucket("b").get("k")
        with pytest.raises(craton.Interrupted):
            list(self.answer(chunked, b"5\r\n(a b)\r\n").graph("b", "g").facts())
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, pa.schema([("n", pa.int64())])) as writer:
            writer.write_batch(pa.record_batch({"n": [1, 2, 3]}))
        whole = sink.getvalue()[:-8]  # Without the mark of its end.
        with pytest.raises(craton.Interrupted):
            self.answer(chunked, b"%x\r\n%s\r\n" % (len(whole), whole)).sql("SELECT 1").arrow()
        told = b'{"progress":{"seconds":1}}\n'
        with pytest.raises(craton.Interrupted):
            self.answer(f"content-length: {len(told)}", told).graph("b", "g").run("")

    def test_nobody_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(craton.Unreachable):
            craton.connect(endpoint, craton.Anonymous()).bucket("b").get("k")

    def test_errors_survive_pickling(self):
        error = pickle.loads(pickle.dumps(craton.Denied("no (decision 1-2f)", status=403, reason="AccessDenied", request_id="r")))
        assert (type(error), error.status, error.reason, error.decision, error.request_id) == (craton.Denied, 403, "AccessDenied", "1-2f", "r")


def fetch(given: tuple[craton.Client, str]) -> bytes:
    client, bucket = given
    return client.bucket(bucket).get("a")


def test_threads_and_processes_share_a_client(client, bucket):
    client.bucket(bucket).put("a", b"1" * 100_000)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch, [(client, bucket)] * 64)) == {b"1" * 100_000}
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert set(pool.map(fetch, [(client, bucket)] * 8)) == {b"1" * 100_000}


def test_runs_say_their_names(client):
    with client.run("training-7") as run, client.run() as other:
        assert run.headers["x-craton-run"] == "training-7" and other.name.startswith("run-")
    for wrong in ("x" * 129, "ü", "a\nb"):
        with pytest.raises(ValueError):
            client.run(wrong)


def test_datasets_for_torch(server, s3, bucket):
    """With torch itself, in a process of the environment that has it."""
    catalog = connect(server, bucket)
    catalog.create_namespace("ns")
    schema = pa.schema([("id", pa.int64()), ("x", pa.float32()), ("label", pa.int32()), ("name", pa.string())])
    table = catalog.create_table("ns.t", schema=schema)
    for part in range(3):
        ids = list(range(part * 1000, part * 1000 + 1000))
        table.append(pa.table({"id": ids, "x": [n / 2 for n in ids], "label": [n % 7 if n else None for n in ids], "name": [f"n{n}" for n in ids]}, schema=schema))
    python = os.environ.get("CRATON_TORCH_PYTHON") or Path(os.environ["CRATON_TARGET"]) / "venv-torch/bin/python"
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "python/src"), "CRATON_ENDPOINT": server.endpoint, "OMP_NUM_THREADS": "1",
        "AWS_ACCESS_KEY_ID": server.root.id, "AWS_SECRET_ACCESS_KEY": server.root.secret, "TMPDIR": str(server.folder),
    }
    script = Path(__file__).with_name("package_torch.py")
    done = subprocess.run([python, script, bucket], env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert json.loads(done.stdout) == {"objects": 100, "rows": 3000}
    assert not list(server.folder.glob("craton-table-*")), "the file of a table goes with its process"

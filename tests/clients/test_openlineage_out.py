"""Runs told to an OpenLineage endpoint: what was seen, in events that OpenLineage's own classes take, none lost over a kill."""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest
from openlineage.client import event_v2, facet_v2

from conftest import client
from server import Key, Server, unique
from sigv4 import Signer, send
from test_iceberg import connect
from test_lineage import named, run_of

API_KEY = "a-secret-of-the-endpoint"


class Endpoint:
    """Takes events, or refuses them."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.heads: list[dict] = []
        self.works = True
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if endpoint.works:
                    endpoint.heads.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
                    endpoint.events.append(json.loads(body))
                self.send_response(201 if endpoint.works else 503)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, run: str) -> list[dict]:
        return [event for event in self.events if event["run"]["facets"]["craton_run"]["name"] == run]

    def wait(self, run: str, state: str, count: int = 1, seconds: float = 40) -> dict:
        """The newest event of a run in a state, once there are so many."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [event for event in self.of(run) if event["eventType"] == state]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.05)
        raise AssertionError((run, state, self.events))


@pytest.fixture
def endpoint():
    made = Endpoint()
    yield made
    made.server.shutdown()


@pytest.fixture
def telling(tmp_path, endpoint):
    key = tmp_path / "key"
    key.write_text(API_KEY + "\n")
    key.chmod(0o600)
    server = Server(tmp_path, "--memory", "64MiB", "--openlineage-url", endpoint.url, "--openlineage-key", str(key), "--openlineage-idle", "1s")
    server.secrets.add(API_KEY)
    server.start()
    yield server
    server.kill()


def is_an_event(event: dict) -> event_v2.RunEvent:
    """By the classes of OpenLineage's client, which check ids and times."""
    def facets(found: dict, of: dict) -> dict:
        out = {}
        for name, facet in found.items():
            said = {key: value for key, value in facet.items() if not key.startswith("_")}
            assert facet["_producer"].startswith("urn:craton:") and facet["_schemaURL"].startswith("https://openlineage.io/spec/")
            if name in of:
                out[name] = of[name](**said)
                assert facet["_schemaURL"] == out[name]._get_schema()  # noqa: SLF001
        return out

    version = {"version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet}
    reads = {"inputStatistics": facet_v2.input_statistics_input_dataset.InputStatisticsInputDatasetFacet}
    writes = {"outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet}
    engine = {"processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet}
    assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    return event_v2.RunEvent(
        eventTime=event["eventTime"], producer=event["producer"], eventType=event_v2.RunState[event["eventType"]],
        run=event_v2.Run(runId=event["run"]["runId"], facets=facets(event["run"]["facets"], engine)),
        job=event_v2.Job(**event["job"]),
        inputs=[event_v2.InputDataset(namespace=one["namespace"], name=one["name"], facets=facets(one["facets"], version), inputFacets=facets(one["inputFacets"], reads)) for one in event["inputs"]],
        outputs=[event_v2.OutputDataset(namespace=one["namespace"], name=one["name"], facets=facets(one["facets"], version), outputFacets=facets(one["outputFacets"], writes)) for one in event["outputs"]],
    )


def sets(event: dict, which: str) -> set[tuple[str, str]]:
    return {(one["namespace"], one["name"]) for one in event[which]}


def test_a_run_is_told_as_it_was_seen(telling, endpoint):
    s3 = client(telling)
    s3.create_bucket(Bucket="lab")
    s3.put_object(Bucket="lab", Key="in/a b.csv", Body=b"x" * 100)
    catalog = connect(telling, "lab")
    catalog.create_namespace("ns")
    data = pa.table({"id": pa.array(range(10), pa.int64())})
    catalog.create_table("ns.t", data.schema).append(data)
    run = unique("run")
    mine = named(client(telling), run)
    mine.get_object(Bucket="lab", Key="in/a b.csv")["Body"].read()
    start = endpoint.wait(run, "START")
    is_an_event(start)
    assert start["inputs"] == [] == start["outputs"]
    assert endpoint.heads[0]["authorization"] == f"Bearer {API_KEY}" and endpoint.heads[0]["path"] == "/api/v1/lineage"
    signer = Signer(telling, telling.root)
    body = json.dumps({"statement": "select sum(id) from lab.ns.t"}).encode()
    assert send(telling, signer.request("POST", "/_api/v1/sql", "", [("x-craton-run", run), ("content-type", "application/json")], body)).status == 200
    assert send(telling, signer.request("POST", "/_graph/v1/lab/g/facts", "", [("x-craton-run", run)], b"(edge a b)")).status == 200
    mine.put_object(Bucket="lab", Key="model", Body=b"weights")
    count = len([event for event in endpoint.of(run) if event["eventType"] == "COMPLETE"])
    whole = endpoint.wait(run, "COMPLETE", count + 1)
    deadline = time.monotonic() + 20
    while ("s3://lab", "model") not in sets(whole, "outputs") and time.monotonic() < deadline:
        time.sleep(0.2)
        whole = endpoint.of(run)[-1]
    told = is_an_event(whole)
    assert sets(whole, "inputs") == {("s3://lab", "in/a b.csv"), ("craton://lab", "tables/ns.t")}
    assert sets(whole, "outputs") == {("s3://lab", "model"), ("craton://lab", "graphs/g")}
    assert whole["run"]["runId"] == start["run"]["runId"] and uuid.UUID(told.run.runId).version == 8
    assert whole["job"] == {"namespace": "craton", "name": "root"}
    edges = run_of(telling, Key(telling.root.id, telling.root.secret, "root"), run)["edges"]
    (read,) = [edge for edge in edges if edge["resource"] == "/lab/objects/in/a b.csv"]
    (said,) = [one for one in whole["inputs"] if one["name"] == "in/a b.csv"]
    assert said["facets"]["version"]["datasetVersion"] == str(read["version"]) and said["inputFacets"]["inputStatistics"]["size"] == 100
    # What it says is what the door for events makes of it: of its own run, all is observed.
    own = str(uuid.uuid4())
    named(client(telling), own).get_object(Bucket="lab", Key="in/a b.csv")["Body"].read()
    mine_again = endpoint.wait(own, "COMPLETE")
    assert mine_again["run"]["runId"] == own, "a run that is called by a UUID keeps it"
    answer = send(telling, signer.request("POST", "/_openlineage/api/v1/lineage", body=json.dumps(mine_again).encode()))
    assert answer.status == 200, answer
    declared = json.loads(send(telling, signer.request("GET", f"/_api/v1/runs/{own}/declared")).body)["declared"]
    assert [one["standing"] for one in declared] == ["observed"]


def test_tables_by_name_are_understood(telling, endpoint):
    s3 = client(telling)
    s3.create_bucket(Bucket="lab")
    catalog = connect(telling, "lab")
    catalog.create_namespace("ns")
    data = pa.table({"id": pa.array(range(10), pa.int64())})
    catalog.create_table("ns.t", data.schema).append(data)
    catalog.create_table("ns.other", data.schema)
    run, signer = str(uuid.uuid4()), Signer(telling, telling.root)
    body = json.dumps({"statement": "select sum(id) from lab.ns.t"}).encode()
    assert send(telling, signer.request("POST", "/_api/v1/sql", "", [("x-craton-run", run), ("content-type", "application/json")], body)).status == 200
    event = endpoint.wait(run, "COMPLETE")
    assert sets(event, "inputs") == {("craton://lab", "tables/ns.t")}
    event["inputs"] += [{"namespace": "craton://lab", "name": "tables/ns.other"}, {"namespace": "craton://lab", "name": "tables/none"}]
    assert send(telling, signer.request("POST", "/_openlineage/api/v1/lineage", body=json.dumps(event).encode())).status == 200
    found = json.loads(send(telling, signer.request("GET", f"/_api/v1/runs/{run}/declared")).body)["declared"]
    assert {one["name"]: one["standing"] for one in found} == {"tables/ns.t": "observed", "tables/ns.other": "contradicted", "tables/none": "contradicted"}


def test_many_data_sets_are_told_by_folders(telling, endpoint):
    s3 = client(telling)
    s3.create_bucket(Bucket="lab")
    run = unique("run")
    mine = named(client(telling), run)
    for n in range(260):
        mine.put_object(Bucket="lab", Key=f"out/{n % 4}/{n}", Body=b"12345")
    deadline = time.monotonic() + 40
    while True:
        event = endpoint.wait(run, "COMPLETE")
        files = sum(one["outputFacets"]["outputStatistics"]["fileCount"] for one in event["outputs"])
        if files == 260 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    is_an_event(event)
    assert sets(event, "outputs") == {("s3://lab", f"out/{n}") for n in range(4)} and files == 260
    assert sum(one["outputFacets"]["outputStatistics"]["size"] for one in event["outputs"]) == 1300
    assert event["run"]["facets"]["craton_run"]["leftOut"] == 0


def test_none_is_lost_over_kills_and_an_endpoint_that_is_down(telling, endpoint):
    s3 = client(telling)
    s3.create_bucket(Bucket="lab")
    endpoint.works = False
    runs = [unique("run") for _ in range(6)]
    for n, run in enumerate(runs):
        named(client(telling), run).put_object(Bucket="lab", Key=f"out{n}", Body=b"x")
        if n == 1:
            time.sleep(2)  # These are queued by now, and not taken.
        if n % 2:
            telling.kill()
            telling.start()
    endpoint.works = True
    for n, run in enumerate(runs):
        assert sets(endpoint.wait(run, "COMPLETE", seconds=90), "outputs") == {("s3://lab", f"out{n}")}
        states = [event["eventType"] for event in endpoint.of(run)]
        assert states[0] == "START" and states[-1] == "COMPLETE"
    telling.stop()


def test_settings_that_can_not_work(tmp_path, endpoint):
    key = tmp_path / "key"
    key.write_text(API_KEY)
    key.chmod(0o644)
    for arguments, said in (
        (["--openlineage-url", endpoint.url, "--openlineage-key", str(key)], "others may read"),
        (["--openlineage-url", "ftp://h"], "http"),
        (["--openlineage-key", str(key)], "openlineage-url"),
    ):
        with pytest.raises(AssertionError, match=said):
            Server(tmp_path, *arguments).start()

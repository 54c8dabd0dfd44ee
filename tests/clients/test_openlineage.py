"""OpenLineage events, by the project's own client: kept beside what was observed, and compared with it."""

import datetime
import json
import urllib.parse

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport
from openlineage.client.uuid import generate_new_uuid

from conftest import allow, client
from sigv4 import Signer, send
from test_budgets import bearer
from test_lineage import api, named

RIGHTS = allow(["s3:*", "craton:DeclareLineage"])


@pytest.fixture
def user(make_user):
    return make_user(RIGHTS)


def events_to(server, user) -> OpenLineageClient:
    token = bearer(server, user)["Authorization"].removeprefix("Bearer ")
    config = HttpConfig(url=f"{server.endpoint}/_openlineage/", auth=ApiKeyTokenProvider({"apiKey": token}))
    return OpenLineageClient(transport=HttpTransport(config))


def event(run: str, state: RunState, inputs=(), outputs=()) -> RunEvent:
    return RunEvent(
        eventTime=datetime.datetime.now(datetime.timezone.utc).isoformat(), producer="https://example.org/test", eventType=state,
        run=Run(runId=run), job=Job(namespace="tests", name="train"),
        inputs=[InputDataset(*name) for name in inputs], outputs=[OutputDataset(*name) for name in outputs],
    )


def test_what_is_declared_stands_beside_what_was_seen(server, bucket, s3, user):
    run = str(generate_new_uuid())
    events, here = events_to(server, user), f"s3://{bucket}"
    s3.put_object(Bucket=bucket, Key="in/a", Body=b"x")
    events.emit(event(run, RunState.START, [(here, "in"), (here, "never"), ("postgres://db", "public.t")]))
    mine = named(client(server, user), run)
    mine.get_object(Bucket=bucket, Key="in/a")
    mine.put_object(Bucket=bucket, Key="model", Body=b"m")

    def standing() -> dict[tuple[str, str], str]:
        found = api(server, user, f"runs/{run}/declared")["declared"]
        assert {one["job"] for one in found} == {"tests/train"}
        return {(one["mode"], one["name"]): one["standing"] for one in found}

    assert standing() == {("read", "in"): "observed", ("read", "never"): "declared only", ("read", "public.t"): "declared only"}
    events.emit(event(run, RunState.COMPLETE, outputs=[(here, "model"), (here, "in/a")]))
    assert standing() == {
        ("read", "in"): "observed", ("read", "never"): "contradicted", ("read", "public.t"): "declared only",
        ("write", "model"): "observed", ("write", "in/a"): "contradicted",
    }
    assert len(api(server, user, f"runs/{run}")["edges"]) == 2, "what is declared is no edge"


def test_batches_and_what_is_refused(server, bucket, user, make_user):
    def post(key, path: str, body: object) -> tuple[int, dict]:
        answer = send(server, Signer(server, key).request("POST", f"/_openlineage/api/v1/{path}", body=json.dumps(body).encode()))
        return answer.status, json.loads(answer.body)

    run = str(generate_new_uuid())
    good = {"eventType": "COMPLETE", "eventTime": "2026-01-01T00:00:00Z", "producer": "p", "run": {"runId": run}, "job": {"namespace": "n", "name": "j"},
            "inputs": [{"namespace": f"s3://{bucket}", "name": "a", "facets": {"schema": {"fields": []}}}]}
    status, told = post(user, "lineage/batch", [good, good | {"run": {"runId": "x"}}, {"eventTime": "2026-01-01T00:00:00Z", "producer": "p", "job": {"namespace": "n", "name": "j"}}])
    assert status == 200 and told["summary"] == {"received": 3, "successful": 2, "failed": 1} and told["failed_events"][0]["index"] == 1
    assert post(user, "lineage", {"run": {"runId": "x"}})[0] == 400
    assert post(make_user(allow("s3:*")), "lineage", good)[0] == 403
    text = urllib.parse.urlencode({"principal": user.user})
    assert send(server, Signer(server, make_user()).request("GET", f"/_api/v1/runs/{run}/declared", text)).status == 403

"""Events: from a write to its target, at least once, also when the target or the server was down."""

import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from botocore.exceptions import ClientError

from server import Server

WAIT_SECONDS_MAX = 30


class Hook:
    """A webhook's other side: keeps what it is sent; can refuse."""

    def __init__(self):
        self.events: list[dict] = []
        self.headers: list[dict] = []
        self.tests: list[dict] = []
        self.status = 200
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status == 200:
                    told = json.loads(body)
                    # A test event tells that there will be others.
                    hook.tests += [told] if told.get("Event") == "s3:TestEvent" else []
                    hook.events += told.get("Records", [])
                    hook.headers.append(dict(self.headers))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count: int) -> list[dict]:
        until(lambda: len(self.events) >= count, lambda: f"{len(self.events)} of {count}: {self.events}")
        return self.events


def until(done, tell=lambda: ""):
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not done():
        assert time.monotonic() < end, tell()
        time.sleep(0.02)


def targets_file(folder, text: str):
    file = folder / "targets.toml"
    file.write_text(text)
    file.chmod(0o600)
    return file


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.server.shutdown()


@pytest.fixture
def eventful(tmp_path, hook):
    text = f'[[target]]\nname = "hook"\nwebhook = {{ url = "http://127.0.0.1:{hook.port}/x", token = "tok3n-of-the-hook" }}\n'
    server = Server(tmp_path, "--targets", str(targets_file(tmp_path, text)))
    server.secrets.add("tok3n-of-the-hook")
    server.start()
    yield server
    server.stop()


def client(server):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1",
        aws_access_key_id=server.root.id, aws_secret_access_key=server.root.secret,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def listen_to(s3, bucket, arn="arn:aws:sqs:us-east-1:000000000000:hook", events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"), **filters):
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    rule = {"Id": "rule", "QueueArn": arn, "Events": list(events)}
    if rules:
        rule["Filter"] = {"Key": {"FilterRules": rules}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]})


def names(events):
    return [event["eventName"] for event in events]


def test_every_way_to_write_has_its_event(eventful, hook):
    s3 = client(eventful)
    s3.create_bucket(Bucket="data")
    listen_to(s3, "data", events=["s3:ObjectCreated:*", "s3:ObjectRemoved:*"])
    s3.put_object(Bucket="data", Key="a b/ü", Body=b"content")
    s3.copy_object(Bucket="data", Key="copy", CopySource="data/a b/ü")
    upload = s3.create_multipart_upload(Bucket="data", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="data", Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        Bucket="data", Key="parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    s3.delete_object(Bucket="data", Key="copy")
    events = hook.wait(4)
    assert names(events) == [
        "ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete",
    ]
    put = events[0]
    assert put["s3"]["bucket"]["name"] == "data"
    assert put["s3"]["object"]["key"] == "a+b/%C3%BC"
    assert put["s3"]["object"]["size"] == 7
    assert put["s3"]["object"]["eTag"] == "9a0364b9e99bb480dd25e1f0284c8555"
    assert put["s3"]["configurationId"] == "rule"
    assert put["eventSource"] == "aws:s3" and put["awsRegion"] == "us-east-1"
    assert put["userIdentity"]["principalId"] == "root"
    assert put["requestParameters"]["sourceIPAddress"] == "127.0.0.1"
    assert "versionId" not in put["s3"]["object"]
    sequencers = [event["s3"]["object"]["sequencer"] for event in events]
    assert sequencers == sorted(sequencers) and len(set(sequencers)) == 4
    assert hook.headers[0]["authorization"] == "Bearer tok3n-of-the-hook"


def test_versions_and_markers_are_named(eventful, hook):
    s3 = client(eventful)
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    listen_to(s3, "data")
    version = s3.put_object(Bucket="data", Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket="data", Key="k")["VersionId"]
    s3.delete_object(Bucket="data", Key="k", VersionId=version)
    events = hook.wait(3)
    assert names(events) == ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"]
    assert [event["s3"]["object"]["versionId"] for event in events] == [version, marker, version]


def test_filters_decide(eventful, hook):
    s3 = client(eventful)
    s3.create_bucket(Bucket="data")
    listen_to(s3, "data", events=["s3:ObjectCreated:Put"], prefix="in/", suffix=".csv")
    for key in ["out/a.csv", "in/a.txt", "in/a.csv"]:
        s3.put_object(Bucket="data", Key=key, Body=b"")
    s3.delete_object(Bucket="data", Key="in/a.csv")
    s3.put_object(Bucket="data", Key="in/b.csv", Body=b"")
    assert [event["s3"]["object"]["key"] for event in hook.wait(2)] == ["in/a.csv", "in/b.csv"]
    time.sleep(0.3)
    assert len(hook.events) == 2


def test_a_bucket_names_only_targets_that_the_administrator_set(eventful):
    s3 = client(eventful)
    s3.create_bucket(Bucket="data")
    with pytest.raises(ClientError) as refused:
        listen_to(s3, "data", arn="arn:aws:sqs:us-east-1:000000000000:elsewhere")
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def test_events_wait_for_a_target_and_for_a_killed_server(eventful, hook):
    s3 = client(eventful)
    s3.create_bucket(Bucket="data")
    listen_to(s3, "data")
    hook.status = 500
    for n in range(20):
        s3.put_object(Bucket="data", Key=f"k{n:02}", Body=b"x")
    eventful.process.send_signal(signal.SIGKILL)
    eventful.process.wait()
    hook.status = 200
    eventful.start()
    events = hook.wait(20)
    keys = [event["s3"]["object"]["key"] for event in events]
    assert sorted(set(keys)) == [f"k{n:02}" for n in range(20)]
    assert keys[:20] == sorted(keys[:20]), "in the order of the writes"


def test_listening_hears_what_happens(eventful):
    from minio import Minio

    s3 = client(eventful)
    s3.create_bucket(Bucket="data")
    minio = Minio(
        f"{eventful.host}:{eventful.port}", access_key=eventful.root.id, secret_key=eventful.root.secret,
        secure=False, region="us-east-1",
    )
    heard = []

    def hear():
        with minio.listen_bucket_notification("data", prefix="in/", events=["s3:ObjectCreated:*"]) as events:
            for event in events:
                heard.append(event)
                return

    thread = threading.Thread(target=hear, daemon=True)
    thread.start()
    n = 0
    while thread.is_alive() and n < 200:
        s3.put_object(Bucket="data", Key="out/no", Body=b"")
        s3.put_object(Bucket="data", Key="in/yes", Body=b"")
        time.sleep(0.1)
        n += 1
    assert heard and heard[0]["Records"][0]["s3"]["object"]["key"] == "in/yes"


def test_targets_that_others_may_read_are_refused(tmp_path):
    file = targets_file(tmp_path, "")
    file.chmod(0o644)
    from server import binary

    done = subprocess.run(
        [binary(), "serve", "--data", tmp_path / "d", "--address", "127.0.0.1:0", "--targets", file],
        capture_output=True, timeout=60, check=False,
    )
    assert done.returncode == 4 and b"chmod 600" in done.stderr


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.parametrize("jetstream", [False, True])
def test_events_reach_a_real_nats_server(tmp_path, jetstream):
    port = free_port()
    arguments = ["nats-server", "-a", "127.0.0.1", "-p", str(port), "--user", "u", "--pass", "s3cret-of-nats"]
    if jetstream:
        arguments += ["-js", "-sd", str(tmp_path / "js")]
    nats = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        subscriber = Nats(port)
        if jetstream:
            subscriber.request("$JS.API.STREAM.CREATE.S", json.dumps({"name": "S", "subjects": ["events"]}))
        subscriber.send("SUB events 7\r\nPING\r\n")
        text = (
            f'[[target]]\nname = "bus"\nnats = {{ address = "127.0.0.1:{port}", subject = "events", user = "u", '
            f'password = "s3cret-of-nats", jetstream = {str(jetstream).lower()} }}\n'
        )
        server = Server(tmp_path, "--targets", str(targets_file(tmp_path, text)))
        server.secrets.add("s3cret-of-nats")
        server.start()
        s3 = client(server)
        s3.create_bucket(Bucket="data")
        listen_to(s3, "data", arn="arn:minio:sqs::bus:nats")
        s3.put_object(Bucket="data", Key="k", Body=b"x")
        assert json.loads(subscriber.message())["Event"] == "s3:TestEvent"
        event = json.loads(subscriber.message())
        assert event["Records"][0]["s3"]["object"]["key"] == "k"
        server.stop()
    finally:
        nats.terminate()
        nats.wait()


class Nats:
    """As much of a client as the tests need."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS_MAX)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.send('CONNECT {"verbose":false,"user":"u","pass":"s3cret-of-nats"}\r\n')

    def send(self, text):
        self.socket.sendall(text.encode())

    def request(self, subject, body):
        self.send(f"SUB reply 3\r\nPUB {subject} reply {len(body)}\r\n{body}\r\n")
        answer = json.loads(self.message())
        assert "error" not in answer, answer
        self.send("UNSUB 3\r\n")

    def message(self) -> bytes:
        while True:
            line = self.file.readline()
            if line.startswith(b"PING"):
                self.send("PONG\r\n")
            if line.startswith(b"MSG"):
                body = self.file.read(int(line.split()[-1]) + 2)
                return body[:-2]
            assert line, "the connection ended"


def wait_for(port):
    def is_up():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    until(is_up)


def test_who_is_to_be_told_is_told_so_first(eventful, hook):
    s3 = client(eventful)
    s3.create_bucket(Bucket="data")
    listen_to(s3, "data")
    until(lambda: hook.tests)
    test = hook.tests[0]
    assert test["Service"] == "Amazon S3" and test["Bucket"] == "data" and test["Time"].endswith("Z")
    assert set(test) == {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"}
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        listen_to(s3, "data", arn="arn:aws:sqs:us-east-1:000000000000:nobody")


def test_tags_acls_and_deletions_have_their_events(eventful, hook):
    s3 = client(eventful)
    s3.create_bucket(Bucket="data", ObjectOwnership="BucketOwnerPreferred")
    listen_to(s3, "data", events=["s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:ObjectRemoved:*"])
    s3.put_object(Bucket="data", Key="k", Body=b"")
    s3.put_object_tagging(Bucket="data", Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.delete_object_tagging(Bucket="data", Key="k")
    s3.put_object_acl(Bucket="data", Key="k", ACL="private")
    s3.delete_object(Bucket="data", Key="k")
    assert names(hook.wait(4)) == ["ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put", "ObjectRemoved:Delete"]

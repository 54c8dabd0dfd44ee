"""Server access logs: lines about a bucket, as objects in another."""

import time

import pytest
from botocore.exceptions import ClientError

from server import Server
from test_events import client, until


@pytest.fixture
def logged(tmp_path):
    server = Server(tmp_path, "--access-log-every", "1s")
    server.start()
    yield server
    server.stop()


def lines(s3, bucket):
    out = []
    for listed in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        out += s3.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read().decode().splitlines()
    return out


def test_requests_become_lines(logged):
    s3 = client(logged)
    for bucket in ["data", "logs"]:
        s3.create_bucket(Bucket=bucket)
    target = {"TargetBucket": "logs", "TargetPrefix": "from-data/"}
    s3.put_bucket_logging(Bucket="data", BucketLoggingStatus={"LoggingEnabled": target})
    # The first run begins where the ledger ends then.
    time.sleep(2.5)
    s3.put_object(Bucket="data", Key="a b", Body=b"x" * 100)
    s3.get_object(Bucket="data", Key="a b")["Body"].read()
    with pytest.raises(ClientError):
        s3.get_object(Bucket="data", Key="missing")
    s3.delete_object(Bucket="data", Key="a b")
    wanted = ["REST.PUT.OBJECT a%20b - 200", "REST.GET.OBJECT a%20b - 200 - 100 100", "REST.GET.OBJECT missing - 404 NoSuchKey",
              "REST.DELETE.OBJECT a%20b - 204"]
    until(
        lambda: all(any(w in line for line in lines(s3, "logs")) for w in wanted),
        lambda: "\n".join(lines(s3, "logs")),
    )
    line = next(line for line in lines(s3, "logs") if wanted[0] in line)
    assert line.startswith("root data [") and " 127.0.0.1 root " in line
    assert len(lines(s3, "logs")) == len(set(lines(s3, "logs"))), "each once"
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="logs")["Contents"]]
    assert all(key.startswith("from-data/20") for key in keys)

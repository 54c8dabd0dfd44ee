"""AWS's own client for Rust: `tests/rust`, one test after the other."""

import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

PROGRAM = Path(os.environ.get("CRATON_CLIENT_RUST", "craton-client-rust"))


def run(server, bucket: str, test: str) -> str:
    environment = {
        "BUCKET": bucket, "CRATON_ENDPOINT": server.endpoint, "AWS_ACCESS_KEY_ID": server.root.id,
        "AWS_SECRET_ACCESS_KEY": server.root.secret, "AWS_EC2_METADATA_DISABLED": "true", "RUST_BACKTRACE": "1",
    }
    done = subprocess.run([PROGRAM, test], env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("test", ["objects", "listings", "parts", "versions"])
def test_aws_sdk(server, bucket, test):
    run(server, bucket, test)


def test_a_link(server, s3, bucket):
    request = urllib.request.Request(run(server, bucket, "links").strip(), data=b"sent by anyone", method="PUT")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"sent by anyone"

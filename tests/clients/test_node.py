"""npm's `@aws-sdk/client-s3`, AWS's own client for JavaScript: `node/s3.mjs`, one test after the other."""

import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("CRATON_NODE", Path(__file__).parent / "node"))


@pytest.mark.parametrize("test", ["objects", "listings", "parts", "links", "versions", "configurations"])
def test_aws_sdk(server, bucket, test):
    environment = {
        "PATH": os.environ["PATH"], "HOME": os.devnull, "NODE_NO_WARNINGS": "1", "BUCKET": bucket, "CRATON_ENDPOINT": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.root.id, "AWS_SECRET_ACCESS_KEY": server.root.secret, "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(["node", FOLDER / "s3.mjs", test], env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

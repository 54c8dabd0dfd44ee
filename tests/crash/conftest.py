"""What the crash tests share with the client tests: the server of `tests/clients`, and how clients are set up."""

import os
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

from server import REGION, Server  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Clients of this machine's own server never ask a proxy, and read nobody's settings."""
    for name in [n for n in os.environ if n.startswith("AWS_") or n.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ |= {
        "NO_PROXY": "*", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@pytest.fixture
def make_client():
    """Makes boto3 clients that never try again by themselves: the test decides what a failure means."""

    def make(server: Server, **config: object):
        settings = {
            "s3": {"addressing_style": "path"},
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "max_pool_connections": 32,
            "connect_timeout": 5,
            "read_timeout": 60,
        } | config
        return boto3.client(
            "s3", endpoint_url=server.endpoint, region_name=REGION, config=Config(**settings),
            aws_access_key_id=server.root.id, aws_secret_access_key=server.root.secret,
        )

    return make

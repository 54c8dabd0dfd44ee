"""What the client tests share: one server for the whole run, clients of it, users, fresh buckets."""

import json
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from server import REGION, Key, Server, unique
from sigv4 import Signer

DOMAIN = "s3.craton.test"


def pytest_configure(config: pytest.Config) -> None:
    """Clients of this machine's own server never ask a proxy, and read nobody's settings."""
    import os

    for name in [n for n in os.environ if n.startswith("AWS_") or n.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ |= {
        "NO_PROXY": "*", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("server")
    running = Server(folder, "--domain", DOMAIN, "--memory", "128MiB", "--pg-address", "127.0.0.1:0").start()
    try:
        yield running
        running.stop()
    finally:
        running.kill()


@pytest.fixture(autouse=True)
def _server_lives(request: pytest.FixtureRequest):
    """A server that a test has ended is that test's failure, not the next one's."""
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").check_alive()


def client(server: Server, key: Key | None = None, **config: object):
    """A boto3 client."""
    key = key or server.root
    settings = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "retries": {"max_attempts": 1, "mode": "standard"},
        "max_pool_connections": 80,
        "connect_timeout": 10,
        "read_timeout": 60,
    } | config
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        config=Config(**settings),
    )


@pytest.fixture(scope="session")
def s3(server: Server):
    return client(server)


@pytest.fixture(scope="session")
def anyone(server: Server):
    """A client that does not say who it is."""
    config = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client("s3", endpoint_url=server.endpoint, region_name=REGION, config=config)


@pytest.fixture
def bucket(s3) -> str:
    """A fresh, empty bucket."""
    name = unique("b")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def root(server: Server) -> Signer:
    """Signs as root."""
    return Signer(server, server.root)


def new_user(server: Server, folder: Path, *statements: dict) -> Key:
    """A user with a policy of these statements."""
    name = unique("user")
    made = json.loads(server.command("user", "add", name, "--json"))
    key = server.keep(Key(made["id"], made["secret"], name))
    if statements:
        file = folder / f"{name}.json"
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        server.command("policy", "put", name, "test", str(file))
    return key


@pytest.fixture
def make_user(server: Server, tmp_path):
    """Makes a user with a policy of these statements."""
    return lambda *statements: new_user(server, tmp_path, *statements)


def allow(actions: str | list[str], resources: str | list[str] = "*") -> dict:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


@pytest.fixture
def vault(server: Server, s3, bucket: str):
    """A bucket with content, to see that refused requests leave it alone."""
    from expect import Vault

    return Vault(server, s3, bucket)

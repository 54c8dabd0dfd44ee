"""Over TLS: which version it is, is a condition key."""

import json
import ssl
from pathlib import Path

import pytest

from conftest import allow
from server import Server, unique
from sigv4 import Signer, Wire


class TlsWire(Wire):
    """A connection of one version of TLS."""

    def __init__(self, server: Server, version: ssl.TLSVersion):
        super().__init__(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        self.socket = context.wrap_socket(self.socket)


@pytest.fixture
def tls(tmp_path):
    files = Path(__file__).resolve().parents[2] / "crates/craton/tests/binary/tls"
    arguments = ("--tls-cert", str(files / "cert.pem"), "--tls-key", str(files / "key.pem"), "--memory", "128MiB")
    running = Server(tmp_path, *arguments).start()
    try:
        yield running
        running.stop()
    finally:
        running.kill()


def ask(server: Server, signer: Signer, version: ssl.TLSVersion, method: str, path: str, query: str = "", body: bytes = b"") -> int:
    with TlsWire(server, version) as wire:
        wire.send(signer.request(method, path, query, body=body).wire())
        return wire.answer().status


def test_an_older_version_can_be_refused(tls: Server):
    root, bucket = Signer(tls, tls.root), unique("b")
    old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    assert ask(tls, root, new, "PUT", f"/{bucket}") == 200
    assert ask(tls, root, new, "PUT", f"/{bucket}/k", body=b"x") == 200
    assert ask(tls, root, old, "GET", f"/{bucket}/k") == 200
    deny = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*") | {
        "Effect": "Deny", "Principal": "*", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.3"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]}).encode()
    assert ask(tls, root, new, "PUT", f"/{bucket}", "policy", policy) in (200, 204)
    assert ask(tls, root, new, "GET", f"/{bucket}/k") == 200
    assert ask(tls, root, old, "GET", f"/{bucket}/k") == 403

"""The catalog of tables by itself: loading one of many, and many committers to one.

    bench.py BINARY [--tables 100000] [--loads 5000] [--committers 100] [--seconds 20]

Standard library alone. The server is started on a fresh folder; clients are threads of this process, each with a connection of its own and a bearer
token. What a request takes is measured at the client, its own time included. Every committer counts its commits in a property of its own; at the end
each property must be what its committer counted.
"""

import argparse
import configparser
import hashlib
import hmac
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = {"type": "struct", "fields": [
    {"id": n, "name": f"column_{n}", "type": kind, "required": False}
    for n, kind in enumerate(["long", "string", "double", "timestamp", "string", "long", "date", "string"], 1)
]}
BUCKET = "bench"


class Client:
    """A connection, opened when it is used."""

    def __init__(self, address: str, token: str = ""):
        self.address, self.token = address, token
        self.connection = http.client.HTTPConnection(address, timeout=60)

    def call(self, method: str, path: str, body: object = None, headers: dict | None = None) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", **({"authorization": f"Bearer {self.token}"} if self.token else {}), **(headers or {})}
        self.connection.request(method, path, content, sent)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def signed(key: tuple[str, str], address: str, method: str, path: str, body: bytes) -> dict:
    """The headers of a request signed for S3 (AWS Signature Version 4)."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": address, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(sorted(headers))
    canonical = "\n".join([method, path, "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, digest])
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    secret = f"AWS4{key[1]}".encode()
    for part in [now[:8], "us-east-1", "s3", "aws4_request"]:
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.new(secret, text.encode(), "sha256").hexdigest()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={key[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
    return headers


class Server:
    def __init__(self, binary: str, folder: Path):
        self.binary, self.folder = binary, folder
        out = (folder / "out").open("wb")
        command = [binary, "serve", "--data", folder / "data", "--address", "127.0.0.1:0", "--log", "error"]
        self.process = subprocess.Popen(command, stdout=out, stderr=(folder / "err").open("wb"))
        while not (found := re.search(r"^listening on http://(\S+)$", (folder / "out").read_text(), re.MULTILINE)):
            assert self.process.poll() is None, (folder / "err").read_text()
            time.sleep(0.05)
        self.address = found[1]
        parser = configparser.ConfigParser()
        parser.read(folder / "data" / "root-credentials")
        self.root = (parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"])

    def signed(self, method: str, path: str, body: object = None) -> dict:
        content = b"" if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request(method, path, content, signed(self.root, self.address, method, path, content))
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text)
        return json.loads(text) if text.startswith(b"{") else {}

    def token(self) -> str:
        """Of a user who may everything."""
        self.signed("PUT", "/_api/v1/users/bench")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        self.signed("PUT", "/_api/v1/users/bench/policies/all", policy)
        key = self.signed("POST", "/_api/v1/users/bench/keys")
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": key["id"], "client_secret": key["secret"], "scope": "catalog"})
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request("POST", "/_iceberg/v1/oauth/tokens", form, {"content-type": "application/x-www-form-urlencoded"})
        return json.loads(connection.getresponse().read())["access_token"]

    def memory(self) -> str:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        most = re.search(r"VmHWM:\s+(\d+) kB", status)
        return f"{int(most[1]) // 1024} MiB at most"

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100


def part(times: list[float], share: float) -> str:
    return f"{sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000:.2f} ms"


def create(server: Server, token: str, count: int) -> None:
    def some(first: int) -> None:
        client = Client(server.address, token)
        for number in range(first, count, 16):
            status, text = client.call("POST", f"/_iceberg/v1/{BUCKET}/namespaces/ns{number % 100}/tables", {"name": f"t{number}", "schema": SCHEMA})
            assert status == 200, (status, text)

    client = Client(server.address, token)
    for number in range(100):
        status, text = client.call("POST", f"/_iceberg/v1/{BUCKET}/namespaces", {"namespace": [f"ns{number}"]})
        assert status == 200, (status, text)
    begun, used = time.monotonic(), server.cpu_seconds()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(some, range(16)))
    took = time.monotonic() - begun
    print(f"create     {count} tables by 16 clients: {count / took:.0f}/s, {(server.cpu_seconds() - used) / count * 1e6:.0f} µs CPU each")


def load(server: Server, token: str, count: int, loads: int) -> None:
    client = Client(server.address, token)
    for name, headers in [("load", {}), ("load, 304", None), ("exists", None)]:
        times = []
        used = server.cpu_seconds()
        for turn in range(loads):
            number = turn * 7919 % count
            path = f"/_iceberg/v1/{BUCKET}/namespaces/ns{number % 100}/tables/t{number}"
            method, more = "GET", {}
            if name == "exists":
                method = "HEAD"
            elif headers is None:
                # `*` stands for whatever is there.
                more = {"if-none-match": "*"}
            before = time.perf_counter()
            status, _ = client.call(method, path, headers=more)
            times.append(time.perf_counter() - before)
            assert status == {"load": 200, "load, 304": 304, "exists": 204}[name], status
        cpu = (server.cpu_seconds() - used) / loads * 1e6
        print(f"{name:10} p50 {part(times, 0.5)}, p99 {part(times, 0.99)}, p99.9 {part(times, 0.999)}, {cpu:.0f} µs CPU each")


def commit(server: Server, token: str, committers: int, seconds: float) -> None:
    path = f"/_iceberg/v1/{BUCKET}/namespaces/ns0/tables/t0"
    counts, refused, times = [0] * committers, [0] * committers, [[] for _ in range(committers)]
    end = time.monotonic() + seconds

    def work(me: int) -> None:
        client = Client(server.address, token)
        while time.monotonic() < end:
            updates = [{"action": "set-properties", "updates": {f"committer-{me}": str(counts[me] + 1)}}]
            before = time.perf_counter()
            status, text = client.call("POST", path, {"requirements": [], "updates": updates})
            times[me].append(time.perf_counter() - before)
            if status == 409:
                refused[me] += 1
                continue
            assert status == 200, (status, text)
            counts[me] += 1

    begun, used = time.monotonic(), server.cpu_seconds()
    threads = [threading.Thread(target=work, args=[me]) for me in range(committers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, all_times = time.monotonic() - begun, sum(times, [])
    properties = json.loads(Client(server.address, token).call("GET", path)[1])["metadata"]["properties"]
    lost = sum(count - int(properties.get(f"committer-{me}", 0)) for me, count in enumerate(counts))
    cpu = (server.cpu_seconds() - used) / max(1, sum(counts)) * 1e6
    print(
        f"commit     {committers} committers to one table: {sum(counts) / took:.0f} commits/s, {lost} lost, {sum(refused)} told to try again, "
        f"p50 {part(all_times, 0.5)}, p99 {part(all_times, 0.99)}, {cpu:.0f} µs CPU each, the slowest committer made {min(counts)}"
    )
    assert lost == 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--tables", type=int, default=100_000)
    parser.add_argument("--loads", type=int, default=5000)
    parser.add_argument("--committers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-tables-") as folder:
        server = Server(options.binary, Path(folder))
        try:
            server.signed("PUT", f"/{BUCKET}")
            token = server.token()
            create(server, token, options.tables)
            load(server, token, options.tables, options.loads)
            commit(server, token, options.committers, options.seconds)
            print(f"memory     {server.memory()}")
        finally:
            server.process.terminate()
            server.process.wait(60)


if __name__ == "__main__":
    sys.exit(main())

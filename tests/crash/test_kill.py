"""kill -9 at random points, eight writers: nothing that was acknowledged is lost, nothing is torn, no file is left over.

`CRATON_KILL_CYCLES` is how often the server is killed (20 if not set), `CRATON_SEED` where chance begins (1).
"""

import json
import os
import random
import socket
import threading
import time
from pathlib import Path

from ledger import records
from server import Server
from sigv4 import Signer, send
from workload import BUCKET, Workload, Writer

CYCLES = int(os.environ.get("CRATON_KILL_CYCLES", "20"))
SEED = int(os.environ.get("CRATON_SEED", "1"))
# So often the whole ledger is verified and the files are counted.
LOOK_EVERY = 20
COLLECT_SECONDS_MAX = 30


class Killed(Server):
    """A server that is killed and started again on the same port."""

    def __init__(self, folder: Path):
        super().__init__(folder, "--memory", "64MiB", "--undo-window", "1ms", log="info")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def start_and_kill(self, seconds: float) -> None:
        """Kills it while it starts, or just after."""
        timer = threading.Timer(seconds, lambda: self.process.kill())
        timer.start()
        try:
            self.start()
        except AssertionError:
            assert self.process.poll() == -9, self.log_tail()
        timer.join()
        self.kill()

    def api(self, method: str, path: str) -> dict:
        answer = send(self, Signer(self, self.root).request(method, f"/_api/v1/{path}"), timeout=120)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def blob_files(self) -> int:
        return sum(1 for path in (self.data / "blobs").glob("*/*") if path.is_file())


def check_records(server: Server, writers: list[Writer]) -> None:
    """The record of each writer's last answers are there: of writes, and of reads."""
    found = {r.get("request_id") for r in records(server, "limit=1000")}
    for writer in writers:
        for kind, request in writer.last.items():
            assert request in found, f"the record of {writer.name}'s last {kind}, {request}, is missing"


def check_files(server: Killed, workload: Workload) -> None:
    """After a collection the files are exactly those that objects have."""
    end = time.monotonic() + COLLECT_SECONDS_MAX
    while True:
        collected = server.api("POST", "collect")
        files, wanted = server.blob_files(), workload.blobs()
        if files == wanted:
            return
        assert time.monotonic() < end, f"{files} files where {wanted} are owned; the last collection: {collected}"
        time.sleep(0.1)


def test_nothing_acknowledged_is_lost(tmp_path, make_client):
    chance = random.Random(SEED)
    server = Killed(tmp_path).start()
    s3 = make_client(server)
    s3.create_bucket(Bucket=BUCKET)
    workload = Workload(s3, SEED)
    started = time.monotonic()
    slowest = 0.0
    try:
        for cycle in range(1, CYCLES + 1):
            begun = time.monotonic()
            writers = workload.begin()
            time.sleep(chance.uniform(0.02, 0.8))
            server.process.kill()
            server.process.wait()
            workload.end(writers)
            while chance.random() < 0.1:
                server.start_and_kill(chance.uniform(0, 0.2))
            server.start()
            check_records(server, writers)
            workload.verify()
            slowest = max(slowest, time.monotonic() - begun)
            if cycle % LOOK_EVERY == 0 or cycle == CYCLES:
                server.api("POST", "ledger/verify")
                check_files(server, workload)
        took = time.monotonic() - started
        # Stopping verifies the ledger from the folder.
        server.stop()
        server.start()
        workload.verify()
        check_files(server, workload)
        server.stop()
    except BaseException:
        print(f"repeat with CRATON_SEED={SEED}; failed in life {workload.life}")
        raise
    finally:
        server.kill()
    assert workload.acknowledged > 10 * CYCLES, "the writers got through"
    print(f"{CYCLES} kills, {workload.acknowledged} acknowledged, {took:.0f} s, the slowest {slowest:.1f} s")

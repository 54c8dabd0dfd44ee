"""Craton as the benchmark drives it: a server on a fresh folder, and its own commands."""

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from measure import Usage


class Craton:
    def __init__(self, binary: str, memory: str):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-rules-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.binary, data = binary, Path(self.folder.name) / "data"
        log = open(Path(self.folder.name) / "log", "wb")
        self.server = subprocess.Popen([binary, "serve", "--data", data, "--address", address, "--memory", memory], stdout=log, stderr=log)
        self.environment = os.environ | {"CRATON_ENDPOINT": f"http://{address}", "CRATON_DATA": str(data)}
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://{address}/_health/ready", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        self.command("mb", "data")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()
        self.folder.cleanup()

    def command(self, *arguments: object, text: str | None = None) -> str:
        done = subprocess.run([self.binary, *map(str, arguments)], env=self.environment, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments}: {done.stderr}")
        return done.stdout

    def file(self, name: str, text: str) -> Path:
        path = Path(self.folder.name) / name
        path.write_text(text)
        return path

    def load(self, facts: dict[str, list[tuple[int, ...]]]) -> None:
        for relation, rows in facts.items():
            lines = "\n".join(f"({relation} {' '.join(map(str, row))})" for row in rows)
            self.command("graph", "load", "data/g", self.file("facts.metta", lines))
        self.command("graph", "compact", "data/g")

    def measured(self, *arguments: object) -> dict[str, float]:
        usage = Usage(self.server.pid)
        done = json.loads(self.command(*arguments, "--json"))
        return usage.told() | {"results": done["added"]}

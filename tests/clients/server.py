"""A real server for the tests: the built binary on a fresh folder, on a free port of this machine.

`Server.stop` is a test too: the process ends with 0 on SIGTERM, its ledger verifies, and none of the
secrets that were used stands in its log, which is written at the finest level.
"""

import configparser
import json
import os
import re
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
REGION = "us-east-1"


def binary() -> Path:
    """The built binary: `CRATON_BIN`, or the one in cargo's target folder."""
    named = os.environ.get("CRATON_BIN")
    if named:
        return Path(named)
    root = Path(__file__).resolve().parents[2]
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"],
        cwd=root, check=True, capture_output=True, text=True,
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "debug" / "craton"


@dataclass(frozen=True)
class Key:
    """An access key, and whose it is."""

    id: str
    secret: str
    user: str = "root"


class Server:
    """One running server."""

    # A port that the system chooses; a subclass may want the same one at every start.
    address = "127.0.0.1:0"
    # By how much its clock is later than ours.
    later_seconds = 0

    def __init__(self, folder: Path, *arguments: str, log: str = "trace"):
        self.folder = folder
        self.data = folder / "data"
        self.arguments = arguments
        self.log = log
        self.process: subprocess.Popen | None = None
        self.secrets: set[str] = set()
        self.starts = 0

    def start(self, **more: str) -> "Server":
        """Starts it, with `more` variables in its environment."""
        self.starts += 1
        self.out = self.folder / f"stdout-{self.starts}"
        self.err = self.folder / f"stderr-{self.starts}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CRATON_", "AWS_"))}
        environment |= {"RUST_BACKTRACE": "1"} | more
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [binary(), "serve", "--data", self.data, "--address", self.address, "--log", self.log, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment,
            )
        self.endpoint = self._wait_for_endpoint()
        self.host, port = self.endpoint.split("://")[1].rsplit(":", 1)
        self.port = int(port)
        self.root = self._root_key()
        return self

    def _wait_for_endpoint(self) -> str:
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            found = re.search(r"^listening on (https?://\S+)$", self.out.read_text(), re.MULTILINE)
            if found:
                return found[1]
            self.check_alive()
            time.sleep(0.02)
        raise AssertionError(f"the server did not start in {START_SECONDS_MAX} s\n{self.log_tail()}")

    @property
    def pg_port(self) -> int:
        """The port of PostgreSQL's clients."""
        return int(re.search(r"^PostgreSQL's clients: \S+:(\d+)$", self.out.read_text(), re.MULTILINE)[1])

    def _root_key(self) -> Key:
        file = self.data / "root-credentials"
        assert file.stat().st_mode & 0o777 == 0o600, "others can read the root credentials"
        parser = configparser.ConfigParser()
        parser.read(file)
        section = parser["default"]
        return self.keep(Key(section["aws_access_key_id"], section["aws_secret_access_key"]))

    def keep(self, key: Key) -> Key:
        """Remembers a secret: it must never be in a log."""
        self.secrets.add(key.secret)
        return key

    def check_alive(self) -> None:
        code = self.process.poll()
        assert code is None, f"the server ended with {code}\n{self.log_tail()}"

    def log_tail(self, characters: int = 8000) -> str:
        text = self.err.read_text(errors="replace")
        return f"stdout: {self.out.read_text(errors='replace')[-1000:]}\nstderr: …{text[-characters:]}"

    def command(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> str:
        """A command of the binary against this server, as root; its standard output."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CRATON_", "AWS_"))}
        environment |= {"CRATON_ENDPOINT": self.endpoint, "CRATON_DATA": str(self.data), "NO_PROXY": "*"}
        done = subprocess.run(
            [binary(), *arguments], env=environment, input=stdin, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
        return done.stdout.decode()

    def peak_memory_bytes(self) -> int:
        """The most that the process ever had in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self) -> None:
        """Ends it, in order, and looks at what it leaves."""
        self.check_alive()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end in {STOP_SECONDS_MAX} s\n{self.log_tail()}") from None
        assert code == 0, f"the server ended with {code}\n{self.log_tail()}"
        self.check_ledger()
        self.check_logs()

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def check_ledger(self) -> None:
        """With the server gone, its ledger verifies from the folder."""
        done = subprocess.run(
            [binary(), "audit", "verify", "--data", self.data], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"the ledger does not verify:\n{done.stdout}\n{done.stderr}"

    def check_logs(self) -> None:
        """No secret that was used is in a log, nor anything that a panic writes."""
        for start in range(1, self.starts + 1):
            for name in (f"stdout-{start}", f"stderr-{start}"):
                text = (self.folder / name).read_bytes()
                for secret in self.secrets:
                    assert secret.encode() not in text, f"a secret is in {name}"
                panic = re.search(rb".*panicked at.*", text)
                assert panic is None, f"{name}: {panic[0]!r}"


def unique(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}-{secrets.token_hex(4)}"

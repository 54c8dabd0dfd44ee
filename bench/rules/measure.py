"""Time and memory of a process, from /proc."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Usage:
    """CPU seconds, wall seconds and the peak of resident memory of a process, from when it is made."""

    def __init__(self, pid: int):
        self.folder = Path(f"/proc/{pid}")
        (self.folder / "clear_refs").write_text("5")
        self.cpu, self.wall = self.now(), time.monotonic()

    def now(self) -> float:
        fields = (self.folder / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def told(self) -> dict[str, float]:
        status = (self.folder / "status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
        return {"cpu": self.now() - self.cpu, "wall": time.monotonic() - self.wall, "peak": peak}

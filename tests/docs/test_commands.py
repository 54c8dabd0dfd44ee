"""Every command in the documents is run, in order, by one shell, as a reader would.

A fenced block that follows `<!-- run -->` is run: `sh` blocks by bash, `python` blocks by Python, all in one fresh
folder, with the real binary first on the path. The address in the documents is replaced by a free port. A `python` block
that follows `<!-- run with torch -->` is run by the Python that has torch. `pip` installs from the checkout alone.
A fenced `sh` or `python` block without the mark fails the test: no example goes unrun.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("CRATON_ROOT", Path(__file__).resolve().parents[2]))
TORCH = os.environ.get("CRATON_TORCH_PYTHON") or f"{os.environ.get('CRATON_TARGET', '')}/venv-torch/bin/python"
DOCUMENTS = sorted(
    p.relative_to(ROOT)
    for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"]
    if p.exists() and re.search(r"^<!-- run", p.read_text(), re.M)
)
BLOCK = re.compile(r"(?P<mark><!-- run[^\n]*-->\n+)?^```(?P<language>sh|bash|python)\n(?P<text>.*?)^```$", re.M | re.S)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def script(text: str) -> str:
    steps = ["set -eu", "trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT"]
    for number, block in enumerate(BLOCK.finditer(text)):
        assert block["mark"], f"this block is not run: {block['text'][:80]!r}"
        if block["language"] == "python":
            python = TORCH if "torch" in block["mark"] else "python3"
            steps.append(f"cat > block-{number}.py <<'END_OF_BLOCK'\n{block['text']}END_OF_BLOCK\n{python} block-{number}.py")
        else:
            steps.append(block["text"])
    return "\n".join(steps)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_commands_of(document: Path, tmp_path: Path) -> None:
    text = (ROOT / document).read_text().replace("127.0.0.1:9000", f"127.0.0.1:{free_port()}")
    binary = Path(os.environ["CRATON_BIN"])
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "craton").symlink_to(binary)
    # What a reader has who stands in the project's folder.
    for name in ["datasets", "docs", "library"]:
        (tmp_path / name).symlink_to(ROOT / name)
    # Building it leaves things beside it.
    shutil.copytree(ROOT / "python", tmp_path / "python", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    environment = {
        "PATH": os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PIP_TARGET": str(tmp_path / "installed"), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": str(tmp_path / "installed"),
    }
    done = subprocess.run(
        ["bash", "-c", script(text)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def test_the_tour_ends_well(tmp_path: Path) -> None:
    """`cargo run --release -- tour`, with the binary that the tests built."""
    done = subprocess.run(
        [os.environ["CRATON_BIN"], "tour"], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    for line in ["every byte is the same", "2114381 pairs of a gene and a term", "20728 rows, as it was", "20424 genes", "   237 genes,   1 chromosomes", "denied ", "verified ", "The server ended cleanly"]:
        assert line in done.stdout, done.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "cargo run --release -- tour" in text
    assert "cargo xtask test" in text
    last = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert last.split("<")[0].strip() == "exec cargo xtask test"

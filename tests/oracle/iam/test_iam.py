"""Our policy evaluator against npm's @cloud-copilot/iam-simulate: the same decision, by the same
statements, for generated cases; and the known differences are still the known ones."""

import os
import pathlib
import subprocess

OURS = pathlib.Path(os.environ["CRATON_EXAMPLES"]) / "iam_decide"
THEIRS = pathlib.Path(os.environ["CRATON_ORACLE"]) / "decide.mjs"
HERE = pathlib.Path(__file__).parent
CASES = os.environ.get("CRATON_IAM_CASES", "5000")


def run(command, source=None):
    done = subprocess.run(command, stdin=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def answers(cases, folder):
    """The files of both sides' answers."""
    sides = {"ours": [OURS], "theirs": ["node", THEIRS]}
    for name, command in sides.items():
        with cases.open() as source:
            (folder / name).write_text(run(command, source))
    return folder / "ours", folder / "theirs"


def test_generated_cases_are_decided_alike(tmp_path):
    cases = tmp_path / "cases"
    cases.write_text(run([OURS, "gen", CASES, "20261122"]))
    assert len(cases.read_text().splitlines()) == int(CASES)
    run([OURS, "compare", *answers(cases, tmp_path)])


def test_known_differences_are_the_known_ones(tmp_path):
    cases = HERE / "known.jsonl"
    run([OURS, "known", cases, *answers(cases, tmp_path)])

"""Craton against moto, an independent imitation of S3: over a thousand generated requests, each answered alike,
or differently for a reason that stands in known.jsonl with the page of AWS's documentation.

A line of known.jsonl is `operations` and `where` (patterns), `ours` and `moto` (patterns of the values), `why`, and
`document` (a page of AWS's documentation). A line that nothing needs any more fails the test too.
"""

import fnmatch
import json
import os
from pathlib import Path

from sides import Side, differences, short
from worlds import World

KNOWN = Path(__file__).parent / "known.jsonl"
WORLDS = int(os.environ.get("CRATON_MOTO_WORLDS", "150"))
FIRST = int(os.environ.get("CRATON_MOTO_FIRST", "1"))
READS = ("get_", "head_", "list_")


def known() -> list[dict]:
    return [json.loads(line) for line in KNOWN.read_text().splitlines() if line.strip()]


def explains(line: dict, operation: str, where: str, ours: str, theirs: str) -> bool:
    given = {"operations": operation, "where": where, "ours": ours, "moto": theirs}
    return all(any(fnmatch.fnmatchcase(value, p) for p in line[name].split(" | ")) for name, value in given.items())


def test_every_line_names_its_reason():
    for line in known():
        assert set(line) == {"operations", "where", "ours", "moto", "why", "document"}, line
        assert line["document"].startswith("https://docs.aws.amazon.com/AmazonS3/"), line
        assert len(line["why"]) > 20, line


def test_generated_requests_are_answered_alike(craton, moto):
    ours = Side(craton.endpoint, craton.root.id, craton.root.secret)
    theirs = Side(moto, "moto", "moto")
    lines, used, unexplained, requests, alike = known(), set(), {}, 0, 0
    for number in range(FIRST, FIRST + WORLDS):
        ours.forget()
        theirs.forget()
        for operation, arguments in World(number).story():
            answers = ours.run(operation, arguments), theirs.run(operation, arguments)
            requests += 1
            found = differences(*answers)
            if answers[0]["outcome"] != answers[1]["outcome"]:
                found = [d for d in found if d[0] == "outcome"]
            alike += not found
            for where, mine, other in found:
                case = (operation, where, short(mine), short(other))
                line = next((n for n, line in enumerate(lines) if explains(line, *case)), None)
                if line is None:
                    unexplained.setdefault(case, (number, arguments))
                else:
                    used.add(line)
            if found and found[0][0] == "outcome" and not operation.startswith(READS):
                break  # From here on the two worlds are not the same.
    told = "\n".join(f"{case}: {at}"[:400] for case, at in sorted(unexplained.items()))
    print(f"{requests} requests, {alike} answered alike, {len(used)} lines of differences needed")
    assert not unexplained, f"{len(unexplained)} differences without a reason:\n{told}"
    if (WORLDS, FIRST) == (150, 1):
        idle = [lines[n] for n in range(len(lines)) if n not in used]
        assert not idle, f"not needed any more: {idle}"
    assert requests >= WORLDS * 8

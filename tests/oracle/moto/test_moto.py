"""Craton against moto, an independent imitation of S3: over five thousand generated requests, each answered alike,
or differently for a reason that stands in known.jsonl with the page of AWS's documentation.

A line of known.jsonl is `operations` and `where` (patterns), `ours` and `moto` (patterns of the values), `why`,
`document` (a page of AWS's documentation), and where the reason lies in an argument of the request, `given` (patterns
of arguments). A line that nothing needs any more fails the test too.
"""

import fnmatch
import json
import os
from pathlib import Path

from sides import Side, differences, short
from worlds import World

KNOWN = Path(__file__).parent / "known.jsonl"
ALL = 380
WORLDS = int(os.environ.get("CRATON_MOTO_WORLDS", ALL))
FIRST = int(os.environ.get("CRATON_MOTO_FIRST", "1"))
READS = ("get_", "head_", "list_")


def known() -> list[dict]:
    return [json.loads(line) for line in KNOWN.read_text().splitlines() if line.strip()]


def matches(value: str, patterns: str) -> bool:
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns.split(" | "))


def explains(line: dict, arguments: dict, operation: str, where: str, ours: str, theirs: str) -> bool:
    found = {"operations": operation, "where": where, "ours": ours, "moto": theirs}
    given = line.get("given", {})
    return all(matches(value, line[name]) for name, value in found.items()) and all(
        name in arguments and matches(short(arguments[name]), patterns) for name, patterns in given.items())


def test_every_line_names_its_reason():
    for line in known():
        assert set(line) - {"given"} == {"operations", "where", "ours", "moto", "why", "document"}, line
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
                line = next((n for n, line in enumerate(lines) if explains(line, arguments, *case)), None)
                if line is None:
                    unexplained.setdefault(case, (number, arguments))
                else:
                    used.add(line)
            done = [answer["outcome"].startswith("2") for answer in answers]
            if done[0] != done[1] and not operation.startswith(READS):
                break  # From here on the two worlds are not the same.
    told = "\n".join(f"{case}: {at}"[:400] for case, at in sorted(unexplained.items()))
    print(f"{requests} requests, {alike} answered alike, {len(used)} lines of differences needed")
    assert not unexplained, f"{len(unexplained)} differences without a reason:\n{told}"
    if (WORLDS, FIRST) == (ALL, 1):
        assert requests >= 5000, requests
        idle = [lines[n] for n in range(len(lines)) if n not in used]
        assert not idle, f"not needed any more: {idle}"
    assert requests >= WORLDS * 8

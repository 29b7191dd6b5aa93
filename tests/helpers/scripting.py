"""What docs/scripting.md promises to scripts."""

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "scripting.md"
ALWAYS = {"verb", "ok", "version", "elapsed_seconds", "outputs", "next"}


def documented(verb: str) -> tuple[set[str], set[str]]:
    """The keys that the page names for a verb, those of every verb included, and those of its `outputs`."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    (row,) = [row for row in rows if row[0].replace("`", "") == verb]
    always = [cell.partition("; with ")[0] for cell in (*row[1:], "", "")]
    keys, outputs = (set(re.findall(r"`(\w+)`", cell)) for cell in always[:2])
    keys = keys - {"prepare"} | (documented("prepare")[0] if "prepare" in keys else set())
    return keys | ALWAYS, outputs


def answer_of(printed: str, verb: str = "") -> dict[str, Any]:
    """The one JSON object on stdout; of a `verb`, as a row of the page calls it, with the keys that the row names."""
    assert printed.count("\n") == 1
    answer: dict[str, Any] = json.loads(printed, parse_constant=lambda name: 1 / 0)  # no NaN
    if verb:
        keys, outputs = documented(verb)
        assert set(answer) - {"error"} == keys
        assert set(answer["outputs"]) == outputs
    return answer

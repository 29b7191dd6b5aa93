"""Runs broken files through a door of the product, in a process of its own, and tells what is no answer."""

import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.child import child
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

EXAMPLES = int(os.environ.get("S2V_FUZZ_EXAMPLES", "40"))  # of each kind
MANY_EXAMPLES = 1000  # in the long tests
MOST_SECONDS = 20.0
MOST_BYTES = 2**30  # beyond what the process has before
_NO_MEMORY = re.compile("MemoryError|Cannot allocate memory|not enough memory|bad_alloc|realloc of size")


def fuzz(
    kind: str,
    broken: SearchStrategy[Any],
    door: Callable[[Any, Path], str],
    folder: Path,
    examples: int,
) -> Counter[str]:
    """What became of each of the first `examples` that `broken` draws, counted: "result" or an error's code.

    `door(example, folder)` says so, in a process of its own. Fails, with the shortest example of each, where it raised
    anything but that, crashed, hung, took too much memory, or left a file outside `folder`.
    """
    counts: Counter[str] = Counter()
    faults: dict[str, str] = {}
    inside = folder / "inside"
    inside.mkdir()
    with child(door, seconds=MOST_SECONDS, most_bytes=2 * MOST_BYTES) as run:

        @seed(0)
        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(broken)
        def each(example: Any) -> None:
            counts["all"] += 1
            outcome = run(example, inside)
            signature = _signature(outcome.fault)
            if not signature and outcome.peak_bytes > MOST_BYTES:
                signature = f"{outcome.peak_bytes >> 20} MiB"
            if not signature and (outside := [path.name for path in folder.iterdir() if path != inside]):
                signature = f"outside: {outside}"
            if not signature:
                counts[outcome.result] += 1
                return
            counts["FAULT"] += 1
            told = f"{example!r}"[:3000] + "\n" + outcome.fault[-1500:]
            if len(told) < len(faults.get(signature, told + " ")):
                faults[signature] = told
                if kept := next(inside.glob("broken*"), None):
                    kept.replace(inside / f"fault {len(faults)} {kept.name}")

        each()
    print(f"\n{kind}: {dict(counts)}")
    assert not faults, "\n\n".join(f"{kind}: {signature}\n{example}" for signature, example in faults.items())
    return counts


def _signature(fault: str) -> str:
    """The kind of a fault and where in the product it came up."""
    if not fault.startswith("Traceback"):
        return fault
    if _NO_MEMORY.search(fault):
        return f"memory in {_where(fault)}"
    return f"{fault.strip().splitlines()[-1].partition(':')[0]} in {_where(fault)}"


def _where(fault: str) -> str:
    frames = re.findall(r'File "[^"]*/s2v_ray/([\w/]+\.py)", line \d+, in (\w+)', fault)
    return " ".join(frames[-1]) if frames else "the test"

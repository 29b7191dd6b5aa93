"""Hours of work in one process: memory and open files stay as they are."""

import contextlib
import gc
import io
import itertools
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.child import in_child, memory, open_files
from helpers.small import SMALL_CLIPS
from helpers.videos import REAL, needs_real_videos

from s2v_ray.cli.main import main

MINUTES = float(os.environ.get("S2V_SOAK_MINUTES", "20"))
CUT = [*SMALL_CLIPS, "--clips-per-source", "1", "--crop", "centre", "--stabilize", "off"]


def soak(files: list[Path], checkpoint: Path, scratch: Path, minutes: float) -> list[tuple[float, int, int]]:
    """Prepare and generate from each file, again and again; after each, the minute, memory in bytes and open files.

    Whatever can't be used ends with its sentence.
    """
    started_at, measured = time.monotonic(), []
    for path in itertools.cycle(files):
        if time.monotonic() - started_at > 60 * minutes and len(measured) >= 2 * len(files):
            return measured
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            prepared = main(["prepare", "--videos", str(path), "--out", str(scratch / "clips"), "--local", *CUT])
            given = ["--image", str(path), "--sound", str(path), "--out", str(scratch / "made.mp4")]
            generated = main(["generate", "--checkpoint", str(checkpoint), *given])
        assert {prepared, generated} <= {0, 1}
        shutil.rmtree(scratch / "clips", ignore_errors=True)
        gc.collect()
        measured.append(((time.monotonic() - started_at) / 60, memory("VmRSS"), open_files()))
    raise AssertionError("there are no files")


@pytest.mark.long
@needs_real_videos
def test_memory_and_open_files_stay_flat(small_run: Path, tmp_path: Path) -> None:
    files = sorted(path for path in REAL.rglob("*") if path.is_file() and path.suffix not in (".md", ".tsv"))
    outcome = in_child(soak, files, small_run, tmp_path, MINUTES, seconds=60 * MINUTES + 1200)
    assert not outcome.fault, outcome.fault
    minute, rss, opened = (np.array(column) for column in zip(*outcome.result, strict=True))
    passes = len(minute) / len(files)
    # The first pass loads what is needed and fills caches.
    later = slice(len(files), None)
    slope = np.polyfit(minute[later], rss[later] / 2**20, 1)[0]
    print(
        f"\n{passes:.1f} passes over {len(files)} files in {minute[-1]:.1f} minutes; resident memory "
        f"{rss[len(files) - 1] / 2**20:.0f} MiB after the first pass, {rss[-1] / 2**20:.0f} MiB at the end, "
        f"{rss.max() / 2**20:.0f} MiB at most, {slope:+.2f} MiB a minute; open files {opened[later].min()} to "
        f"{opened[later].max()}"
    )
    assert opened[later].max() == opened[later].min()
    assert rss[-1] < rss[len(files) - 1] + 100 * 2**20

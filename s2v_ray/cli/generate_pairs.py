"""`s2v generate --pairs`."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from s2v_ray.cli.progress import ProgressBar, format_duration
from s2v_ray.errors import UserError
from s2v_ray.generation.video import load_generator
from s2v_ray.recipes.generate import FAILED, MADE, make_here, make_pairs, plan_pairs
from s2v_ray.storage.paths import join
from s2v_ray.training.device import choose_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from s2v_ray.generation.video import Options
    from s2v_ray.recipes.generate import MapPairs, PairResult, PairTask


def generate_pairs(
    table: str,
    checkpoint: str,
    out: str,
    options: Options,
    *,
    device: str,
    local: bool,
    pool: tuple[int | None, float | None, float | None],
) -> None:
    """Make the videos of a table, with a progress bar; raises UserError with the counts if any failed.

    `pool` is the number of workers, and the CPUs and GPUs of each; None is what fits.
    """
    if not local and device not in ("auto", "cpu", "cuda"):
        raise UserError("unknown_device", f"--device is '{device}', but without --local it must be auto, cpu or cuda.")
    planned = plan_pairs(table, checkpoint, out, options)
    map_pairs: MapPairs
    if not planned.tasks:
        map_pairs = _make_none
    elif local:
        map_pairs = partial(make_here, load_generator(planned.checkpoint, choose_device(device)))
    else:
        from s2v_ray.cluster.pairs import make_in_parallel

        workers, cpus_per_worker, gpus_per_worker = pool
        map_pairs = partial(
            make_in_parallel,
            checkpoint=planned.checkpoint,
            device=device,
            workers=workers,
            cpus_per_worker=cpus_per_worker,
            gpus_per_worker=gpus_per_worker,
        )
    if done := len(planned.results) - len(planned.tasks):
        print(f"{done} of {len(planned.results)} pairs were already done.")
    results = make_pairs(planned, _with_progress(map_pairs))
    made, failed = sum(each.status == MADE for each in results), [each for each in results if each.status == FAILED]
    print(f"Made {made} of {len(results)} videos in {out}")
    if failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(e.reason for e in failed).items()))
        where = f"{join(out, 'results.csv')} says why of each"
        count = f"{len(failed)} of {len(results)} pairs failed ({reasons})"
        raise UserError("pairs_failed", f"{count}; {where}, and the same command tries these again.")
    print(f"Results: {join(out, 'results.csv')}")


def _make_none(_: Sequence[PairTask]) -> tuple[PairResult, ...]:
    """What is made where nothing is left: no model is loaded for it."""
    return ()


def _with_progress(map_pairs: MapPairs) -> MapPairs:
    """`map_pairs` with a progress bar, which also counts what failed."""

    def shown(tasks: Sequence[PairTask]) -> Iterator[PairResult]:
        started, failed = time.monotonic(), 0
        with ProgressBar("generating") as show:
            for number, result in enumerate(map_pairs(tasks), start=1):
                yield result
                failed += result.status == FAILED
                rate = number / (time.monotonic() - started)
                left = format_duration((len(tasks) - number) / rate)
                text = f"{number} of {len(tasks)} pairs, {failed} failed, {60 * rate:.3g} a minute, {left} left"
                show(number / len(tasks), text)

    return shown

"""What Prometheus learns, from each node's endpoint of Ray, of preparation, training and sweeps.

Names get Ray's prefix there, and counters a suffix: `ray_s2v_train_clips_total`. Tags are few whatever is done: no
sources, no trials. Each process sends what it has every ten seconds; a gauge is gone soon after its process, a counter
stays.
"""

from collections.abc import Callable, Sequence

from ray.util.metrics import Counter, Gauge

from s2v_ray.training.schedule import TrainingStatus

_LOSS = "loss/"
_SCORE = "validation/score"


def training_watcher(run: str, domain: str, rank: int) -> Callable[[TrainingStatus], None]:
    """What to call with the status of a worker's training: it counts clips and waiting since the last call.

    `run` is the name of its directory. The first worker alone tells what is of the training as a whole.
    """
    tags = {"run": run, "domain": domain}
    keys = tuple(tags)
    waiting = Counter("s2v_train_waiting_seconds", "Time in which a worker waited for clips.", (*keys, "rank"))
    clips = Counter("s2v_train_clips", "Clips trained on, by all workers.", keys)
    gauges = {
        "step": Gauge("s2v_train_step", "Steps trained, over resumes.", keys),
        "done": Gauge("s2v_train_done", "The part of the budget that is spent, 0 to 1.", keys),
        "seconds_left": Gauge("s2v_train_left_seconds", "Estimated time to the end of the budget.", keys),
    }
    loss = Gauge("s2v_train_loss", "Losses, each a mean since the last report.", (*keys, "loss"))
    score = Gauge("s2v_train_validation_score", "The last validation's score; 1 is best.", keys)
    seen = {"clips": 0.0, "waited": 0.0}

    def watch(status: TrainingStatus) -> None:
        _add(waiting, status.waited_seconds - seen["waited"], {**tags, "rank": str(rank)})
        seen["waited"] = status.waited_seconds
        if rank:
            return
        _add(clips, status.clips - seen["clips"], tags)
        seen["clips"] = status.clips
        for name, gauge in gauges.items():
            gauge.set(getattr(status, name), tags)
        for name, value in status.values.items():
            if name.startswith(_LOSS):
                loss.set(value, {**tags, "loss": name.removeprefix(_LOSS)})
        if _SCORE in status.values:
            score.set(status.values[_SCORE], tags)

    return watch


def source_counter(domain: str) -> Callable[[int, Sequence[str]], None]:
    """What to call with each source that was cut: the number of its clips, and the reasons of what was rejected."""
    tags = {"domain": domain}
    sources = Counter("s2v_prepare_sources", "Sources cut into clips, or found to have none.", ("domain", "outcome"))
    made = Counter("s2v_prepare_clips", "Clips cut from sources.", ("domain",))
    rejects = Counter("s2v_prepare_rejects", "Sources and windows left out, by reason.", ("domain", "reason"))

    def count(clips: int, reasons: Sequence[str]) -> None:
        sources.inc(1, {**tags, "outcome": "clips" if clips else "no clips"})
        _add(made, clips, tags)
        for reason in reasons:
            rejects.inc(1, {**tags, "reason": reason})

    return count


def trial_counter() -> Callable[[str, str], None]:
    """What to call with each trial of a sweep that has ended: its domain, and how it ended, such as "complete"."""
    trials = Counter("s2v_tune_trials", "Trials that have ended.", ("domain", "outcome"))
    return lambda domain, outcome: trials.inc(1, {"domain": domain, "outcome": outcome})


def pair_counter() -> Callable[[str], None]:
    """What to call with each pair of `generate --pairs` that was tried: "made", or why it failed."""
    pairs = Counter("s2v_generate_pairs", "Pairs of an image and a sound, made or failed.", ("outcome",))
    return lambda outcome: pairs.inc(1, {"outcome": outcome})


def _add(counter: Counter, amount: float, tags: dict[str, str]) -> None:
    if amount > 0:  # Ray refuses 0
        counter.inc(amount, tags)

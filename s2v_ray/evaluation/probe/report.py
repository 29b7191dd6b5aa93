"""What the probe found: `probe.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from s2v_ray.evaluation.probe.cross_validation import UnitScore
from s2v_ray.evaluation.probe.lag import Lags
from s2v_ray.metrics.bootstrap import Interval, interval


@dataclass(frozen=True)
class CurvePoint:
    """What trainings on a part of the clips explain of held-out units: the same ones at each point."""

    part: float  # of the units trained on, or of their clips where blocks of time are held out
    units: float  # trained on
    minutes: float  # of video
    explained: Interval


@dataclass(frozen=True)
class ProbeReport:
    """What a small sound encoder explains of clips that it didn't see; each score's mean is over units.

    A unit is a source or, `by_time`, a block of a source's time. Explained is 1 − Σ‖V − V̂‖² / Σ‖V − B‖², as `s2v
    evaluate` has it; V̂ has as many principal components as there are, `ceiling` is with the true ones.
    """

    clips: str
    splits: tuple[str, ...]
    seed: int
    steps: int  # of all trainings
    sources: int
    clips_probed: int
    clips_found: int
    seconds: float  # of video probed
    by_time: bool
    explained: Interval
    explained_pooled: float  # errors summed over all units before dividing
    shifted: Interval  # explained by the sound shifted in time
    matched_minus_shifted: Interval
    ceiling: Interval
    frame_shift: float  # share of the change of frames that is the whole frame shifting
    camera_motion: float  # median of the clips', in widths of the frame a second
    frame_rate: float
    stabilize: str  # as the clips were prepared
    fix_lag: bool  # likewise
    lags: Lags
    curve: tuple[CurvePoint, ...]
    last_gain: Interval | None  # of the curve's last step
    units: tuple[UnitScore, ...]
    clips_by_data_set: Mapping[str, int]  # found

    @property
    def of_ceiling(self) -> float:
        """What is explained of what the components could explain."""
        return self.explained.mean / self.ceiling.mean if self.ceiling.mean > 0 else 0.0

    def to_json(self, advice: Sequence[str]) -> str:
        """As `probe.json` is written, with the advice."""
        return json.dumps({**asdict(self), "of_ceiling": self.of_ceiling, "advice": list(advice)}, indent=2)


def pooled(units: Sequence[UnitScore]) -> float:
    """Explained with errors summed over units before dividing."""
    baseline = sum(unit.baseline_error for unit in units)
    return 1 - sum(unit.error for unit in units) / baseline if baseline > 0 else 0.0


def mean_explained(units: Sequence[UnitScore], *, seed: int) -> Interval:
    """The mean over units, with its interval."""
    return interval([unit.explained for unit in units], seed=seed)

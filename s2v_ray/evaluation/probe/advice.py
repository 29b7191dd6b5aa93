"""What to do, in words, from what was measured."""

from s2v_ray.evaluation.probe.report import ProbeReport
from s2v_ray.evaluation.probe.units import FEW_SOURCES
from s2v_ray.evaluation.report.table import signed

_LITTLE = 0.02  # explained; less is of no use even where it is certain
_GOOD = 0.15
_SHIFTING = 0.3  # share of the change of frames
_CAMERA_MOVES = 0.02  # widths of the frame a second
_LATE_FRAMES = 2  # a smaller lag is within what frames and hops resolve
_LAG_GAIN = 0.01  # explained
_STILL_RISING = 0.01  # explained, of the curve's last step
_NAMED = 4  # sources


def is_learnable(report: ProbeReport) -> bool:
    """Whether the sound explains something, for certain, and more than when shifted."""
    low = report.explained.low if report.explained.low is not None else report.explained.mean
    return low > 0 and report.explained.mean >= max(_LITTLE, report.shifted.mean + _LITTLE)


def advice(report: ProbeReport) -> list[str]:
    """Sentences, the verdict first; each names what was measured and what to do."""
    sentences = [_verdict(report), _stabilise(report), _lag(report), _useless(report), _crop(report), _more(report)]
    return [sentence for sentence in sentences if sentence]


def _verdict(report: ProbeReport) -> str:
    held_out = "moments that were held out" if report.by_time else "videos that were held out"
    explained, shifted = report.explained.mean, report.shifted.mean
    if not is_learnable(report):
        return (
            f"Don't train yet: the sound explains nothing of {held_out} ({signed(explained)}; shifted in time it "
            f"explains {signed(shifted)})."
        )
    strength = "These clips can be learnt" if explained >= _GOOD else "These clips can be learnt a little"
    return (
        f"{strength}: the sound explains {signed(explained)} of how {held_out} differ from their first frame; "
        f"shifted in time, it explains {signed(shifted)}."
    )


def _stabilise(report: ProbeReport) -> str:
    share = report.frame_shift
    if share < _SHIFTING or report.explained.mean > share:
        return ""
    moves = (
        "the camera moves"
        if report.camera_motion > _CAMERA_MOVES
        else "your head moves more than your mouth, or the camera does"
    )
    flag = "camera" if report.camera_motion > _CAMERA_MOVES else "subject"
    return f"{share:.0%} of what changes is the whole frame shifting ({moves}): prepare again with --stabilize {flag}."


def _lag(report: ProbeReport) -> str:
    lags = report.lags
    certain = lags.gain.mean >= _LAG_GAIN and (lags.gain.low is None or lags.gain.low > 0)
    if abs(lags.best_frames) < _LATE_FRAMES or not certain:
        return ""
    late = "late" if lags.best_frames > 0 else "early"
    return f"The sound is {abs(lags.best_frames)} frames {late}: prepare again with --fix-lag."


def _useless(report: ProbeReport) -> str:
    if not is_learnable(report):
        return ""  # no source teaches anything
    useless = [unit for unit in report.units if unit.explained <= 0 and unit.high is not None and unit.high <= 0]
    if not useless:
        return ""
    worst = sorted(useless, key=lambda unit: unit.explained)
    names = ", ".join(f"'{unit.name}'" for unit in worst[:_NAMED])
    what = "moments" if report.by_time else "sources"
    if len(worst) == 1:
        return f"One of {len(report.units)} {what} teaches nothing, {names}: look at it, and remove it."
    listed = names if len(worst) <= _NAMED else f"{names} and {len(worst) - _NAMED} more in probe.json"
    return f"{len(worst)} of {len(report.units)} {what} teach nothing ({listed}): look at them, and remove them."


def _crop(report: ProbeReport) -> str:
    if report.ceiling.mean >= 0.5 or report.frame_shift >= _SHIFTING:
        return ""
    return (
        f"Much of what changes follows no pattern (principal components hold {report.ceiling.mean:.0%} of it): crop "
        "closer to what sounds, with --crop motion or --crop x,y,size."
    )


def _more(report: ProbeReport) -> str:
    if len(report.curve) < 2 or report.last_gain is None:
        few = f"There are fewer than {FEW_SOURCES} sources" if report.by_time else "There are few clips"
        return f"{few}: record more of the same kind." if not is_learnable(report) else ""
    parts = _listed([f"{point.part:.0%}".removesuffix("%") for point in report.curve])
    found = _listed([signed(point.explained.mean) for point in report.curve])
    what = "clips" if report.by_time else "sources"
    curve = f"at {parts} % of the {what} ({report.curve[-1].minutes:.2g} minutes) it explained {found}"
    if report.last_gain.mean >= _STILL_RISING and (report.last_gain.low is None or report.last_gain.low > 0):
        return f"More {what} would help: {curve}, and is still rising."
    return f"More {what} of the same kind would help little: {curve}." if is_learnable(report) else ""


def _listed(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1]

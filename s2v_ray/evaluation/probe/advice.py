"""What to do, in words, from what was measured."""

from s2v_ray.evaluation.probe.report import ProbeReport
from s2v_ray.evaluation.probe.units import FEW_SOURCES
from s2v_ray.evaluation.report.table import signed
from s2v_ray.metrics.bootstrap import Interval

_LITTLE = 0.02  # explained; less is of no use even where it is certain
_GOOD = 0.15
_HEARD = 0.1  # matched minus shifted; a network that learnt chance alone gains nothing from the matched sound
_SHIFTING = 0.3  # share of the change of frames
_CAMERA_MOVES = 0.02  # widths of the frame a second
_LATE_FRAMES = 2  # a smaller lag is within what frames and hops resolve
_LAG_GAIN = 0.01  # explained
_STILL_RISING = 0.01  # explained, of the curve's last step
_NAMED = 4  # sources


def is_learnable(report: ProbeReport) -> bool:
    """Whether the sound explains something, for certain, and more than when it is shifted."""
    return _is_certain(report.explained, _LITTLE) and _is_certain(report.matched_minus_shifted, _LITTLE)


def _is_certain(score: Interval, least: float) -> bool:
    """Whether a score is at least so much, and its interval above 0."""
    return score.mean >= least and (score.low is None or score.low > 0)


def _hears(report: ProbeReport) -> bool:
    """Whether it makes a clear difference which sound is heard, even if too little is explained."""
    return report.explained.mean > -_LITTLE and _is_certain(report.matched_minus_shifted, _HEARD)


def advice(report: ProbeReport) -> list[str]:
    """Sentences, the verdict first; each names what was measured and what to do."""
    sentences = [_verdict(report), _stabilise(report), _lag(report), _useless(report), _crop(report), _more(report)]
    return [sentence for sentence in sentences if sentence]


def _verdict(report: ProbeReport) -> str:
    held_out = "moments that were held out" if report.by_time else "videos that were held out"
    explained, shifted = signed(report.explained.mean), signed(report.shifted.mean)
    if is_learnable(report):
        much = "" if report.explained.mean >= _GOOD else ", a little"
        return (
            f"These clips can be learnt{much}: the sound explains {explained} of how {held_out} differ from their "
            f"first frame; shifted in time, it explains {shifted}."
        )
    if _hears(report):
        return (
            f"Don't train yet: sound and motion belong together (matched sound explains {explained}, shifted sound "
            f"{shifted}), but what was learnt here does not hold for {held_out}."
        )
    return (
        f"Don't train yet: the sound explains nothing of {held_out} ({explained}; shifted in time, it explains "
        f"{shifted})."
    )


def _stabilise(report: ProbeReport) -> str:
    share = report.frame_shift
    if share < _SHIFTING or report.explained.mean > share:
        return ""
    moves = (
        ("the camera moves", "camera")
        if report.camera_motion > _CAMERA_MOVES
        else ("your head moves more than your mouth, or what else you film as a whole", "subject")
    )
    change = f"{share:.0%} of the change shifts the whole frame ({moves[0]})"
    if report.stabilize == moves[1]:
        return f"{change}, although --stabilize {moves[1]} was given: film it with more stillness, or crop closer."
    return f"{change}: prepare again with --stabilize {moves[1]}."


def _lag(report: ProbeReport) -> str:
    lags = report.lags
    is_inside = abs(lags.best_frames) < lags.frames[-1] - 1  # otherwise it may be better further out
    if abs(lags.best_frames) < _LATE_FRAMES or not is_inside or not _is_certain(lags.gain, _LAG_GAIN):
        return ""
    if lags.explained[lags.frames.index(lags.best_frames)] < _LITTLE:
        return ""
    late = "late" if lags.best_frames > 0 else "early"
    found = f"The sound is {abs(lags.best_frames)} frames {late}"
    if report.fix_lag:
        return f"{found}, although --fix-lag was given: correct it in the videos."
    return f"{found}: prepare again with --fix-lag."


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
    what = "clips" if report.by_time else "sources"
    parts = _listed([f"{100 * point.part:.0f}" for point in report.curve])
    found = _listed([signed(point.explained.mean) for point in report.curve])
    first, last = report.curve[0].minutes, report.curve[-1].minutes
    curve = f"at {parts} % of the {what} ({first:.2g} to {last:.2g} minutes) it explained {found}"
    if not (is_learnable(report) or _hears(report)):
        return ""  # what rises then is only how well it predicts nothing
    if _is_certain(report.last_gain, _STILL_RISING):
        return f"More {what} would help: {curve}, and is still rising."
    may = "might help a little" if report.last_gain.mean >= _STILL_RISING else "of the same kind would hardly help"
    return f"More {what} {may}: {curve}."


def _listed(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1]

"""Figures of a search as PNG files: Optuna's own, and sync against appearance."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
import optuna
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from optuna.study import Study
from optuna.trial import TrialState
from optuna.visualization import matplotlib as optuna_figures

from s2v_ray.evaluation.report.figures import GREEN, ORANGE, RED
from s2v_ray.logs import library_level
from s2v_ray.storage.files import writing
from s2v_ray.storage.paths import Location, join
from s2v_ray.tuning.objective import objective_values
from s2v_ray.tuning.trials import CONTROL, PRESET, Trial, best_trial

_DPI = 110
_WIDTH, _HEIGHT = 8.0, 4.2
_GREY = "#9aa3ad"
_LEAST_FOR_IMPORTANCE = 4  # trials; fewer can't tell settings apart


def write_figures(study: Study, trials: Sequence[Trial], objectives: Sequence[str], folder: Location) -> dict[str, str]:
    """Write the figures that the trials so far allow; returns the file names by title."""
    mpl.use("agg")
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    searched = [trial for trial in complete if trial.params]
    optuna.logging.set_verbosity(library_level(optuna.logging.ERROR))
    within = optuna.create_study(directions=study.directions)  # without the control, which lies outside the space
    within.add_trials(searched)
    figures: dict[str, Callable[[], Any]] = {}
    for index, name in enumerate(objectives if complete else ()):
        target = partial(lambda index, trial: trial.values[index], index) if len(objectives) > 1 else None
        of = f" of {name}" if target else ""
        of_target: dict[str, Any] = {"target": target, "target_name": name}
        figures[f"history{of}"] = partial(optuna_figures.plot_optimization_history, study, **of_target)
        if len(searched) > 1:
            figures[f"slice{of}"] = partial(optuna_figures.plot_slice, within, **of_target)
            figures[f"parallel coordinates{of}"] = partial(optuna_figures.plot_parallel_coordinate, within, **of_target)
        if len(searched) >= _LEAST_FOR_IMPORTANCE and len(searched[0].params) > 1:
            figures[f"importance{of}"] = partial(optuna_figures.plot_param_importances, within, **of_target)
    if complete:
        figures["Pareto front"] = partial(_pareto_front, trials)
    written = {}
    for title, figure in figures.items():
        file = f"{title.replace(' ', '_').lower()}.png"
        with warnings.catch_warnings(), mpl.rc_context():  # Optuna changes matplotlib's style permanently
            warnings.simplefilter("ignore")  # and calls its figures experimental
            _save(figure(), join(folder, file))
        written[title] = file
    return written


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other point beats in both coordinates, from left to right."""
    best: list[tuple[float, float]] = []
    for point in sorted(points, reverse=True):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best[::-1]


def _pareto_front(trials: Sequence[Trial]) -> Any:
    """Sync against appearance of all complete trials."""
    figure = Figure((_WIDTH, _HEIGHT))
    axes = figure.subplots()
    best, points = best_trial(trials), []
    for trial in trials:
        if trial.state != "complete":
            continue
        values = objective_values(trial.metrics, None)
        point = (values["sync"], values["appearance"])
        points.append(point)
        colour = {PRESET: GREEN, CONTROL: RED}.get(trial.kind, _GREY)
        colour = ORANGE if best and trial.number == best.number else colour
        axes.plot(*point, "o", color=colour, markersize=8)
        axes.annotate(str(trial.number), point, (5, 5), textcoords="offset points", fontsize=8)
    axes.step(*zip(*front(points), strict=True), where="pre", color=_GREY, linewidth=1, zorder=0)
    axes.set_xlabel("sync: motion explained + matched − mismatched (better to the right)")
    axes.set_ylabel("appearance, octaves (better upwards)")
    labels = (("the best", ORANGE), ("the preset", GREEN), ("the control, λ = 0", RED), ("others", _GREY))
    for label, colour in labels:
        axes.plot([], [], "o", color=colour, label=label)
    axes.legend(fontsize=8, frameon=False)
    return axes


def _save(drawn: Any, path: Location) -> None:
    """Save a figure that Optuna returns as one axes, or as an array of axes, one a setting."""
    several = list(drawn.flat) if hasattr(drawn, "flat") else [drawn]
    figure: Figure = several[0].figure
    figure.set_size_inches(max(_WIDTH, 3.2 * len(several)), _HEIGHT)
    for axes in several if len(several) > 1 else ():
        axes.set_xlabel(axes.get_xlabel().partition(".")[2], fontsize=9)
        axes.tick_params(axis="x", which="both", labelsize=7)
        axes.xaxis.set_minor_formatter(NullFormatter())
    with writing(path) as file:
        FigureCanvasAgg(figure).print_figure(file, dpi=_DPI, format="png", bbox_inches="tight")
    mpl.pyplot.close(figure)

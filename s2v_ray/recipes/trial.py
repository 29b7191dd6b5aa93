"""One trial of a sweep: the same training, which reports at parts of its budget."""

from s2v_ray.recipes.train import TrainJob, start_training
from s2v_ray.training.loop import Report, Stop, train
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.workers import Workers
from s2v_ray.tuning.objective import Floors, objective_values


def train_to_rungs(
    job: TrainJob, rungs: tuple[float, ...], floors: Floors | None, workers: Workers, report: Report, stop: Stop
) -> None:
    """Train to each part of the configuration's budget in turn, validate there, and report.

    The schedule is the whole budget's, whichever part is trained: trials that are compared, stopped early or repeated
    are trained alike. Resumes from the last intact checkpoint.
    """
    budget = config_budget(job.config)
    feed, state = start_training(job, workers)
    batches = feed.batches(state)
    for rung in rungs:
        until = budget.part(rung)
        if train(state, batches, job.run, until=until, validate=feed.validate, stop=stop, workers=workers):
            # Validating is no training: a trial that reports more often would train less.
            state.seconds = min(state.seconds, until.seconds)
            workers.check_same_step(state.step)  # all wait for the first, which validates
            report("", _reported(state.metrics, rung, state.seconds, state.step, floors) if workers.rank == 0 else {})


def _reported(
    metrics: dict[str, float], rung: float, seconds: float, step: int, floors: Floors | None
) -> dict[str, float]:
    measured = {f"metrics/{name}": value for name, value in metrics.items() if name != "score"}
    return {
        **objective_values(metrics, floors),
        **measured,
        "percent": 100 * rung,
        "seconds": seconds,
        "steps": float(step),
    }

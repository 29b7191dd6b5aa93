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
            progress = {"percent": 100 * rung, "seconds": state.seconds, "steps": float(state.step)}
            measured = {f"metrics/{name}": value for name, value in state.metrics.items() if name != "score"}
            leads = workers.rank == 0
            report("", {**objective_values(state.metrics, floors), **measured, **progress} if leads else {})

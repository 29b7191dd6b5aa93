"""The private attributes of Optuna that we use are still there: a failure names what a new version dropped."""

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from s2v_ray.tuning.optuna_internals import contains, resumed


def test_a_distribution_contains_values():
    distribution = FloatDistribution(1.0, 2.0)
    assert hasattr(distribution, "_contains"), "BaseDistribution._contains"
    assert contains(distribution, 1.5)
    assert not contains(distribution, 3.0)
    assert not contains(distribution, "a")


def test_a_running_trial_is_resumed():
    study = optuna.create_study()
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    (running,) = study.get_trials(states=(TrialState.RUNNING,))
    assert hasattr(running, "_trial_id"), "FrozenTrial._trial_id"
    again = resumed(study, running)
    assert again.params == trial.params
    study.tell(again, 1.0)
    assert study.trials[0].state == TrialState.COMPLETE

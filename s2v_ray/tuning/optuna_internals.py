"""The private attributes of Optuna that sweeps need; a test names each one that a new version drops."""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a distribution can yield this value."""
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except ValueError:
        return False


def resumed(study: Study, trial: FrozenTrial) -> Trial:
    """A running trial of the study, to suggest and finish again: Optuna itself can only read it."""
    return Trial(study, trial._trial_id)

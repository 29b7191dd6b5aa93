"""The private parts of Ray that this package needs; a test names each one that a new version drops."""

from ray.train.torch.config import _TorchBackend as TorchBackend
from ray.train.v2.api.config import FailureConfig, LoggingConfig, RunConfig, ScalingConfig

__all__ = ["FailureConfig", "LoggingConfig", "RunConfig", "ScalingConfig", "TorchBackend"]

# Ray Train's own record of a run, in its directory. Runs resume from their checkpoints, so a restart doesn't need it.
RUN_FILES = ("checkpoint_manager_snapshot.json", ".validate_storage_marker")
# The label by which an autoscaler marks its nodes.
NODE_GROUP = "ray.io/node-group"


def raised_by(error: BaseException) -> list[BaseException]:
    """What the workers of a failed training raised, without the wrappers that carry the tracebacks."""
    failures = getattr(error, "worker_failures", {}).values()
    return [getattr(failure, "_base_exc", failure) for failure in failures]

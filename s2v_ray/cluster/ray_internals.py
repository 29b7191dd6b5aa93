"""The private parts of Ray that this package needs; a test names each one that a new version drops."""

import ipaddress
from typing import Any

import ray
from ray._common.tls_utils import add_port_to_grpc_server
from ray.data import DataIterator
from ray.train.torch.config import _TorchBackend as TorchBackend
from ray.train.v2._internal.constants import get_env_vars_to_propagate
from ray.train.v2.api import data_parallel_trainer
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


def name_cluster_to_trainings() -> None:
    """Have the processes of Ray Train's trainings, from this one on, ask the cluster that they are of.

    By itself the one that clears up after a training's controller looks for a Ray on its machine, and fails with a
    traceback where it finds two.
    """

    def with_address() -> dict[str, str]:
        return {**get_env_vars_to_propagate(), "RAY_ADDRESS": ray.get_runtime_context().gcs_address}

    vars(data_parallel_trainer)["get_env_vars_to_propagate"] = with_address


def take_split(shard: DataIterator, index: int) -> None:
    """Have a worker's shard, of `streaming_split`, yield another split the next time it is iterated over.

    At any time each split must be one worker's.
    """
    vars(shard)["_output_split_idx"] = index


def keep_replicas_on_loopback(node: str) -> None:
    """Have Serve's replicas, in this process, listen at `node`, their node's address, where that is loopback.

    By itself each opens a port to the network that unpickles what it is sent.
    """
    from ray.serve._private import replica  # an extra that other verbs do without

    def on_loopback(server: Any, address: str) -> Any:
        return add_port_to_grpc_server(server, address.replace("[::]", node))

    if ipaddress.ip_address(node).is_loopback:
        vars(replica)["add_port_to_grpc_server"] = on_loopback

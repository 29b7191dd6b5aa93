"""The private parts of Ray that we use are still there: each failure names the one that a new version dropped."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import ray.train.v2._internal.constants as constants
from ray.data._internal.iterator.stream_split_iterator import StreamSplitDataIterator
from ray.train.v2._internal.exceptions import UserExceptionWithTraceback
from ray.train.v2.api import data_parallel_trainer
from ray.train.v2.api.exceptions import WorkerGroupError

from s2v_ray.cluster import ray_internals


def test_a_workers_error_is_unwrapped():
    error = ValueError("boom")
    wrapped = UserExceptionWithTraceback(error, "Traceback ...")
    assert hasattr(wrapped, "_base_exc"), "UserExceptionWithTraceback._base_exc"
    assert ray_internals.raised_by(WorkerGroupError("", {0: wrapped, 1: error})) == [error, error]
    assert ray_internals.raised_by(error) == []


def test_the_files_of_a_run_have_these_names():
    names = constants.CHECKPOINT_MANAGER_SNAPSHOT_FILENAME, constants.VALIDATE_STORAGE_MARKER_FILENAME
    assert names == ray_internals.RUN_FILES


def test_the_backend_sets_up_workers():
    assert callable(getattr(ray_internals.TorchBackend, "on_start", None)), "_TorchBackend.on_start"


def test_trainings_ask_for_their_environment():
    ray_internals.name_cluster_to_trainings()
    text = Path(data_parallel_trainer.__file__).read_text()
    assert "env_vars = get_env_vars_to_propagate()" in text, "data_parallel_trainer.get_env_vars_to_propagate"


def test_a_worker_can_take_another_split():
    shard = StreamSplitDataIterator(None, 0, 2)
    assert "_output_split_idx" in vars(shard), "StreamSplitDataIterator._output_split_idx"
    ray_internals.take_split(shard, 1)
    assert shard._output_split_idx == 1


def test_replicas_listen_on_loopback_where_their_node_does():
    import psutil  # Ray's own copy, importable once Ray is

    replica = pytest.importorskip("ray.serve._private.replica")
    ray_internals.keep_replicas_on_loopback("127.0.0.1")
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        port = replica.add_port_to_grpc_server(server, "[::]:0")
        found = [
            one.laddr.ip.removeprefix("::ffff:")
            for one in psutil.Process().net_connections("tcp")
            if one.laddr.port == port
        ]
        server.stop(None)
    assert found == ["127.0.0.1"]
    assert "add_port_to_grpc_server(" in Path(replica.__file__).read_text(), "replica.add_port_to_grpc_server"

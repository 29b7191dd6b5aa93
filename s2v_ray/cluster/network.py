"""Workers talk over the network by which Ray knows their nodes.

By default, gloo uses the address that the machine's name resolves to. On many machines that is loopback
(`127.0.1.1 name` in /etc/hosts), and workers on two nodes never find each other.
"""

import os
from typing import Any

import ray.util
from ray.train.torch import TorchConfig

from s2v_ray.cluster.ray_internals import TorchBackend


class RayNetwork(TorchConfig):
    """Ray's torch backend, with gloo on the network that Ray uses unless GLOO_SOCKET_IFNAME is set."""

    @property
    def backend_cls(self) -> type[TorchBackend]:
        """The class that sets up each worker."""
        return _RayNetworkBackend


class _RayNetworkBackend(TorchBackend):
    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


def _choose_interface() -> None:
    import psutil  # Ray's own copy, importable once Ray is

    address = ray.util.get_node_ip_address()
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == address for one in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)

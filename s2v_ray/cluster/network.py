"""Which network the workers talk through: the one that Ray knows their nodes by.

Left to itself, gloo takes the address that the machine's name stands for. On many machines that is loopback
(`127.0.1.1 name` in /etc/hosts), and the workers of two nodes never find each other.
"""

import os
from typing import Any

import ray.util
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend


class OneNetwork(TorchConfig):
    """Ray's torch, with gloo on the network that Ray uses; GLOO_SOCKET_IFNAME in the environment overrules it."""

    @property
    def backend_cls(self) -> type[_TorchBackend]:
        """What sets up each worker."""
        return _OneNetworkBackend


class _OneNetworkBackend(_TorchBackend):
    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


def _choose_interface() -> None:
    import psutil  # Ray's own copy, there once Ray is imported

    address = ray.util.get_node_ip_address()
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == address for one in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)

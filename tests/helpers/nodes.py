"""Ray clusters on this machine: one of several nodes that takes jobs, and heads started as users start them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from helpers.waiting import wait_until

ROOT = Path(__file__).parents[2]
_HELD_SECONDS = 8.0
_DONE = ("SUCCEEDED", "FAILED", "STOPPED")


class Nodes:
    """The cluster, and faults to inject into it."""

    def __init__(self, count: int) -> None:
        from ray.cluster_utils import Cluster
        from ray.job_submission import JobSubmissionClient

        port = free_port()
        head = {"num_cpus": 0, "include_dashboard": True, "dashboard_host": "127.0.0.1", "dashboard_port": port}
        head["dashboard_agent_listen_port"] = 0  # the default one may be taken by another Ray on this machine
        make_cluster: Any = Cluster  # which has no types
        self.cluster = make_cluster(initialize_head=True, head_node_args=head)
        self.nodes = [self.cluster.add_node(num_cpus=1) for _ in range(count)]
        self.session = self.cluster.head_node.get_session_dir_path()
        self.jobs: JobSubmissionClient
        for _ in range(100):  # until the dashboard answers
            try:
                self.jobs = JobSubmissionClient(f"http://127.0.0.1:{port}")
                break
            except ConnectionError:
                threading.Event().wait(0.2)

    def submit(self, verb: str, *flags: str) -> str:
        """Submit `python jobs/VERB.py FLAGS` as README says; returns the job's name."""
        environment = yaml.safe_load((ROOT / "jobs" / "runtime_env.yaml").read_text())
        environment["working_dir"] = str(ROOT)
        command, submitted = " ".join([sys.executable, f"jobs/{verb}.py", *flags]), list[str]()

        def accepted() -> bool:
            try:
                submitted.append(self.jobs.submit_job(entrypoint=command, runtime_env=environment))
            except RuntimeError as error:
                if "No available agent" not in str(error):  # a node's agent starts after the node
                    raise
            return bool(submitted)

        wait_until(accepted, "an agent that accepts the job")
        return submitted[0]

    def status(self, job: str) -> str:
        """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
        return str(self.jobs.get_job_status(job).value)

    def log(self, job: str) -> str:
        """What it has printed so far."""
        return str(self.jobs.get_job_logs(job))

    def wait_while_running(self, job: str, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds. Fails with the job's log once the job has ended."""

        def holds() -> bool:
            assert (status := self.status(job)) not in _DONE, f"{status} before {what}\n{self.log(job)}"
            return condition()

        wait_until(holds, what, seconds=480, log=lambda: self.log(job))

    def finished(self, job: str) -> tuple[str, str]:
        """Its final status and its log, once it has finished."""
        wait_until(lambda: self.status(job) in _DONE, f"the end of {job}", log=lambda: self.log(job))
        return self.status(job), self.log(job)

    def run(self, verb: str, *flags: str) -> str:
        """The log of a job that succeeds."""
        status, log = self.finished(self.submit(verb, *flags))
        assert status == "SUCCEEDED", log
        return log

    def kill_worker(self) -> None:
        """SIGKILL a training process."""
        self._send(signal.SIGKILL, _trains)

    def hold_worker(self) -> None:
        """Suspend a training process for a while, as on a node that is much slower than the others."""
        pid = self._send(signal.SIGSTOP, _trains)
        threading.Event().wait(_HELD_SECONDS)
        os.kill(pid, signal.SIGCONT)

    def kill_driver(self) -> None:
        """SIGKILL the program of a job."""
        self._send(signal.SIGKILL, lambda process: any(part.startswith("jobs/") for part in process.cmdline()))

    def replace_node(self) -> None:
        """Remove a node without warning, and add another."""
        self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)
        self.nodes.append(self.cluster.add_node(num_cpus=1))

    def _send(self, number: signal.Signals, matches: Callable[[Any], bool]) -> int:
        """Send a signal to one of this cluster's processes, once there is one; returns its PID."""
        sent: list[int] = []

        def found() -> bool:
            sent.extend(self._send_to_one(number, matches))
            return bool(sent)

        wait_until(found, "a process to send a signal to")
        return sent[0]

    def _send_to_one(self, number: signal.Signals, matches: Callable[[Any], bool]) -> list[int]:
        import psutil  # Ray's own copy, there once Ray is imported

        for process in psutil.process_iter():
            try:
                if matches(process) and self.session in (process.cwd() + " ".join(process.parent().cmdline())):
                    os.kill(process.pid, number)
                    return [int(process.pid)]
            except (psutil.Error, AttributeError):
                continue  # it has exited meanwhile
        return []


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def ray_start(port: int, *flags: str, **environment: str) -> Iterator[None]:
    """Start a head by `ray start` with these flags and this environment. Its processes are found by their folder."""
    import ray

    ray.shutdown()  # one left by earlier tests: two Rays on a machine disturb each other
    folder = tempfile.mkdtemp(prefix="r")  # short, for the paths of sockets
    program = str(Path(sys.executable).with_name("ray"))
    command = [program, "start", "--head", f"--port={port}", "--node-ip-address=127.0.0.1", f"--temp-dir={folder}"]
    try:
        subprocess.run([*command, *flags], check=True, capture_output=True, env=os.environ | environment)
        yield
    finally:
        import psutil  # Ray's own copy, there once Ray is imported

        for process in psutil.process_iter(["cmdline"]):
            if folder in " ".join(process.info["cmdline"] or []):
                os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def _trains(process: Any) -> bool:
    return "RayTrainWorker" in " ".join(process.cmdline())


@contextmanager
def nodes_of(count: int) -> Iterator[Nodes]:
    """A head and `count` nodes of one CPU."""
    nodes = Nodes(count)
    try:
        yield nodes
    finally:
        nodes.cluster.shutdown()

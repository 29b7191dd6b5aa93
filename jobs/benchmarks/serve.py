"""The service under load: latency and throughput against the bare generator, and requests lost when things go wrong."""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx
import torch
from PIL import Image

from benchmarks import generate as bare
from benchmarks.measuring import Ratio
from s2v_ray.generation.video import Generator, load_generator, make_video

_TIMEOUT_SECONDS = 600
_STEADY_SHARE = 0.6  # of what the service can do


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=int, default=3, help="length of each sound")
    parser.add_argument("--minutes", type=float, default=2.0, help="of steady load")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--per-replica", type=int, default=2, help="requests that a replica works on at a time")
    parser.add_argument("--queue", type=int, default=32)
    parser.add_argument("--side", type=int, default=640, help="of the picture")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """An untrained `tiny`, as in `generate`. A request that gets no answer is lost; one that is refused is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = bare._write_run(folder / "run", warp=0.0)
        shutil.copytree(folder / "run", folder / "damaged")
        picture = Image.fromarray(bare._picture())
        picture.thumbnail((flags.side, flags.side))
        picture.save(folder / "picture.jpg")
        bare._write_sound(folder / "sound.wav", flags.seconds)
        generator = load_generator(checkpoint, torch.device("cpu"))
        with _service(folder, flags) as client:
            for weights in (folder / "damaged").rglob("ema.safetensors"):
                weights.write_bytes(b"nothing")
            asyncio.run(client.warm_up(flags.replicas * flags.per_replica))
            ratios, rate = _against_bare(generator, folder, client, flags)
            yield from ratios
            yield from _under_load(client, rate, flags)


@dataclass(frozen=True)
class Answer:
    """Its status, 0 if none came; the code of a refusal; and the seconds until all of it was here."""

    status: int
    code: str
    seconds: float


class Client:
    """Requests of the same image and sound, unless others are given."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.files = {"image": (folder / "picture.jpg").read_bytes(), "sound": (folder / "sound.wav").read_bytes()}

    async def ask(
        self, http: httpx.AsyncClient, model: str = "good", files: Mapping[str, bytes] = MappingProxyType({})
    ) -> Answer:
        start, code = time.perf_counter(), ""
        try:
            both = {name: (name, content) for name, content in {**self.files, **files}.items()}
            got = await http.post(f"{self.address}/generate", files=both, data={"model": model})
        except httpx.HTTPError as error:
            return Answer(0, type(error).__name__, time.perf_counter() - start)
        if got.status_code != 200:
            code = got.json()["code"] if "json" in got.headers.get("content-type", "") else got.text[:60]
        return Answer(got.status_code, code, time.perf_counter() - start)

    def session(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, limits=httpx.Limits(max_connections=None))

    async def warm_up(self, at_once: int) -> None:
        async with self.session() as http:
            for _ in range(3):
                await asyncio.gather(*(self.ask(http) for _ in range(at_once)))

    async def in_turn(self, count: int, at_once: int) -> list[Answer]:
        """`count` requests, `at_once` under way at any time."""
        async with self.session() as http:

            async def worker() -> list[Answer]:
                return [await self.ask(http) for _ in range(count // at_once)]

            return [answer for each in await asyncio.gather(*(worker() for _ in range(at_once))) for answer in each]

    async def at_rate(self, rate: float, seconds: float, models: tuple[str, ...] = ("good",)) -> list[Answer]:
        """So many requests a second, whether earlier ones are answered or not."""
        async with self.session() as http:
            tasks, start = [], time.perf_counter()
            for number in range(max(1, round(rate * seconds))):
                await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
                tasks.append(asyncio.create_task(self.ask(http, models[number % len(models)])))
            return list(await asyncio.gather(*tasks))

    async def bad(self, rounds: int) -> list[Answer]:
        playlist = b"#EXTM3U\n#EXTINF:9\n/etc/passwd\n"
        async with self.session() as http:
            hostile: tuple[dict[str, bytes], ...] = (
                {"image": playlist},
                {"sound": playlist},
                {"image": b"%!PS\nquit"},
                {"sound": os.urandom(100_000)},
                {"image": self.files["image"][:500]},
                {"sound": bytes(60_000_000)},
                {"image": b""},
            )
            return [await self.ask(http, files=files) for _ in range(rounds) for files in hostile]


def _against_bare(
    generator: Generator, folder: Path, client: Client, flags: argparse.Namespace
) -> tuple[list[Ratio], float]:
    """Latency at a load of one, and throughput, in turns with the bare loop; and the service's requests a second."""
    image, sound, out = (str(folder / name) for name in ("picture.jpg", "sound.wav", "bare.mp4"))
    alone: list[float] = []
    one_by_one: list[float] = []
    bare_rates: list[float] = []
    rates: list[float] = []
    count, at_once = 6, flags.replicas * (flags.per_replica + 1)  # one waits, so that none idles
    make_video(generator, image, sound, out)
    for _ in range(flags.repeats):
        begun = time.perf_counter()
        for _ in range(count):
            start = time.perf_counter()
            make_video(generator, image, sound, out)
            alone.append(time.perf_counter() - start)
        bare_rates.append(count / (time.perf_counter() - begun))
        one_by_one += [answer.seconds for answer in asyncio.run(client.in_turn(count, 1))]
        start = time.perf_counter()
        answers = asyncio.run(client.in_turn(count * at_once, at_once))
        rates.append(len(answers) / (time.perf_counter() - start))
        assert {answer.status for answer in answers} == {200}
    rate = statistics.median(rates)
    return [
        Ratio("p50 seconds at a load of one, over the bare loop", _at(one_by_one, 0.5), _at(alone, 0.5)),
        Ratio("p99 seconds at a load of one, over the bare loop", _at(one_by_one, 0.99), _at(alone, 0.99)),
        Ratio("videos a second, over the bare loop", rate, statistics.median(bare_rates)),
    ], rate


def _under_load(client: Client, rate: float, flags: argparse.Namespace) -> Iterator[Ratio]:
    steady = _STEADY_SHARE * rate
    yield from _report("steady load", asyncio.run(client.at_rate(steady, 60 * flags.minutes)))
    yield from _report("ten times that for 5 s", asyncio.run(client.at_rate(10 * steady, 5.0)))
    yield from _report("steady again", asyncio.run(client.at_rate(steady, 10.0)))

    async def one_killed() -> list[Answer]:
        load = asyncio.create_task(client.at_rate(steady, 20.0))
        await asyncio.sleep(3.0)
        os.kill(_replicas()[0], signal.SIGKILL)
        return await load

    yield from _report("a replica killed", asyncio.run(one_killed()))
    answers = asyncio.run(client.at_rate(steady, 10.0, ("good", "damaged")))
    yield from _report("half for a damaged model", answers)
    yield from _report("bad uploads", asyncio.run(client.bad(3)))
    yield from _report("steady after all", asyncio.run(client.at_rate(steady, 10.0)))


def _report(name: str, answers: list[Answer]) -> Iterator[Ratio]:
    kinds = Counter(f"{answer.status} {answer.code}".strip() for answer in answers)
    good = [answer.seconds for answer in answers if answer.status == 200]
    times = f"p50 {_at(good, 0.5):.2f} s, p99 {_at(good, 0.99):.2f} s" if good else "no video"
    print(f"{name}: {dict(kinds)}, {times}; load {os.getloadavg()[0]:.1f}", flush=True)
    yield Ratio(f"requests without an answer, {name}", kinds.total() - sum(a.status > 0 for a in answers), len(answers))


def _at(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def _replicas() -> list[int]:
    """Processes of this service that make videos."""
    import ray  # noqa: F401 - brings psutil
    import psutil  # isort: skip

    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if "ServeReplica:s2v:models" in " ".join(child.cmdline())]


@contextmanager
def _service(folder: Path, flags: argparse.Namespace) -> Iterator[Client]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    command = [sys.executable, "-m", "s2v_ray", "serve", "--port", str(port), "--replicas", str(flags.replicas)]
    command += ["--requests-per-replica", str(flags.per_replica), "--queue", str(flags.queue)]
    command += ["--models-per-replica", "1"]  # so that the damaged one is not in memory before it is
    command += ["--checkpoint", f"good={folder / 'run'}", f"damaged={folder / 'damaged'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            if not any(line.startswith("Next:") for line in process.stdout):
                raise RuntimeError("the service didn't start")
            yield Client(f"http://127.0.0.1:{port}", folder)
        finally:
            process.terminate()
            print(f"the service ended with status {process.wait()}")

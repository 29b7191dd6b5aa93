"""Speed and memory of generating: the model, compositing, encoding and all together, against real time."""

import argparse
import re
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.measuring import Ratio, alternate
from s2v_ray.config import Config, load_config
from s2v_ray.generation.composing import whole_frames
from s2v_ray.generation.frames import changes, square_frames
from s2v_ray.generation.picture import Box, model_image
from s2v_ray.generation.sound import frame_count, sound_features
from s2v_ray.generation.video import Options, generate
from s2v_ray.media.encode import write_video
from s2v_ray.models.change import Change
from s2v_ray.training.checkpoint import take_snapshot, write_checkpoint
from s2v_ray.training.state import new_state

_CPU = torch.device("cpu")
_HEIGHT, _WIDTH = 720, 1280
_BOX = Box((_WIDTH - _HEIGHT) // 2, 0, (_WIDTH + _HEIGHT) // 2, _HEIGHT)  # the largest: all of the height
_LONG_SIDE = 320  # of the videos of long sounds, so that they take a minute


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=int, default=10, help="length of the sound whose frames are timed")
    parser.add_argument("--hour", action="store_true", help="also the peak memory of an hour of sound")
    parser.add_argument("--warp", type=float, default=0.0, help="generator.warp of the model")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """An untrained `tiny` with its last layer scaled up, so that everything moves; frames a second, over the rate's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = _write_run(folder / "run", flags.warp)
        Image.fromarray(_picture()).save(folder / "picture.png")
        _write_sound(folder / "sound.wav", flags.seconds)
        yield from _speeds(folder, checkpoint, flags.seconds, flags.repeats, flags.warp)
        lengths = {"ten seconds": 10, "ten minutes": 600} | ({"an hour": 3600} if flags.hour else {})
        peaks = {}
        for length, seconds in lengths.items():
            _write_sound(folder / "long.wav", seconds)
            peaks[length] = _peak_mebibytes(folder, checkpoint)
            yield Ratio(f"peak MiB of {length} of sound, over ten seconds", peaks[length], peaks["ten seconds"])


def _speeds(folder: Path, checkpoint: str, seconds: int, repeats: int, warp: float) -> Iterator[Ratio]:
    state = new_state(_config(warp), _CPU)
    _enliven(state.networks.generator)
    model, config = state.networks.generator.eval(), state.config
    picture_HWC, rate = _picture(), Fraction(config.clips.frame_rate)
    wave_S = _noise(seconds, config.clips.sample_rate)
    frames = frame_count(config, len(wave_S))
    image_BCHW = model_image(picture_HWC, picture_HWC, _BOX, config.data.resolution)[None]

    @torch.no_grad()
    def model_changes() -> list[Change]:
        maps = model.unet.encode(image_BCHW)
        features = sound_features(model, config, [wave_S], len(wave_S), _CPU)
        return list(changes(model, maps, features, mean=None, strength=1.0))

    made = model_changes()
    some = list(islice(whole_frames(picture_HWC, _BOX, made), 30))
    there_and_back = cycle(some + some[::-1])
    small = list(square_frames(image_BCHW, made))

    def composing() -> None:
        for _ in whole_frames(picture_HWC, _BOX, made):
            pass

    def encoding(each: Iterator[np.ndarray]) -> None:
        sample_rate = config.clips.sample_rate
        write_video(folder / "e.mp4", each, wave_S, frame_rate=rate, sample_rate=sample_rate)

    def all_together(options: Options) -> None:
        picture, sound, out = (str(folder / name) for name in ("picture.png", "sound.wav", "all.mp4"))
        generate(checkpoint, picture, sound, out, _CPU, options=options)

    whole = f"{_WIDTH} x {_HEIGHT}"
    square = f"{config.data.resolution} x {config.data.resolution}"
    sides = {
        "the model": model_changes,
        f"compositing at {whole}": composing,
        f"encoding at {whole}": lambda: encoding(islice(there_and_back, frames)),
        f"all together at {whole}": lambda: all_together(Options(region="centre")),
        f"encoding at {square}": lambda: encoding(iter(small)),
        f"all together at {square}": lambda: all_together(Options(region="centre", size="model")),
    }
    spent = dict(zip(sides, alternate(list(sides.values()), repeats), strict=True))
    for name, side_seconds in spent.items():
        yield Ratio(f"frames a second, {name}, over real time", frames / side_seconds, float(rate))
    for size in (whole, square):
        both = (frames / spent[f"{name} at {size}"] for name in ("all together", "encoding"))
        yield Ratio(f"frames a second, all together at {size}, over the bare encoder", *both)


def _config(warp: float) -> Config:
    config = load_config("tiny")
    return replace(config, generator=replace(config.generator, warp=warp))


def _enliven(model: torch.nn.Module) -> None:
    """Scale the last layer, so that an untrained model's frames move as far as a trained one's."""
    with torch.no_grad():
        model.unet.up[-1].over_x.weight.mul_(20)  # type: ignore[union-attr,index]


def _write_run(run: Path, warp: float) -> str:
    state = new_state(_config(warp), _CPU)
    _enliven(state.networks.generator)
    state.ema = state.networks.generator
    return write_checkpoint(str(run), take_snapshot(state), best=True)


def _picture() -> np.ndarray:
    """Blurred noise with fine noise on it, as a photograph has."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (9, 16, 3), dtype=np.uint8)).resize((_WIDTH, _HEIGHT))
    noisy = np.asarray(coarse) + random.normal(0, 4, (_HEIGHT, _WIDTH, 3))
    return np.asarray(noisy.clip(0, 255), np.uint8)


def _noise(seconds: int, sample_rate: int) -> np.ndarray:
    """Bursts of noise, twice a second."""
    random = np.random.default_rng(1)
    loud: np.ndarray = np.sin(np.arange(seconds * sample_rate) * 2 * np.pi / sample_rate) ** 2
    return np.asarray((random.normal(0, 6000, seconds * sample_rate) * loud).clip(-32768, 32767), np.int16)


def _write_sound(path: Path, seconds: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        one_second = _noise(1, 44100).tobytes()
        for _ in range(seconds):
            file.writeframes(one_second)


def _peak_mebibytes(folder: Path, checkpoint: str) -> float:
    """Of a process of its own that generates from `long.wav`."""
    paths = [str(folder / name) for name in ("picture.png", "long.wav", "long.mp4")]
    arguments = [sys.executable, "-m", "benchmarks.generate", checkpoint, *paths]
    here = Path(__file__).parents[1]
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, cwd=here)
    return float(done.stdout)


if __name__ == "__main__":
    checkpoint, picture, sound, out = sys.argv[1:]
    generate(checkpoint, picture, sound, out, _CPU, options=Options(region="centre", max_side=_LONG_SIDE))
    # `resource` would count what the parent process had when it started this one.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    print(int(peak) / 1024)

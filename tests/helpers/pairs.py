"""Pictures and sounds for `s2v generate --pairs`."""

import csv
import wave
from pathlib import Path

import numpy as np
from PIL import Image


def write_pairs(folder: Path, names: list[str]) -> Path:
    """A table of these pairs, each with a picture and a third of a second of sound of its own; returns its path."""
    for number, name in enumerate(names):
        random = np.random.default_rng(number)
        Image.fromarray(random.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(folder / f"{name}.png")
        with wave.open(str(folder / f"{name}.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(random.integers(-9000, 9000, 2560).astype("<i2").tobytes())  # 8 frames of 320 samples
    table = folder / "pairs.csv"
    table.write_text("image,sound,name,strength\n" + "".join(f"{name}.png,{name}.wav,{name},\n" for name in names))
    return table


def read_results(out: Path) -> dict[str, dict[str, str]]:
    """The rows of results.csv, by name."""
    with (out / "results.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}

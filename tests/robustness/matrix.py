"""The verbs, what each reads and writes: a new verb or flag joins the tests of trouble by a row here."""

from dataclasses import dataclass
from pathlib import Path

from helpers.small import QUICK, SMALL_CLIPS


@dataclass(frozen=True)
class Input:
    """A flag that takes a path, and the name in the world of what is right there; "" is a positional argument."""

    flag: str
    good: str
    optional: bool = False  # left out of the plain command


@dataclass(frozen=True)
class Verb:
    """A verb, the paths it reads, its other flags, and the name of what it writes; "" writes nothing."""

    name: str
    inputs: tuple[Input, ...] = ()
    flags: tuple[str, ...] = ()
    out: str = ""
    ray: bool = False  # good input would start Ray, or a server that doesn't end


VERBS = (
    Verb("synth", (), ("--domain=sea", "--sources=2", "--seconds=0.5", "--size=32"), "synthetic"),
    Verb(
        "prepare",
        (Input("--videos", "videos"), Input("--manifest", "list.csv", optional=True)),
        ("--domain=sea", "--clips-per-source=1", "--split-by=source", "--local", *SMALL_CLIPS, *QUICK),
        "prepared",
    ),
    Verb("probe", (Input("--clips", "clips"),), ("--minutes=0.01",), "probe"),
    Verb(
        "train",
        (Input("--clips", "clips"), Input("--config", "small.toml"), Input("--init-from", "run", optional=True)),
        ("--steps=2", "--training.batch-size=1"),
        "trained",
    ),
    Verb(
        "evaluate",
        (
            Input("--checkpoint", "run"),
            Input("--clips", "clips"),
            Input("--resampled", "clips", optional=True),
            Input("--weights-dir", "weights", optional=True),
        ),
        (),
        "report",
    ),
    Verb(
        "generate",
        (Input("--checkpoint", "run"), Input("--image", "picture.png"), Input("--sound", "sound.wav")),
        (),
        "made.mp4",
    ),
    Verb("generate", (Input("--checkpoint", "run"), Input("--pairs", "pairs.csv")), ("--local",), "pairs"),
    Verb(
        "tune",
        (
            Input("--clips", "clips"),
            Input("--config", "small.toml"),
            Input("--space", "space.toml", optional=True),
            Input("--warm-start", "sweep", optional=True),
        ),
        ("--trials=2", "--steps=2"),
        "swept",
        ray=True,
    ),
    Verb("export", (Input("--checkpoint", "run"), Input("--clips", "clips", optional=True)), (), "exported"),
    Verb("serve", (Input("--checkpoint", "run"),), ray=True),
    Verb("app", (Input("--checkpoint", "run"), Input("--clips", "clips", optional=True)), ray=True),
    Verb("convert", (Input("--clips", "clips"),), ("--to=webdataset",), "converted"),
    Verb("info", (Input("", "clips"),)),
    Verb("info", (Input("", "run"),)),
)


def command(verb: Verb, world: Path, out: Path, given: Input | None = None, value: str = "") -> list[str]:
    """The plain command on the world's good input, to `out`; with another `value` for the flag `given`."""
    arguments = [verb.name, *verb.flags]
    for each in verb.inputs:
        if each == given or not each.optional:
            location = value if each == given else str(world / each.good)
            arguments += [f"{each.flag}={location}" if each.flag else location]
    return [*arguments, f"--out={out}"] if verb.out else arguments

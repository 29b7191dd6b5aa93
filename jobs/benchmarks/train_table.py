"""The cost of a clip by resolution, frames, T and batch size."""

from collections.abc import Iterator
from functools import partial

from benchmarks.measuring import Ratio, alternate
from benchmarks.train_case import CPU, case
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step

# One setting changes at a time. With 25 frames per clip, the paper's 256 x 256 takes two cores a few minutes.
BASE = {"data__resolution": 64, "data__train_frames": 25, "video_discriminator__frames": 16, "training__batch_size": 2}
CHANGES = [
    {},
    {"data__resolution": 128},
    {"data__resolution": 256},
    {"data__train_frames": 50},
    {"data__train_frames": 100},
    {"video_discriminator__frames": 8},
    {"video_discriminator__frames": 25},
    {"training__batch_size": 1},
    {"training__batch_size": 4},
]


def table(clips: str, repeats: int) -> Iterator[Ratio]:
    """Milliseconds per clip in each case of the preset `paper`, against the first; clips must be stored at 286."""
    first: float | None = None
    for changes in CHANGES:
        settings = BASE | changes
        trained = case("paper", clips, training__loader_workers=0, **settings)
        state, batch = new_state(trained.config, CPU), trained.batches(1)[0]
        (seconds,) = alternate([partial(train_step, state, batch)], repeats)
        milliseconds = 1000 * seconds / trained.config.training.batch_size
        first = first or milliseconds
        size, frames, window, clip_count = settings.values()
        name = f"{size} x {size}, {frames} frames, T = {window}, batch {clip_count}"
        yield Ratio(f"paper at {name}: milliseconds per clip, against the first", milliseconds, first)

"""What a clip costs against resolution, frames, T and batch."""

from collections.abc import Iterator
from functools import partial

from benchmarks.measuring import Ratio, alternate
from benchmarks.train_case import CPU, case
from s2v_ray.training.state import new_state
from s2v_ray.training.step import train_step

# One thing changes at a time. At 25 frames a clip, the paper's 256 x 256 fits two cores and a few minutes.
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
    """Milliseconds a clip of each case of the preset `paper`, against the first; clips must be stored at 286 pixels."""
    first: float | None = None
    for changes in CHANGES:
        settings = BASE | changes
        trained = case("paper", clips, training__loader_workers=0, **settings)
        state, batch = new_state(trained.config, CPU), trained.batches(1)[0]
        (seconds,) = alternate([partial(train_step, state, batch)], repeats)
        milliseconds = 1000 * seconds / trained.config.training.batch_size
        first = first or milliseconds
        size, frames, judged, clip_count = settings.values()
        name = f"{size} x {size}, {frames} frames, T = {judged}, batch {clip_count}"
        yield Ratio(f"paper at {name}: milliseconds a clip, against the first", milliseconds, first)

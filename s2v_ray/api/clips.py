"""Prepared clips as arrays."""

from collections.abc import Sequence

from s2v_ray.api.inputs import Paths, data_sets, naming_arguments
from s2v_ray.api.video import Video
from s2v_ray.dataset.collection import Clips
from s2v_ray.dataset.collection import open_clips as open_data_sets
from s2v_ray.dataset.reader import Clip
from s2v_ray.dataset.settings import ClipSettings
from s2v_ray.dataset.splits import SPLITS
from s2v_ray.errors import UserError


@naming_arguments()
def open_clips(clips: Paths, split: str | Sequence[str] = SPLITS) -> Clips:
    """The clips of some splits (train, val, test; by default all) of one data set or of several, by index.

    `len(found)`, `found[0]` and `for clip in found` read a clip when it is asked for: `clip.frames_THWC`, uint8 RGB
    [T, S, S, 3], `clip.wave`, int16 mono, `clip.source`, `clip.start_seconds`, `clip.clip_id`. `found.settings` has
    `rate` (frames per second), `sample_rate` and whatever else all clips share. Raises UserError `not_found`,
    `unknown_split`, `no_clips`, or `wrong_settings` for data sets that don't fit each other.
    """
    if not split:
        raise UserError("unknown_split", f"split is empty; name one or several of {', '.join(SPLITS)}.")
    found = data_sets(clips)
    return open_data_sets(found if len(found) > 1 else found[0], split)


def clip_video(clip: Clip, settings: ClipSettings) -> Video:
    """A clip to look at in a notebook, or to save; `settings` are those of the clips that it is of."""
    return Video(clip.frames_THWC, settings.rate, clip.wave, settings.sample_rate)

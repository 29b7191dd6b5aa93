"""The validation passed to training: the metrics of `s2v evaluate`, on a few clips of the split `val`."""

import numpy as np
import torch

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.evaluation.controls import MODEL, clip_videos, mismatched_sounds
from s2v_ray.evaluation.scores import mean, score_clip, score_sources
from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.sharpness import sharpness
from s2v_ray.metrics.video_motion import moving_mask
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.data.pixels import to_bytes
from s2v_ray.training.loop import Validate, Validation

_MISMATCHED_SOUNDS = 4
_SEED = 0  # the same mismatched sounds at every validation


def validation(reader: ClipReader, more: ClipReader, *, clips: int, resolution: int) -> Validate | None:
    """A function that scores a model on up to `clips` sources, one clip each; None if `reader` has no clips.

    If `reader` has too few other sources for mismatched sounds, `more` provides the rest. The score is motion explained
    plus matched − mismatched motion correlation: at best 2. The metrics include sharpness where it moves and the
    appearance error where nothing does, as `s2v evaluate` defines them.
    """
    numbers = [reader.sources.index(source) for source in dict.fromkeys(reader.sources)][:clips]
    if not numbers:
        return None

    def validate(model: SoundToVideo) -> Validation:
        generated = []
        for number in numbers:
            others = mismatched_sounds(reader, more, number, count=_MISMATCHED_SOUNDS, seed=_SEED)
            generated.append(clip_videos(model, reader, number, others, resolution, shifted=False))
        sources = score_sources([score_clip(videos, appearance=False) for videos in generated])
        metrics = {
            name: float(np.mean([source.scores[MODEL][name] or 0.0 for source in sources]))
            for name in ("motion_correlation", "matched_minus_mismatched", "motion_explained")
        }
        moving = [(videos, moving_mask(videos.real)) for videos in generated]
        blur = mean([sharpness(videos.model, videos.real, where_HW=mask_HW) for videos, mask_HW in moving])
        error = mean([l1(videos.model, videos.real, where_HW=~mask_HW) for videos, mask_HW in moving])
        # If no clip defines them, 0, as for the real video.
        metrics |= {"sharpness": blur or 0.0, "appearance_error": error or 0.0}
        score = metrics["motion_explained"] + metrics["matched_minus_mismatched"]
        side_by_side = to_bytes(torch.cat([generated[0].model, generated[0].real], dim=3)).numpy()
        return Validation(score, metrics, side_by_side, generated[0].clip.wave)

    return validate

"""The validation passed to training: the headlines of `s2v evaluate`, on some clips of the split `val`."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from s2v_ray.dataset.collection import Clips
from s2v_ray.evaluation.controls import (
    MODEL,
    ClipVideos,
    channels_last,
    encode_sounds,
    generate_videos,
    mismatched_sounds,
)
from s2v_ray.evaluation.scores import SourceScores, mean, pooled_errors, score_clip, score_sources
from s2v_ray.metrics.l1 import l1
from s2v_ray.metrics.motion_explained import pooled_motion_explained
from s2v_ray.metrics.sharpness import sharpness
from s2v_ray.metrics.video_motion import moving_mask
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.data.pixels import centre_crop, to_bytes
from s2v_ray.training.scoring import Validate, Validation

T = TypeVar("T")

_MISMATCHED_SOUNDS = 3
_SEED = 0  # the same mismatched sounds at every validation
_SOUNDS_PER_BATCH = 16
_EVERY = 2  # frames: twice as many clips in the same time say more
_LEAST_FRAMES = 8  # of a clip whose frames are left out
# With fewer of both of the first, or of the last, checkpoints' scores differ by chance about as much as by merit.
_FEW_SOURCES, _FEW_SECONDS, _LEAST_SECONDS = 4, 60, 20


def validation(reader: Clips, more: Clips, *, clips: int, resolution: int) -> Validate | None:
    """A function that scores a model on the `spread_clips`; None if `reader` has no clips.

    If `reader` has too few other sources for mismatched sounds, `more` provides the rest. The score is motion explained
    (of all sources, pooled, so that no still or wild one decides: `pooled_motion_explained`) plus the mean over sources
    of matched − mismatched motion correlation: from -3 to 3. The metrics include sharpness where it moves and the
    appearance error where nothing does. All are of every second frame, otherwise as `s2v evaluate` defines them, and
    depend on nothing but the model and the clips.
    """
    numbers = spread_clips(reader.sources, clips)
    if not numbers:
        return None
    decides = _is_enough(reader, numbers)

    @cache
    def sounds() -> tuple[list[np.ndarray], list[list[int]]]:
        """All sounds, each once, and for each clip which are its own and its mismatched ones."""
        waves: dict[bytes, np.ndarray] = {}
        heard = []
        for number in numbers:
            others = mismatched_sounds(reader, more, number, count=_MISMATCHED_SOUNDS, seed=_SEED)
            own = {wave.tobytes(): wave for wave in (reader[number].wave, *others)}
            waves |= own
            heard.append(list(own))
        order = {key: index for index, key in enumerate(waves)}
        return list(waves.values()), [[order[key] for key in keys] for keys in heard]

    def validate(model: SoundToVideo) -> Validation:
        model = channels_last(model)
        waves, heard = sounds()
        batches = [waves[first : first + _SOUNDS_PER_BATCH] for first in range(0, len(waves), _SOUNDS_PER_BATCH)]
        with torch.no_grad():
            sound_NTD = torch.cat([encode_sounds(model, batch) for batch in batches])
            scored, blurs, errors = [], [], []
            for number, indices in zip(numbers, heard, strict=True):
                videos = _videos(
                    model, reader, number, sound_NTD[indices], resolution
                )  # one clip's at a time in memory
                scored.append(score_clip(videos, appearance=False))
                moving_HW = moving_mask(videos.real)
                blurs.append(sharpness(videos.model, videos.real, where_HW=moving_HW))
                errors.append(l1(videos.model, videos.real, where_HW=~moving_HW))
            example = reader[numbers[0]]
            real = centre_crop(example.frames_THWC, resolution)
            (generated,) = generate_videos(model, real[0], sound_NTD[heard[0][:1]])
        metrics = _headlines(score_sources(scored))
        # If no clip defines them, 0, as for the real video.
        metrics |= {"sharpness": mean(blurs) or 0.0, "appearance_error": mean(errors) or 0.0}
        score = metrics["motion_explained"] + metrics["matched_minus_mismatched"]
        side_by_side = to_bytes(torch.cat([generated, real], dim=3)).numpy()
        return Validation(score, metrics, side_by_side, example.wave, decides)

    return validate


def spread_clips(sources: Sequence[str], count: int) -> list[int]:
    """The indices of up to `count` clips, given the source of each: always the same.

    They are of as many sources as possible, evenly spaced if these are too many. Of fewer sources than clips each gives
    equally many, as far as it has them, evenly spaced.
    """
    by_source: dict[str, list[int]] = defaultdict(list)
    for index, source in enumerate(sources):
        by_source[source].append(index)
    chosen = _evenly_spaced(list(by_source.values()), count)
    # Sources take turns, as long as they have clips.
    turns = sorted((turn, source) for source, own in enumerate(chosen) for turn in range(len(own)))[:count]
    taken = Counter(source for _, source in turns)
    return [index for source, own in enumerate(chosen) for index in _evenly_spaced(own, taken[source])]


def validation_warning(reader: Clips, clips: int) -> str | None:
    """A sentence if the split `val` is too small to choose the best checkpoint by; None otherwise."""
    numbers = spread_clips(reader.sources, clips)
    if not numbers:
        missing = f"'{reader.location}' has no clips in its split 'val', so no best checkpoint is chosen"
        return f"{missing}, and the last one is used; prepare more videos."
    if _is_enough(reader, numbers):
        return None
    sources, seconds = _extent(reader, numbers)
    held_out = f"{_counted(len(numbers), 'clip')} ({seconds:.0f} s) of {_counted(sources, 'source')}"
    return (
        f"The split 'val' has {held_out}, too few to tell good checkpoints from lucky ones (it takes "
        f"{_LEAST_SECONDS} s of {_FEW_SOURCES} sources, or {_FEW_SECONDS} s), so the last one is used; prepare more "
        "videos, or compare checkpoints by s2v evaluate."
    )


def _extent(reader: Clips, numbers: Sequence[int]) -> tuple[int, float]:
    """Of how many sources these clips are, and their seconds together."""
    seconds = float(len(numbers) * reader.settings.frames / reader.settings.rate)
    return len({reader.sources[number] for number in numbers}), seconds


def _is_enough(reader: Clips, numbers: Sequence[int]) -> bool:
    sources, seconds = _extent(reader, numbers)
    return seconds >= _LEAST_SECONDS and (sources >= _FEW_SOURCES or seconds >= _FEW_SECONDS)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _videos(model: SoundToVideo, reader: Clips, number: int, sound_BTD: Tensor, resolution: int) -> ClipVideos:
    """Every second frame of a clip's videos, given its own sound and mismatched ones."""
    clip = reader[number]
    real = centre_crop(clip.frames_THWC, resolution)
    every = _EVERY if len(real) >= _LEAST_FRAMES else 1
    own, *mismatched = generate_videos(model, real[0], sound_BTD[:, ::every])
    rate = reader.settings.rate / every
    return ClipVideos(clip, real[::every], own, mismatched, frame_rate=rate, sample_rate=reader.settings.sample_rate)


def _headlines(sources: Sequence[SourceScores]) -> dict[str, float]:
    means = {
        name: mean([source.scores[MODEL][name] or 0.0 for source in sources]) or 0.0
        for name in ("motion_correlation", "matched_minus_mismatched")
    }
    explained = float(pooled_motion_explained(np.array(pooled_errors(sources))))
    return means | {
        "motion_explained": explained,
        "clips": float(sum(source.clips for source in sources)),
        "sources": float(len(sources)),
    }


def _evenly_spaced(values: Sequence[T], count: int) -> list[T]:
    """Up to `count` of the values: those in the middle of equal parts."""
    count = min(count, len(values))
    return [values[(2 * part + 1) * len(values) // (2 * count)] for part in range(count)]

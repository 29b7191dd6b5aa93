"""Seconds a clip of evaluating on one core, in parts, and the model's videos against one run of it for each sound."""

import argparse
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measuring import Ratio, alternate
from benchmarks.train_case import CPU, make_clips
from s2v_ray.config import load_config
from s2v_ray.dataset.index import read_dataset
from s2v_ray.dataset.reader import ClipReader
from s2v_ray.evaluation.controls import (
    MISMATCHED_SOUNDS,
    channels_last,
    clip_videos,
    encode_sounds,
    generate_videos,
    mismatched_sounds,
    shifted_sound,
)
from s2v_ray.evaluation.retrieval import read_training_clips
from s2v_ray.evaluation.scores import score_clip
from s2v_ray.evaluation.sync_classifier import train_sync_classifier
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.data.pixels import centre_crop, to_bytes, to_float, wave_to_float
from s2v_ray.training.run import config_for_clips
from s2v_ray.training.state import new_state
from s2v_ray.training.threads import at_most_threads


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", help="a trained model, with --clips; else an untrained tiny")
    parser.add_argument("--clips", help="prepared clips; else synthetic fireworks")


def measure(flags: argparse.Namespace) -> Iterator[Ratio]:
    """Of one clip of `test`: seconds, over the baseline's or over those of the clip as a whole."""
    with tempfile.TemporaryDirectory() as name, at_most_threads(1):
        clips = flags.clips or make_clips(Path(name))
        yield from _measure(clips, _model(flags.checkpoint, clips), flags.repeats)


def _model(checkpoint: str | None, clips: str) -> SoundToVideo:
    if checkpoint:
        return load_model(find_checkpoint(checkpoint))[0]
    config = config_for_clips(load_config("tiny"), read_dataset(clips).settings)
    return new_state(config, CPU).networks.generator.eval().requires_grad_(False)


def _measure(clips: str, model: SoundToVideo, repeats: int) -> Iterator[Ratio]:
    test, train = ClipReader(clips, "test"), ClipReader(clips, "train")
    sample_rate, resolution = test.settings.sample_rate, model.unet.resolution
    as_clips = {"sample_rate": sample_rate, "resolution": resolution, "seed": 0}
    classifier, training = train_sync_classifier(train, **as_clips), read_training_clips(train, **as_clips)
    others = mismatched_sounds(test, train, 0, count=MISMATCHED_SOUNDS, seed=0)
    clip, fast = test[0], channels_last(model)
    image_CHW = centre_crop(clip.frames_THWC, resolution)[0]
    waves = [clip.wave, *others, shifted_sound(clip.wave, test.settings.frames, sample_rate)]
    videos = clip_videos(fast, test, 0, others, resolution, training=training)

    def sound_by_sound() -> list[Tensor]:
        with torch.no_grad():
            heard = [wave_to_float(torch.from_numpy(wave.copy())[None]) for wave in waves]
            return [to_float(to_bytes(model(image_CHW[None], wave_BS)[0])) for wave_BS in heard]

    def together() -> list[Tensor]:
        with torch.no_grad():
            return generate_videos(fast, image_CHW, encode_sounds(fast, waves))

    def scored() -> None:
        # What metrics found out about the same tensors before would be remembered.
        score_clip(deepcopy(videos), sync_classifier=classifier, training=training)

    def whole() -> None:
        made = clip_videos(fast, test, 0, others, resolution, training=training)
        score_clip(made, sync_classifier=classifier, training=training)

    clip_seconds, made, scores, baseline = alternate([whole, together, scored, sound_by_sound], repeats)
    yield Ratio(f"seconds, videos of {len(waves)} sounds, over the model run for each", made, baseline)
    yield Ratio("seconds, videos of a clip, over all of it", made, clip_seconds)
    yield Ratio("seconds, scores of a clip, over all of it", scores, clip_seconds)

"""The networks that a configuration describes. This is where settings become plain keyword arguments."""

from dataclasses import asdict

import torch
from torch import nn

from s2v_ray.config import Config
from s2v_ray.errors import UserError
from s2v_ray.media.clock import parse_frame_rate, samples_per_frame
from s2v_ray.models.discriminators import ImageDiscriminator, VideoDiscriminator
from s2v_ray.models.sound_encoder import SoundEncoder
from s2v_ray.models.sound_to_video import SoundToVideo
from s2v_ray.models.unet import UNet

_LONGEST_WINDOW = 2**18  # samples: 6 s at 44.1 kHz


class Networks(nn.ModuleDict):
    """All networks that are trained, by their names in checkpoints; `generator` is SE and G together."""

    generator: SoundToVideo
    image_discriminator: ImageDiscriminator
    video_discriminator: VideoDiscriminator


def build_sound_to_video(config: Config) -> SoundToVideo:
    """SE and G. Raises UserError if the settings don't fit each other."""
    for name in ("palette", "warp"):
        value = getattr(config.generator, name)
        if value and config.generator.output != "residual":
            raise UserError(
                "conflicting_settings",
                f"generator.{name} is {value}, but generator.output is '{config.generator.output}'; "
                f"set --generator.output residual or --generator.{name} 0.",
            )
    frame_samples = samples_per_frame(config.clips.sample_rate, parse_frame_rate(config.clips.frame_rate))
    loss = config.loss
    if loss.generator_start and not loss.thumbnail_weight:
        raise UserError(
            "conflicting_settings",
            f"loss.generator_start is {loss.generator_start:g}, but loss.thumbnail_weight is 0, so that the sound "
            "encoder has nothing to learn before; set --loss.thumbnail-weight 100 or --loss.generator-start 0.",
        )
    if frame_samples % config.sound.spectra_per_frame:
        fitting = [number for number in range(1, 17) if not frame_samples % number]
        raise UserError(
            "conflicting_settings",
            f"sound.spectra_per_frame is {config.sound.spectra_per_frame}, but must divide the {frame_samples} samples "
            f"of a frame; set --sound.spectra-per-frame to one of {', '.join(map(str, fitting))}.",
        )
    window = frame_samples // config.sound.spectra_per_frame * config.sound.stft_window_frames
    if window > _LONGEST_WINDOW:
        raise UserError(
            "conflicting_settings",
            f"The analysis window of the sound has {window} samples, but must have at most {_LONGEST_WINDOW}; set a "
            "smaller --sound.stft-window-frames, or prepare clips with a higher --frame-rate.",
        )
    encoder = SoundEncoder(
        sample_rate=config.clips.sample_rate,
        samples_per_frame=frame_samples,
        thumbnails=loss.thumbnail_weight > 0,
        **asdict(config.sound),
    )
    unet = UNet(
        resolution=config.data.resolution,
        channels=generator_channels(config),
        sound_features=encoder.features,
        film_levels=config.generator.film_levels,
        output=config.generator.output,
        palette=config.generator.palette,
        warp=config.generator.warp,
        relative_hue=config.generator.relative_hue,
    )
    return SoundToVideo(encoder, unet)


def generator_channels(config: Config) -> tuple[int, ...]:
    """The U-Net's channels after each halving. Raises UserError if halving doesn't end at the bottleneck."""
    resolution, settings = config.data.resolution, config.generator
    halvings = (resolution // settings.bottleneck).bit_length() - 1
    if halvings < 1 or settings.bottleneck * 2**halvings != resolution:
        raise UserError(
            "conflicting_settings",
            f"data.resolution is {resolution}, but must be generator.bottleneck ({settings.bottleneck}) times 2, 4, "
            f"8, ...; {settings.bottleneck * 2 ** max(1, halvings)} is the nearest below or equal.",
        )
    return tuple(min(settings.base_channels * 2**level, settings.max_channels) for level in range(halvings))


def build_networks(config: Config) -> Networks:
    """All networks, with weights drawn from the seed alone."""
    for name in ("image_discriminator", "video_discriminator"):
        channels = getattr(config, name).channels
        if config.data.resolution < 2 ** len(channels):
            raise UserError(
                "conflicting_settings",
                f"{name}.channels halves {config.data.resolution} pixels {len(channels)} times, which leaves none; "
                "give fewer channels or a larger data.resolution.",
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        return Networks(
            {
                "generator": build_sound_to_video(config),
                "image_discriminator": ImageDiscriminator(channels=config.image_discriminator.channels),
                "video_discriminator": VideoDiscriminator(**asdict(config.video_discriminator)),
            }
        )

"""The networks that a configuration describes. Here settings become plain arguments."""

from dataclasses import asdict, dataclass
from fractions import Fraction

import torch
from torch import nn

from s2v_ray.config import Config, UserError
from s2v_ray.media.clock import samples_per_frame
from s2v_ray.models.discriminators import ImageDiscriminator, VideoDiscriminator
from s2v_ray.models.generator import Generator
from s2v_ray.models.sound_encoder import SoundEncoder
from s2v_ray.models.sound_to_video import SoundToVideo


@dataclass(frozen=True)
class Networks:
    """All that is trained."""

    sound_to_video: SoundToVideo
    image_discriminator: ImageDiscriminator
    video_discriminator: VideoDiscriminator

    def items(self) -> list[tuple[str, nn.Module]]:
        """Each network with its name in checkpoints."""
        return [(name, getattr(self, name)) for name in self.__dataclass_fields__]


def build_sound_to_video(config: Config) -> SoundToVideo:
    """SE and G. Raises UserError where resolution and depth don't fit."""
    halvings = len(config.generator.channels)
    if config.data.resolution % 2**halvings:
        raise UserError(
            f"data.resolution is {config.data.resolution}, but must be a multiple of {2**halvings}, as "
            f"generator.channels halves it {halvings} times; change one of the two."
        )
    encoder = SoundEncoder(
        sample_rate=config.clips.sample_rate,
        samples_per_frame=samples_per_frame(config.clips.sample_rate, Fraction(config.clips.frame_rate)),
        **asdict(config.sound),
    )
    generator = Generator(
        resolution=config.data.resolution, sound_features=encoder.features, **asdict(config.generator)
    )
    return SoundToVideo(encoder, generator)


def build_networks(config: Config) -> Networks:
    """All networks, with weights drawn from the seed alone."""
    for name in ("image_discriminator", "video_discriminator"):
        channels = getattr(config, name).channels
        if config.data.resolution < 2 ** len(channels):
            raise UserError(
                f"{name}.channels halves {config.data.resolution} pixels {len(channels)} times, which leaves nothing; "
                f"give fewer channels or a larger data.resolution."
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        return Networks(
            build_sound_to_video(config),
            ImageDiscriminator(channels=config.image_discriminator.channels),
            VideoDiscriminator(channels=config.video_discriminator.channels),
        )

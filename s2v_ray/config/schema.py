"""Every setting: its default (the paper's number), its meaning and its range. The help of flags is made of these."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

MAX_SAMPLE_RATE = 384_000
_WIDEST = 16384  # more channels than any model has


def setting(default: Any, meaning: str, low: float | None = None, high: float = math.inf) -> Any:
    """A field of the classes below; `low` and `high` are the least and the most that a number may be."""
    return field(default=default, metadata={"meaning": meaning, "low": low, "high": high})


@dataclass(frozen=True)
class ClipConfig:
    """The clips. A training on prepared clips takes these from their `dataset.json`, not from a preset."""

    frame_rate: str = setting("30", "frames per second, a rational such as 30 or 30000/1001")
    sample_rate: int = setting(44100, "sample rate of the sound in Hz", 1, MAX_SAMPLE_RATE)
    frames: int = setting(120, "length of a clip in frames", low=2)
    stored_size: int = setting(72, "height and width of the stored frames, in pixels", low=2)


@dataclass(frozen=True)
class DataConfig:
    """The part of a clip that a training step sees."""

    resolution: int = setting(64, "height and width of the generated video, in pixels", 2, 1024)
    train_frames: int = setting(100, "consecutive frames cut at random from a clip; 0: the whole clip", low=0)
    frames_per_step: int = setting(0, "how many of those frames are generated in a step; 0: all of them", low=0)
    max_stride: int = setting(1, "D_V's frames are 1 to this many frames apart, at random", low=1)
    input_frame: Literal["first", "random", "mixed"] = setting(
        "first", "the frame of the clip that is the input image; mixed: the first or a random one, equally often"
    )
    crop_jitter: float = setting(1.0, "how far the random crop may lie from the centre, of what there is", 0, 1)
    crop_growth: float = setting(0.0, "how much of the border a random crop may take in, of what there is", 0, 1)


@dataclass(frozen=True)
class SoundConfig:
    """The sound encoder."""

    spectrogram: Literal["linear", "log_mel"] = setting("linear", "whether it reads a linear or a mel spectrogram")
    stft_window_frames: int = setting(1, "length of the analysis window in hops", 1, 16)
    mel_bands: int = setting(64, "number of bands of a log_mel spectrogram", 1, 512)
    spectra_per_frame: int = setting(1, "spectra of each frame period, joined for the LSTM; the hop is a part", 1, 16)
    convolutions: int = setting(0, "convolutions over time before the LSTM, each over five frames", 0, 8)
    convolution_channels: int = setting(64, "channels of these convolutions", 1, _WIDEST)
    hidden: int = setting(256, "units of the LSTM in each direction", 1, _WIDEST)


@dataclass(frozen=True)
class GeneratorConfig:
    """The U-Net. It halves the image down to the bottleneck, so that its depth follows the resolution."""

    base_channels: int = setting(64, "channels after the first halving; each further one doubles them", 1, _WIDEST)
    max_channels: int = setting(512, "the most channels of any level", 1, _WIDEST)
    bottleneck: int = setting(1, "height and width of the innermost map, in pixels", 1, 1024)
    film_levels: int = setting(0, "innermost decoder levels with FiLM by the sound; 0: the bottleneck alone", low=0)
    output: Literal["tanh", "residual"] = setting("tanh", "the frame itself, or what is added to the input image")
    palette: int = setting(0, "colours of the input image that a residual can mix; 0: none", 0, 64)
    warp: float = setting(0.0, "how far a residual's base can be displaced, in parts of the image's side; 0: not", 0, 1)
    relative_hue: bool = setting(False, "see hues relative to the image's own, so that unseen colours look as good")


@dataclass(frozen=True)
class DiscriminatorConfig:
    """D_I, the discriminator of single frames."""

    channels: tuple[int, ...] = setting((64, 128, 256, 512), "channels of each convolution", 1, _WIDEST)
    frames: int = setting(1, "how many frames of each clip it sees", 1, 10_000)


@dataclass(frozen=True)
class VideoDiscriminatorConfig(DiscriminatorConfig):
    """D_V, the discriminator of successive frames."""

    frames: int = setting(16, "how many successive frames it sees, T in the paper", 1, 10_000)
    stacked: bool = setting(False, "convolve the T frames in two dimensions as channels, instead of in three")


@dataclass(frozen=True)
class LossConfig:
    """Equations 1 to 5 of the paper."""

    adversarial_image_weight: float = setting(1.0, "λ_adv-I", low=0)
    adversarial_video_weight: float = setting(1.0, "λ_adv-V", low=0)
    discriminator_start: float = setting(0.0, "fraction of the budget after which D_I and D_V are enabled", 0, 1)
    generator_start: float = setting(
        0.0, "fraction of the budget after which G is trained; before, SE learns alone, by thumbnails", 0, 1
    )
    thumbnail_weight: float = setting(
        0.0, "weight of the error with which SE alone predicts thumbnails of all frames; 0: it doesn't", low=0
    )
    feature_matching_weight: float = setting(
        0.0, "weight of how far what each discriminator sees in generated frames is from the real ones'", low=0
    )
    reconstruction: Literal["l1", "l2"] = setting("l1", "mean absolute or mean squared error")
    reconstruction_weight: float = setting(100.0, "weight of the reconstruction error", low=0)
    adversarial: Literal["non_saturating", "saturating"] = setting("non_saturating", "the generator's GAN loss")


@dataclass(frozen=True)
class OptimConfig:
    """Adam: one optimiser each for SE with G, D_I and D_V."""

    generator_lr: float = setting(2e-4, "learning rate of SE and G", low=0)
    image_discriminator_lr: float = setting(2e-4, "learning rate of D_I", low=0)
    video_discriminator_lr: float = setting(2e-4, "learning rate of D_V", low=0)
    decay_start: float = setting(1.0, "fraction of the budget after which all rates fall, to a twentieth", 0, 1)
    beta1: float = setting(0.5, "Adam's β1", 0, 0.9999)
    beta2: float = setting(0.999, "Adam's β2", 0, 0.99999)
    ema_decay: float = setting(0.0, "decay of the moving average of SE's and G's weights; 0: no average", 0, 0.99999)


@dataclass(frozen=True)
class TrainingConfig:
    """The training loop."""

    batch_size: int = setting(2, "clips per step, over all workers together", low=1)
    steps: int = setting(200_000, "the most steps in all, before and after resuming", low=1)
    minutes: float = setting(0.0, "the most minutes in all, likewise; 0: no limit but the steps", low=0)
    seed: int = setting(0, "seed for the initial weights, the order of clips and the augmentation", 0, 2**63 - 1)
    save_every_steps: int = setting(500, "steps between checkpoints", low=1)
    keep_checkpoints: int = setting(3, "how many of the latest checkpoints are kept, besides the best", low=1)
    validate_every_steps: int = setting(2000, "steps between validations", low=1)
    validate_clips: int = setting(32, "how many clips of the split val are validated on, of many sources", low=1)
    micro_batches: int = setting(1, "parts of a batch computed one after the other; the same gradients", low=1)
    frames_per_chunk: int = setting(0, "frames of a clip in memory at a time; the same gradients; 0: all", low=0)
    clip_weights: tuple[float, ...] = setting(
        (), "how often clips of each data set are drawn, relative to the others; none: each clip equally", low=0
    )
    loader_workers: int = setting(2, "processes that read clips; 0: the training process reads them", low=0)
    clip_cache_gib: float = setting(10.0, "GiB of an object store's clips to keep on this machine; 0: none", low=0)
    threads: int = setting(0, "the most CPU threads to use; 0: one for each core", low=0)
    parallel_halves: bool = setting(
        False,
        "on a CPU, compute the halves of a batch at the same time, each with these threads; the same gradients; "
        "not with compile, micro_batches or several workers",
    )
    compile: bool = setting(False, "compile the networks with torch.compile")
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto", "what networks compute in; auto: bfloat16 on a GPU that has it, else float32"
    )
    collapse_steps: int = setting(2000, "stop if a discriminator is useless for this many steps; 0: never", low=0)


@dataclass(frozen=True)
class Config:
    """All settings of a model and its training."""

    clips: ClipConfig = field(default_factory=ClipConfig)
    data: DataConfig = field(default_factory=DataConfig)
    sound: SoundConfig = field(default_factory=SoundConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    image_discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    video_discriminator: VideoDiscriminatorConfig = field(default_factory=VideoDiscriminatorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

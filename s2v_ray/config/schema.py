"""Every setting, with its range. The defaults are the paper's numbers."""

from dataclasses import dataclass, field
from typing import Any, Literal


def _between(default: Any, low: float, high: float | None = None) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


def _chosen(*default: int) -> Any:
    return field(default=default, metadata={"low": 1, "high": None})


@dataclass(frozen=True)
class ClipConfig:
    """What the clips are. Training takes these from the data set's `dataset.json`, not from a preset."""

    frame_rate: str = "30"  # frames a second, a rational such as "30" or "30000/1001"
    sample_rate: int = _between(44100, 1)  # Hz
    frames: int = _between(120, 2)  # in a clip
    stored_size: int = _between(72, 2)  # pixels, height and width


@dataclass(frozen=True)
class DataConfig:
    """What of a clip a training step sees."""

    resolution: int = _between(64, 2)  # pixels, height and width, of what is generated
    train_frames: int = _between(100, 0)  # consecutive frames cut at random from a clip; 0: the whole clip
    frames_per_step: int = _between(0, 0)  # how many of these are generated; 0: all of them
    max_stride: int = _between(1, 1)  # the step between D_V's frames, drawn at random up to this
    input_frame: Literal["first", "random"] = "first"  # which of the clip's is the input picture


@dataclass(frozen=True)
class SoundConfig:
    """The sound encoder."""

    spectrogram: Literal["linear", "log_mel"] = "linear"
    stft_window_frames: int = _between(1, 1, 16)  # the analysis window, in frame periods; the hop is one
    mel_bands: int = _between(64, 1, 512)  # of log_mel
    hidden: int = _between(256, 1)  # units of the LSTM, in each direction


@dataclass(frozen=True)
class GeneratorConfig:
    """The U-Net. It halves the picture down to the bottleneck, so that its depth follows the resolution."""

    base_channels: int = _between(64, 1)  # after the first halving; each further one doubles them
    max_channels: int = _between(512, 1)  # up to this
    bottleneck: int = _between(1, 1)  # pixels, height and width, of the innermost map
    film_levels: int = _between(0, 0)  # innermost decoder levels that the sound scales and shifts; 0: bottleneck alone
    output: Literal["tanh", "residual"] = "tanh"  # residual: what is made is added to the input picture
    palette: int = _between(0, 0, 64)  # of a residual: colours of the input picture that it can mix; 0: none
    relative_hue: bool = False  # it sees hues relative to the picture's own, and can't depend on which there were


@dataclass(frozen=True)
class DiscriminatorConfig:
    """One discriminator. `frames` is the number of single frames that D_I judges a clip; for D_V it is T."""

    channels: tuple[int, ...] = _chosen(64, 128, 256, 512)
    frames: int = _between(1, 1)


@dataclass(frozen=True)
class VideoDiscriminatorConfig(DiscriminatorConfig):
    """D_V."""

    frames: int = _between(16, 1)
    stacked: bool = False  # convolutions in two dimensions over the T frames as channels, instead of in three


@dataclass(frozen=True)
class LossConfig:
    """Equations 1 to 5 of the paper."""

    adversarial_image_weight: float = _between(1.0, 0)  # λ_adv-I
    adversarial_video_weight: float = _between(1.0, 0)  # λ_adv-V
    discriminator_start: float = _between(0.0, 0, 1)  # the part of the budget after which D_I and D_V are enabled
    reconstruction: Literal["l1", "l2"] = "l1"
    reconstruction_weight: float = _between(100.0, 0)
    adversarial: Literal["non_saturating", "saturating"] = "non_saturating"


@dataclass(frozen=True)
class OptimConfig:
    """Adam, one for each of SE with G, D_I and D_V."""

    generator_lr: float = _between(2e-4, 0)
    image_discriminator_lr: float = _between(2e-4, 0)
    video_discriminator_lr: float = _between(2e-4, 0)
    beta1: float = _between(0.5, 0, 0.9999)
    beta2: float = _between(0.999, 0, 0.99999)
    ema_decay: float = _between(0.0, 0, 0.99999)  # of SE's and G's weights; 0: no moving average


@dataclass(frozen=True)
class TrainingConfig:
    """The loop."""

    batch_size: int = _between(2, 1)  # clips a step, over all workers together
    steps: int = _between(200_000, 1)  # in all, over resumes
    minutes: float = _between(0.0, 0)  # in all, over resumes; 0: no limit but `steps`
    seed: int = _between(0, 0, 2**63 - 1)
    save_every_steps: int = _between(500, 1)
    keep_checkpoints: int = _between(3, 1)  # the last so many, besides the best
    validate_every_steps: int = _between(2000, 1)
    validate_clips: int = _between(8, 1)  # clips of the split `val`, one a source
    micro_batches: int = _between(1, 1)  # parts of a batch that are done one after the other; same gradients
    frames_per_chunk: int = _between(0, 0)  # frames a clip made at once, the rest recomputed for the gradients; 0: all
    loader_workers: int = _between(2, 0)  # processes that read clips; 0: read in the training process
    clip_cache_gib: float = _between(10.0, 0)  # GiB of clips from an object store that stay on this machine; 0: none
    threads: int = _between(0, 0)  # of the CPU, at most; 0: as many as torch takes, one for each core
    compile: bool = False  # torch.compile the networks
    collapse_steps: int = _between(2000, 0)  # stop where a discriminator is of no use for so many steps; 0: never


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

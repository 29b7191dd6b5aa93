"""How often generated video is taken for real by a small network that learnt to tell the two apart.

It sees three successive frames at a time. Sources are halved: what it says of one half it learnt from the other, so
that it has seen no video that it judges. With few sources it learns little, and little says nothing.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2v_ray.training.data.pixels import to_bytes, to_float
from s2v_ray.training.threads import at_most_threads

FRAMES = 3  # in a window
_MOST_CLIPS = 64  # evenly spaced over all
_LEAST_SOURCES = 4
# Learning from squares of 32 pixels takes a quarter of the time at a resolution of 64, a sixteenth at 128. The judge is
# then right on 0.95 and 0.93 of windows of GRID and of hand, in place of 0.98 and 0.94 from whole frames.
_CROP = 32
_STEPS, _BATCH, _LEARNING_RATE, _WEIGHT_DECAY = 300, 16, 3e-3, 0.05
_STEEPNESS = 8.0  # of a window's mean logit, in which patches that don't move are near 0
_JUDGED_EVERY = 4  # frames


@dataclass(frozen=True)
class Pair:
    """A clip's generated and its real video, uint8 [T, H, W, 3]."""

    number: int  # of the clip
    source: str
    made_THWC: Tensor
    real_THWC: Tensor


def chosen(clips: int) -> set[int]:
    """Which of so many clips are judged."""
    return set(np.unique(np.linspace(0, clips - 1, min(clips, _MOST_CLIPS)).round().astype(int)).tolist())


def pair(number: int, source: str, made_TCHW: Tensor, real_TCHW: Tensor) -> Pair:
    """Videos in [-1, 1], kept as bytes."""
    return Pair(number, source, to_bytes(made_TCHW), to_bytes(real_TCHW))


def taken_for_real(pairs: Sequence[Pair], seed: int) -> dict[int, tuple[float, float]]:
    """By the number of the clip: the shares of windows of its generated and of its real video that are taken for real.

    Empty with fewer than four sources, and for clips of fewer than three frames. A perfect judge gives 0 and 1, one
    that can't tell them apart the same for both.
    """
    sources = sorted({pair.source for pair in pairs})
    if len(sources) < _LEAST_SOURCES or min(len(pair.real_THWC) for pair in pairs) < FRAMES:
        return {}
    halves = np.random.default_rng(seed).permutation(len(sources)) % 2
    half_of = dict(zip(sources, halves.tolist(), strict=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = _judge(24)

    def judged(half: int) -> dict[int, tuple[float, float]]:
        taught = _trained(deepcopy(judge), [pair for pair in pairs if half_of[pair.source] != half], seed)
        own = [pair for pair in pairs if half_of[pair.source] == half]
        return {pair.number: (_share(taught, pair.made_THWC), _share(taught, pair.real_THWC)) for pair in own}

    # One thread for each half: sums have the same order on every machine.
    with at_most_threads(1), ThreadPoolExecutor(2) as threads:
        first, second = threads.map(judged, (0, 1))
    return first | second


def _judge(channels: int) -> nn.Sequential:
    """A logit for each patch of 22 x 22 pixels."""
    return nn.Sequential(
        nn.Conv2d(3 * FRAMES, channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * channels, 2 * channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * channels, 1, 1),
        nn.Flatten(),
    )


def _trained(judge: nn.Module, pairs: Sequence[Pair], seed: int) -> nn.Module:
    """The judge, taught so that its logits are above 0 for real windows."""
    random = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=_STEPS)
    for _ in range(_STEPS):
        cropped = [_random_windows(pairs[own], random) for own in random.choice(len(pairs), size=_BATCH).tolist()]
        batch_NCHW = _windows(torch.cat(cropped))
        if random.integers(2):
            batch_NCHW = batch_NCHW.flip(-1)
        logits_N2P = judge(batch_NCHW).unflatten(0, (_BATCH, 2))
        # By patch and by window: only some patches move.
        loss = _error(logits_N2P) + _error(_STEEPNESS * logits_N2P.mean(2))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return judge.eval()


def _error(logits_N2: Tensor) -> Tensor:
    """Binary cross-entropy of logits [N, 2, ...], of which the first of two is of real frames."""
    return functional.softplus(-logits_N2[:, 0]).mean() + functional.softplus(logits_N2[:, 1]).mean()


def _random_windows(own: Pair, random: np.random.Generator) -> Tensor:
    """A window of the real video and one of the generated one, of the same square, as `_windows` takes them."""
    height, width = own.real_THWC.shape[1:3]
    top, left = (int(random.integers(max(side - _CROP, 0) + 1)) for side in (height, width))
    videos = [video_THWC[:, top : top + _CROP, left : left + _CROP] for video_THWC in (own.real_THWC, own.made_THWC)]
    starts = random.integers(len(own.real_THWC) - FRAMES + 1, size=2).tolist()
    return torch.cat([_bytes(video_THWC, [start]) for video_THWC, start in zip(videos, starts, strict=True)])


def _share(judge: nn.Module, video_THWC: Tensor) -> float:
    """Of a video's windows, those that are taken for real."""
    starts = list(range(0, len(video_THWC) - FRAMES + 1, _JUDGED_EVERY))
    with torch.no_grad():
        return float((judge(_windows(_bytes(video_THWC, starts))).mean(1) > 0).float().mean())


def _bytes(video_THWC: Tensor, starts: Sequence[int]) -> Tensor:
    """The first frame and the three from each of these on, uint8 [N, 1 + FRAMES, H, W, 3]."""
    return torch.stack([video_THWC[[0, *range(start, start + FRAMES)]] for start in starts])


def _windows(frames_NTHWC: Tensor) -> Tensor:
    """Windows [N, 3 · FRAMES, H, W]: what moves, and the frame in which it does.

    They are the frame in the middle, its difference to the first of the video, and twice that to the frames around it.
    """
    first, before, middle, after = to_float(frames_NTHWC).unbind(1)
    return torch.cat([middle, 2 * (middle - first), 4 * (after - before)], dim=1)

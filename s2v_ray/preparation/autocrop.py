"""Automatic cropping: the square of the frames that moves with the sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.reformatter import VideoReformatter

from s2v_ray.dataset.settings import AUTO, ClipSettings
from s2v_ray.errors import MediaError
from s2v_ray.media.decoding.audio import sound_windows
from s2v_ray.media.decoding.media_file import MediaFile
from s2v_ray.media.decoding.rgb import Crop, scaled_width, whole_frame
from s2v_ray.media.decoding.seeking import seek
from s2v_ray.media.decoding.timeline import displayed_frames
from s2v_ray.metrics.correlation import circular_correlations
from s2v_ray.metrics.loudness import power_between_frames
from s2v_ray.metrics.motion import frame_changes
from s2v_ray.preparation.quality.camera_motion import camera_motion
from s2v_ray.preparation.stabilise import median_image, smooth_grey, steadied

SCAN_HEIGHT = 144  # pixels
# Motion may be seen this long before or after it is heard.
_MAX_LAG_SECONDS = 0.2
# Cells along the shorter side in which motion is measured: fine enough for a mouth, coarse enough to average noise.
_CELLS = 24
# Motion must follow the sound this many times better than it follows the same sound at other moments.
_OVER_CHANCE = 2.0
# Of all that motion changes over time, at least this share must follow the sound.
_LEAST_SHARE = 0.012
# A square gains what follows the sound in it, and loses this many times what an average area of its size has: the
# higher, the tighter it is. Then it is enlarged, since a model needs to see a little of what surrounds what moves.
_AREA_COST, _MARGIN = 2.0, 1.35
_SMALLEST = 0.15  # of the shorter side, before it is enlarged
# Where `auto` crops: it must hold this share of what follows the sound, this many times as densely as the frame does,
# and be at most this much of the shorter side.
_CLEAR_SHARE, _CLEAR_DENSITY, _LARGEST_CLEAR = 0.3, 4.0, 0.7
_SCANNED_WINDOWS = 4  # of a source


@dataclass(frozen=True)
class MotionScan:
    """How a source looks and where it moves, in upright frames scaled to a height of 144 pixels.

    `overview_HW`: uint8, the median frame in grey. `motion_2HW`: how much of each pixel's motion over time follows the
    sound, and how much there is. `camera_motion` is that of the central square, in its sides a second.
    """

    overview_HW: np.ndarray
    motion_2HW: np.ndarray
    camera_motion: float


def scan_motion(
    media: MediaFile, starts: Sequence[Fraction], width: int, height: int, settings: ClipSettings
) -> MotionScan | None:
    """Scan up to four of the windows at `starts` (seconds); None where all of them lack picture or sound.

    `width` × `height` is the video's upright size. Frames are steadied first: what the head or the camera does must not
    count.
    Raises MediaError `not_found`, `unreadable`, `no_video`, `no_audio`, `undecodable_video`, `undecodable_audio` or
    `too_slow`.
    """
    sample_count = settings.frames * settings.samples_per_frame
    step = max(1, -(-len(starts) // _SCANNED_WINDOWS))
    scan_width = scaled_width(width, height, SCAN_HEIGHT)
    maps, looks, moves = [], [], []
    for start in starts[step // 2 :: step]:
        try:
            frames_THWC = read_whole_frames(media, start, settings.frames, settings.rate, scan_width)
        except MediaError as error:
            if error.code == "no_picture_in_window":
                continue
            raise
        (wave,) = sound_windows(media, [start], sample_rate=settings.sample_rate, sample_count=sample_count)
        if not isinstance(wave, MediaError):
            maps.append(_sound_motion(steadied(frames_THWC), wave, settings.rate))
            looks.append(median_image(smooth_grey(frames_THWC)))
            moves.append(camera_motion(_central_square(frames_THWC), settings.rate))
    if not maps:
        return None
    return MotionScan(median_image(np.stack(looks)), np.sum(maps, axis=0), float(np.median(moves)))


def read_whole_frames(
    media: MediaFile, start: Fraction, frame_count: int, frame_rate: Fraction, width: int, height: int = SCAN_HEIGHT
) -> np.ndarray:
    """Uncropped frames uint8 RGB [T, height, width, 3], upright, from `start` seconds on; all are scaled to this size.

    Frame t is what is displayed at start + (t + ½) / frame_rate. Decoding starts at the keyframe before.
    Raises MediaError `no_picture_in_window`, `undecodable_video`, `too_slow`, and what `MediaFile.video` raises.
    """
    middles = [start + (t + Fraction(1, 2)) / frame_rate for t in range(frame_count)]
    frames: list[np.ndarray] = []
    track, reformatter = media.video(), VideoReformatter()
    seek(track, start)
    for displayed_from, displayed_until, frame in displayed_frames(track):
        frame_HWC = None
        while len(frames) < frame_count and displayed_from <= middles[len(frames)] < displayed_until:
            if frame_HWC is None:
                frame_HWC = whole_frame(frame, height, track.stream.sample_aspect_ratio, reformatter, width)
            frames.append(frame_HWC)
        if len(frames) == frame_count:
            return np.stack(frames)
    missing = f"{frame_count - len(frames)} of {frame_count} frames"
    raise MediaError("no_picture_in_window", f"{missing} from {float(start):.3f} s lie outside '{media.path}'.")


def find_crop(motion_2HW: np.ndarray, width: int, height: int, settings: ClipSettings) -> Crop | None:
    """The square that moves with the sound, of upright frames of `width` × `height` pixels.

    `motion_2HW` are the maps of a `MotionScan`, or their sum over scans. None where nothing follows the sound or, if
    `settings.crop` is auto, where no square does so clearly more than the rest. Its size is at least
    `settings.stored_size` where the frames have as many pixels.
    """
    follows_HW, spread_HW = motion_2HW
    if follows_HW.sum() <= _LEAST_SHARE * spread_HW.sum():
        return None
    x, y, size, share = _best_square(follows_HW)
    scale, shorter = height / len(follows_HW), min(width, height)
    density = share * follows_HW.size / size**2
    enlarged = min(round(max(size * scale * _MARGIN, settings.stored_size)), shorter)
    is_clear = share >= _CLEAR_SHARE and density >= _CLEAR_DENSITY and enlarged <= _LARGEST_CLEAR * shorter
    if settings.crop == AUTO and not is_clear:
        return None
    left, top = (round(scale * (at + size / 2) - enlarged / 2) for at in (x, y))
    return Crop(min(max(left, 0), width - enlarged), min(max(top, 0), height - enlarged), enlarged)


def _central_square(frames_THWC: np.ndarray) -> np.ndarray:
    height, width = frames_THWC.shape[1:3]
    size = min(height, width)
    y, x = (height - size) // 2, (width - size) // 2
    return frames_THWC[:, y : y + size, x : x + size]


def _best_square(follows_HW: np.ndarray) -> tuple[int, int, int, float]:
    """x, y and size of the square that gains most, and its share of the sum."""
    height, width = follows_HW.shape
    shorter = min(height, width)
    smooth_HW = _blur(follows_HW / follows_HW.sum(), max(1, shorter // (2 * _CELLS)))
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = smooth_HW.cumsum(axis=0).cumsum(axis=1)
    best, most = (0, 0, shorter, 0.0), -np.inf
    for size in range(max(1, round(_SMALLEST * shorter)), shorter + 1):
        share_YX = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
        y, x = np.unravel_index(int(np.argmax(share_YX)), share_YX.shape)
        gain = share_YX[y, x] - _AREA_COST * size**2 / (height * width)
        if gain > most:
            best, most = (int(x), int(y), size, float(share_YX[y, x])), gain
    return best


def _sound_motion(frames_THWC: np.ndarray, wave: np.ndarray, frame_rate: Fraction) -> np.ndarray:
    """Two maps [2, H, W]: how much of each pixel's motion over time follows the sound, and how much there is."""
    motion_TC, rows, columns = _cell_motion(frames_THWC)
    loudness_T = np.sqrt(power_between_frames(wave, len(frames_THWC)))
    spread_C = motion_TC.std(axis=0)
    follows_SC = np.maximum(circular_correlations(motion_TC, loudness_T), 0) ** 2 * spread_C
    lag = min(round(_MAX_LAG_SECONDS * float(frame_rate)), (len(follows_SC) - 1) // 4)
    near = np.arange(-lag, lag + 1)
    best = near[np.argmax(follows_SC[near].sum(axis=1))]
    # A cell that moves at all follows any sound a little: what other moments show is subtracted.
    chance_C = np.delete(follows_SC, near, axis=0).mean(axis=0)
    follows_C = np.maximum(follows_SC[best] - _OVER_CHANCE * chance_C, 0)
    maps = np.stack([follows_C, spread_C]).reshape(2, len(rows) - 1, len(columns) - 1)
    return maps.repeat(np.diff(rows), axis=1).repeat(np.diff(columns), axis=2)


def _cell_motion(frames_THWC: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean |V_t − V_{t−1}| [T − 1, cells], and the edges of the cells' rows and columns in pixels."""
    height, width = frames_THWC.shape[1:3]
    side = max(1.0, min(height, width) / _CELLS)
    rows, columns = (np.linspace(0, length, max(1, round(length / side)) + 1).astype(int) for length in (height, width))
    areas = np.outer(np.diff(rows), np.diff(columns)).ravel()
    grey_THW = frames_THWC.mean(axis=3, dtype=np.float32)
    cells = [
        np.add.reduceat(np.add.reduceat(change_HW, rows[:-1], axis=0), columns[:-1], axis=1).ravel()
        for change_HW in frame_changes(grey_THW)
    ]
    return np.stack(cells) / areas, rows, columns


def _blur(values_HW: np.ndarray, radius: int) -> np.ndarray:
    """Two box means of 2 · radius + 1 pixels each way, edges repeated."""
    box = np.ones(2 * radius + 1) / (2 * radius + 1)
    for _ in range(4):  # down, across, down, across
        padded = np.pad(values_HW, ((radius, radius), (0, 0)), mode="edge")
        values_HW = np.apply_along_axis(np.convolve, 0, padded, box, mode="valid").T
    return values_HW

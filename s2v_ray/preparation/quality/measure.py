"""Is a window worth learning from: the paper's conditions, measured on its frames and its sound.

The paper takes clips that sound, move, are filmed by a still camera, and whose sound belongs to what moves.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np

from s2v_ray.dataset.measures import Measures, QualityLimits

# What every level below it counts as: digital silence has none.
SILENCE_DB = -100.0
MAX_LAG_FRAMES = 45
# A peak of the correlation that is wider tells no lag.
_PEAK_FRAMES = 10
# The camera is followed in steps of this: short enough for pans, and longer than a frame that is shown twice.
_STEP_SECONDS = Fraction(1, 15)
_ANALYSIS_SIZE = 36  # pixels a side: coding noise is gone, movement is not
_TILES = 4  # a side
_LEAST_TILES = 4
# A corner counts from this change of grey a pixel, in [0, 1], in the direction where it changes least.
_LEAST_TEXTURE = 0.005
_CUT_SAMPLES = 12  # a side
_CUT_FRAMES, _LEAST_CUT_FRAMES = 12, 8
_CUT_CANDIDATES = 4


def measure_window(frames_THWC: np.ndarray, wave: np.ndarray, frame_rate: Fraction, sample_rate: int) -> Measures:
    """Measure one window: `frames_THWC` uint8 RGB [T, S, S, 3], T >= 2, `wave` int16 mono of the same duration.

    Raises ValueError for other shapes or types.
    """
    if frames_THWC.ndim != 4 or frames_THWC.shape[3] != 3 or frames_THWC.dtype != np.uint8 or len(frames_THWC) < 2:
        raise ValueError(f"frames are {frames_THWC.dtype} {frames_THWC.shape}, but must be uint8 [T >= 2, S, S, 3].")
    if wave.ndim != 1 or wave.dtype != np.int16 or len(wave) * frame_rate != len(frames_THWC) * sample_rate:
        raise ValueError(
            f"wave is {wave.dtype} {wave.shape}, but must be int16 "
            f"({len(frames_THWC) * sample_rate / frame_rate},) for {len(frames_THWC)} frames."
        )
    motion_T = motion_energy(frames_THWC)
    loudness_T = loudness_between_frames(wave, len(frames_THWC))
    sync_correlation, lag, confidence = sound_lag(motion_T, loudness_T)
    return Measures(
        loudness_db=_loudness_db(wave),
        motion=float(motion_T.mean()),
        camera_motion=camera_motion(frames_THWC, frame_rate),
        scene_cut=scene_cut(frames_THWC),
        sync_correlation=sync_correlation,
        lag_frames=float(lag),
        lag_confidence=confidence,
    )


def rejection_reason(measures: Measures, limits: QualityLimits) -> tuple[str, str] | None:
    """Why a window is rejected: (reason word, sentence), the first that holds; None where it is good.

    Reasons: `silent`, `still_picture`, `camera_moves`, `scene_cut`, `lag`.
    """
    if measures.loudness_db < limits.min_loudness_db:
        return "silent", (
            f"Its loudness is {measures.loudness_db:.1f} dB of full scale, below {limits.min_loudness_db:g}; "
            "lower --min-loudness-db to keep it."
        )
    if measures.motion < limits.min_motion:
        return "still_picture", (
            f"Its picture changes by {measures.motion:.5f} a frame, below {limits.min_motion:g}; "
            "lower --min-motion to keep it."
        )
    if measures.camera_motion > limits.max_camera_motion:
        return "camera_moves", (
            f"The whole picture moves by {measures.camera_motion:.3f} of its side a second, "
            f"above {limits.max_camera_motion:g}; raise --max-camera-motion to keep it."
        )
    if measures.scene_cut > limits.max_scene_cut:
        return "scene_cut", (
            f"The picture changes at once and for good by {measures.scene_cut:.3f}, above {limits.max_scene_cut:g}, "
            "as at a cut; raise --max-scene-cut to keep it."
        )
    late = abs(measures.lag_frames)
    if (
        limits.max_lag_frames is not None
        and measures.lag_confidence >= limits.min_lag_confidence
        and late > limits.max_lag_frames
    ):
        side = "after" if measures.lag_frames > 0 else "before"
        return "lag", (
            f"The sound comes {late:.0f} frames {side} the motion (confidence {measures.lag_confidence:.2f}), more "
            f"than {limits.max_lag_frames}; raise --max-lag-frames to keep it."
        )
    return None


def motion_energy(frames_THWC: np.ndarray) -> np.ndarray:
    """Mean |V_t - V_{t-1}| of a video in [0, 1], float64 [T - 1]; entry t - 1 lies between frames t - 1 and t."""
    return np.array(
        [
            np.subtract(np.maximum(frame, before), np.minimum(frame, before)).mean() / 255
            for before, frame in pairwise(frames_THWC)
        ]
    )


def loudness_between_frames(wave: np.ndarray, frame_count: int) -> np.ndarray:
    """Loudness in dB, float64 [T - 1], of as long as a frame lasts around the ends of all frames but the last."""
    edges = (np.arange(frame_count) + 0.5) * len(wave) / frame_count
    energies = np.add.reduceat(np.square(wave, dtype=np.float32), edges.astype(int))[:-1]
    means = energies.astype(np.float64) / np.diff(edges.astype(int))
    return np.maximum(10 * np.log10(means / 32768**2 + 1e-20), SILENCE_DB)


def sound_lag(motion_T: np.ndarray, loudness_T: np.ndarray) -> tuple[float, int, float]:
    """(correlation as they lie, best lag in frames, confidence in [0, 1]) of two curves of equal length.

    Positive: the sound comes after the motion. As in `metrics.lag`, each shift within ±45 frames and half of the
    curves is scored by Pearson's correlation over what overlaps. Confidence is how far the best stands above all
    that is not its peak; 0 where that lies at the end of the search, and where a curve is flat.
    """
    sharp_motion_T = np.sqrt(motion_T)  # so that one burst does not outshout the rest
    furthest = min(MAX_LAG_FRAMES, len(motion_T) // 2, len(motion_T) - 3)
    if furthest < 1:
        return _pearson(sharp_motion_T, loudness_T), 0, 0.0
    lags = np.arange(-furthest, furthest + 1)
    length = len(motion_T)
    scores = np.array(
        [
            _pearson(
                sharp_motion_T[max(-lag, 0) : length - max(lag, 0)], loudness_T[max(lag, 0) : length + min(lag, 0)]
            )
            for lag in lags.tolist()
        ]
    )
    best = int(np.argmax(scores))
    peak = scores[best]
    if peak <= 0:
        return float(scores[furthest]), 0, 0.0
    left = right = best  # down both slopes of the peak
    while left > max(0, best - _PEAK_FRAMES) and scores[left - 1] <= scores[left]:
        left -= 1
    while right < min(len(scores) - 1, best + _PEAK_FRAMES) and scores[right + 1] <= scores[right]:
        right += 1
    others = np.concatenate([scores[:left], scores[right + 1 :]])
    inside = 0 < best < len(scores) - 1  # at the end of the search it may go on rising
    confidence = float(peak - others.max(initial=0.0)) if inside else 0.0
    return float(scores[furthest]), int(lags[best]), confidence


def camera_motion(frames_THWC: np.ndarray, frame_rate: Fraction) -> float:
    """How fast the calmest quarter of the picture moves, on average, in sides of the picture a second.

    A still camera leaves some of the picture where it is, a moving one nothing. Lucas & Kanade's shift (1981) is
    found for each of 4 x 4 tiles, and counts by how much of the tile's change it explains, so that flashes, fire and
    foam count little, and by how much of all tiles' shifts one movement of the camera explains. Tiles without lasting
    texture tell nothing; 0 where fewer than four do. A zoom counts about half: the middle of the picture is calm.
    """
    step = max(1, round(frame_rate * _STEP_SECONDS))
    gray_TXY = _small_gray(frames_THWC[::step])
    if len(gray_TXY) < 2:
        return 0.0
    size = gray_TXY.shape[1]
    gray_TXY = _smooth(gray_TXY)
    middle = (gray_TXY[:-1] + gray_TXY[1:]) / 2
    along_x = (middle[:, 1:-1, 2:] - middle[:, 1:-1, :-2]) / 2
    along_y = (middle[:, 2:, 1:-1] - middle[:, :-2, 1:-1]) / 2
    over_t = (gray_TXY[1:] - gray_TXY[:-1])[:, 1:-1, 1:-1]
    xx, xy, yy = _tile_means(along_x * along_x), _tile_means(along_x * along_y), _tile_means(along_y * along_y)
    xt, yt, tt = _tile_means(along_x * over_t), _tile_means(along_y * over_t), _tile_means(over_t * over_t)
    determinant = xx * yy - xy * xy
    # The structure tensor's smaller eigenvalue: an edge alone shows only half of a shift.
    texture = (xx + yy) / 2 - np.sqrt(np.maximum((xx - yy) ** 2 / 4 + xy * xy, 0))
    shift_x = -(yy * xt - xy * yt) / (determinant + 1e-12)
    shift_y = -(xx * yt - xy * xt) / (determinant + 1e-12)
    explained = np.clip(-(shift_x * xt + shift_y * yt) / (tt + 1e-9), 0, 1)
    telling = np.quantile(texture, 0.25, axis=0) > _LEAST_TEXTURE**2
    if telling.sum() < _LEAST_TILES:
        return 0.0
    shift_PN2 = (np.stack([shift_x, shift_y], axis=-1) * explained[..., None])[:, telling]
    pixels_P = np.quantile(np.linalg.norm(shift_PN2, axis=-1), 0.25, axis=1) * _coherence(shift_PN2, telling)
    return float(pixels_P.mean() / size * float(frame_rate) / step)


def _coherence(shift_PN2: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """The share, [P], of the tiles' shifts that one pan, zoom and roll of the camera explains: adjusted R²."""
    places = np.stack(np.divmod(np.flatnonzero(telling), _TILES)[::-1], axis=-1) - (_TILES - 1) / 2  # x, y
    places = places - places.mean(axis=0)
    x, y = places.T
    u, v = shift_PN2[..., 0], shift_PN2[..., 1]
    pan_P = shift_PN2.mean(axis=1)
    zoom_P, roll_P = (x * u + y * v).sum(axis=1) / (x @ x + y @ y), (x * v - y * u).sum(axis=1) / (x @ x + y @ y)
    fitted_PN2 = pan_P[:, None] + np.stack(
        [np.outer(zoom_P, x) - np.outer(roll_P, y), np.outer(zoom_P, y) + np.outer(roll_P, x)], axis=-1
    )
    count = 2 * len(x)
    left_P = ((shift_PN2 - fitted_PN2) ** 2).sum(axis=(1, 2)) / (count - 4)
    return np.clip(1 - left_P / ((shift_PN2**2).sum(axis=(1, 2)) / count + 1e-12), 0, 1)


def scene_cut(frames_THWC: np.ndarray) -> float:
    """How much, in [0, 1], the picture changes at once and for good; 0 where it doesn't.

    At a cut, none of the 12 frames before is like any of the 12 after: a flash that goes out is no cut. It changes
    most of the picture, so that a burst in one place is none, and its pattern, so that a light switched on is none:
    the median change is taken times 1 - Pearson's correlation. What neighbouring frames change by anyway, as in a pan,
    is taken off. The first and the last eight frames of a window are too few to tell.
    """
    stride = max(1, frames_THWC.shape[1] // _CUT_SAMPLES)
    samples_TKC = frames_THWC[:, stride // 2 :: stride, stride // 2 :: stride].astype(np.int16)
    samples_TKC = samples_TKC.reshape(len(samples_TKC), -1, 3)
    # Over two frames, since rate conversion may blend those at a cut.
    change_T = np.concatenate([[0, 0], _difference(samples_TKC[2:], samples_TKC[:-2])])
    candidates = np.arange(_LEAST_CUT_FRAMES + 1, len(frames_THWC) - _LEAST_CUT_FRAMES + 1)
    most = 0.0
    for cut in candidates[np.argsort(-change_T[candidates], kind="stable")[:_CUT_CANDIDATES]].tolist():
        begin, end = max(0, cut - 1 - _CUT_FRAMES), cut + _CUT_FRAMES
        before_TKC, after_TKC = samples_TKC[begin : cut - 1], samples_TKC[cut:end]
        lasting = _difference(before_TKC[:, None], after_TKC[None]).min()
        likeness = (_standardized(before_TKC) @ _standardized(after_TKC).T).max()
        usual = np.quantile(np.concatenate([change_T[max(begin, 2) : cut - 1], change_T[cut + 2 : end]]), 0.9)
        most = max(most, float((lasting - 1.5 * usual) * (1 - likeness)))
    return most / 255


def _standardized(samples_TKC: np.ndarray) -> np.ndarray:
    """Each frame's samples as a vector of length 1, without its colour and its contrast: [T, K * C]."""
    vectors = (samples_TKC - samples_TKC.mean(axis=1, keepdims=True)).reshape(len(samples_TKC), -1)
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6)


def _difference(some_KC: np.ndarray, others_KC: np.ndarray) -> np.ndarray:
    """The median over samples [..., K, C] of the largest difference of a channel."""
    return np.median(np.abs(some_KC - others_KC).max(axis=-1), axis=-1)


def _loudness_db(wave: np.ndarray) -> float:
    power = float(np.mean(np.square(wave, dtype=np.float32))) / 32768**2
    return max(SILENCE_DB, 10 * float(np.log10(power + 1e-20)))


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation, 0 where one of the two is flat."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-9 else 0.0


def _small_gray(frames_THWC: np.ndarray) -> np.ndarray:
    """Gray in [0, 1], float32 [T, s, s] of about 36 pixels a side, by averaging blocks."""
    block = max(1, round(frames_THWC.shape[1] / _ANALYSIS_SIZE))
    size = frames_THWC.shape[1] // block
    gray = frames_THWC[:, : size * block, : size * block, 0].astype(np.uint16)
    gray += frames_THWC[:, : size * block, : size * block, 1]
    gray += frames_THWC[:, : size * block, : size * block, 2]
    total = np.zeros((len(gray), size, size), np.float32)
    for y in range(block):
        for x in range(block):
            total += gray[:, y::block, x::block]
    return total / (block * block * 3 * 255)


def _smooth(gray_TXY: np.ndarray) -> np.ndarray:
    """Binomial smoothing over three pixels in both directions, without a pixel at each border."""
    rows = (gray_TXY[:, :-2] + 2 * gray_TXY[:, 1:-1] + gray_TXY[:, 2:]) / 4
    return (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4


def _tile_means(values_TXY: np.ndarray) -> np.ndarray:
    """The means of 4 x 4 tiles, [T, 16]."""
    edges = np.linspace(0, values_TXY.shape[1], _TILES + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(values_TXY, edges, axis=1), edges, axis=2)
    return sums.reshape(len(sums), -1) * (_TILES / values_TXY.shape[1]) ** 2

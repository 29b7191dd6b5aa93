"""Is there a cut between two scenes?"""

import numpy as np

_SAMPLES = 12  # a side
_FRAMES, _LEAST_FRAMES = 12, 8
_CANDIDATES = 4


def scene_cut(frames_THWC: np.ndarray) -> float:
    """How much, in [0, 1], the frames change at once and for good; 0 where it doesn't.

    At a cut, none of the 12 frames before resembles any of the 12 after, unlike at a flash. A cut changes most of the
    frame, unlike a burst in one corner, and its pattern, unlike a light that is switched on: the measure is the
    median change times 1 - Pearson's correlation. What neighbouring frames change by anyway, as in a pan, is
    subtracted. The first and the last eight frames of a window are not examined.
    """
    stride = max(1, frames_THWC.shape[1] // _SAMPLES)
    samples_TKC = frames_THWC[:, stride // 2 :: stride, stride // 2 :: stride].astype(np.int16)
    samples_TKC = samples_TKC.reshape(len(samples_TKC), -1, 3)
    # Over two frames, since rate conversion may blend those at a cut.
    change_T = np.concatenate([[0, 0], _difference(samples_TKC[2:], samples_TKC[:-2])])
    candidates = np.arange(_LEAST_FRAMES + 1, len(frames_THWC) - _LEAST_FRAMES + 1)
    most = 0.0
    for cut in candidates[np.argsort(-change_T[candidates], kind="stable")[:_CANDIDATES]].tolist():
        start, end = max(0, cut - 1 - _FRAMES), cut + _FRAMES
        before_TKC, after_TKC = samples_TKC[start : cut - 1], samples_TKC[cut:end]
        lasting = _difference(before_TKC[:, None], after_TKC[None]).min()
        likeness = (_standardized(before_TKC) @ _standardized(after_TKC).T).max()
        usual = np.quantile(np.concatenate([change_T[max(start, 2) : cut - 1], change_T[cut + 2 : end]]), 0.9)
        most = max(most, float((lasting - 1.5 * usual) * (1 - likeness)))
    return most / 255


def _standardized(samples_TKC: np.ndarray) -> np.ndarray:
    """Each frame's samples as a vector of length 1, without its colour and its contrast: [T, K * C]."""
    vectors: np.ndarray = (samples_TKC - samples_TKC.mean(axis=1, keepdims=True)).reshape(len(samples_TKC), -1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6
    return vectors


def _difference(some_KC: np.ndarray, others_KC: np.ndarray) -> np.ndarray:
    """The median over samples [..., K, C] of the largest difference of a channel."""
    return np.asarray(np.median(np.abs(some_KC - others_KC).max(axis=-1), axis=-1))

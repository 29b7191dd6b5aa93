"""How alike two curves over time are."""

import numpy as np

# A curve that varies no more than this over time is flat. Rounding pixels in [-1, 1] to float32, all alike in the worst
# case, makes the energy of an even motion vary by up to half of it.
FLAT = float(np.finfo(np.float32).eps)
# Of the product of two curves' norms, such as of grey levels and of sound in full scale.
_NO_NORM = 3e-11


def pearson(a_T: np.ndarray, b_T: np.ndarray) -> float | None:
    """Pearson's correlation of two curves [T], in [-1, 1]; None where one of them is flat."""
    a_T, b_T = a_T - a_T.mean(), b_T - b_T.mean()
    a_std, b_std = np.sqrt(np.square(a_T).mean()), np.sqrt(np.square(b_T).mean())
    if min(a_std, b_std) <= FLAT:
        return None
    return float(np.clip((a_T * b_T).mean() / (a_std * b_std), -1, 1))


def circular_correlations(curves_TC: np.ndarray, reference_T: np.ndarray) -> np.ndarray:
    """Pearson's correlation [T, C] of each curve with the reference at each circular shift; row s: the curves s late.

    0 where one of the two is flat.
    """
    curves_TC, reference_T = curves_TC - curves_TC.mean(axis=0), reference_T - reference_T.mean()
    spectrum = np.fft.rfft(curves_TC, axis=0) * np.fft.rfft(reference_T).conj()[:, None]
    norm_C = np.linalg.norm(curves_TC, axis=0) * np.linalg.norm(reference_T)
    return np.fft.irfft(spectrum, len(curves_TC), axis=0) / np.where(norm_C > _NO_NORM, norm_C, np.inf)

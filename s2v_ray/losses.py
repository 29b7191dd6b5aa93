"""The paper's losses, as functions of logits and frames. Each is a mean over all its elements."""

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn import functional

_CELLS = 4  # in each direction of a map


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Equations 3 and 4, as what D minimises: −E[log D(real)] − E[log(1 − D(fake))], with D = sigmoid(logits)."""
    return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()


def adversarial_loss(fake_logits: Tensor, kind: str) -> Tensor:
    """The same for G to minimise: "saturating" E[log(1 − D(fake))], or "non_saturating" −E[log D(fake)]."""
    if kind == "saturating":
        return -functional.softplus(fake_logits).mean()
    if kind == "non_saturating":
        return functional.softplus(-fake_logits).mean()
    raise ValueError(f"kind is {kind!r}, but must be 'saturating' or 'non_saturating'.")


def reconstruction_loss(generated: Tensor, real: Tensor, kind: str) -> Tensor:
    """Equation 5: the mean absolute error ("l1") or mean squared error ("l2") over all frames, of any equal shapes."""
    if generated.shape != real.shape:
        raise ValueError(
            f"generated is {tuple(generated.shape)} and real {tuple(real.shape)}, but their shapes must be equal."
        )
    if kind == "l1":
        return functional.l1_loss(generated, real)
    if kind == "l2":
        return functional.mse_loss(generated, real)
    raise ValueError(f"kind is {kind!r}, but must be 'l1' or 'l2'.")


def thumbnail_loss(predicted_BTP: Tensor, real_BTP: Tensor) -> Tensor:
    """The mean squared error of the thumbnails of all frames, each relative to its clip's mean."""
    if predicted_BTP.shape != real_BTP.shape:
        shapes = f"predicted_BTP is {tuple(predicted_BTP.shape)} and real_BTP {tuple(real_BTP.shape)}"
        raise ValueError(f"{shapes}, but their shapes must be equal.")
    return functional.mse_loss(predicted_BTP, real_BTP)


def feature_matching_loss(fake_maps: Sequence[Tensor], real_maps: Sequence[Tensor]) -> Tensor:
    """How far what a discriminator sees in generated frames is from what it sees in the real ones of the same moments.

    Maps [N, C, ..., H, W] are compared as means over 4 x 4 cells: what texture there is counts, not where in a cell
    each spark of it lies, which no sound determines. The mean absolute difference of a sample's cells, relative to the
    mean absolute value of the real one's, is averaged over samples and maps (after Wang et al. 2018, arXiv:1711.11585,
    equation 4, and Salimans et al. 2016, arXiv:1606.03498, section 3.1). Relative to each sample's own, so that the
    parts of a batch make the gradient of the whole.
    """
    terms = []
    for fake, real in zip(fake_maps, real_maps, strict=True):
        fake_ND, real_ND = (
            functional.adaptive_avg_pool2d(maps.flatten(1, -3), _CELLS).flatten(1) for maps in (fake, real)
        )
        terms.append(((fake_ND - real_ND).abs().mean(1) / real_ND.abs().mean(1).clamp(min=1e-6)).mean())
    return sum(terms[1:], terms[0]) / len(terms)


def generator_loss(
    adversarial: Mapping[str, Tensor],
    weights: Mapping[str, float],
    reconstruction: Tensor,
    reconstruction_weight: float,
) -> Tensor:
    """Equations 1 and 2: Σ λ · L_adv over the discriminators in `weights` + reconstruction_weight · L_rec."""
    return sum((weight * adversarial[name] for name, weight in weights.items()), reconstruction_weight * reconstruction)

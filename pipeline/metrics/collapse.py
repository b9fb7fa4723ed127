"""Whether features have collapsed to a point, or to few directions."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-300  # instead of the sum of no eigenvalues: features that are all 0 are all the same


@torch.no_grad()
def feature_std(features: Tensor) -> float:
    r"""Return $\sqrt d$ times the standard deviation of the L2-normalised features, a mean over the d channels.

    It is about 1 where the features spread evenly over the sphere and 0 where they are all the same; two opposite
    points also give up to 1, which `effective_rank` tells apart.

    Args:
        features: Features of at least two images, `(n, d)`.

    Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021, figure 2.
    """
    unit = F.normalize(features.double())
    return math.sqrt(unit.shape[1]) * unit.std(0).mean().item()


@torch.no_grad()
def effective_rank(features: Tensor) -> float:
    r"""Return $\exp(-\sum_i p_i \log p_i)$, p the eigenvalues of the second moment of L2-normalised features.

    The moment is taken about 0, not about the mean: features that are all the same, or the same but for their sign,
    give 1; features that spread evenly give d. If any feature is not finite, the rank is NaN.

    Args:
        features: Features of images, `(n, d)`.

    Reference: Roy & Vetterli, The Effective Rank: a Measure of Effective Dimensionality, EUSIPCO 2007 (there of
    the singular values; these are their squares).
    """
    unit = F.normalize(features.double())
    if not unit.isfinite().all():  # a matrix of such numbers has no eigenvalues
        return math.nan
    small = unit.T @ unit if unit.shape[1] <= len(unit) else unit @ unit.T  # the same eigenvalues but for zeros
    share = torch.linalg.eigvalsh(small / len(unit)).clamp_min(0)
    return math.exp(torch.special.entr(share / share.sum().clamp_min(TINY)).sum().item())

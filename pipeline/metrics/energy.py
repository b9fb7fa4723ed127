"""Energy distance between two sets of points."""

import torch
from torch import Tensor


def energy_distance(x: Tensor, y: Tensor) -> float:
    r"""Estimate $2 E|X - Y| - E|X - X'| - E|Y - Y'|$ without bias; 0 on average if both follow one distribution.

    Args:
        x: Independent points of one distribution, `(n, d)`.
        y: Independent points of the other, `(m, d)`.

    Reference: Székely & Rizzo, Energy statistics, Journal of Statistical Planning and Inference 143, 2013.
    """
    within = [torch.cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y)]
    return float(2 * torch.cdist(x, y).mean() - within[0] - within[1])

r"""Kernel distance (KID on Inception features): the squared maximum mean discrepancy with a cubic kernel, without bias.

$$\widehat{\mathrm{MMD}}^2 = \frac{1}{m(m-1)} \sum_{i \ne j} \big(k(x_i, x_j) + k(y_i, y_j)\big)
- \frac{2}{m^2} \sum_{i,j} k(x_i, y_j), \qquad k(x, y) = \Big(\frac{x^T y}{d} + 1\Big)^3$$

Its expectation does not depend on the number of images m, unlike that of the Fréchet distance; single values may be
negative.

It is our own, since torch-fidelity holds three whole kernel matrices on the CPU and computes in the features' float32,
where the sixth digit is wrong; torchmetrics takes images instead of features, and torch's global random numbers.

Reference: Binkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs, ICLR 2018.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.metrics.pairs import SIDE, tiles

SUBSETS = 2020  # seed of the subsets: torch-fidelity's, so that equal features score equally


def kernel_distance(fake: Tensor, real: Tensor, subsets: int, size: int) -> tuple[float, float]:
    """Return the mean of the squared MMD over random subsets, and its standard deviation over them.

    Args:
        fake: Features of generated images, `(n, d)`.
        real: Features of reference images, `(m, d)`.
        subsets: Number of pairs of subsets, one of the generated and one of the reference images.
        size: Number of images in a subset, sampled without replacement.

    Raises:
        ValueError: If there are fewer images than a subset holds.
    """
    if size > min(len(fake), len(real)):
        raise ValueError(
            f"a subset of {size} images cannot be sampled from {len(fake)} generated and {len(real)} reference images"
        )
    random = np.random.RandomState(SUBSETS)
    values = []
    for _ in range(subsets):
        x, y = (
            features[torch.from_numpy(random.choice(len(features), size, replace=False)).to(features.device)]
            for features in (fake, real)
        )
        values.append(squared_mmd(x, y))
    return float(np.mean(values)), float(np.std(values))


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """Return the unbiased estimate of the squared MMD from features `(n, d)` and `(m, d)`, in float64."""
    n, m = len(x), len(y)
    within = _off_diagonal_sum(x) / (n * (n - 1)) + _off_diagonal_sum(y) / (m * (m - 1))
    return float(within - 2 * _kernel_sum(x, y) / (n * m))


def _kernel_sum(x: Tensor, y: Tensor) -> Tensor:
    d = x.shape[1]
    return torch.stack([_sum_of_cubes((rows @ columns.T).div_(d).add_(1)) for *_, rows, columns in tiles(x, y)]).sum()


def _off_diagonal_sum(x: Tensor) -> Tensor:
    diagonal = [_sum_of_cubes(rows.double().square().sum(1) / x.shape[1] + 1) for rows in x.split(SIDE)]
    return _kernel_sum(x, x) - torch.stack(diagonal).sum()


def _sum_of_cubes(base: Tensor) -> Tensor:
    base = base.flatten()
    return base.square().dot(base)  # `pow` is many times slower, and the cubes need not be kept

r"""Kernel distance (KID on Inception features): the squared maximum mean discrepancy with a cubic kernel, without bias.

$$\widehat{\mathrm{MMD}}^2 = \frac{1}{m(m-1)} \sum_{i \ne j} \big(k(x_i, x_j) + k(y_i, y_j)\big)
- \frac{2}{m^2} \sum_{i,j} k(x_i, y_j), \qquad k(x, y) = \Big(\frac{x^T y}{d} + 1\Big)^3$$

Its expectation does not depend on the number of images m, unlike that of the Fréchet distance; single values may be
negative.

Reference: Binkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs, ICLR 2018.
"""

import numpy as np
import torch
from torch import Tensor

DRAWS = 2020  # seed of the subsets: that of torch-fidelity, for equal numbers from equal features


def kernel_distance(fake: Tensor, real: Tensor, subsets: int, size: int) -> tuple[float, float]:
    """Return the mean of the squared MMD over random subsets, and its standard deviation over them.

    Args:
        fake: features of generated images, `(n, d)`.
        real: features of reference images, `(m, d)`.
        subsets: number of subsets of each.
        size: images per subset, drawn without replacement.

    Raises:
        ValueError: if there are fewer images than a subset holds.
    """
    if size > min(len(fake), len(real)):
        raise ValueError(
            f"a subset of {size} images cannot be drawn from {len(fake)} generated and {len(real)} reference images"
        )
    random = np.random.RandomState(DRAWS)
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
    x, y = x.double(), y.double()
    within = sum((_kernel_sum(a, a) - _kernel_diagonal(a).sum()) / (len(a) * (len(a) - 1)) for a in (x, y))
    return float(within - 2 * _kernel_sum(x, y) / (len(x) * len(y)))


def _kernel_sum(x: Tensor, y: Tensor) -> Tensor:
    base = (x @ y.T).div_(x.shape[1]).add_(1).flatten()
    return base.square().dot(base)  # `pow` is many times slower, and the cubes need not be kept


def _kernel_diagonal(x: Tensor) -> Tensor:
    return (x.square().sum(1) / x.shape[1] + 1) ** 3

r"""Importance-sampled log-likelihood: estimates and diagnostics from log weights.

With $z_k \sim q(z|x)$ and $\log w_k = \log p(x|z_k) + \log p(z_k) - \log q(z_k|x)$,

$$L_K(x) = \log \frac1K \sum_{k=1}^K w_k, \qquad \mathrm{ELBO} = E[L_1] \le E[L_K] \le E[L_{K'}] \le \log p(x)$$

for 1 < K < K'. Reference: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, ICLR 2016.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


def rows(device: torch.device) -> int:
    """Return how many images, or samples of images, are decoded at once on a device.

    On a CPU about what stays in its cache; on a GPU enough to keep it busy, within the 8 GB of a small one.
    """
    return 2_000 if device.type == "cpu" else 10_000


class LatentVariableModel(Protocol):
    """What the estimator needs to know of a model."""

    def sample_latents(self, x: Tensor, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return samples z of q(z|x), `(n, samples, latent)`, and their log p(z) - log q(z|x), `(n, samples)`."""

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), `(n, samples)`, for images `(n, ...)` and latents `(n, samples, latent)`."""


@torch.no_grad()
def log_weights(model: LatentVariableModel, x: Tensor, samples: int, random: torch.Generator) -> Tensor:
    """Return the log weights of samples of every image's posterior.

    Args:
        model: The model, with its approximate posterior.
        x: Images, `(n, ...)`.
        samples: Number of samples per image.
        random: Source of the samples.

    Returns:
        float64 `(n, samples)`, in nats.
    """
    parts = []
    for start in range(0, samples, block := max(1, rows(x.device) // len(x))):
        z, prior_over_posterior = model.sample_latents(x, min(block, samples - start), random)
        parts.append(model.log_likelihood(x, z).double() + prior_over_posterior.double())
    return torch.cat(parts, 1)


def log_mean_exp(values: Tensor, dim: int = -1) -> Tensor:
    """Return log(mean(exp(values))) along `dim` in float64; the maximum is taken out, so that nothing overflows."""
    values = values.double()
    return torch.logsumexp(values, dim) - math.log(values.shape[dim])


def nested_estimates(log_weights: Tensor, samples: Sequence[int]) -> Tensor:
    """Return L_K of every image for several K from one set of samples.

    The samples of an image are cut into disjoint groups of K; the mean over the groups has the expectation of one group
    and a smaller variance.

    Args:
        log_weights: Log weights `(n, K_max)`, independent along the second axis.
        samples: Values of K, each a divisor of K_max.

    Returns:
        float64 `(n, len(samples))`.

    Raises:
        ValueError: If some K does not divide K_max.
    """
    n, largest = log_weights.shape
    if odd := [k for k in samples if largest % k]:
        raise ValueError(f"{odd[0]} does not divide the {largest} samples")
    return torch.stack([log_mean_exp(log_weights.view(n, largest // k, k)).mean(1) for k in samples], 1)


def effective_sample_size(log_weights: Tensor, k: int) -> Tensor:
    r"""Return $(\sum_k w_k)^2 / \sum_k w_k^2$ in float64, averaged over disjoint groups of `k` samples, `(n,)`.

    Args:
        log_weights: Log weights `(n, K_max)`, K_max a multiple of `k`.
        k: Number of samples per group; the result lies between 1 and `k`.
    """
    groups = log_weights.double().view(len(log_weights), -1, k)
    return torch.exp(2 * torch.logsumexp(groups, -1) - torch.logsumexp(2 * groups, -1)).mean(1)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean over images and its standard error (unbiased; 0 for a single image)."""
    error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return values.mean().item(), error

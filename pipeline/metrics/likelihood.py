r"""Importance-sampled log-likelihood: estimates and diagnostics from log weights.

With $z_k \sim q(z|x)$ and $\log w_k = \log p(x|z_k) + \log p(z_k) - \log q(z_k|x)$,

$$L_K(x) = \log \frac1K \sum_{k=1}^K w_k, \qquad \mathrm{ELBO} = E[L_1] \le E[L_K] \le E[L_{K'}] \le \log p(x)$$

for 1 < K < K'. Reference: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, ICLR 2016.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

ROWS = 2000  # images times samples decoded at once: about what stays in a processor's cache


class LatentVariableModel(Protocol):
    """What the estimator needs to know of a model."""

    def draw(self, x: Tensor, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return draws z from q(z|x), `(n, samples, latent)`, and their log p(z) - log q(z|x), `(n, samples)`."""

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), `(n, samples)`, for images `(n, ...)` and codes `(n, samples, latent)`."""


@torch.no_grad()
def log_weights(model: LatentVariableModel, x: Tensor, samples: int, random: torch.Generator) -> Tensor:
    """Return the log weights of `samples` draws per image.

    Args:
        model: the model, with its approximate posterior.
        x: images, `(n, ...)`.
        samples: draws per image.
        random: source of the draws.

    Returns:
        float64 `(n, samples)`, in nats.
    """
    parts = []
    for start in range(0, samples, step := max(1, ROWS // len(x))):
        z, prior_over_posterior = model.draw(x, min(step, samples - start), random)
        parts.append(model.log_likelihood(x, z).double() + prior_over_posterior.double())
    return torch.cat(parts, 1)


def log_mean_exp(values: Tensor, dim: int = -1) -> Tensor:
    """Return log(mean(exp(values))) along `dim` in float64; the maximum is taken out, so that nothing overflows."""
    values = values.double()
    return torch.logsumexp(values, dim) - math.log(values.shape[dim])


def nested_estimates(log_weights: Tensor, samples: list[int]) -> Tensor:
    """Return L_K of every image for several K from one set of draws.

    The draws of an image are cut into disjoint groups of K; the mean over the groups has the expectation of one group
    and a smaller variance.

    Args:
        log_weights: `(n, K_max)`, independent along the second axis.
        samples: values of K, each a divisor of K_max.

    Returns:
        float64 `(n, len(samples))`.

    Raises:
        ValueError: if some K does not divide K_max.
    """
    n, largest = log_weights.shape
    if odd := [k for k in samples if largest % k]:
        raise ValueError(f"{odd[0]} does not divide the {largest} draws")
    return torch.stack([log_mean_exp(log_weights.view(n, largest // k, k)).mean(1) for k in samples], 1)


def effective_sample_size(log_weights: Tensor, k: int) -> Tensor:
    r"""Return $(\sum_k w_k)^2 / \sum_k w_k^2$ in float64, averaged over disjoint groups of `k` draws, `(n,)`.

    Args:
        log_weights: `(n, K_max)`, K_max a multiple of `k`.
        k: draws per group; the result lies between 1 and `k`.
    """
    groups = log_weights.double().view(len(log_weights), -1, k)
    return torch.exp(2 * torch.logsumexp(groups, -1) - torch.logsumexp(2 * groups, -1)).mean(1)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean over images and its standard error (unbiased; NaN-free: 0 for a single image)."""
    error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return values.mean().item(), error

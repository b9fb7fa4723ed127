r"""Log-likelihoods, divergences and the evidence lower bound of variational autoencoders, one value per image.

$$\mathrm{ELBO}(x) = E_{q(z|x)}[\log p(x|z)] - \mathrm{KL}(q(z|x) \,\|\, p(z)) \le \log p(x), \qquad p(z) = N(0, I)$$

All values are in nats. Reference: Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    r"""Return the log-likelihood of binary images under independent pixels.

    $$\log p(x|z) = \sum_d x_d \log \mu_d + (1 - x_d) \log(1 - \mu_d), \qquad \mu = \mathrm{sigmoid}(\mathrm{logits})$$

    Args:
        x: Targets in {0, 1}, `(..., d)`, broadcast against `logits`; no gradient flows to them.
        logits: Logits, `(..., d)`.
    """
    return -binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(-1)


class _SaturatingCrossEntropy(torch.autograd.Function):
    """The formula of `saturating_cross_entropy`, and its gradient through a sigmoid that rounds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        mean = torch.sigmoid(logits)
        ctx.save_for_backward(x, mean)
        return -(x * mean.log().clamp_min(-100) + (1 - x) * (-mean).log1p_().clamp_min_(-100)).sum(-1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        x, mean = ctx.saved_tensors
        derivative = mean * (1 - mean)
        return None, gradients[0].unsqueeze(-1) * (mean - x) * (derivative / derivative.clamp_min(1e-12))


def saturating_cross_entropy(x: Tensor, logits: Tensor) -> Tensor:
    r"""Return $-\sum_d x_d \log \mu_d + (1 - x_d) \log(1 - \mu_d)$ as a network that ends in a sigmoid computes it.

    The sigmoid rounds to 0 or 1 for large logits: logarithms stop at -100 there and the gradient vanishes, as in
    `torch.nn.functional.binary_cross_entropy`, which refuses targets outside of [0, 1]. Inside, that hardly matters;
    outside, nothing else keeps the logits in bounds.

    Args:
        x: Targets, any numbers, `(..., d)`, broadcast against `logits`; no gradient flows to them.
        logits: Logits, `(..., d)`.
    """
    value: Tensor = _SaturatingCrossEntropy.apply(x, logits)
    return value


def sample_gaussian(mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """Return reparameterised samples of Gaussians, z = mean + exp(logvar / 2) * noise."""
    return mean + torch.exp(0.5 * logvar) * noise


def kl_analytic(mean: Tensor, logvar: Tensor) -> Tensor:
    r"""Return the KL divergence of a diagonal Gaussian from the standard normal in closed form, `(n,)`.

    $$\mathrm{KL}(N(\mu, \sigma^2) \,\|\, N(0, I)) = \frac12 \sum_j (\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2)$$

    Args:
        mean: Means of the posterior, `(n, latent)`.
        logvar: Log variances of the posterior, `(n, latent)`.
    """
    return 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(-1)


def kl_monte_carlo(mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    r"""Return the estimate $\frac1S \sum_s \log q(z_s|x) - \log p(z_s)$, $z_s \sim q$, of the KL divergence.

    Args:
        mean: Means of the posterior, `(n, latent)`.
        logvar: Log variances of the posterior, `(n, latent)`.
        noise: Standard normal, `(S, n, latent)`.

    Returns:
        `(n,)`; unbiased, with gradients through the samples.
    """
    z = sample_gaussian(mean, logvar, noise)
    # log q - log p with z = mean + sigma * noise: the normalising constants cancel
    return 0.5 * (z**2 - noise**2 - logvar).sum(-1).mean(0)


def beta_at(epoch: int, epochs: int, beta: float, schedule: str) -> float:
    r"""Return the weight of KL during one epoch.

    Args:
        epoch: Number of the epoch, counted from 1.
        epochs: Number of epochs of the training.
        beta: The hyperparameter.
        schedule: `constant` for `beta` throughout, or `linear` for
            $\beta\,(\mathrm{epoch} - 1) / \mathrm{epochs}$, which rises from 0 to just under `beta`.
    """
    return beta if schedule == "constant" else beta * (epoch - 1) / epochs

"""The evidence lower bound of a whole split."""

import torch
from torch import Tensor

from pipeline.vae.network import Vae
from pipeline.vae.objective import bernoulli_log_likelihood, kl_analytic, sample_posterior

ROWS = 2000  # images times draws at once: about what stays in a processor's cache


@torch.no_grad()
def elbo(model: Vae, pixels: Tensor, random: torch.Generator, draws: int = 1) -> dict[str, float]:
    """Estimate the ELBO of a whole split with fresh draws of z for each image.

    Args:
        model: the autoencoder.
        pixels: images in {0, 1}, uint8 `(n, 1, 28, 28)`.
        random: source of the draws.
        draws: of z per image.

    Returns:
        Means over images in nats: `elbo`, `reconstruction` = -E log p(x|z), `kl` in closed form.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=pixels.device)
    for part in pixels.split(max(1, ROWS // draws)):
        x = part.float()
        mean, logvar = model.posterior(x)
        z = sample_posterior(mean, logvar, torch.randn((draws, *mean.shape), generator=random, device=mean.device))
        reconstruction = -bernoulli_log_likelihood(x.flatten(1), model.decode(z)).double().mean(0)
        sums += torch.stack([reconstruction.sum(), kl_analytic(mean, logvar).double().sum()])
    reconstruction_mean, kl_mean = (sums / len(pixels)).tolist()
    return {"elbo": -reconstruction_mean - kl_mean, "reconstruction": reconstruction_mean, "kl": kl_mean}

"""The evidence lower bound of a whole split."""

import torch
from torch import Tensor

from pipeline.vae.network import Vae
from pipeline.vae.objective import bernoulli_log_likelihood, kl_analytic, sample_posterior


@torch.no_grad()
def elbo(model: Vae, pixels: Tensor, random: torch.Generator, chunk: int = 2000) -> dict[str, float]:
    """Estimate the ELBO of a whole split with one fresh sample of z per image.

    Args:
        model: the autoencoder.
        pixels: images in {0, 1}, uint8 `(n, 1, 28, 28)`.
        random: source of the noise.
        chunk: images at once.

    Returns:
        Means over images in nats: `elbo`, `reconstruction` = -E log p(x|z), `kl` in closed form.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=pixels.device)
    for part in pixels.split(chunk):
        x = part.float()
        mean, logvar = model.posterior(x)
        z = sample_posterior(mean, logvar, torch.randn(mean.shape, generator=random, device=mean.device))
        terms = -bernoulli_log_likelihood(x.flatten(1), model.decode(z)), kl_analytic(mean, logvar)
        sums += torch.stack([term.double().sum() for term in terms])
    reconstruction, kl = (sums / len(pixels)).tolist()
    return {"elbo": -reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

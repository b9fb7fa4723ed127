"""How well an autoencoder explains the images of a split."""

import torch
from torch import Tensor

from pipeline.metrics.likelihood import rows
from pipeline.vae.model import Vae
from pipeline.vae.objective import kl_analytic


@torch.no_grad()
def terms(model: Vae, images: Tensor, random: torch.Generator, samples: int = 1) -> dict[str, Tensor]:
    """Estimate the terms of the objective for every image of a split, with fresh samples of z.

    Args:
        model: The autoencoder.
        images: Images, uint8 `(n, c, h, w)`.
        random: Source of the samples.
        samples: Number of samples of z per image; a decoder that is given the latent itself needs one.

    Returns:
        float64 `(n,)`: `reconstruction`, what training minimises beside KL (-E log p(x|z) without its constant), and
        `kl` where there is a variance: in closed form, or over the samples where the posterior is a flow.
    """
    parts: dict[str, list[Tensor]] = {}
    for part in images.split(max(1, rows(images.device) // samples)):
        x = model.observation.scale(part)
        q = model.posterior(x)
        if model.sampled:
            z, ratio = q.sample(torch.randn((samples, *q.mean.shape), generator=random, device=x.device))
        else:
            z, ratio = q.mean[None], None
        values = {"reconstruction": -model.log_score(x, z).double().mean(0)}
        if ratio is not None and q.layers is not None:
            values["kl"] = ratio.double().mean(0)
        elif q.logvar is not None:
            values["kl"] = kl_analytic(q.mean, q.logvar).double()
        for name, value in values.items():
            parts.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in parts.items()}


def summary(model: Vae, terms: dict[str, Tensor], beta: float | None) -> dict[str, float]:
    """Return means over images in nats: `loss` as it is trained, `reconstruction`, and `kl` and `elbo` if there are.

    Args:
        model: The autoencoder.
        terms: What `terms` returned.
        beta: Weight of KL in the loss; the ELBO has weight 1 whatever was trained. `None` where there is no KL.
    """
    means = {name: value.mean().item() for name, value in terms.items()}
    loss = means["reconstruction"] + (beta * means["kl"] if beta is not None else 0.0)
    if not model.has_elbo:
        return {"loss": loss, **means}
    return {"loss": loss, **means, "elbo": model.observation.constant - means["reconstruction"] - means["kl"]}

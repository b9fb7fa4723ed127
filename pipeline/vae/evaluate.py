"""How well an autoencoder explains a whole split."""

import torch
from torch import Tensor

from pipeline.vae.network import Vae
from pipeline.vae.objective import kl_analytic

ROWS = 2000  # images times draws at once: about what stays in a processor's cache


@torch.no_grad()
def terms(model: Vae, images: Tensor, random: torch.Generator, draws: int = 1) -> dict[str, Tensor]:
    """Estimate the terms of the objective for every image of a split, with fresh draws of z.

    Args:
        model: the autoencoder.
        images: uint8 `(n, c, h, w)`.
        random: source of the draws.
        draws: of z per image; where the decoder is given the code itself, one is all there is.

    Returns:
        float64 `(n,)`: `reconstruction`, what training minimises beside KL (-E log p(x|z) without its constant), and
        `kl` where there is a variance: in closed form, or over the draws where the posterior is a flow.
    """
    parts: dict[str, list[Tensor]] = {}
    for part in images.split(max(1, ROWS // draws)):
        x = model.observation.scale(part)
        q = model.posterior(x)
        if model.kind == "gaussian":
            z, ratio = q.sample(torch.randn((draws, *q.mean.shape), generator=random, device=x.device))
        else:
            z, ratio = q.mean[None], None
        values = {"reconstruction": -model.log_score(x, z).double().mean(0)}
        if q.logvar is not None:
            over_draws = ratio.double().mean(0) if ratio is not None and q.layers is not None else None
            values["kl"] = kl_analytic(q.mean, q.logvar).double() if over_draws is None else over_draws
        for name, value in values.items():
            parts.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in parts.items()}


def summary(model: Vae, terms: dict[str, Tensor], beta: float | None) -> dict[str, float]:
    """Return means over images in nats: `loss` as it is trained, `reconstruction`, and `kl` and `elbo` if there are.

    Args:
        model: the autoencoder.
        terms: what `terms` returned.
        beta: weight of KL in the loss; the ELBO has weight 1 whatever was trained. `None` where there is no KL.
    """
    means = {name: _mean(value) for name, value in terms.items()}
    loss = means["reconstruction"] + (beta * means["kl"] if beta is not None else 0.0)
    bound = model.observation.constant - means["reconstruction"] - means["kl"] if model.bounded else None
    return {"loss": loss, **means} | ({"elbo": bound} if bound is not None else {})


def _mean(values: Tensor) -> float:
    return values.mean().item()

"""Encoder and decoder networks of variational autoencoders on 28x28 grey images."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.vae.objective import bernoulli_log_likelihood, sample_posterior

LOGIT_SHIFT = 5.0  # subtracted from every logit: an untrained decoder starts from mostly black images


class _Elu(torch.autograd.Function):
    """max(x, 0) + exp(min(x, 0)) - 1, whose derivative is exp(min(x, 0))."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        slope = x.clamp_max(0).exp_()
        ctx.save_for_backward(slope)
        return x.clamp_min(0).add_(slope).sub_(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        gradient: Tensor = gradients[0] * slope
        return gradient


class Elu(nn.Module):
    """Exponential linear unit, as `torch.nn.ELU` to 1e-7 but with exp where that has expm1, ten times slower on a CPU.

    Reference: Clevert, Unterthiner & Hochreiter, Fast and Accurate Deep Network Learning by ELUs, ICLR 2016.
    """

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Elu.apply(x)
        return y


class Vae(nn.Module):
    r"""A Gaussian encoder $q(z|x) = N(\mu(x), \mathrm{diag}\,\sigma^2(x))$, a Bernoulli decoder, prior N(0, I).

    Args:
        encoder: maps images `(n, 1, 28, 28)` to `(n, 2 latent)`, means beside log variances.
        decoder: maps codes `(n, latent)` to logits that reshape to `(n, 1, 28, 28)`.
        latent: dimensions of z.

    Reference: Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.latent = encoder, decoder, latent

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x), each `(n, latent)`, for images `(n, 1, 28, 28)`."""
        mean, logvar = self.encoder(x).chunk(2, dim=-1)
        return mean, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Return the Bernoulli logits of every pixel, `(..., 784)`, for codes `(..., latent)`."""
        logits: Tensor = self.decoder(z.flatten(0, -2))
        return logits.float().view(*z.shape[:-1], -1) - LOGIT_SHIFT  # a sum over pixels needs float32

    def draw(self, x: Tensor, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return draws z from q(z|x), `(n, samples, latent)`, and their log p(z) - log q(z|x), `(n, samples)`."""
        mean, logvar = (part[:, None] for part in self.posterior(x))
        noise = torch.randn((len(x), samples, self.latent), generator=random, device=x.device)
        z = sample_posterior(mean, logvar, noise)
        return z, 0.5 * (noise**2 - z**2 + logvar).sum(-1)  # the normalising constants cancel

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), `(n, samples)`, for binary images `(n, 1, 28, 28)` and codes `(n, samples, latent)`."""
        return bernoulli_log_likelihood(x.flatten(1)[:, None], self.decode(z))


def build(*, network: str, hidden: int | None, latent: int) -> Vae:
    """Build an autoencoder with PyTorch's default initialisation.

    Args:
        network: `mlp` (784-hidden-hidden, ELU) or `conv` (three convolutions and their mirror image, ELU).
        hidden: units per hidden layer of the mlp, `None` for the convolutional network.
        latent: dimensions of z.
    """
    if network == "mlp":
        assert hidden is not None
        return Vae(*_mlp(hidden, latent), latent)
    return Vae(*_conv(latent), latent)


def _mlp(hidden: int, latent: int) -> tuple[nn.Module, nn.Module]:
    encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(784, hidden), Elu(), nn.Linear(hidden, hidden), Elu(), nn.Linear(hidden, 2 * latent)
    )
    decoder = nn.Sequential(nn.Linear(latent, hidden), Elu(), nn.Linear(hidden, hidden), Elu(), nn.Linear(hidden, 784))
    return encoder, decoder


def _conv(latent: int) -> tuple[nn.Module, nn.Module]:
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3), Elu(), nn.AvgPool2d(2),
        nn.Conv2d(32, 64, 3), Elu(), nn.AvgPool2d(2),
        nn.Conv2d(64, 256, 5), Elu(), nn.Flatten(), nn.Linear(256, 2 * latent),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent, 256), Elu(), nn.Unflatten(1, (256, 1, 1)),
        nn.Conv2d(256, 64, 5, padding=4), Elu(), nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(64, 32, 3, padding=2), Elu(), nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(32, 16, 3, padding=2), Elu(), nn.Conv2d(16, 1, 3, padding=2),
    )  # fmt: skip
    return encoder, decoder


def save(folder: Path, settings: dict[str, Any], weights: dict[int, dict[str, Tensor]]) -> None:
    """Write `network.json`, the arguments of `build`, and one `seed_<s>.safetensors` per seed."""
    (folder / "network.json").write_text(json.dumps(settings, indent=2) + "\n")
    for seed, state in weights.items():
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in state.items()},
            folder / f"seed_{seed}.safetensors",
        )


def load(folder: Path, device: torch.device) -> dict[int, Vae]:
    """Return the trained autoencoders of a model folder by seed, in evaluation mode on `device`."""
    settings = json.loads((folder / "network.json").read_text())
    models = {}
    for file in sorted(folder.glob("seed_*.safetensors"), key=lambda path: int(path.stem.split("_")[1])):
        model = build(**settings)
        model.load_state_dict(load_file(file))
        models[int(file.stem.split("_")[1])] = model.to(device).eval()
    return models

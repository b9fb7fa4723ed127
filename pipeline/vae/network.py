"""Encoder and decoder networks of autoencoders, built for the shape of the images."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.data.errors import DataError
from pipeline.flow import planar
from pipeline.vae.objective import sample_posterior
from pipeline.vae.observation import Observation


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
    """Exponential linear unit, as `torch.nn.ELU` to 1e-7 but with exp where that has expm1, which can be slow on a CPU.

    Reference: Clevert, Unterthiner & Hochreiter, Fast and Accurate Deep Network Learning by ELUs, ICLR 2016.
    """

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Elu.apply(x)
        return y


@dataclass(frozen=True)
class Posterior:
    r"""$q(z|x)$ of n images: $N(\mu, \mathrm{diag}\,\sigma^2)$, moved by planar layers where there are any.

    Args:
        mean: `(n, latent)`.
        logvar: log variances, `(n, latent)`; `None` for an autoencoder, whose code is the mean.
        layers: effective u and w `(n, k, latent)` and b `(n, k)` of each image's own planar layers, or `None`.
    """

    mean: Tensor
    logvar: Tensor | None = None
    layers: tuple[Tensor, Tensor, Tensor] | None = None

    def code(self) -> Tensor:
        """Return one code per image, `(n, latent)`: the mean, moved by the layers."""
        return self._moved(self.mean)[0]

    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return draws z and their $\log q(z|x) - \log p(z)$.

        Through the layers, $\log q(z_k|x) = \log q(z_0|x) - \sum_k \log |\det J_k|$ (Rezende & Mohamed 2015).

        Args:
            noise: standard normal, `(..., n, latent)`.

        Returns:
            `(..., n, latent)` and `(..., n)`.
        """
        assert self.logvar is not None
        z, determinant = self._moved(sample_posterior(self.mean, self.logvar, noise))
        ratio = 0.5 * (z**2 - noise**2 - self.logvar).sum(-1)  # the normalising constants cancel
        return z, ratio if determinant is None else ratio - determinant

    def _moved(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.layers is None:
            return z, None
        points = z.reshape(-1, *z.shape[-2:]).transpose(0, 1)  # the layers of an image move all of its draws
        moved, determinant = planar.forward(points, *self.layers)
        return moved.transpose(0, 1).reshape(z.shape), determinant.T.reshape(z.shape[:-1])


class Vae(nn.Module):
    r"""An encoder $q(z|x)$, a decoder of p(x|z) and the prior N(0, I); or an autoencoder, which has but a code.

    Args:
        encoder: maps images `(n, c, h, w)` to `(n, outputs)`: means, log variances, and u, w, b of the planar layers.
        decoder: maps codes `(n, latent)` to outputs that reshape to `(n, c, h, w)`.
        latent: dimensions of z.
        kind: `gaussian`; `mean`, whose decoder is always given the mean; `deterministic`, which has no variance.
        flow_layers: planar layers of the posterior.
        logit_shift: subtracted from every output.
        observation: how pixels are scaled and scored.

    Reference: Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        latent: int,
        kind: str,
        flow_layers: int,
        logit_shift: float,
        observation: Observation,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.latent, self.kind, self.flow_layers = latent, kind, flow_layers
        self.logit_shift, self.observation = logit_shift, observation

    @property
    def bounded(self) -> bool:
        """Whether there is an ELBO: p(x|z) is normalised, and z was drawn from q(z|x) in training."""
        return self.kind == "gaussian" and self.observation.density

    def posterior(self, x: Tensor) -> Posterior:
        """Return q(z | x) for scaled images `(n, c, h, w)`."""
        outputs = self.encoder(x)
        if self.kind == "deterministic":
            return Posterior(outputs)
        mean, logvar, *rest = outputs.split(
            [self.latent, self.latent, *_layer_sizes(self.flow_layers, self.latent)], -1
        )
        if not rest:
            return Posterior(mean, logvar)
        u, w = (part.unflatten(-1, (self.flow_layers, self.latent)) for part in rest[:2])
        return Posterior(mean, logvar, (planar.smooth(u, w), w, rest[2]))

    def decode(self, z: Tensor) -> Tensor:
        """Return the decoder's outputs for every pixel, `(..., c h w)`, for codes `(..., latent)`."""
        outputs: Tensor = self.decoder(z.flatten(0, -2))
        outputs = outputs.to(z.dtype).reshape(*z.shape[:-1], -1)  # a sum over pixels needs float32, not bfloat16
        return outputs - self.logit_shift if self.logit_shift else outputs

    def draw(self, x: Tensor, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return draws z from q(z|x), `(n, samples, latent)`, and their log p(z) - log q(z|x), `(n, samples)`."""
        noise = torch.randn((len(x), samples, self.latent), generator=random, device=x.device, dtype=x.dtype)
        z, ratio = self.posterior(x).sample(noise.transpose(0, 1))
        return z.transpose(0, 1), -ratio.T

    def log_score(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z) without its constant, `(..., n)`, for `(n, c, h, w)` and codes `(..., n, latent)`."""
        return self.observation.log_score(x.flatten(1), self.decode(z))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), `(n, samples)`, for scaled images `(n, c, h, w)` and codes `(n, samples, latent)`."""
        return self.observation.log_score(x.flatten(1)[:, None], self.decode(z)) + self.observation.constant


def build(
    *,
    network: str,
    shape: Sequence[int],
    hidden: int | None,
    latent: int,
    posterior: str,
    flow_layers: int | None,
    logit_shift: float | None,
    observation: dict[str, Any],
) -> Vae:
    """Build an autoencoder with PyTorch's default initialisation.

    Args:
        network: a name of `NETWORKS`.
        shape: channels, height and width of the images.
        hidden: width of the network, `None` for `conv`.
        latent: dimensions of z.
        posterior: the `kind` of `Vae`.
        flow_layers: planar layers of the posterior; `None` is none.
        logit_shift: subtracted from every output; `None` is nothing.
        observation: arguments of `Observation`.

    Raises:
        DataError: if the network cannot be built for images of this shape.
    """
    layers = flow_layers or 0
    codes = latent if posterior == "deterministic" else 2 * latent + sum(_layer_sizes(layers, latent))
    encoder, decoder = NETWORKS[network](shape, hidden or 0, codes, latent)
    return Vae(
        encoder, decoder, latent=latent, kind=posterior, flow_layers=layers, logit_shift=logit_shift or 0.0,
        observation=Observation(**observation),
    )  # fmt: skip


def _layer_sizes(layers: int, latent: int) -> list[int]:
    """Return how many numbers u, w and b of the planar layers are."""
    return [layers * latent, layers * latent, layers] if layers else []


def _mlp(shape: Sequence[int], hidden: int, codes: int, latent: int) -> tuple[nn.Module, nn.Module]:
    """Two hidden layers each, ELU: the network of reports 000, 001 and 002."""
    pixels = math.prod(shape)
    encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, hidden), Elu(), nn.Linear(hidden, hidden), Elu(), nn.Linear(hidden, codes)
    )
    decoder = nn.Sequential(
        nn.Linear(latent, hidden), Elu(), nn.Linear(hidden, hidden), Elu(), nn.Linear(hidden, pixels)
    )
    return encoder, decoder


def _mlp_shallow(shape: Sequence[int], hidden: int, codes: int, latent: int) -> tuple[nn.Module, nn.Module]:
    """One hidden layer each, ReLU: the network of report 004."""
    pixels = math.prod(shape)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, codes))
    decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels))
    return encoder, decoder


def _conv(shape: Sequence[int], hidden: int, codes: int, latent: int) -> tuple[nn.Module, nn.Module]:
    """Three convolutions and their mirror image, ELU: an older edition of the course of reports 000 and 002."""
    channels = _sides(shape, "conv", "of 28x28", [28])
    encoder = nn.Sequential(
        nn.Conv2d(channels, 32, 3), Elu(), nn.AvgPool2d(2),
        nn.Conv2d(32, 64, 3), Elu(), nn.AvgPool2d(2),
        nn.Conv2d(64, 256, 5), Elu(), nn.Flatten(), nn.Linear(256, codes),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent, 256), Elu(), nn.Unflatten(1, (256, 1, 1)),
        nn.Conv2d(256, 64, 5, padding=4), Elu(), nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(64, 32, 3, padding=2), Elu(), nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(32, 16, 3, padding=2), Elu(), nn.Conv2d(16, channels, 3, padding=2),
    )  # fmt: skip
    return encoder, decoder


def _conv32(shape: Sequence[int], hidden: int, codes: int, latent: int) -> tuple[nn.Module, nn.Module]:
    """Four convolutions, and three transposed ones with one more, ReLU: the network of report 003 for `hidden` = 32."""
    channels = _sides(shape, "conv32", "whose equal sides are a multiple of 8", range(8, 10_000, 8))
    h, side = hidden, shape[1] // 8
    encoder = nn.Sequential(
        nn.Conv2d(channels, h, 3, padding=1), nn.ReLU(),
        nn.Conv2d(h, 2 * h, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(2 * h, 4 * h, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4 * h, 8 * h, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(8 * h * side**2, codes),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(latent, 4 * h * side**2), nn.ReLU(), nn.Unflatten(1, (4 * h, side, side)),
        nn.ConvTranspose2d(4 * h, 4 * h, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(4 * h, 2 * h, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(2 * h, h, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(h, channels, 3, padding=1),
    )  # fmt: skip
    return encoder, decoder


def _sides(shape: Sequence[int], network: str, what: str, allowed: Sequence[int]) -> int:
    """Return the number of channels of square images whose side the network is made for."""
    channels, height, width = shape
    if height != width or height not in allowed:
        raise DataError(f"network {network} is for images {what}; these are {height}x{width}. mlp fits any.")
    return channels


Halves = tuple[nn.Module, nn.Module]
NETWORKS: dict[str, Callable[[Sequence[int], int, int, int], Halves]] = {
    "mlp": _mlp,
    "mlp_shallow": _mlp_shallow,
    "conv": _conv,
    "conv32": _conv32,
}
"""Makers of encoder and decoder from the shape of the images, the width, the encoder's outputs and the latent size."""


def parameters(model: Vae) -> list[dict[str, Any]]:
    """Return the layers that have weights: half, module, shape of the weight, number of parameters."""
    return [
        {"half": half, "layer": str(layer), "parameters": sum(value.numel() for value in layer.parameters())}
        for half in ("encoder", "decoder")
        for layer in getattr(model, half)
    ]


Weights = dict[str, Tensor]


def save(folder: Path, settings: dict[str, Any], weights: dict[int, Weights], snapshots: dict[int, Any]) -> None:
    """Write the arguments of `build` and the weights: `seed_<s>.safetensors`, `epoch_<e>-seed_<s>.safetensors`.

    Args:
        folder: where to.
        settings: the arguments of `build`.
        weights: by seed.
        snapshots: weights after earlier epochs, by seed and epoch.
    """
    (folder / "network.json").write_text(json.dumps(settings, indent=2) + "\n")
    files = {f"seed_{seed}": state for seed, state in weights.items()}
    files |= {f"epoch_{e}-seed_{seed}": state for seed, taken in snapshots.items() for e, state in taken.items()}
    for name, state in files.items():
        values = {key: value.detach().cpu().contiguous() for key, value in state.items()}
        save_file(values, folder / f"{name}.safetensors")


def load(folder: Path, device: torch.device, epoch: int | None = None) -> dict[int, Vae]:
    """Return the autoencoders of a model folder by seed, in evaluation mode on `device`.

    Args:
        folder: what `save` wrote.
        device: where the networks are to live.
        epoch: that of a snapshot; `None` is the end of training.
    """
    settings = json.loads((folder / "network.json").read_text())
    prefix = "seed_" if epoch is None else f"epoch_{epoch}-seed_"
    files = {int(file.stem.removeprefix(prefix)): file for file in folder.glob(f"{prefix}*.safetensors")}
    models = {}
    for seed, file in sorted(files.items()):
        model = build(**settings)
        model.load_state_dict(load_file(file))
        models[seed] = model.to(device).eval()
    return models


def snapshots(folder: Path) -> list[int]:
    """Return the epochs of which a model folder holds snapshots."""
    return sorted({int(file.stem.split("-")[0].removeprefix("epoch_")) for file in folder.glob("epoch_*.safetensors")})

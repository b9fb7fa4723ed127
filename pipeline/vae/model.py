"""Autoencoders, variational or not: an encoder, a decoder, and how pixels are observed; their folder on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.flow import planar
from pipeline.runtime import settings, weights
from pipeline.runtime.precision import arithmetic
from pipeline.vae.network import build
from pipeline.vae.observation import Observation
from pipeline.vae.posterior import Posterior
from pipeline.vae.settings import Network

FILE = "network.json"


@dataclass(frozen=True)
class VaeDescription:
    """All that an autoencoder is built from but its weights; `network.json` of a model folder holds it.

    Args:
        network: Architecture and kind of posterior.
        shape: Channels, height and width of the images.
        observation: How pixels are scaled and scored.
        precision: Arithmetic of encoder and decoder.
    """

    network: Network
    shape: tuple[int, ...]
    observation: Observation
    precision: str

    def build(self) -> "Vae":
        """Build the autoencoder with PyTorch's default initialisation.

        Raises:
            DataError: If the network takes no images of this size.
        """
        network = self.network
        outputs = network.latent if network.posterior == "deterministic" else sum(_sizes(network))
        encoder, decoder = build(network.network, self.shape, network.hidden or 0, outputs, network.latent)
        return Vae(encoder, decoder, network, self.observation, self.precision)


class Vae(nn.Module):
    r"""An encoder of $q(z|x)$, a decoder of $p(x|z)$ and the prior N(0, I); or an autoencoder without variance.

    Encoder and decoder compute in `precision`; their outputs return to float32, in which everything else is computed.

    Args:
        encoder: Maps images `(n, c, h, w)` to `(n, outputs)`: means, log variances, and u, w, b of the planar layers.
        decoder: Maps latents `(n, latent)` to outputs that reshape to `(n, c, h, w)`.
        network: What the two halves were built from.
        observation: How pixels are scaled and scored.
        precision: See `pipeline.runtime.precision`.

    Reference: Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, network: Network, observation: Observation, precision: str
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.network, self.observation, self.precision = network, observation, precision

    @property
    def sampled(self) -> bool:
        """Whether the decoder is given samples of q(z|x) in training."""
        return self.network.posterior == "gaussian"

    @property
    def has_elbo(self) -> bool:
        """Whether there is an ELBO: p(x|z) is normalised, and z is sampled from q(z|x) in training."""
        return self.sampled and self.observation.is_density

    def posterior(self, x: Tensor) -> Posterior:
        """Return q(z|x) for scaled images `(n, c, h, w)`."""
        outputs = self._half(self.encoder, x)
        if self.network.posterior == "deterministic":
            return Posterior(outputs)
        mean, logvar, *layers = outputs.split(_sizes(self.network), -1)
        if not layers:
            return Posterior(mean, logvar)
        u, w = (part.unflatten(-1, (self.network.flow_layers, self.network.latent)) for part in layers[:2])
        return Posterior(mean, logvar, (planar.smooth(u, w), w, layers[2]))

    def decode(self, z: Tensor) -> Tensor:
        """Return the decoder's outputs for every pixel, `(..., c h w)`, for latents `(..., latent)`."""
        outputs = self._half(self.decoder, z.flatten(0, -2)).reshape(*z.shape[:-1], -1)
        return outputs - self.network.logit_shift if self.network.logit_shift else outputs

    def sample_latents(self, x: Tensor, samples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return samples z of q(z|x), `(n, samples, latent)`, and their log p(z) - log q(z|x), `(n, samples)`."""
        shape = (len(x), samples, self.network.latent)
        noise = torch.randn(shape, generator=random, device=x.device, dtype=x.dtype)
        z, ratio = self.posterior(x).sample(noise.transpose(0, 1))
        return z.transpose(0, 1), -ratio.T

    def log_score(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z) without its constant, `(..., n)`, for `(n, c, h, w)` and latents `(..., n, latent)`."""
        return self.observation.log_score(x.flatten(1), self.decode(z))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z), `(n, samples)`, for scaled images `(n, c, h, w)` and latents `(n, samples, latent)`."""
        return self.observation.log_score(x.flatten(1)[:, None], self.decode(z)) + self.observation.constant

    def layers(self) -> list[dict[str, Any]]:
        """Return the layers of both halves: half, layer in words, number of parameters."""
        return [
            {"half": half, "layer": str(layer), "parameters": sum(value.numel() for value in layer.parameters())}
            for half in ("encoder", "decoder")
            for layer in getattr(self, half)
        ]

    def _half(self, half: nn.Module, inputs: Tensor) -> Tensor:
        with arithmetic(inputs.device, self.precision):
            outputs: Tensor = half(inputs)
        return outputs.to(inputs.dtype)


def _sizes(network: Network) -> list[int]:
    """Return how many of the encoder's outputs are means, log variances, and u, w and b of the planar layers."""
    k, latent = network.flow_layers, network.latent
    return [latent, latent, *([k * latent, k * latent, k] if k else [])]


def load(folder: Path, device: torch.device, epoch: int | None = None) -> Mapping[int, Vae]:
    """Return the autoencoders of a model folder by seed, in evaluation mode.

    Args:
        folder: What `pipeline.vae.train` wrote.
        device: Device of the networks.
        epoch: Epoch of a snapshot; `None` is the end of training.
    """
    description, models = settings.read(folder / FILE, VaeDescription), {}
    for seed in weights.seeds(folder):
        name = weights.name(seed)
        models[seed] = description.build().to(device).eval()
        stored = weights.load(folder, name if epoch is None else weights.snapshot(name, "epoch", epoch), device)
        models[seed].load_state_dict(stored)
    return models


def snapshots(folder: Path) -> list[int]:
    """Return the epochs of which a model folder holds snapshots."""
    return sorted({int(file.stem.rpartition("_")[2]) for file in folder.glob("seed_*-epoch_*.safetensors")})

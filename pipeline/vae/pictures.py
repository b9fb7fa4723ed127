"""What autoencoders decode: reconstructions, samples of the prior, interpolations, and how latents spread."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.metrics import latent_map, mappable, paths
from pipeline.metrics.likelihood import rows
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator
from pipeline.vae.model import Vae

SHOWN = 64
"""Samples, and reconstructed images, that the report may show."""
COMPARED = 8
"""Of the reconstructed images, those that are decoded after earlier epochs as well."""
ACTIVE = 0.01
"""A latent dimension is active if the variance of its mean over images is larger than this."""


@torch.no_grad()
def latents(model: Vae, images: Tensor) -> Tensor:
    """Return the latent of each image, `(n, latent)`, for uint8 `(n, c, h, w)`: the mean, transformed by the layers."""
    parts = images.split(rows(images.device))
    return torch.cat([model.posterior(model.observation.scale(part)).latent() for part in parts])


@torch.no_grad()
def decoded(model: Vae, z: Tensor, data: DataSet) -> Tensor:
    """Return the mean images of latents `(n, latent)`, float32 `(n, c, h, w)` with grey values in [0, 1]."""
    parts = z.split(rows(z.device))
    grey = torch.cat([model.observation.picture(model.decode(part), data.levels) for part in parts])
    return grey.view(-1, *data.card["shape"])


def squared_error(model: Vae, data: DataSet) -> float:
    """Return the mean squared error of reconstructed test images, grey values in [0, 1]."""
    images, total = data.split("test"), 0.0
    for part in images.split(rows(images.device)):
        error = decoded(model, latents(model, part), data) - data.unit(part)
        total += error.flatten(1).square().double().sum().item()
    return total / images.numel()


@torch.no_grad()
def active_units(model: Vae, images: Tensor) -> int:
    """Count latent dimensions whose posterior mean has a variance over images above `ACTIVE`.

    Reference: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, ICLR 2016.
    """
    return int((latents(model, images).double().var(0) > ACTIVE).sum())


def shown(data: DataSet, count: int) -> Tensor:
    """Return test images that are chosen at random, uint8 `(count, c, h, w)`: the first ones may be all of one class.

    The choice depends on nothing but the number of test images; fewer are the first of more.
    """
    images = data.split("test")
    order = torch.randperm(len(images), generator=generator("shown images"))
    return images[order[:count].to(images.device)]


def reconstructions(model: Vae, data: DataSet, count: int) -> NDArray[np.float32]:
    """Return what the images of `shown` are decoded to, `(count, c, h, w)`, grey values in [0, 1]."""
    pictures: NDArray[np.float32] = decoded(model, latents(model, shown(data, count)), data).cpu().numpy()
    return pictures


def save(model: Vae, data: DataSet, output: Path) -> None:
    """Store test images, their reconstructions, decoded samples of the prior, and an interpolation in it."""
    images, latent = shown(data, SHOWN), model.network.latent
    device = images.device
    prior = torch.randn((SHOWN, latent), generator=generator("prior samples", device=device), device=device)
    ends = torch.randn((2, latent), generator=generator("interpolation", device=device), device=device)
    np.save(output / "originals.npy", images.cpu().numpy())
    np.save(output / "reconstructions.npy", reconstructions(model, data, SHOWN))
    for name, z in (("samples", prior), ("interpolation", paths.walk(ends))):
        np.save(output / f"{name}.npy", decoded(model, z, data).cpu().numpy())


def save_map(model: Vae, data: DataSet, seed: int, output: Path) -> dict[str, Any]:
    """Store the t-SNE map of the test latents with their labels; return how well latents and map separate the classes.

    Raises:
        DataError: If the set has no labels, or too few images or classes.
        UserError: If the encoder has collapsed.
    """
    labels = data.labels["test"].cpu().numpy() if "test" in data.labels else None
    if reason := mappable.refusal(labels):
        raise DataError(f"data set {data.card['name']} {reason}")
    assert labels is not None
    z = latents(model, data.split("test")).cpu().numpy()
    if (z == z[0]).all():
        raise UserError("all test images have the same latent, of which no map can be made (tsne: true).")
    points = latent_map.tsne(z, seed)
    np.save(output / "map.npy", points)
    np.save(output / "map_labels.npy", labels)
    return {
        "neighbours": latent_map.NEIGHBOURS,
        "perplexity": mappable.PERPLEXITY,
        "latent": latent_map.separation(z, labels, seed),
        "map": latent_map.separation(points, labels, seed),
    }

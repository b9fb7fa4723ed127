"""Pictures that autoencoders make, judged as those of GANs are: in the features of a network, and by sharpness."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.store import DataSet
from pipeline.features import evaluator as evaluators
from pipeline.features.pixels import quantised
from pipeline.metrics import seeds as over_seeds
from pipeline.metrics.pictures import sharpness
from pipeline.runtime.seeding import generator
from pipeline.vae import network as networks
from pipeline.vae.evaluate import ROWS
from pipeline.vae.network import Vae


def score(data: Path, model: Path, features: Path, output: Path, *, count: int, device: torch.device) -> None:
    """Score the decoded codes of every seed of a model and write `metrics.json`.

    Two kinds of codes are decoded: draws from the prior N(0, I), `samples`, and the codes of test images,
    `reconstructions`, which say how good samples of that decoder can be at best.

    Args:
        data: folder of the data set.
        model: folder of the trained autoencoders.
        features: folder of the evaluator.
        output: folder to write into.
        count: pictures of each kind, of reconstructions at most as many as there are test images.
        device: where to compute.
    """
    images, judge = store.load(data, device), evaluators.load(features, device)
    test = images.split("test")[:count]
    real = sharpness(images.unit(test)).mean().item()
    seeds: dict[str, Any] = {}
    for seed, net in networks.load(model, device).items():
        drawn = torch.randn((count, net.latent), generator=generator(seed, "samples", device=device), device=device)
        made = {"samples": _decoded(net, drawn, images), "reconstructions": _reconstructed(net, test, images)}
        seeds[str(seed)] = {
            kind: {**judge.score(pixels), "sharpness": sharpness(pixels / 255).mean().item() / real}
            for kind, pixels in made.items()
        }
    protocol = {
        **judge.protocol(count),
        "data": images.card["name"],
        "split": "test",
        "reconstructed": len(test),
        "sharpness": "mean variance of the Laplacian of grey values in [0, 1], as a multiple of that of test images",
    }
    metrics = {
        "protocol": protocol,
        "seeds": seeds,
        "mean": over_seeds.mean(seeds),
        "spread": over_seeds.spread(seeds),
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


@torch.no_grad()
def _decoded(net: Vae, codes: Tensor, data: DataSet) -> Tensor:
    """Return the mean pictures of codes `(n, latent)` as uint8 `(n, c, h, w)`."""
    grey = torch.cat([net.observation.picture(net.decode(part), data.levels) for part in codes.split(ROWS)])
    pixels: Tensor = quantised(2 * grey - 1).unflatten(1, data.card["shape"])
    return pixels


@torch.no_grad()
def _reconstructed(net: Vae, originals: Tensor, data: DataSet) -> Tensor:
    codes = [net.posterior(net.observation.scale(part)).code() for part in originals.split(ROWS)]
    return _decoded(net, torch.cat(codes), data)

"""Scores of the images that autoencoders decode: by an evaluator, as those of GANs are, and of their sharpness."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features import complete
from pipeline.features.evaluator import Evaluator
from pipeline.features.pixels import quantised
from pipeline.metrics import paths
from pipeline.metrics import summary as metrics
from pipeline.metrics.pictures import sharpness
from pipeline.runtime.context import Context
from pipeline.runtime.seeding import generator
from pipeline.vae import model as models
from pipeline.vae.model import Vae
from pipeline.vae.pictures import decoded, latents
from pipeline.vae.settings import SampleScoring


def score(data: Path, model: Path, features: Path, output: Path, settings: SampleScoring, context: Context) -> None:
    """Score the decoded latents of every seed of a model, and paths between them; write `metrics.json`.

    Two kinds of latents are decoded: samples of the prior N(0, I), `samples`, and the latents of test images,
    `reconstructions`, which say how good samples of that decoder can be at best.

    Args:
        data: Folder of the data set.
        model: Folder of the trained autoencoders.
        features: Folder of the evaluator.
        output: Folder to write into.
        settings: How many images of each kind; of reconstructions at most as many as there are test images.
        context: Where to compute.

    Raises:
        DataError: If the evaluator takes no such images, or there are too few of them.
    """
    images = store.load(data, context.device)
    evaluator = complete.load(features, context.device, images.card["shape"])
    test, count = images.split("test")[: settings.count], settings.count
    least, setting = evaluator.scoring.least
    if len(test) < least:
        raise DataError(
            f"data set {images.card['name']} has {len(test):,} test images to reconstruct; the evaluator needs at least"
            f" {least:,}: make features.{setting} smaller."
        )
    real = sharpness(images.unit(test)).mean().item()
    if real == 0:
        raise DataError(f"data set {images.card['name']}: its test images have no edges; sharpness compares with them.")
    seeds: dict[str, Any] = {}
    trained = models.load(model, context.device)
    for seed, each in trained.items():
        random = generator(seed, "samples", device=context.device)
        prior = torch.randn((count, each.network.latent), generator=random, device=context.device)
        found = seeds[str(seed)] = {}
        labels = {}
        for kind, z in (("samples", prior), ("reconstructions", latents(each, test))):
            pixels = quantised(2 * decoded(each, z, images) - 1)
            seen, logits = evaluator.network.extract(pixels)
            labels[kind] = logits.argmax(1)
            sharp = sharpness(pixels / 255).mean().item() / real
            found[kind] = {**evaluator.rate(seen, logits), "sharpness": sharp}
        found["paths"] = paths.measure(
            partial(_classify, evaluator, each, images), prior, labels["samples"], evaluator.classes
        )
    protocol = {
        **evaluator.protocol(count),
        "data": images.card["name"],
        "split": "test",
        "reconstructed": len(test),
        "decoder_precision": next(iter(trained.values())).precision,
        "sharpness": "mean variance of the Laplacian of grey values in [0, 1], as a multiple of that of test images",
    }
    metrics.write(output, protocol, seeds)


def _classify(evaluator: Evaluator, model: Vae, data: DataSet, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return features and logits of what latents `(n, latent)` decode to."""
    return evaluator.network.extract(quantised(2 * decoded(model, z, data) - 1))

"""Making of an evaluator: get the feature network, describe the reference images, score other real images and noise."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features import inception, pixels
from pipeline.features.classifier import SMALLEST
from pipeline.features.evaluator import Evaluator, load_network
from pipeline.features.settings import Evaluation, EvaluatorDescription, Layout
from pipeline.features.train import train
from pipeline.runtime import history
from pipeline.runtime.context import Context
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator

FAR = 2.0
"""Noise is farther from real images than this multiple of the floor where a classifier has learnt anything."""
SAME = 1e-6
"""Fréchet distance that is rounding."""
POINT = 8
"""Pixels of a side that the four stages of resnet reduce to one."""


def build(data: Path, output: Path, settings: Evaluation, context: Context) -> None:
    """Make the evaluator of one data set; write it, its floor and the scores of noise.

    The floor is the score of real images of another split. A perfect generator reaches it, and one that has learnt
    nothing scores like noise.

    Args:
        data: Folder of the data set.
        output: Folder to write the network's weights, `network.json`, `reference.safetensors`, `metrics.json` and a
            classifier's `history.csv` into.
        settings: Settings of the evaluator.
        context: Where to compute.

    Raises:
        DataError: If the data set has no such reference split, or no labels for a classifier.
    """
    images = store.load(data, context.device)
    name, reference = images.card["name"], pixels.of(images, settings.reference)
    others = _other_images(images, settings)
    _must_suffice(images.card["name"], len(reference), len(others[1]) if others else None, settings)
    layout = _network(images, output, settings, context)
    words = f"{name}, {settings.reference} split"
    description = EvaluatorDescription(layout, settings.precision, name, words, settings.scoring)
    evaluator = Evaluator.of(load_network(output, description, context.device), reference, settings.scoring, words)
    evaluator.save(output, description)
    metrics: dict[str, Any] = {"protocol": evaluator.protocol(settings.samples)}
    if layout:
        last = history.read(output / "history.csv")[-1]
        named = {key: value for key, value in last.items() if key.endswith("_accuracy")}
        metrics["accuracy"] = {key.removesuffix("_accuracy"): value for key, value in named.items()}
    if others:
        source, chosen = others
        metrics["protocol"]["floor"] = f"{len(chosen)} real images; the fewer images, the larger the Fréchet distance"
        metrics["floor"] = {"source": source, "images": len(chosen), **evaluator.score(chosen)}
    shape = (settings.samples, *reference.shape[1:])
    noise = torch.randint(256, shape, generator=generator("ceiling"), dtype=torch.uint8).to(context.device)
    metrics["noise"] = {"source": "uniform noise", "images": len(noise), **evaluator.score(noise)}
    if layout:
        _must_tell(metrics)
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def _must_suffice(name: str, reference: int, others: int | None, settings: Evaluation) -> None:
    """Make sure before anything is trained that scores get as many images as they need.

    Raises:
        DataError: If there are too few reference images, or too few others for the floor.
    """
    for what, count, (least, setting) in (
        (f"images in its split {settings.reference}, the reference", reference, settings.scoring.least_reference),
        ("images in its other splits, for the floor", others, settings.scoring.least),
    ):
        if count is not None and count < least:
            raise DataError(
                f"data set {name} has {count:,} {what}; features.{setting} needs at least {least:,}: make it smaller."
            )


def _must_tell(metrics: dict[str, Any]) -> None:
    """Make sure that a classifier tells real images from noise: one that has not learnt anything scores all alike.

    Raises:
        UserError: If noise is not `FAR` times as far from the reference as other real images.
    """
    floor = metrics["floor"]["frechet_distance"] if "floor" in metrics else 0.0
    noise = metrics["noise"]["frechet_distance"]
    if not max(FAR * floor, SAME) < noise < math.inf:
        raise UserError(
            f"the classifier cannot tell real images from noise: their Fréchet distances are {floor:.3g} and {noise:.3g};"
            " it has not learnt anything, and a smaller learning_rate or more epochs may help."
        )


def _network(images: DataSet, output: Path, settings: Evaluation, context: Context) -> Layout | None:
    """Train a classifier and return its layout, or fetch the weights of Inception."""
    if settings.architecture is None or settings.training is None:
        inception.store(output, str(settings.weights))
        return None
    _, channels, size, width = images.split("train").shape
    if settings.network == "classifier" and (size != width or size < SMALLEST):
        raise DataError(
            f"data set {images.card['name']} has images of {size}x{width} pixels; the network classifier takes square"
            f" ones from {SMALLEST}x{SMALLEST} on, resnet and inception take any."
        )
    count, batch = len(images.split("train")), settings.training.batch
    if settings.network == "resnet" and max(size, width) <= POINT and count % batch == 1:
        raise DataError(
            f"data set {images.card['name']} has {count:,} training images of {size}x{width} pixels, and features.batch"
            f" {batch:,} leaves one for the last batch, which resnet cannot normalise; use another batch."
        )
    classes = max((int(labels.max()) + 1 for labels in images.labels.values()), default=0)
    if classes == 1:
        raise DataError(f"data set {images.card['name']} has 1 class; a classifier needs at least 2, inception none.")
    size_of = settings.architecture
    layout = Layout(settings.network, size_of.width, size_of.dimensions, channels, size, classes)
    train(images, output, layout, settings.training, settings.precision, context)
    return layout


def _other_images(images: DataSet, settings: Evaluation) -> tuple[str, Tensor] | None:
    """Return real images that are not the reference, in words and as uint8 images: as many as there are or needed.

    They are training images, or all images that are held out where training images are the reference.
    """
    splits = images.held_out if settings.reference == "train" else ["train"]
    if not splits:
        return None
    found = torch.cat([pixels.of(images, split) for split in splits])
    chosen = torch.randperm(len(found), generator=generator("floor"))[: settings.samples].to(found.device)
    return f"{images.card['name']}, {' and '.join(splits)} split{'s' * (len(splits) > 1)}", found[chosen]

"""Making of an evaluator: get the feature network, describe the reference images, score other real images and noise."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.store import DataSet
from pipeline.features import check, inception, pixels
from pipeline.features.evaluator import Evaluator, load_network
from pipeline.features.settings import Evaluation, EvaluatorDescription, Layout
from pipeline.features.train import train
from pipeline.runtime import history
from pipeline.runtime.context import Context
from pipeline.runtime.seeding import generator


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
        DataError: If the data set has no such reference split, no labels for a classifier, or too few images.
        UserError: If a classifier has not learnt to tell images from noise.
    """
    images = store.load(data, context.device)
    name, reference = images.card["name"], pixels.of(images, settings.reference)
    others = _other_images(images, settings)
    check.counts(name, settings, len(reference), len(others[1]) if others else None)
    check.network(images, settings)
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
        check.tells(metrics)
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def _network(images: DataSet, output: Path, settings: Evaluation, context: Context) -> Layout | None:
    """Train a classifier and return its layout, or fetch the weights of Inception."""
    if settings.architecture is None or settings.training is None:
        inception.store(output, str(settings.weights))
        return None
    _, channels, size, _ = images.split("train").shape
    classes = max((int(labels.max()) + 1 for labels in images.labels.values()), default=0)
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

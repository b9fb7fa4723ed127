"""Making of an evaluator: get the feature network, and describe the reference images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features import check, inception, pixels
from pipeline.features.evaluator import Evaluator, load_network
from pipeline.features.settings import Evaluation, EvaluatorDescription, Layout
from pipeline.features.train import train
from pipeline.runtime import history
from pipeline.runtime.context import Context
from pipeline.runtime.seeding import generator


def build(data: Path, output: Path, settings: Evaluation, context: Context) -> None:
    """Make the evaluator of one data set and write it.

    Args:
        data: Folder of the data set.
        output: Folder to write the network's weights, `network.json`, `reference.safetensors`, `metrics.json` and a
            classifier's `history.csv` into.
        settings: Settings of the evaluator.
        context: Where to compute.

    Raises:
        DataError: If the data set has no such reference split or classes, no labels for a classifier, or too few
            images.
        UserError: If a classifier has not learnt to tell images from noise.
    """
    images = store.load(data, context.device)
    name, (reference, _) = images.card["name"], _images(images, settings.reference, settings)
    splits = images.held_out if settings.reference == "train" else ["train"]
    others = sample(images, splits, settings)[0] if splits else None
    check.counts(name, settings, len(reference), None if others is None else len(others))
    check.network(images, settings)
    layout = _network(images, output, settings, context)
    words = described(name, [settings.reference], settings)
    description = EvaluatorDescription(
        layout, settings.precision, name, words, settings.scoring, tuple(images.card["classes"] or ()) if layout else ()
    )
    evaluator = Evaluator.of(load_network(output, description, context.device), reference, settings.scoring, words)
    evaluator.save(output, description)
    metrics: dict[str, Any] = {"protocol": evaluator.protocol(settings.samples)}
    if layout:
        last = history.read(output / "history.csv")[-1]
        named = {key: value for key, value in last.items() if key.endswith("_accuracy")}
        metrics["accuracy"] = {key.removesuffix("_accuracy"): value for key, value in named.items()}
        noise = uniform_noise(settings, reference.shape[1:]).to(context.device)
        floor = 0.0 if others is None else evaluator.distance(evaluator.network.extract(others)[0])
        check.tells(floor, evaluator.distance(evaluator.network.extract(noise)[0]))
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


def _images(images: DataSet, split: str, settings: Evaluation) -> tuple[Tensor, Tensor | None]:
    """Return the images of a split that belong to the reference classes, uint8 `(n, c, h, w)`, and their labels."""
    found, labels = pixels.of(images, split), images.labels.get(split)
    if not settings.reference_classes:
        return found, labels
    classes = images.card["classes"] or []
    if unknown := set(settings.reference_classes) - set(classes):
        raise DataError(
            f"data set {images.card['name']} has no class {', '.join(sorted(unknown))}; it has {', '.join(classes)}."
        )
    if labels is None:
        raise DataError(
            f"data set {images.card['name']} has no labels for its {split} images: set no reference_classes."
        )
    numbers = torch.tensor([classes.index(name) for name in settings.reference_classes], device=labels.device)
    kept = torch.isin(labels, numbers)
    return found[kept], labels[kept]


def uniform_noise(settings: Evaluation, shape: Sequence[int]) -> Tensor:
    """Return as many images of uniform noise as an evaluator scores, uint8 `(samples, c, h, w)`."""
    return torch.randint(256, (settings.samples, *shape), generator=generator("ceiling"), dtype=torch.uint8)


def sample(images: DataSet, splits: list[str], settings: Evaluation) -> tuple[Tensor, Tensor | None]:
    """Return as many images of some splits as there are or needed, uint8 `(n, c, h, w)`, and their labels."""
    parts = [_images(images, split, settings) for split in splits]
    found = torch.cat([pixels for pixels, _ in parts])
    chosen = torch.randperm(len(found), generator=generator("floor"))[: settings.samples].to(found.device)
    labels = [part for _, part in parts if part is not None]
    return found[chosen], torch.cat(labels)[chosen] if len(labels) == len(parts) else None


def described(name: str, splits: list[str], settings: Evaluation) -> str:
    """Return in words what images those of some splits are."""
    classes = f", {' and '.join(settings.reference_classes)} only" if settings.reference_classes else ""
    return f"{name}, {' and '.join(splits)} split{'s' * (len(splits) > 1)}{classes}"

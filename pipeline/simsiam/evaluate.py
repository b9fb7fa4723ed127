"""What the features of an encoder are worth: nearest neighbours, spread and rank, on images without augmentation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.metrics.collapse import effective_rank, feature_std
from pipeline.metrics.knn import accuracy, predict
from pipeline.runtime.precision import arithmetic
from pipeline.simsiam.network import SimSiam
from pipeline.simsiam.settings import Monitor

CHUNK = 500  # images per pass


def check(data: DataSet, *, batch: int, neighbours: int) -> None:
    """Make sure that SimSiam can be trained on a data set and that its features can be evaluated.

    Raises:
        DataError: If the set has no colours or no labels, or too few training images.
    """
    name, shape = data.card["name"], data.card["shape"]
    if shape[0] != 3:
        raise DataError(f"data set {name} has {shape[0]} channel; SimSiam needs colour images, with 3.")
    for split in ("train", "test"):
        data.split(split)
        if split not in data.labels:
            raise DataError(f"data set {name} has no labels for its {split} images; the kNN monitor needs them.")
    count = len(data.split("train"))
    for key, least in (("batch", batch), ("knn_neighbours", neighbours)):
        if count < least:
            raise DataError(
                f"data set {name} has {count} training images; simsiam.{key} is {least}, at most {count} is possible."
            )


@contextmanager
def evaluation(model: SimSiam) -> Iterator[None]:
    """Leave training mode and gradients inside the block."""
    training = model.training
    model.eval()
    with torch.no_grad():
        yield
    model.train(training)


def embed(model: SimSiam, data: DataSet, split: str, precision: str) -> dict[str, Tensor]:
    """Return the features of every image of a split, `(n, d)` float32: those of the `backbone` and the `projector`."""
    images = data.split(split)
    with evaluation(model), arithmetic(images.device, precision):
        backbone = torch.cat([model.represent(data.unit(part)).float() for part in images.split(CHUNK)])
        projector = torch.cat([model.project(part).float() for part in backbone.split(CHUNK)])
    return {"backbone": backbone, "projector": projector}


def measure(bank: Tensor, test: Tensor, data: DataSet, monitor: Monitor) -> dict[str, float]:
    """Return kNN accuracy in percent, spread and rank of the features of one layer.

    Args:
        bank: Features of the training images, `(n, d)`: the neighbours.
        test: Features of the test images, `(m, d)`: classified and measured.
        data: The set they come from, for its labels.
        monitor: Number of neighbours and temperature of their votes.
    """
    predicted = predict(
        bank, data.labels["train"], test, neighbours=monitor.knn_neighbours, temperature=monitor.knn_temperature
    )
    return {
        "knn": accuracy(predicted, data.labels["test"]),
        "feature_std": feature_std(test),
        "effective_rank": effective_rank(test),
    }

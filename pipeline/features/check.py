"""What can be wrong with the images and settings of an evaluator, found before training, and with its scores after."""

import math

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features.classifier import SMALLEST
from pipeline.features.settings import Evaluation
from pipeline.runtime.errors import UserError

FAR = 2.0
"""Noise is farther from real images than this multiple of the floor where a classifier has learnt anything."""
SAME = 1e-6
"""Fréchet distance that is rounding."""
POINT = 8
"""Pixels of a side that the four stages of resnet reduce to one."""


def counts(name: str, settings: Evaluation, reference: int, others: int | None) -> None:
    """Make sure that scores get as many images as they need.

    Args:
        name: Name of the data set.
        settings: Settings of the evaluator.
        reference: Number of reference images.
        others: Number of other real images, for the floor; `None` where there are none.

    Raises:
        DataError: If there are too few.
    """
    for what, count, (least, setting) in (
        (f"images in its split {settings.reference}, the reference", reference, settings.scoring.least_reference),
        ("images in its other splits, for the floor", others, settings.scoring.least),
    ):
        if count is not None and count < least:
            raise DataError(
                f"data set {name} has {count:,} {what}; features.{setting} needs at least {least:,}: make it smaller."
            )


def network(data: DataSet, settings: Evaluation) -> None:
    """Make sure that the network takes the images, and has something to tell apart.

    Raises:
        DataError: If it is a classifier and they are too small or all of one class, or if normalisation of a batch is
            left with one value.
    """
    if settings.training is None:
        return
    name, (count, _, height, width) = data.card["name"], data.split("train").shape
    if settings.network == "classifier" and (height != width or height < SMALLEST):
        raise DataError(
            f"data set {name} has images of {height}x{width} pixels; the network classifier takes square ones from"
            f" {SMALLEST}x{SMALLEST} on, resnet and inception take any."
        )
    if settings.network == "resnet" and max(height, width) <= POINT and count % settings.training.batch == 1:
        raise DataError(
            f"data set {name} has {count:,} training images of {height}x{width} pixels, and features.batch"
            f" {settings.training.batch:,} leaves one for the last batch, which resnet cannot normalise."
        )
    if data.labels and max(int(labels.max()) for labels in data.labels.values()) == 0:
        raise DataError(f"data set {name} has 1 class; a classifier needs at least 2, inception none.")


def tells(floor: float, noise: float) -> None:
    """Make sure that a classifier tells real images from noise: one that has not learnt anything scores all alike.

    Args:
        floor: Fréchet distance of other real images from the reference; 0 where there are none.
        noise: That of uniform noise.

    Raises:
        UserError: If noise is not `FAR` times as far from the reference as other real images.
    """
    if not max(FAR * floor, SAME) < noise < math.inf:
        raise UserError(
            f"the classifier cannot tell real images from noise: their Fréchet distances are {floor:.3g} and"
            f" {noise:.3g}; it has not learnt anything, and a smaller learning_rate or more epochs may help."
        )

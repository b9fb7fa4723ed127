"""The images of a data set as GANs need them: those they train on, and those they are judged by."""

import torch
from torch import Tensor

from pipeline.data.store import DataSet
from pipeline.runtime import seeding


def stretched(images: DataSet, split: str) -> Tensor:
    """Return the images of a split with their levels stretched to 0..255, uint8 `(n, c, h, w)`."""
    return images.split(split) * (255 // (images.levels - 1))


def judged(images: DataSet) -> tuple[str, Tensor]:
    """Return the split by which a run is judged and its `stretched` images: the test split where there is one.

    A set without one, such as report 003's birds, leaves the training images: in an order drawn once, since estimates
    look at the first of them and files are often sorted by class.
    """
    if "test" in images.images:
        return "test", stretched(images, "test")
    train = stretched(images, "train")
    order = torch.randperm(len(train), generator=seeding.generator("judged"))
    return "train", train[order.to(train.device)]

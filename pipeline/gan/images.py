"""The images of a data set as GANs need them: those they train on, and those they are evaluated against."""

from torch import Tensor

from pipeline.data.store import DataSet


def stretched(images: DataSet, split: str) -> Tensor:
    """Return the images of a split with their levels stretched to 0..255, uint8 `(n, c, h, w)`."""
    return images.split(split) * (255 // (images.levels - 1))


def evaluation_split(images: DataSet) -> tuple[str, Tensor]:
    """Return the name of the evaluation split and its `stretched` images: the test split where there is one.

    A set without one, such as report 003's birds, leaves the training images.
    """
    split = "test" if "test" in images.images else "train"
    return split, stretched(images, split)

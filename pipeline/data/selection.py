"""Some classes of a labelled data set, as a data set of its own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.data.errors import DataError
from pipeline.data.registry import Source
from pipeline.data.splits import Split, Splits


def of_classes(name: str, source: Source, splits: Splits, chosen: Sequence[str]) -> tuple[Source, Splits]:
    """Keep the images of the `chosen` classes alone; their labels count from 0 in the order of `chosen`.

    Args:
        name: Name of the new set, for messages.
        source: What is known about the whole set.
        splits: Its splits.
        chosen: Names of the classes to keep.

    Raises:
        DataError: If the set has no labels or not these classes, or a split would be left empty.
    """
    if sentence := source.without(chosen):
        raise DataError(f"data set {name}: {sentence}.")
    new = np.full(len(source.classes), -1)
    new[[source.classes.index(label) for label in chosen]] = np.arange(len(chosen))
    kept: Splits = {}
    for split, part in splits.items():
        assert part.labels is not None, "a set whose classes have names has labels"
        labels = new[part.labels]
        kept[split] = Split(part.images[labels >= 0], labels[labels >= 0].astype(np.int64))
        if not len(kept[split]):
            raise DataError(f"data set {name}: its split {split} holds no image of {', '.join(chosen)}.")
    words = f"only {', '.join(chosen)}"
    return replace(
        source, title=f"{source.title}, {words}", split=f"{source.split}; {words}", classes=tuple(chosen)
    ), kept

"""What a source hands over: images and labels per split, and seeded splits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """One split of a data set.

    Args:
        images: Images, uint8 `(n, c, h, w)`.
        labels: Their classes, int64 `(n,)`, or `None`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None

    def __getitem__(self, which: slice | NDArray[np.intp]) -> "Split":
        return Split(self.images[which], None if self.labels is None else self.labels[which])

    def __len__(self) -> int:
        return len(self.images)


Splits = dict[str, Split]


def generator(*key: int) -> np.random.Generator:
    """Return numpy's generator PCG64 with the seed `key`."""
    return np.random.Generator(np.random.PCG64(key))


def shuffled(splits: Splits) -> Splits:
    """Put each split in a random order that never changes.

    Files are often sorted by class, and some scores look at the first images of a split only.
    """
    return {name: part[generator(0).permutation(len(part))] for name, part in splits.items()}


def parted(whole: Split, counts: dict[str, int], seed: int) -> Splits:
    """Put `whole` in a random order fixed by `seed` and cut it into parts of the given sizes, in their order."""
    order = generator(seed).permutation(len(whole))
    ends = np.cumsum(list(counts.values()))
    return {name: whole[order[end - count : end]] for (name, count), end in zip(counts.items(), ends, strict=True)}

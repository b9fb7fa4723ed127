"""Read a data set that the stage `data` wrote, and keep it on the device as bytes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data.errors import DataError


@dataclass(frozen=True)
class DataSet:
    """One data set on one device.

    Args:
        card: Content of `card.json`: name, source, licence, counts, number of grey levels.
        images: Images of each split, uint8 `(n, c, h, w)`.
        labels: Classes of each split that has them, int64 `(n,)`.
    """

    card: dict[str, Any]
    images: dict[str, Tensor]
    labels: dict[str, Tensor]

    @property
    def levels(self) -> int:
        return int(self.card["levels"])

    def binary(self, split: str) -> Tensor:
        """Return the images of a split of black and white images, uint8 0 or 1 `(n, c, h, w)`.

        Raises:
            DataError: If the set has grey levels or no such split.
        """
        if self.levels != 2:
            raise DataError(f"data set {self.card['name']} has {self.levels} grey levels, a binary one is needed.")
        return self.split(split)

    def split(self, split: str) -> Tensor:
        """Return the images of a split, uint8 `(n, c, h, w)`.

        Raises:
            DataError: If there is no such split.
        """
        if split not in self.images:
            raise DataError(f"data set {self.card['name']} has no split {split}; it has {', '.join(self.images)}.")
        return self.images[split]

    @property
    def held_out(self) -> list[str]:
        """The splits that are not trained on."""
        return [split for split in ("valid", "test") if split in self.images]

    def unit(self, images: Tensor) -> Tensor:
        """Scale images of this set from bytes to float32 in [0, 1]."""
        return images.float() / (self.levels - 1)

    def signed(self, images: Tensor) -> Tensor:
        """Scale images of this set from bytes to float32 in [-1, 1]."""
        return images.float() * (2 / (self.levels - 1)) - 1


def load(folder: Path, device: torch.device | str) -> DataSet:
    """Load every split of the data set in `folder` onto `device`."""
    card = json.loads((folder / "card.json").read_text())
    images = {split: _tensor(folder / f"{split}_images.npy", device) for split in card["counts"]}
    labels = {
        split: _tensor(path, device) for split in card["counts"] if (path := folder / f"{split}_labels.npy").exists()
    }
    return DataSet(card, images, labels)


def _tensor(path: Path, device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.load(path, allow_pickle=False)).to(device)

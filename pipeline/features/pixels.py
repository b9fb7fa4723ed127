"""Pixels as the feature networks see them: whole numbers, for real and generated images alike."""

import torch
from torch import Tensor

from pipeline.data.store import DataSet

CHUNK = 1000  # images that are floating-point numbers at once


def quantised(images: Tensor) -> Tensor:
    """Round images in [-1, 1], `(n, c, h, w)`, to uint8 0..255 as a picture file would hold them; half goes up.

    Raises:
        ValueError: If a value is not finite: no score can be given to such images.
    """
    if not images.isfinite().all():
        raise ValueError("images hold values that are not finite")
    return ((images.clamp(-1, 1) + 1) * 127.5 + 0.5).floor().to(torch.uint8)


def of(data: DataSet, split: str) -> Tensor:
    """Return the images of a split with grey levels from 0 to 255, uint8 `(n, c, h, w)`."""
    return torch.cat([quantised(data.signed(part)) for part in data.split(split).split(CHUNK)])

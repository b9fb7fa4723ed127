"""The order of an epoch, on the device of the images."""

from collections.abc import Sequence

import torch
from torch import Tensor


def epoch_batches(count: int, batch: int, random: torch.Generator, drop_last: bool = False) -> Sequence[Tensor]:
    """Return the index tensors of one shuffled epoch, each image once.

    Args:
        count: Number of images of the split.
        batch: Number of images per step.
        random: Generator of the order; the indices live on its device.
        drop_last: Whether a last batch of fewer than `batch` images is left out.

    Returns:
        Index tensors, int64 `(batch,)`, the last one shorter unless it is left out.
    """
    order = torch.randperm(count, generator=random, device=random.device)
    parts: Sequence[Tensor] = torch.split(order, batch)
    return parts[: count // batch] if drop_last else parts

r"""Precision and recall of generated images by k-nearest-neighbour balls in feature space.

Each set's support is estimated by the union of balls around its points, each reaching to the point's k-th nearest
neighbour in the same set. Precision is the share of generated images within the reference's support, recall the share
of reference images within the generated ones'.

Reference: Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

ELEMENTS = 1 << 24  # of the block of squared distances that is held at once


def radii(points: Tensor, neighbours: int) -> Tensor:
    """Return the squared distance of each of the points `(n, d)` to its k-th nearest other one, float64 `(n,)`.

    Raises:
        ValueError: if there are not more than `neighbours` points.
    """
    if len(points) <= neighbours:
        n = len(points)
        raise ValueError(f"an image has only {n - 1} others among {n}, and {neighbours} neighbours are asked for")
    points = points.double()
    found = []
    for start, block in _blocks(points, len(points)):
        distances = _squared_distances(block, points)
        distances[range(len(block)), range(start, start + len(block))] = torch.inf  # a point is no neighbour of itself
        found.append(distances.topk(neighbours, 1, largest=False).values[:, -1])
    return torch.cat(found)


def covered(points: Tensor, centres: Tensor, radii: Tensor) -> float:
    """Return the share of `points` `(n, d)` within any ball around `centres` `(m, d)` with squared `radii` `(m,)`."""
    centres = centres.double()
    inside = [
        (_squared_distances(block, centres) <= radii).any(1) for _, block in _blocks(points.double(), len(centres))
    ]
    return torch.cat(inside).double().mean().item()


def precision_and_recall(fake: Tensor, real: Tensor, real_radii: Tensor, neighbours: int) -> tuple[float, float]:
    """Return precision and recall.

    Args:
        fake: features of generated images, `(n, d)`.
        real: features of reference images, `(m, d)`.
        real_radii: `radii(real, neighbours)`, `(m,)`.
        neighbours: k; 3 in the paper.
    """
    return covered(fake, real, real_radii), covered(real, fake, radii(fake, neighbours))


def _blocks(points: Tensor, columns: int) -> Iterator[tuple[int, Tensor]]:
    """Cut `points` so that a block's distances to `columns` others fit in memory; yield first row and block."""
    for start in range(0, len(points), rows := max(1, ELEMENTS // columns)):
        yield start, points[start : start + rows]


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    # in float64 the cancellation costs about 1e-15 of the squared norms; in float32 it would move points across radii
    return torch.addmm(y.square().sum(1) + x.square().sum(1)[:, None], x, y.T, alpha=-2)

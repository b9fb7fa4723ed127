r"""Precision, recall, density and coverage of generated images, by nearest neighbours in feature space.

The support of a set of images is estimated by the union of balls around its points, balls whose radius is the distance
to the k-th nearest neighbour in the same set. With $B_i$ the ball around the reference image $x_i$, $B'_j$ the one
around the generated image $y_j$, and n generated and m reference images,

$$\mathrm{precision} = \frac1n \sum_j 1\Big[y_j \in \bigcup_i B_i\Big], \qquad
\mathrm{recall} = \frac1m \sum_i 1\Big[x_i \in \bigcup_j B'_j\Big],$$

$$\mathrm{density} = \frac{1}{k n} \sum_j \sum_i 1[y_j \in B_i], \qquad
\mathrm{coverage} = \frac1m \sum_i 1\big[B_i \text{ holds some } y_j\big].$$

Density and coverage use balls around reference images only, since one outlier among generated images spreads a ball
over much of the space; density may exceed 1.

These are our own, since torch-fidelity computes the reference's radii at every call, holds all distances at once or
computes each of them twice, and has no density and coverage.

References: Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019;
Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020.
"""

import torch
from torch import Tensor

from pipeline.metrics.pairs import tiles


def radii(points: Tensor, neighbours: int) -> Tensor:
    """Return the squared radius of the ball around each point: the squared distance to its k-th nearest neighbour.

    Args:
        points: Points, `(n, d)`.
        neighbours: The number k.

    Returns:
        Squared radii, float64 `(n,)`.

    Raises:
        ValueError: If there are not more than `neighbours` points.
    """
    if (n := len(points)) <= neighbours:
        raise ValueError(f"an image has only {n - 1} others among {n}, and {neighbours} neighbours are asked for")
    nearest = torch.full((n, neighbours), torch.inf, dtype=torch.float64, device=points.device)
    for rows, columns, x, y in tiles(points, points):
        distances = _squared_distances(x, y)
        if rows == columns:
            distances.fill_diagonal_(torch.inf)  # a point is no neighbour of itself
        nearest[rows] = torch.cat((nearest[rows], distances), 1).topk(neighbours, largest=False).values
    return nearest.amax(1)


def precision_and_recall(fake: Tensor, real: Tensor, real_radii: Tensor, neighbours: int) -> tuple[float, float]:
    """Return the shares of generated images in the reference's support, and of reference images in the generated one.

    Args:
        fake: Features of generated images, `(n, d)`.
        real: Features of reference images, `(m, d)`.
        real_radii: `radii(real, neighbours)`, `(m,)`.
        neighbours: The number k, 3 in the paper.
    """
    fake_radii = radii(fake, neighbours)
    precise = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, columns, x, y in tiles(fake, real):
        distances = _squared_distances(x, y)
        precise[rows] |= (distances <= real_radii[columns]).any(1)
        recalled[columns] |= (distances <= fake_radii[rows, None]).any(0)
    return _share(precise), _share(recalled)


def density_and_coverage(fake: Tensor, real: Tensor, real_radii: Tensor, neighbours: int) -> tuple[float, float]:
    """Return in how many balls a generated image lies, divided by k, and the share of balls that hold such an image.

    Args:
        fake: Features of generated images, `(n, d)`.
        real: Features of reference images, `(m, d)`.
        real_radii: `radii(real, neighbours)`, `(m,)`.
        neighbours: The number k, 5 in the paper.
    """
    found = 0
    covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for _, columns, x, y in tiles(fake, real):
        inside = _squared_distances(x, y) <= real_radii[columns]
        found += int(inside.sum())
        covered[columns] |= inside.any(0)
    return found / (neighbours * len(fake)), _share(covered)


def _share(those: Tensor) -> float:
    return those.double().mean().item()


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    # in float64 the cancellation costs about 1e-15 of the squared norms; in float32 it would move points across radii
    return torch.addmm(y.square().sum(1) + x.square().sum(1)[:, None], x, y.T, alpha=-2)

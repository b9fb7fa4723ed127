"""What single planar layers do to points of the base, and how many operations log-determinants take."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import silhouette_score
from torch import Tensor

from pipeline.flow import operations
from pipeline.flow.planar import forward, in_place
from pipeline.flow.settings import Distribution, SingleLayers
from pipeline.runtime.seeding import generator

CHECKED = (2, 5, 20)  # dimensions in which the formula of the log-determinant is checked
PROTOCOL = {
    "operations": "additions, multiplications and elementary functions for one point, LU as 2/3 d^3",
    "exponents": "least squares of log operations against log d or log k",
    "jacobian": "largest relative error of the log-determinant at the points, N(0, 1) parameters, float64",
}


def show(output: Path, settings: SingleLayers) -> None:
    """Move points of N(0, I) by one layer for each distribution and count operations; write `metrics.json` and arrays.

    `points.npy` is `(points, 2)`, `moved.npy` `(distributions, points, 2)`, float32. Operations are counted at depth 1
    for each of the dimensions, and in two dimensions for each of the depths.

    Args:
        output: Folder to write into.
        settings: The points and the layers; all layers are scaled and shifted from the same standard normal samples.
    """
    base = torch.randn((settings.points, 2), generator=generator(settings.seed, "points"), dtype=torch.float64)
    layers, moved = {}, []
    for number, distribution in enumerate(settings.distributions, 1):
        x, side = move(base, distribution, settings.seed)
        moved.append(x)
        layers[str(number)] = {
            "distribution": [distribution.mean, distribution.std],
            "bias": distribution.bias,
            "displacement": (x - base).norm(dim=-1).mean().item(),
            **groups(x, side),
        }
    counts = {
        "planar": {str(d): operations.planar(d, 1) for d in settings.dimensions},
        "dense": {str(d): operations.dense(d) for d in settings.dimensions},
        "depth": {str(k): operations.planar(2, k) for k in settings.depths},
    }
    metrics = {
        "protocol": {"points": settings.points, **PROTOCOL},
        "jacobian": {str(d): jacobian_error(d, settings.points, settings.seed) for d in CHECKED},
        "layers": layers,
        "biases": sorted({distribution.bias for distribution in settings.distributions}),
        "operations": counts,
        "exponents": {name: exponent(by_size) for name, by_size in counts.items()},
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    np.save(output / "points.npy", base.float().numpy())
    np.save(output / "moved.npy", torch.stack(moved).float().numpy())


def move(base: Tensor, distribution: Distribution, seed: int) -> tuple[Tensor, Tensor]:
    """Move points by one layer.

    Args:
        base: Points, float64 `(n, 2)`.
        distribution: What u and w are sampled from, and b.
        seed: Seed of the layer.

    Returns:
        Moved points `(n, 2)`, and on which side of the layer's plane each of them started, bool `(n)`.
    """
    noise = torch.randn((2, 1, 2), generator=generator(seed, "layer"), dtype=torch.float64)
    u, w = distribution.mean + distribution.std * noise
    b = torch.tensor([distribution.bias], dtype=torch.float64)
    return forward(base, in_place(u, w), w, b)[0], base @ w[0] + b > 0


def jacobian_error(dimension: int, points: int, seed: int) -> float:
    r"""Return the largest relative error of $\log |1 + h'(w^T z + b)\, u^T w|$ against automatic differentiation.

    Args:
        dimension: Dimension of the points.
        points: Number of points of N(0, I) at which one layer is compared.
        seed: Seed of points and layer; parameters are sampled from N(0, 1), and u is corrected in place.
    """
    random = generator(seed, "jacobian", dimension)
    z = torch.randn((points, dimension), generator=random, dtype=torch.float64)
    u, w = torch.randn((2, 1, dimension), generator=random, dtype=torch.float64)
    b = torch.randn(1, generator=random, dtype=torch.float64)
    u = in_place(u, w)
    _, formula = forward(z, u, w, b)
    exact = torch.linalg.slogdet(
        torch.vmap(torch.func.jacrev(lambda point: forward(point[None], u, w, b)[0][0]))(z)
    ).logabsdet
    return float(((formula - exact).abs() / exact.abs().clamp_min(1)).max())


def groups(x: Tensor, side: Tensor) -> dict[str, Any]:
    """Return how many points lie on the smaller side, and the mean silhouette of the two sides.

    It is `None` where it says nothing: for one side, and for two points.

    Args:
        x: Points, `(n, 2)`.
        side: On which side of the layer's plane each of them started, bool `(n)`.
    """
    smaller = min(int(side.sum()), int((~side).sum()))
    return {"smaller_side": smaller, "silhouette": float(silhouette_score(x, side)) if smaller and len(x) > 2 else None}


def exponent(counts: Mapping[str, int]) -> float:
    """Return the exponent of the power law of the size that is nearest to `counts` in least squares of logarithms."""
    x = [math.log(int(size)) for size in counts]
    return float(np.polyfit(x, [math.log(count) for count in counts.values()], 1)[0])

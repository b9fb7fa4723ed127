"""What single planar layers do to points of the base, and what log-determinants cost."""

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
from pipeline.runtime.seeding import generator

CHECKED = (2, 5, 20)  # dimensions in which the formula of the log-determinant is checked


def show(
    output: Path, *, points: int, draws: list[dict[str, float]], dimensions: list[int], depths: list[int], seed: int
) -> None:
    """Move points of N(0, I) by one layer for each of `draws` and count operations; write `metrics.json` and arrays.

    `points.npy` is `(points, 2)`, `moved.npy` `(draws, points, 2)`, float32.

    Args:
        output: folder to write into.
        points: how many.
        draws: `mean` and `deviation` of the normal distribution of u and w, and `bias`.
        dimensions: at which operations are counted, at depth 1.
        depths: at which operations are counted, in two dimensions.
        seed: of points and layers; all layers are scaled and shifted from the same normal draws.
    """
    base = torch.randn((points, 2), generator=generator(seed, "points"), dtype=torch.float64)
    layers, moved = {}, []
    for number, draw in enumerate(draws, 1):
        noise = torch.randn((2, 1, 2), generator=generator(seed, "layer"), dtype=torch.float64)
        u, w = draw["mean"] + draw["deviation"] * noise
        b = torch.tensor([draw["bias"]], dtype=torch.float64)
        x, _ = forward(base, in_place(u, w), w, b)
        moved.append(x)
        layers[str(number)] = {
            "drawn": [draw["mean"], draw["deviation"]],
            "bias": draw["bias"],
            "displacement": (x - base).norm(dim=-1).mean().item(),
            **groups(x, base @ w[0] + b > 0),
        }
    planar = {str(d): operations.planar(d, 1) for d in dimensions}
    dense = {str(d): operations.dense(d) for d in dimensions}
    deep = {str(k): operations.planar(2, k) for k in depths}
    metrics = {
        "protocol": {
            "points": points,
            "operations": "additions, multiplications and elementary functions for one point, LU as 2/3 d^3",
            "slope": "least squares of log operations against log d or log k",
            "jacobian": "largest relative error of the log-determinant at the points, N(0, 1) parameters, float64",
        },
        "jacobian": {str(d): jacobian_error(d, points, seed) for d in CHECKED},
        "layers": layers,
        "biases": sorted({draw["bias"] for draw in draws}),
        "operations": {"planar": planar, "dense": dense, "depth": deep},
        "slope": {"planar": slope(planar), "dense": slope(dense), "depth": slope(deep)},
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    np.save(output / "points.npy", base.float().numpy())
    np.save(output / "moved.npy", torch.stack(moved).float().numpy())


def jacobian_error(dimension: int, points: int, seed: int) -> float:
    r"""Return the largest relative error of $\log |1 + h'(w^T z + b)\, u^T w|$ against automatic differentiation.

    Args:
        dimension: of the points.
        points: of N(0, I) at which one layer is compared.
        seed: of points and layer; parameters are drawn from N(0, 1), u is corrected in place.
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
    """Return how many points lie on the smaller side, and the mean silhouette of the two sides (`None` for one).

    Args:
        x: points, `(n, 2)`.
        side: on which side of the layer's plane each of them started, bool `(n)`.
    """
    smaller = min(int(side.sum()), int((~side).sum()))
    return {"smaller_side": smaller, "silhouette": float(silhouette_score(x, side)) if smaller else None}


def slope(counts: Mapping[str, int]) -> float:
    """Return the exponent of the power law nearest to `counts` in the least squares of logarithms."""
    x = [math.log(int(size)) for size in counts]
    return float(np.polyfit(x, [math.log(count) for count in counts.values()], 1)[0])

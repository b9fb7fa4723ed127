"""Scoring of trained planar flows: likelihood, reverse KL, integral of the learned density, pictures and samples."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.flow import weights
from pipeline.flow.densities import DENSITIES, HALF_WIDTH, cell, data_points, grid
from pipeline.flow.planar import forward, inverse, standard_normal
from pipeline.flow.weights import Layers
from pipeline.metrics import seeds as over_seeds
from pipeline.metrics.energy import energy_distance
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator

FRESH = 10_000  # new points, and base draws, that the scores are means over
PAIRED = 2_000  # of them enter the energy distance
DRAWN = 500  # samples that a picture shows
SQUARES = 100  # per side of the picture of a density
PLANE = 10.0  # half-width of the box over which a learned density is integrated
FINE = 800  # squares per side of that integral


def score(model: Path, output: Path, *, points: int) -> None:
    """Score every flow of a run; write `metrics.json`, and densities and samples of the first seed as arrays.

    Args:
        model: folder of the trained flows.
        output: folder to write into.
        points: data points of each density that the mode `samples` was fitted to.
    """
    network, flows = weights.load(model)
    densities, constraints = network["densities"], network["constraints"]
    fits = {"samples": _likelihood, "density": _divergence}
    results: dict[str, Any] = {}
    with bar(len(flows) * len(weights.names(densities, constraints)), output.name, "flow") as progress:
        for seed, layers in flows.items():
            tree = results[str(seed)] = {c: {mode: {} for mode in weights.MODES} for c in constraints}
            for constraint, mode, density in product(constraints, weights.MODES, densities):
                flow = layers[weights.name(density, mode, constraint)]
                tree[constraint][mode][density] = fits[mode](flow, density, points, seed)
                progress.update()
    protocol = {
        "densities": densities,
        "constraints": constraints,
        "points": f"{points} exact points of each density on the box [-5, 5]^2, all of them used in training",
        "fresh": FRESH,
        "test": "`fresh` further points of each density; for reverse KL as many draws from the flow",
        "energy_distance": f"{PAIRED} draws from the flow and as many exact points, unbiased estimate",
        "integral": f"midpoint rule on [-{PLANE:g}, {PLANE:g}]^2 with {FINE} squares per side",
    }
    floors = {
        "nll": {density: DENSITIES[density].entropy for density in densities},
        "loss": {density: -DENSITIES[density].log_normaliser for density in densities},
    }
    metrics = {
        "protocol": protocol,
        "floors": floors,
        "seeds": results,
        "mean": over_seeds.mean(results),
        "spread": over_seeds.spread(results),
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    _pictures(next(iter(flows.values())), densities, constraints, output)


def log_density(flow: Layers, mode: str, z: Tensor) -> Tensor:
    r"""Return the log density that a flow gives to points `(..., 2)`, shape `(...)`.

    A flow f of the mode `samples` maps data to the base: $\log N(f(z); 0, I) + \log |\det f'(z)|$. One of the mode
    `density` maps the base to data, and is inverted first.
    """
    if mode == "samples":
        base, volume = forward(z, *flow)
        return standard_normal(base) + volume
    base, volume = inverse(z, *flow)
    return standard_normal(base) - volume


def _likelihood(flow: Layers, density: str, points: int, seed: int) -> dict[str, float]:
    """Score a flow that was fitted to points, in nats per point."""
    target = DENSITIES[density]
    fitted = -log_density(flow, "samples", data_points(density, points).double())
    test = -log_density(flow, "samples", target.points(FRESH, generator("flow test", density)).double())
    rows = grid(FINE, PLANE).split(50)  # few enough points at once to stay in the processor's cache
    mass = sum(float(torch.exp(log_density(flow, "samples", row.flatten(0, 1))).sum()) for row in rows)
    return {
        "nll": fitted.mean().item(),
        "test_nll": test.mean().item(),
        "standard_error": (test.std() / len(test) ** 0.5).item(),
        "integral": mass * cell(FINE, PLANE),
    }


def _divergence(flow: Layers, density: str, points: int, seed: int) -> dict[str, float]:
    """Score a flow that was fitted to a potential by draws from it: `loss` is the reverse KL less log Z, in nats."""
    target = DENSITIES[density]
    base = torch.randn((FRESH, 2), generator=generator(seed, "flow test", density), dtype=torch.float64)
    drawn, volume = forward(base, *flow)
    losses = target.potential(drawn) + standard_normal(base) - volume
    exact = target.points(PAIRED, generator("energy distance", density)).double()
    return {
        "loss": losses.mean().item(),
        "standard_error": (losses.std() / len(losses) ** 0.5).item(),
        "energy_distance": energy_distance(drawn[:PAIRED], exact),
        "left": (drawn[:, 0] < 0).double().mean().item(),
        "outside": (drawn.abs() > HALF_WIDTH).any(-1).double().mean().item(),
    }


def _pictures(flows: dict[str, Layers], densities: list[str], constraints: list[str], output: Path) -> None:
    """Store densities on a grid of [-5, 5]^2, rows along y, and draws from the flows fitted to a density.

    `targets.npy` is `(densities, 100, 100)`, `densities.npy` `(constraints, modes, densities, 100, 100)`, `samples.npy`
    `(constraints, densities, 500, 2)`, all float32.
    """
    squares = grid(SQUARES)
    targets = [torch.exp(-DENSITIES[name].potential(squares) - DENSITIES[name].log_normaliser) for name in densities]
    learned = [
        torch.exp(log_density(flows[weights.name(name, mode, constraint)], mode, squares.flatten(0, 1)))
        for constraint, mode, name in product(constraints, weights.MODES, densities)
    ]
    base = torch.randn((DRAWN, 2), generator=generator("flow samples"), dtype=torch.float64)
    samples = [
        forward(base, *flows[weights.name(name, "density", constraint)])[0]
        for constraint, name in product(constraints, densities)
    ]
    shape = (len(constraints), len(weights.MODES), len(densities), SQUARES, SQUARES)
    for file, array in (
        ("targets", torch.stack(targets)),
        ("densities", torch.stack(learned).view(shape)),
        ("samples", torch.stack(samples).view(len(constraints), len(densities), DRAWN, 2)),
    ):
        np.save(output / f"{file}.npy", array.float().numpy())

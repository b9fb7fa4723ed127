"""Scores of trained planar flows: likelihood, reverse KL, integral of the learned density; pictures and samples."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.flow.densities import DENSITIES, HALF_WIDTH, cell, data_points, grid
from pipeline.flow.network import MODES, Layers, load, name, names
from pipeline.flow.planar import forward, inverse, standard_normal
from pipeline.flow.settings import Network, Scoring
from pipeline.metrics import summary
from pipeline.metrics.energy import energy_distance
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator

FRESH = 10_000  # new points, and samples of a flow, that the scores are means over
PAIRED = 2_000  # of them enter the energy distance
SHOWN = 500  # samples that a picture shows
SQUARES = 100  # per side of the picture of a density
PLANE = 10.0  # half-width of the box over which a learned density is integrated
FINE = 800  # squares per side of that integral


def score(model: Path, output: Path, settings: Scoring) -> None:
    """Score every flow of a run; write `metrics.json`, and densities and samples of the first seed as arrays.

    Args:
        model: Folder of the trained flows.
        output: Folder to write into.
        settings: How many data points the mode `samples` was fitted to.
    """
    network, flows = load(model)
    results: dict[str, Any] = {}
    with bar(len(flows) * len(names(network)), output.name, "flow") as progress:
        for seed, layers in flows.items():
            tree = results[str(seed)] = {c: {mode: {} for mode in MODES} for c in network.constraints}
            for constraint, mode, density in product(network.constraints, MODES, network.densities):
                flow = layers[name(density, mode, constraint)]
                if mode == "samples":
                    scores = likelihood(flow, density, settings.points)
                else:
                    scores = divergence(flow, density, seed)
                tree[constraint][mode][density] = scores
                progress.update()
    protocol = {
        "densities": network.densities,
        "constraints": network.constraints,
        "points": f"{settings.points} exact points of each density on the box [-5, 5]^2, all of them used in training",
        "fresh": FRESH,
        "test": "`fresh` further points of each density; for reverse KL as many samples of the flow",
        "energy_distance": f"{PAIRED} samples of the flow and as many exact points, unbiased estimate",
        "integral": f"midpoint rule on [-{PLANE:g}, {PLANE:g}]^2 with {FINE} squares per side",
    }
    floors = {
        "nll": {density: DENSITIES[density].entropy for density in network.densities},
        "loss": {density: -DENSITIES[density].log_normaliser for density in network.densities},
    }
    summary.write(output, protocol, results, floors=floors)
    _pictures(next(iter(flows.values())), network, output)


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


def likelihood(flow: Layers, density: str, points: int) -> dict[str, float]:
    """Score a flow that was fitted to points, in nats per point.

    Args:
        flow: The layers of the flow.
        density: Name of the density that the points follow.
        points: Number of data points that the flow was fitted to.
    """
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


def divergence(flow: Layers, density: str, seed: int) -> dict[str, float]:
    """Score a flow that was fitted to a potential by samples of it: `loss` is the reverse KL minus log Z, in nats.

    Args:
        flow: The layers of the flow.
        density: Name of the density whose potential the flow was fitted to.
        seed: Seed of the training, and of the samples.
    """
    target = DENSITIES[density]
    base = torch.randn((FRESH, 2), generator=generator(seed, "flow test", density), dtype=torch.float64)
    samples, volume = forward(base, *flow)
    losses = target.potential(samples) + standard_normal(base) - volume
    exact = target.points(PAIRED, generator("energy distance", density)).double()
    return {
        "loss": losses.mean().item(),
        "standard_error": (losses.std() / len(losses) ** 0.5).item(),
        "energy_distance": energy_distance(samples[:PAIRED], exact),
        "left": (samples[:, 0] < 0).double().mean().item(),
        "outside": (samples.abs() > HALF_WIDTH).any(-1).double().mean().item(),
    }


def _pictures(flows: dict[str, Layers], network: Network, output: Path) -> None:
    """Store densities on a grid of [-5, 5]^2, rows along y, and samples of the flows that were fitted to a potential.

    `targets.npy` is `(densities, 100, 100)`, `densities.npy` `(constraints, modes, densities, 100, 100)`, `samples.npy`
    `(constraints, densities, 500, 2)`, all float32.
    """
    densities, constraints = network.densities, network.constraints
    squares = grid(SQUARES)
    targets = [torch.exp(-DENSITIES[key].potential(squares) - DENSITIES[key].log_normaliser) for key in densities]
    learned = [
        torch.exp(log_density(flows[name(density, mode, constraint)], mode, squares.flatten(0, 1)))
        for constraint, mode, density in product(constraints, MODES, densities)
    ]
    base = torch.randn((SHOWN, 2), generator=generator("flow samples"), dtype=torch.float64)
    samples = [
        forward(base, *flows[name(density, "density", constraint)])[0]
        for constraint, density in product(constraints, densities)
    ]
    shape = (len(constraints), len(MODES), len(densities), SQUARES, SQUARES)
    for file, array in (
        ("targets", torch.stack(targets)),
        ("densities", torch.stack(learned).view(shape)),
        ("samples", torch.stack(samples).view(len(constraints), len(densities), SHOWN, 2)),
    ):
        np.save(output / f"{file}.npy", array.float().numpy())

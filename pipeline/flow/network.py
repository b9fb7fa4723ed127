"""The planar flows of one run: their names, and their trained layers in files."""

from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from pipeline.flow.settings import Network
from pipeline.runtime import settings, weights

MODES = ("samples", "density")  # fitted to points by maximum likelihood, or to a density by reverse KL
CONSTRAINTS = ("smooth", "in_place")  # see `pipeline.flow.planar`

Layers = tuple[Tensor, Tensor, Tensor]
"""Effective u `(k, 2)`, w `(k, 2)` and b `(k)` of the k layers of one flow."""


def name(density: str, mode: str, constraint: str) -> str:
    """Return the name of one flow of a run: a column of its `history.csv`."""
    return f"{density}_{mode}_{constraint}"


def names(network: Network) -> list[str]:
    """Return the names of all flows of a run, in the order in which they are stacked."""
    kinds = product(network.constraints, MODES, network.densities)
    return [name(density, mode, constraint) for constraint, mode, density in kinds]


def load(folder: Path) -> tuple[Network, dict[int, dict[str, Layers]]]:
    """Return the network of a trained run, and the layers of its flows by seed and name, in float64."""
    network = settings.read(folder / "network.json", Network)
    flows = {}
    for seed in weights.seeds(folder):
        stored = {key: value.to(torch.float64) for key, value in weights.load(folder, weights.name(seed)).items()}
        flows[seed] = {flow: (stored[f"{flow}.u"], stored[f"{flow}.w"], stored[f"{flow}.b"]) for flow in names(network)}
    return network, flows

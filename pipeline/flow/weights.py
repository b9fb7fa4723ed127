"""Files of trained planar flows: one per seed, with the layers of every flow of the run."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

MODES = ("samples", "density")  # fitted to points by maximum likelihood, or to a density by reverse KL

Layers = tuple[Tensor, Tensor, Tensor]


def name(density: str, mode: str, constraint: str) -> str:
    """Return the name of one flow of a run: a column of its `history.csv`."""
    return f"{density}_{mode}_{constraint}"


def names(densities: list[str], constraints: list[str]) -> list[str]:
    """Return the names of all flows of a run, in the order in which they are stacked."""
    return [name(density, mode, constraint) for constraint, mode, density in product(constraints, MODES, densities)]


def save(folder: Path, network: dict[str, Any], layers: dict[int, list[Layers]]) -> None:
    """Write `network.json` and one `seed_<s>.safetensors` per seed.

    Args:
        folder: where to write.
        network: `depth`, `densities` and `constraints`.
        layers: for each seed effective u `(k, 2)`, w `(k, 2)` and b `(k)` of every flow, in the order of `names`.
    """
    (folder / "network.json").write_text(json.dumps(network, indent=2) + "\n")
    for seed, flows in layers.items():
        tensors = {
            f"{flow_name}.{part}": tensor.clone()
            for flow_name, flow in zip(names(network["densities"], network["constraints"]), flows, strict=True)
            for part, tensor in zip("uwb", flow, strict=True)
        }
        save_file(tensors, folder / f"seed_{seed}.safetensors")


def load(folder: Path) -> tuple[dict[str, Any], dict[int, dict[str, Layers]]]:
    """Return what `save` wrote: the network, and the layers by seed and name in float64."""
    network = json.loads((folder / "network.json").read_text())
    flows = {}
    for file in sorted(folder.glob("seed_*.safetensors"), key=lambda path: int(path.stem.split("_")[1])):
        tensors = {key: value.to(torch.float64) for key, value in load_file(file).items()}
        flows[int(file.stem.split("_")[1])] = {
            flow: (tensors[f"{flow}.u"], tensors[f"{flow}.w"], tensors[f"{flow}.b"])
            for flow in names(network["densities"], network["constraints"])
        }
    return network, flows

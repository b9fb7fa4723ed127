"""Files of trained weights: `seed_0.safetensors`, `seed_0-critic.safetensors`, `seed_0-step_20000.safetensors`."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from pipeline.runtime import files

Weights = Mapping[str, Tensor]


def of(network: nn.Module) -> Weights:
    """Return the weights of a network and its other buffers, such as the statistics of batch normalisation."""
    weights: Weights = network.state_dict()
    return weights


def name(seed: int, part: str = "") -> str:
    """Return the name of the weights of one seed, or of a `part` of them: `seed_0`, `seed_0-critic`."""
    return f"seed_{seed}-{part}" if part else f"seed_{seed}"


def snapshot(of: str, unit: str, number: int) -> str:
    """Return the name of the weights called `of` after `number` epochs or steps: `seed_0-step_20000`."""
    return f"{of}-{unit}_{number}"


def save(folder: Path, name: str, weights: Weights) -> None:
    """Write weights to `<name>.safetensors`, as a whole or not at all."""
    content = serialise({key: value.detach().cpu().contiguous() for key, value in weights.items()})
    files.write(folder / f"{name}.safetensors", content)


def load(folder: Path, name: str, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Read what `save` wrote, onto `device`."""
    weights: dict[str, Tensor] = load_file(folder / f"{name}.safetensors", device=str(device))
    return weights


def seeds(folder: Path) -> list[int]:
    """Return the seeds whose weights lie in `folder`, in order."""
    stems = [file.stem.removeprefix("seed_") for file in folder.glob("seed_*.safetensors")]
    return sorted(int(stem) for stem in stems if stem.isdigit())

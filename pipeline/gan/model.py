"""Model folders of this family: what rebuilds the networks, and generators at several moments of their training."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.gan import network


@dataclass(frozen=True)
class Scale:
    """The pixels that the networks see: (grey level in [0, 1] - mean) / deviation."""

    mean: float
    deviation: float

    def encode(self, images: Tensor) -> Tensor:
        """Return bytes `(n, c, h, w)` as the networks see them."""
        return images.float() * (1 / (255 * self.deviation)) - self.mean / self.deviation

    def decode(self, x: Tensor) -> Tensor:
        """Return what a generator made as bytes, rounded and clipped."""
        return (x * (255 * self.deviation) + 255 * self.mean).round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class Model:
    """A trained run, read from its folder.

    Args:
        folder: where the weights lie.
        build: the keyword arguments of `pipeline.gan.network.build`.
        scale: of the pixels.
        seeds: of its trainings.
        snapshots: generator updates after which a generator was stored, the last one included.
    """

    folder: Path
    build: dict[str, Any]
    scale: Scale
    seeds: list[int]
    snapshots: list[int]

    @property
    def latent(self) -> int:
        return int(self.build["latent"])

    def generator(self, seed: int, step: int, device: torch.device) -> nn.Module:
        """Return the averaged generator after `step` updates."""
        return self._load(0, snapshot_name(seed, step), device)

    def raw_generator(self, seed: int, device: torch.device) -> nn.Module:
        """Return the last generator itself, not its average."""
        return self._load(0, f"seed_{seed}_raw", device)

    def critic(self, seed: int, device: torch.device) -> nn.Module:
        """Return the last critic, in evaluation mode."""
        return self._load(1, f"seed_{seed}_critic", device).eval()

    def _load(self, which: int, name: str, device: torch.device) -> nn.Module:
        net = network.build(**self.build)[which]
        net.load_state_dict(load_file(self.folder / f"{name}.safetensors"))
        return net.to(device).requires_grad_(False)


def snapshot_name(seed: int, step: int) -> str:
    """Return the name of a stored generator, without suffix."""
    return f"seed_{seed}_step_{step:06d}"


def save_weights(folder: Path, name: str, net: nn.Module) -> None:
    """Write the weights of a network."""
    weights = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    save_file(weights, folder / f"{name}.safetensors")


def save(model: Model) -> None:
    """Write `network.json`: everything about a model but its weights."""
    facts = {"build": model.build, "scale": asdict(model.scale), "seeds": model.seeds, "snapshots": model.snapshots}
    (model.folder / "network.json").write_text(json.dumps(facts, indent=2) + "\n")


def load(folder: Path) -> Model:
    """Read `network.json` of a model folder."""
    facts = json.loads((folder / "network.json").read_text())
    return Model(folder, facts["build"], Scale(**facts["scale"]), facts["seeds"], facts["snapshots"])

"""Model folders of this family: what rebuilds the networks, and generators at several moments of their training."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.gan.network import build
from pipeline.gan.settings import Network
from pipeline.runtime import settings, weights


@dataclass(frozen=True)
class Scale:
    """The pixels that the networks see: (grey level in [0, 1] - mean) / std."""

    mean: float
    std: float

    def encode(self, images: Tensor) -> Tensor:
        """Return bytes `(n, c, h, w)` as the networks see them."""
        return images.float() * (1 / (255 * self.std)) - self.mean / self.std

    def decode(self, x: Tensor) -> Tensor:
        """Return what a generator made as bytes, rounded and clipped."""
        return (x * (255 * self.std) + 255 * self.mean).round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class TrainedGan:
    """The networks of a trained run, described by `network.json` in their folder.

    Args:
        network: Architecture of generator and critic.
        shape: Channels, height and width of an image.
        scale: Scale of its pixels.
        seeds: Seeds of its trainings.
        snapshots: Steps after which an averaged generator was stored, in order; the last step is the last of them.
    """

    network: Network
    shape: tuple[int, int, int]
    scale: Scale
    seeds: tuple[int, ...]
    snapshots: tuple[int, ...]

    def save(self, folder: Path) -> None:
        """Write `network.json` beside the weights."""
        settings.write(folder / "network.json", self)

    @classmethod
    def load(cls, folder: Path) -> "TrainedGan":
        """Read `network.json`."""
        return settings.read(folder / "network.json", cls)

    def generator(self, folder: Path, seed: int, step: int, device: torch.device) -> nn.Module:
        """Return the averaged generator after `step` steps."""
        return _filled(build(self.network, self.shape)[0], folder, self.stored(seed, step), device)

    def stored(self, seed: int, step: int) -> str:
        """Return the name under which that generator's weights are stored."""
        name = weights.name(seed)
        return name if step == self.snapshots[-1] else weights.snapshot(name, "step", step)

    def raw_generator(self, folder: Path, seed: int, device: torch.device) -> nn.Module:
        """Return the last generator itself, not its average."""
        return _filled(build(self.network, self.shape)[0], folder, weights.name(seed, "raw"), device)

    def critic(self, folder: Path, seed: int, device: torch.device) -> nn.Module:
        """Return the last critic, in evaluation mode."""
        return _filled(build(self.network, self.shape)[1], folder, weights.name(seed, "critic"), device).eval()


def _filled(network: nn.Module, folder: Path, name: str, device: torch.device) -> nn.Module:
    network.load_state_dict(weights.load(folder, name))
    return network.to(device).requires_grad_(False)

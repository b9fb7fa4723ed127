"""Two densities in the plane, known up to their normaliser, and exact samples of each."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pipeline.runtime.seeding import generator

HALF_WIDTH = 5.0  # of the box [-5, 5]^2 on which densities are normalised, sampled and plotted
CELLS = 1000  # per side, of the midpoint rule


@dataclass(frozen=True)
class Density:
    r"""The density $p(z) = \exp(-U(z)) / Z$ on the box $[-5, 5]^2$.

    Args:
        potential: Maps points `(..., 2)` to U, `(...)`.
        gradient: Maps points `(..., 2)` to the gradient of U, `(..., 2)`.
    """

    potential: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor], Tensor]

    @cached_property
    def log_normaliser(self) -> float:
        """The logarithm of Z, by the midpoint rule."""
        return float(torch.logsumexp(-self.potential(grid(CELLS)).flatten(), 0) + math.log(cell(CELLS)))

    @cached_property
    def entropy(self) -> float:
        r"""$-\int p \log p$ in nats, by the midpoint rule: no model of the points can have a smaller NLL on average."""
        energy = self.potential(grid(CELLS)) + self.log_normaliser
        return float((torch.exp(-energy) * energy).sum() * cell(CELLS))

    def points(self, count: int, random: torch.Generator) -> Tensor:
        """Sample `count` independent points exactly, by rejection from the uniform density; float32 `(count, 2)`."""
        found: list[Tensor] = []
        while sum(map(len, found)) < count:
            z = HALF_WIDTH * (2 * torch.rand((20 * count, 2), generator=random, dtype=torch.float64) - 1)
            height = torch.rand(len(z), generator=random, dtype=torch.float64) * 1.001  # exp(-U) reaches 1 + 2e-10
            found.append(z[height < torch.exp(-self.potential(z))])
        return torch.cat(found)[:count].float()


def grid(cells: int, half_width: float = HALF_WIDTH) -> Tensor:
    """Return the centres of `cells` x `cells` squares that fill the box, float64 `(cells, cells, 2)`, rows along y."""
    centres = half_width * ((2 * torch.arange(cells, dtype=torch.float64) + 1) / cells - 1)
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack((x, y), -1)


def cell(cells: int, half_width: float = HALF_WIDTH) -> float:
    """Return the area of one square of `grid`."""
    return (2 * half_width / cells) ** 2


def _arcs(z: Tensor) -> Tensor:
    r"""$U = \frac12 ((|z| - 2) / 0.4)^2 - \log(e^{-\frac12 ((x - 2) / 0.6)^2} + e^{-\frac12 ((x + 2) / 0.6)^2})$."""
    x = z[..., 0]
    sides: Tensor = torch.logaddexp(-0.5 * ((x - 2) / 0.6) ** 2, -0.5 * ((x + 2) / 0.6) ** 2)
    radius: Tensor = torch.linalg.vector_norm(z, dim=-1)
    return 0.5 * ((radius - 2) / 0.4) ** 2 - sides


def _arcs_gradient(z: Tensor) -> Tensor:
    x, y = z.unbind(-1)
    radius = torch.hypot(x, y)
    radial = (radius - 2) / (0.16 * radius)
    return torch.stack((radial * x + (x - 2 * torch.tanh(2 / 0.36 * x)) / 0.36, radial * y), -1)


def _sine(z: Tensor) -> Tensor:
    r"""$U = \frac12 ((y - \sin(\pi x / 2)) / 0.4)^2$, constant along the curve: no density on the whole plane."""
    x, y = z.unbind(-1)
    return 0.5 * ((y - torch.sin(math.pi / 2 * x)) / 0.4) ** 2


def _sine_gradient(z: Tensor) -> Tensor:
    x, y = z.unbind(-1)
    phase = math.pi / 2 * x
    across = (y - torch.sin(phase)) / 0.16
    return torch.stack((-math.pi / 2 * torch.cos(phase) * across, across), -1)


DENSITIES = {"arcs": Density(_arcs, _arcs_gradient), "sine": Density(_sine, _sine_gradient)}


def data_points(name: str, count: int) -> Tensor:
    """Return the data points of a density, float32 `(count, 2)`: the same ones for every run, depth and seed."""
    return DENSITIES[name].points(count, generator("flow data", name))

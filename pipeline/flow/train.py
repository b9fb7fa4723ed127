"""Training of the planar flows of one depth, all at once: each constraint, mode, density and seed is a row of a stack.

A flow of the mode `samples` maps data to the base N(0, I) and is fitted to points by maximum likelihood; one of the
mode `density` maps the base to data and is fitted to a potential U by the reverse Kullback-Leibler divergence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.flow.densities import DENSITIES, data_points
from pipeline.flow.network import CONSTRAINTS, MODES, names
from pipeline.flow.planar import free, standard_normal
from pipeline.flow.settings import BLOCK, Training
from pipeline.flow.stack import Stack
from pipeline.runtime import training, weights
from pipeline.runtime.context import Context, Row
from pipeline.runtime.seeding import generator
from pipeline.runtime.settings import write
from pipeline.runtime.training import Duration
from pipeline.runtime.weights import Weights

INITIAL_STD = 0.01  # of u and w, as in the reports


def train(output: Path, settings: Training, context: Context) -> None:
    """Train flows of one depth, one for each constraint, mode, density and seed; write weights and training curves.

    Args:
        output: Folder to write `network.json`, one file of weights per seed and `history.csv` into.
        settings: The flows and how they are trained; `steps` is a multiple of `BLOCK`.
        context: Where to compute. The device is a CPU: the operations are too small for a GPU.

    Raises:
        UserError: If training has diverged to numbers that are not finite.
    """
    ordered = sorted(settings.network.constraints, key=CONSTRAINTS.index)  # the order that `Stack` expects
    settings = replace(settings, network=replace(settings.network, constraints=tuple(ordered)))
    write(output / "network.json", settings.network)
    duration = Duration("step", settings.steps, every=BLOCK)
    training.train({"stack": partial(FlowTrainee, settings)}, duration, output, context)


class FlowTrainee:
    """The flows of all seeds in training, RMSprop on a stack.

    All flows see the same data points; flows that differ in their constraint only see the same batches and noise.

    Args:
        settings: The flows, their constraints in the order of `CONSTRAINTS`, and how they are trained.
    """

    remedy = "a smaller learning_rate"

    def __init__(self, settings: Training) -> None:
        network = settings.network
        self._settings, self._network = settings, network
        self._shape = (len(network.constraints), len(MODES), len(network.densities), len(settings.seeds))
        kinds = product(network.constraints, MODES, network.densities, settings.seeds)
        layers = [initial(kind, network.depth, generator(seed, "init", *key)) for kind, *key, seed in kinds]
        self._parameters = nn.Parameter(torch.stack(layers))
        self._optimiser = torch.optim.RMSprop([self._parameters], lr=settings.learning_rate)
        smooth = len(layers) // len(network.constraints) * ("smooth" in network.constraints)
        self._stack = Stack(self._parameters.data, smooth, settings.batch)
        self._data = {density: data_points(density, settings.points) for density in network.densities}
        self._inputs = torch.empty(0)
        self._mapped = torch.empty((BLOCK, *self._shape, 2, settings.batch))
        self._volume = torch.empty((BLOCK, *self._shape))

    def advance(self, number: int) -> None:
        """Take one step of every flow."""
        block, place = divmod(number - 1, BLOCK)
        if place == 0:
            self._inputs = sample_inputs(self._data, self._settings.seeds, block + 1, self._settings.batch)
        z, x = self._inputs[place], self._mapped[place]
        y, logdet = self._stack.forward(z.expand(self._shape[0], *z.shape).flatten(0, 3))
        x.copy_(y.view_as(x))
        self._volume[place] = logdet.view(self._shape)
        gradient = y.view_as(x)  # of -log N(x; 0, I), where no potential takes its place
        for row, density in enumerate(self._data):
            gradient[:, 1, row] = DENSITIES[density].gradient(x[:, 1, row].mT).mT
        self._parameters.grad = self._stack.backward(gradient.flatten(0, 3))
        self._optimiser.step()

    def measure(self, number: int) -> Mapping[int, Row]:
        """Return for each seed the mean losses of all flows over the last 200 steps, in nats per point."""
        points = self._mapped.mT
        losses = -self._volume / self._settings.batch
        losses[:, :, 0] -= standard_normal(points[:, :, 0]).mean(-1)
        for row, density in enumerate(self._data):
            losses[:, :, 1, row] += DENSITIES[density].potential(points[:, :, 1, row]).mean(-1)
        losses[:, :, 1] += standard_normal(self._inputs[:, None, 1].mT).mean(-1)
        columns = losses.mean(0).flatten(0, 2).T.tolist()
        flows = names(self._network)
        return {
            seed: dict(zip(flows, column, strict=True))
            for seed, column in zip(self._settings.seeds, columns, strict=True)
        }

    def state(self) -> dict[str, Any]:
        return {"parameters": self._parameters.data, "optimiser": self._optimiser.state_dict()}

    def resume(self, state: dict[str, Any]) -> None:
        self._parameters.data.copy_(state["parameters"])
        self._optimiser.load_state_dict(state["optimiser"])

    def weights(self) -> Mapping[str, Weights]:
        """Return effective u, w and b of every flow, one file per seed."""
        parts = {"u": self._stack.effective(), "w": self._stack.w, "b": self._stack.b.squeeze(-1)}
        seeds, flows = self._settings.seeds, names(self._network)
        return {
            weights.name(seed): {
                f"{flow}.{part}": values[row * len(seeds) + column].clone()
                for row, flow in enumerate(flows)
                for part, values in parts.items()
            }
            for column, seed in enumerate(seeds)
        }


def initial(constraint: str, depth: int, random: torch.Generator) -> Tensor:
    r"""Sample the initial u, w and b of every layer, side by side, `(depth, 5)`.

    u and w are sampled from N(0, 0.01^2) and b = 0, as in the reports. With the smooth constraint it is the effective u
    that starts there, and w starts from N(0, I): near w = 0 the map from free to effective u is singular.
    """
    u, w = torch.randn((2, depth, 2), generator=random)
    u, w = (free(INITIAL_STD * u, w), w) if constraint == "smooth" else (INITIAL_STD * u, INITIAL_STD * w)
    return torch.cat((u, w, torch.zeros(depth, 1)), -1)


def sample_inputs(data: Mapping[str, Tensor], seeds: Sequence[int], block: int, batch: int) -> Tensor:
    """Sample the inputs of 200 steps: for each step distinct data points for one mode and base noise for the other.

    Args:
        data: Data points of each density, `(points, 2)`.
        seeds: Seeds of the run.
        block: Number of the block of 200 steps, counted from 1; the inputs are a function of it.
        batch: Number of points per step.

    Returns:
        Inputs, coordinates before points, `(200, 2 modes, densities, seeds, 2, batch)`.
    """
    inputs = torch.empty(BLOCK, len(MODES), len(data), len(seeds), 2, batch)
    for row, (density, points) in enumerate(data.items()):
        for column, seed in enumerate(seeds):
            random = generator(seed, "batches", density, block)
            inputs[:, 0, row, column] = points[subsets(BLOCK, len(points), batch, random)].mT
            inputs[:, 1, row, column] = torch.randn((BLOCK, 2, batch), generator=random)
    return inputs


def subsets(sets: int, count: int, size: int, random: torch.Generator) -> Tensor:
    """Sample `sets` uniformly random subsets of `range(count)` of `size` different numbers; int64 `(sets, size)`."""
    chosen = torch.randint(count, (sets, size), generator=random)
    while True:
        chosen = chosen.sort(-1).values
        again = torch.zeros_like(chosen, dtype=torch.bool)
        again[:, 1:] = chosen[:, 1:] == chosen[:, :-1]
        if not (repeats := int(again.sum())):
            return chosen
        chosen[again] = torch.randint(count, (repeats,), generator=random)

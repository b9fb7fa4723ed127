"""Training of planar flows of one depth, all at once: each density, mode, constraint and seed is one row of a stack.

A flow of the mode `samples` maps data to the base N(0, I) and is fitted to points by maximum likelihood; one of the
mode `density` maps the base to data and is fitted to a potential U by the reverse Kullback-Leibler divergence.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from pipeline.flow import weights
from pipeline.flow.densities import DENSITIES, data_points
from pipeline.flow.planar import free, standard_normal
from pipeline.flow.stack import Stack
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator

EPOCH = 200  # iterations: the reports print the mean of the last 200 batch losses
SCALE = 0.01  # of the reports' initial u and w


def fit(
    output: Path,
    *,
    depth: int,
    densities: list[str],
    constraints: list[str],
    points: int,
    iterations: int,
    batch: int,
    learning_rate: float,
    seeds: list[int],
    scratch: Path,
    log: history.Log,
) -> None:
    """Train flows of `depth` layers, one per constraint, mode, density and seed; write weights and curves.

    It runs on the CPU whatever the device of other stages: the operations are too small for a GPU.

    Args:
        output: folder to write `network.json`, `seed_<s>.safetensors` and `history.csv` into.
        depth: planar layers per flow.
        densities: names of `pipeline.flow.densities.DENSITIES`.
        constraints: `smooth`, `in_place`, see `pipeline.flow.planar`; all see the same points and the same noise.
        points: data points of each density that the mode `samples` is fitted to, the same ones for every seed.
        iterations: steps, a multiple of 200; 200 of them count as an epoch in `history.csv`.
        batch: points per step.
        learning_rate: of RMSprop.
        seeds: of initialisation, batches and noise.
        scratch: folder of checkpoints.
        log: called after each epoch with seed, epoch and its measurements.

    Raises:
        UserError: if training has diverged to numbers that are not finite.
    """
    constraints = sorted(constraints, key=("smooth", "in_place").index)  # in the order that `Stack` expects
    shape = (len(constraints), len(weights.MODES), len(densities), len(seeds))
    parameters = torch.nn.Parameter(
        torch.stack(
            [
                initial(constraint, depth, generator(seed, "init", mode, density))
                for constraint, mode, density, seed in product(constraints, weights.MODES, densities, seeds)
            ]
        )
    )
    optimiser = torch.optim.RMSprop([parameters], lr=learning_rate)
    checkpoint = Checkpoint(scratch, "stack", parameters.device)
    curve: list[dict[str, float]] = []
    if state := checkpoint.load():
        parameters.data.copy_(state["parameters"])
        optimiser.load_state_dict(state["optimiser"])
        curve = state["curve"]
    stack = Stack(parameters.data, len(parameters) // len(constraints) * ("smooth" in constraints), batch)
    data = {density: data_points(density, points) for density in densities}
    flows, epochs, done = weights.names(densities, constraints), iterations // EPOCH, len(curve) // len(seeds)
    with bar(epochs, output.name.strip("."), "epoch") as progress:
        progress.update(done)
        for epoch in range(done + 1, epochs + 1):
            losses = train_epoch(stack, parameters, optimiser, draw(data, seeds, epoch, batch), densities, shape)
            for seed, values in zip(seeds, losses.flatten(0, 2).T.tolist(), strict=True):
                row = dict(zip(flows, values, strict=True))
                history.must_be_finite(row, f"seed {seed}, epoch {epoch}", "a smaller learning_rate")
                curve.append({"seed": seed, "epoch": epoch, **row})
                log(seed, epoch, row)
            progress.update()
            state = {"parameters": parameters.data, "optimiser": optimiser.state_dict(), "curve": curve}
            checkpoint.save(state, now=epoch == epochs)
    layers = list(zip(stack.effective(), stack.w, stack.b.squeeze(-1), strict=True))
    network = {"depth": depth, "densities": densities, "constraints": constraints}
    weights.save(output, network, {seed: layers[column :: len(seeds)] for column, seed in enumerate(seeds)})
    history.write(output / "history.csv", sorted(curve, key=lambda row: (row["seed"], row["epoch"])))


def initial(constraint: str, depth: int, random: torch.Generator) -> Tensor:
    r"""Draw the initial u, w and b of every layer, side by side, `(depth, 5)`.

    u and w are drawn from N(0, 0.01^2) and b = 0, as in the reports. With the smooth constraint it is the effective u
    that starts there, and w starts from N(0, I): near w = 0 the map from free to effective u is singular.
    """
    u, w = torch.randn((2, depth, 2), generator=random)
    u, w = (free(SCALE * u, w), w) if constraint == "smooth" else (SCALE * u, SCALE * w)
    return torch.cat((u, w, torch.zeros(depth, 1)), -1)


def draw(data: Mapping[str, Tensor], seeds: list[int], epoch: int, batch: int) -> Tensor:
    """Draw the inputs of one epoch: at each step distinct data points for one mode and base noise for the other.

    Args:
        data: data points of each density, `(points, 2)`.
        seeds: of the runs.
        epoch: its number, which the draws are a function of.
        batch: points per step.

    Returns:
        Inputs, coordinates before points, `(200, 2 modes, densities, seeds, 2, batch)`.
    """
    inputs = torch.empty(EPOCH, len(weights.MODES), len(data), len(seeds), 2, batch)
    for row, (density, points) in enumerate(data.items()):
        for column, seed in enumerate(seeds):
            random = generator(seed, "batches", density, epoch)
            inputs[:, 0, row, column] = points[subsets(EPOCH, len(points), batch, random)].mT
            inputs[:, 1, row, column] = torch.randn((EPOCH, 2, batch), generator=random)
    return inputs


def subsets(sets: int, count: int, size: int, random: torch.Generator) -> Tensor:
    """Draw `sets` uniformly random subsets of `range(count)` of `size` different numbers; int64 `(sets, size)`."""
    chosen = torch.randint(count, (sets, size), generator=random)
    while True:
        chosen = chosen.sort(-1).values
        again = torch.zeros_like(chosen, dtype=torch.bool)
        again[:, 1:] = chosen[:, 1:] == chosen[:, :-1]
        if not (repeats := int(again.sum())):
            return chosen
        chosen[again] = torch.randint(count, (repeats,), generator=random)


@torch.no_grad()
def train_epoch(
    stack: Stack,
    parameters: Tensor,
    optimiser: torch.optim.Optimizer,
    inputs: Tensor,
    densities: list[str],
    shape: tuple[int, ...],
) -> Tensor:
    """Take one step per batch of `inputs`; return the mean loss of every flow in nats per point.

    Args:
        stack: the flows.
        parameters: of the flows, which `optimiser` changes.
        optimiser: of the parameters.
        inputs: see `draw`.
        densities: the name of each density.
        shape: constraints, modes, densities and seeds.

    Returns:
        Losses, `(constraints, modes, densities, seeds)`.
    """
    steps, (constraints, *_), batch = len(inputs), shape, inputs.shape[-1]
    mapped = torch.empty((steps, *shape, 2, batch))
    volume = torch.empty((steps, *shape))
    for z, x, total in zip(inputs, mapped, volume, strict=True):
        y, logdet = stack.forward(z.expand(constraints, *z.shape).flatten(0, 3))
        x.copy_(y.view_as(x))
        total.copy_(logdet.view_as(total))
        slope = y.view_as(x)  # of -log N(x; 0, I), where it is not replaced
        for number, density in enumerate(densities):
            slope[:, 1, number] = DENSITIES[density].slope(x[:, 1, number].mT).mT
        parameters.grad = stack.backward(slope.flatten(0, 3))
        optimiser.step()
    points = mapped.mT
    losses = -volume / batch
    losses[:, :, 0] -= standard_normal(points[:, :, 0]).mean(-1)
    for number, density in enumerate(densities):
        losses[:, :, 1, number] += DENSITIES[density].potential(points[:, :, 1, number]).mean(-1)
    losses[:, :, 1] += standard_normal(inputs[:, None, 1].mT).mean(-1)
    return losses.mean(0)

"""All 12 planar flows of experiment F against normflows' planar layer: `python -m benchmarks.flow [--rounds N]`.

Both sides fit flows of 2, 8 and 32 layers to the same points and potentials, with RMSprop. Ours steps the four
flows of a depth at once with gradients by hand; normflows' are stepped one after the other by autograd. A round is 200
iterations of each; 100 rounds are the whole of the 20,000 iterations, fewer are scaled up to them.
"""

import argparse
import itertools
import sys

import torch
from torch import Tensor, nn

from benchmarks.machine import alternate, describe
from pipeline.flow.densities import DENSITIES, data_points
from pipeline.flow.planar import standard_normal
from pipeline.flow.stack import Stack
from pipeline.flow.train import draw, initial, train_epoch
from pipeline.runtime.device import prepare
from pipeline.runtime.seeding import generator

try:
    from normflows.flows import Planar
except ImportError:
    sys.exit("This benchmark compares with normflows: `python -m pip install --no-deps normflows` adds it.")

DEPTHS, NAMES, MODES = (2, 8, 32), list(DENSITIES), ("samples", "density")
POINTS, BATCH, RATE, EPOCHS = 5000, 128, 5e-4, 100
DATA = {name: data_points(name, POINTS) for name in NAMES}
SHAPE = (1, len(MODES), len(NAMES), 1)


class Ours:
    """The four flows of one depth in a stack."""

    def __init__(self, depth: int) -> None:
        draws = [generator(0, "init", mode, name) for mode, name in itertools.product(MODES, NAMES)]
        self.parameters = nn.Parameter(torch.stack([initial("smooth", depth, random) for random in draws]))
        self.optimiser = torch.optim.RMSprop([self.parameters], lr=RATE)
        self.stack = Stack(self.parameters.data, len(self.parameters), BATCH)
        self.rounds = itertools.count(1)
        self.losses = torch.zeros(SHAPE)

    def __call__(self) -> None:
        inputs = draw(DATA, [0], next(self.rounds), BATCH)
        self.losses = train_epoch(self.stack, self.parameters, self.optimiser, inputs, NAMES, SHAPE)


class Theirs:
    """The four flows of one depth out of normflows' layers."""

    def __init__(self, depth: int) -> None:
        torch.manual_seed(0)
        self.flows = [nn.ModuleList(Planar((2,)) for _ in range(depth)) for _ in range(len(MODES) * len(NAMES))]
        self.optimisers = [torch.optim.RMSprop(flow.parameters(), lr=RATE) for flow in self.flows]
        self.rounds = itertools.count(1)
        self.losses = torch.zeros(SHAPE)

    def __call__(self) -> None:
        inputs = draw(DATA, [0], next(self.rounds), BATCH)[:, :, :, 0].mT.flatten(1, 2)
        means = []
        for number, (flow, optimiser) in enumerate(zip(self.flows, self.optimisers, strict=True)):
            mode, name = MODES[number // len(NAMES)], NAMES[number % len(NAMES)]
            means.append(torch.stack([self.step(flow, optimiser, z, mode, name) for z in inputs[:, number]]).mean())
        self.losses = torch.stack(means).view(SHAPE)

    @staticmethod
    def step(flow: nn.ModuleList, optimiser: torch.optim.Optimizer, z: Tensor, mode: str, name: str) -> Tensor:
        x, volume = z, torch.zeros(len(z))
        for layer in flow:
            x, logdet = layer(x)
            volume = volume + logdet
        fit = -standard_normal(x) if mode == "samples" else DENSITIES[name].potential(x) + standard_normal(z)
        loss = (fit - volume).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of 200 iterations (default: 5)")
    rounds = parser.parse_args().rounds
    prepare()
    print(describe())
    print(f"seconds for the 4 flows of a depth, 20,000 iterations each: 100 times the median of {rounds} round(s)")
    print(f"{'depth':>6} {'ours':>9} {'normflows':>10} {'ratio':>7}   last losses, ours | normflows")
    totals = torch.zeros(2)
    for depth in DEPTHS:
        pieces = {"ours": Ours(depth), "normflows": Theirs(depth)}
        seconds = alternate(dict(pieces), rounds)
        ours, theirs = (EPOCHS * seconds[name] for name in pieces)
        totals += torch.tensor([ours, theirs])
        losses = " | ".join(" ".join(f"{v:.2f}" for v in piece.losses.flatten().tolist()) for piece in pieces.values())
        print(f"{depth:>6} {ours:>9.1f} {theirs:>10.1f} {theirs / ours:>6.1f}x   {losses}", flush=True)
    ours, theirs = totals.tolist()
    print(f"{'all 12':>6} {ours:>9.1f} {theirs:>10.1f} {theirs / ours:>6.1f}x")


if __name__ == "__main__":
    main()

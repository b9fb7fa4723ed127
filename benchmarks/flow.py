"""All 12 planar flows of experiment F against normflows' planar layer: `python -m benchmarks.flow [--rounds N]`.

Both sides fit flows of 2, 8 and 32 layers to the same points and potentials, with RMSprop. Ours trains the four flows
of a depth at once, by the trainee of the stage `train_flow`; normflows' are trained one after the other by autograd. A
round is 200 steps of each; 100 rounds are the whole of the 20,000 steps, fewer are scaled up to them.
"""

import argparse
import itertools

import torch
from torch import Tensor, nn

from benchmarks.machine import alternate, describe, peer, verdict
from pipeline.flow.densities import DENSITIES, data_points
from pipeline.flow.network import MODES
from pipeline.flow.planar import standard_normal
from pipeline.flow.settings import BLOCK, Network, Training
from pipeline.flow.train import FlowTrainee, sample_inputs
from pipeline.runtime.device import prepare

DEPTHS, NAMES = (2, 8, 32), tuple(DENSITIES)
POINTS, BATCH, RATE, STEPS = 5000, 128, 5e-4, 20_000


class Ours:
    """The four flows of one depth, as the stage trains them."""

    def __init__(self, depth: int) -> None:
        network = Network(depth, NAMES, constraints=("smooth",))
        self.trainee = FlowTrainee(Training(network, POINTS, STEPS, BATCH, RATE, seeds=(0,)))
        self.steps = itertools.count(1)
        self.losses: list[float] = []

    def __call__(self) -> None:
        """Take 200 steps of every flow."""
        for step in itertools.islice(self.steps, BLOCK):
            self.trainee.advance(step)
        self.losses = list(self.trainee.measure(step)[0].values())


class Theirs:
    """The four flows of one depth out of normflows' layers."""

    def __init__(self, depth: int) -> None:
        torch.manual_seed(0)
        layer = peer("normflows").flows.Planar
        self.kinds = list(itertools.product(MODES, NAMES))
        self.flows = [nn.ModuleList(layer((2,)) for _ in range(depth)) for _ in self.kinds]
        self.optimisers = [torch.optim.RMSprop(flow.parameters(), lr=RATE) for flow in self.flows]
        self.data = {name: data_points(name, POINTS) for name in NAMES}
        self.rounds = itertools.count(1)
        self.losses: list[float] = []

    def __call__(self) -> None:
        """Take 200 steps of every flow."""
        inputs = sample_inputs(self.data, [0], next(self.rounds), BATCH)[:, :, :, 0].mT.flatten(1, 2)
        self.losses = []
        for (mode, name), flow, optimiser, batches in zip(
            self.kinds, self.flows, self.optimisers, inputs.unbind(1), strict=True
        ):
            losses = [self.step(flow, optimiser, z, mode, name) for z in batches]
            self.losses.append(torch.stack(losses).mean().item())

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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of 200 steps (default: 5)")
    rounds = parser.parse_args().rounds
    prepare(cpu=True)
    print(describe())
    print(f"seconds for the 4 flows of a depth, {STEPS:,} steps each: {STEPS // BLOCK} times the median round")
    print(f"{'depth':>6} {'ours':>9} {'normflows':>10}   last losses, ours | normflows")
    totals = {"ours": 0.0, "normflows": 0.0}
    for depth in DEPTHS:
        ours, theirs = Ours(depth), Theirs(depth)
        medians = alternate({"ours": ours, "normflows": theirs}, rounds)
        seconds = {name: STEPS // BLOCK * median for name, median in medians.items()}
        losses = " | ".join(" ".join(f"{loss:.2f}" for loss in side.losses) for side in (ours, theirs))
        print(f"{depth:>6} {seconds['ours']:>9.1f} {seconds['normflows']:>10.1f}   {losses}", flush=True)
        print(
            verdict(f"training of flows of {depth} layers", "normflows", medians["normflows"] / medians["ours"], rounds)
        )
        totals = {name: total + seconds[name] for name, total in totals.items()}
    print(verdict("training of all 12 flows", "normflows", totals["normflows"] / totals["ours"], rounds))


if __name__ == "__main__":
    main()

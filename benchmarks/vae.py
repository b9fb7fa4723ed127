"""Training and likelihood of experiment A against plain PyTorch: `python -m benchmarks.vae [--threads N] [--rounds N]`.

The plain forms are those of other libraries: a DataLoader, and Adam as it comes; a log-likelihood that goes image by
image. Both sides compute the same quantities on the same images. A profile shows where the time of our side goes.
"""

import argparse
import copy
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import get_context

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.machine import alternate, describe, matmul_rate, verdict
from pipeline.data.store import DataSet
from pipeline.metrics.likelihood import log_mean_exp
from pipeline.runtime.device import prepare
from pipeline.runtime.seeding import generator
from pipeline.vae.likelihood import importance_sampled
from pipeline.vae.model import Vae, VaeDescription
from pipeline.vae.observation import Observation
from pipeline.vae.settings import Network, Objective, Optimiser, Schedule, Training
from pipeline.vae.train import VaeTrainee

SHAPE, IMAGES, BATCH, RATE = (1, 28, 28), 64 * 150, 64, 3e-4
SCORED, SAMPLES = 100, 200  # what the stage `likelihood` computes between two checkpoints
NETWORK = Network("mlp", hidden=300, latent=100, posterior="gaussian", flow_layers=0, logit_shift=5.0)
OBJECTIVE = Objective("bernoulli", beta=1.0, beta_schedule="constant", kl="analytic", kl_samples=None)
ROWS = 8  # of a profile

FIRST_STEP = """
import torch
from {module} import Adam
weight = torch.nn.Parameter(torch.ones(2))
optimiser = Adam([weight], lr=0.1)
weight.sum().backward()
optimiser.step()
"""


class Plain(nn.Module):
    """The same network, with the same weights, without our model around it."""

    def __init__(self, model: Vae) -> None:
        super().__init__()
        self.encoder, self.decoder = copy.deepcopy(model.encoder), copy.deepcopy(model.decoder)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encoder(x).chunk(2, -1)
        z = mean + torch.exp(logvar / 2) * torch.randn_like(mean)
        return mean, logvar, self.decoder(z) - 5


def plain_epoch(model: Plain, optimiser: torch.optim.Optimizer, images: Tensor) -> None:
    for (x,) in DataLoader(TensorDataset(images), batch_size=BATCH, shuffle=True):
        mean, logvar, logits = model(x)
        likelihood = -F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(1)
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)
        optimiser.zero_grad()
        (kl - likelihood).mean().backward()
        optimiser.step()


@torch.no_grad()
def plain_log_likelihood(model: Plain, images: Tensor) -> float:
    total = 0.0
    for x in images:
        mean, logvar = model.encoder(x[None]).chunk(2, -1)
        noise = torch.randn(SAMPLES, mean.shape[1])
        z = mean + torch.exp(logvar / 2) * noise
        logits = model.decoder(z) - 5
        target = x.flatten().expand_as(logits)
        likelihood = -F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)
        ratio = 0.5 * (noise**2 - z**2 + logvar).sum(1)
        total += log_mean_exp(likelihood + ratio).item()
    return total / len(images)


@cache
def trainee(precision: str) -> VaeTrainee:
    """Return an autoencoder in training on random images, once per process."""
    images = (torch.rand(IMAGES, *SHAPE, generator=generator(0, "images")) < 0.2).to(torch.uint8)
    data = DataSet({"name": "noise", "levels": 2}, {"train": images}, {})
    schedule = Schedule(epochs=1, batch=BATCH, snapshots=(), seeds=(0,))
    settings = Training(NETWORK, OBJECTIVE, Optimiser(RATE, clip_norm=0.0), schedule, precision)
    return VaeTrainee(0, data, VaeDescription(NETWORK, SHAPE, Observation.of("bernoulli", data), precision), settings)


@cache
def plain() -> tuple[Plain, torch.optim.Optimizer, Tensor]:
    """Return the plain network, its optimiser and the same images, once per process."""
    ours = trainee("fp32")
    model = Plain(ours.model)
    return model, torch.optim.Adam(model.parameters(), lr=RATE), ours.images.float()


def piece(work: str, precision: str | None) -> None:
    """Run one of the timed pieces, ours in a precision or the plain one."""
    if precision is None:
        model, optimiser, images = plain()
        plain_epoch(model, optimiser, images) if work == "epoch" else plain_log_likelihood(model, images[:SCORED])
    elif work == "epoch":
        trainee(precision).advance(1)
    else:
        ours = trainee(precision)
        importance_sampled(ours.model, ours.images[:SCORED], [SAMPLES], generator(0, "benchmark"))


def profile(work: str, precision: str) -> str:
    """Return the operations in which a piece of ours spends its time, with their shares and calls."""
    piece(work, precision)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        piece(work, precision)
    found = sorted(recorded.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in found)
    lines = [f"{each.self_cpu_time_total / total:6.1%}  {each.count:6d} x {each.key}" for each in found[:ROWS]]
    return "\n".join([f"{work}, {precision}: share of the time, calls, operation", *lines])


def start(ours: bool, threads: int) -> None:
    """Set up a process: ours as the stages do, the other as PyTorch comes."""
    if ours:
        prepare()
    torch.set_num_threads(threads)


@contextmanager
def sides(threads: int) -> Iterator[tuple[Executor, Executor]]:
    """Yield a process for the plain side and one for ours, whose allocator is set up otherwise."""
    with (
        ProcessPoolExecutor(1, get_context("spawn"), start, (False, threads)) as theirs,
        ProcessPoolExecutor(1, get_context("spawn"), start, (True, threads)) as ours,
    ):
        yield theirs, ours


def compare(work: str, flops: float, rates: dict[str, float], processes: Sequence[Executor], rounds: int) -> list[str]:
    """Time one piece of work in every precision against the plain form; return the lines of the verdict."""
    theirs, ours = processes
    pieces: dict[str, Callable[[], object]] = {"plain": lambda: theirs.submit(piece, work, None).result()}
    for precision in rates:
        pieces[precision] = partial(lambda name: ours.submit(piece, work, name).result(), precision)
    seconds = alternate(pieces, rounds)
    for name, value in seconds.items():
        share = flops / value / rates.get(name, rates["fp32"])
        print(f"{work}, {name}: {value:.3f} s, {share:.0%} of the rate of a matrix product")
    for precision in rates:
        print(ours.submit(profile, work, precision).result())
    return [
        verdict(
            f"{work} of experiment A in {precision}",
            "plain PyTorch in fp32",
            seconds["plain"] / seconds[precision],
            rounds,
        )
        for precision in rates
    ]


def compare_starts(rounds: int) -> list[str]:
    """Time a process that takes one step of Adam, our class against torch's; return the line of the verdict."""
    modules = {"ours": "pipeline.runtime.adam", "torch": "torch.optim"}
    pieces: dict[str, Callable[[], object]] = {
        name: partial(subprocess.run, [sys.executable, "-c", FIRST_STEP.format(module=module)], check=True)
        for name, module in modules.items()
    }
    seconds = alternate(pieces, rounds)
    print(f"process with one step of Adam: {seconds['ours']:.2f} s, with torch.optim.Adam {seconds['torch']:.2f} s")
    return [verdict("process with one step of Adam", "torch.optim.Adam", seconds["torch"] / seconds["ours"], rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(describe())
    rates = {name: matmul_rate(dtype) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    print(f"matrix product: {', '.join(f'{rate / 1e9:.0f} GFLOP/s in {name}' for name, rate in rates.items())}")
    model = trainee("fp32").model
    weights, decoded = (sum(each.numel() for each in part.parameters()) for part in (model, model.decoder))
    lines = compare_starts(arguments.rounds)
    with sides(arguments.threads) as processes:
        for work, flops in (("epoch", 6.0 * weights * IMAGES), ("likelihood", 2.0 * decoded * SCORED * SAMPLES)):
            lines += compare(work, flops, rates, processes, arguments.rounds)
    print("\n".join(lines))


if __name__ == "__main__":
    main()

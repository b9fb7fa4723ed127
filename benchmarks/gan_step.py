"""A GAN's training step with each penalty against the plain PyTorch form: `python -m benchmarks.gan_step [--width N]`.

A step is what the stage `train_gan` repeats: critic steps, a generator step and the running average, on batches and
noise of its own. The plain form is that of the papers' code: the default Adam, the default memory format, a loop over
the weights for the average; both compute the same losses. The step is timed in fp32 and in bf16, on a GPU also recorded
as a CUDA graph. The last column is what a penalty or spectral normalisation costs (claim C47).
"""

import argparse
import copy
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.machine import alternate, describe, verdict
from pipeline.gan.losses import critic_loss, generator_loss
from pipeline.gan.model import Scale
from pipeline.gan.network import build
from pipeline.gan.settings import Averaging, Network, Objective, Optimiser, Schedule, Training
from pipeline.gan.train import GanTrainee, Images
from pipeline.runtime.device import prepare
from pipeline.runtime.seeding import seeded

CASES = {"none": ("none", False), "spectral norm": ("none", True)} | {
    name: (name, False) for name in ("r1", "gp", "lp")
}
"""Penalty and spectral normalisation of each row."""

ADAM = Optimiser(learning_rate=2e-4, betas=(0.0, 0.99), weight_decay=0.0, decay_steps=0)
WARM = 5  # steps before timing: the fourth of a kind is recorded


@dataclass(frozen=True)
class Case:
    """What is timed in one row.

    Args:
        settings: Hyperparameters of the training.
        images: Images to train on.
        device: Where to train.
    """

    settings: Training
    images: Images
    device: torch.device

    def ours(self, precision: str, recorded: bool) -> Callable[[], object]:
        """Return the step of the stage."""
        os.environ["PIPELINE_CAPTURE"] = "on" if recorded else "off"
        settings = Training(**{**vars(self.settings), "precision": precision})
        trainee, numbers = GanTrainee(0, settings, self.images, self.device), itertools.count(1)
        return lambda: trainee.advance(next(numbers))

    def plain(self) -> Callable[[], object]:
        """Return the plain form of the same step."""
        with seeded(0, "benchmark"):
            generator, critic = (net.to(self.device) for net in build(self.settings.network, self.images.shape))
        return Plain(generator, critic, self.settings, self.images.train).step


class Plain:
    """The plain form of a training step."""

    def __init__(self, generator: nn.Module, critic: nn.Module, settings: Training, images: Tensor) -> None:
        self.generator, self.critic, self.average = generator, critic, copy.deepcopy(generator)
        self.settings, self.images = settings, images
        adam = {"lr": ADAM.learning_rate, "betas": ADAM.betas}
        self.optimisers = [torch.optim.Adam(net.parameters(), **adam) for net in (generator, critic)]  # type: ignore[arg-type]

    def step(self) -> None:
        device, batch = self.images.device, self.settings.schedule.batch
        latents = [
            torch.randn(batch, self.settings.network.latent, device=device)
            for _ in range(self.settings.schedule.critic_steps + 1)
        ]
        for each in latents[:-1]:
            chosen = torch.randint(len(self.images), (batch,), device=device)
            self.critic_step(self.images[chosen].float() / 127.5 - 1, self.generator(each).detach())
        self.descend(0, generator_loss("jsd", self.critic(self.generator(latents[-1]))))
        with torch.no_grad():
            for mean, weight in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(weight, 0.01)

    def critic_step(self, real: Tensor, fake: Tensor) -> None:
        on_real, on_fake = critic_loss("jsd", self.critic(real), self.critic(fake))
        loss, name = on_real + on_fake, self.settings.objective.penalty
        if name != "none":
            share = torch.rand(len(real), 1, 1, 1, device=real.device)
            points = (real if name == "r1" else share * real + (1 - share) * fake).clone().requires_grad_()
            outputs = self.critic(points)
            (gradient,) = torch.autograd.grad(outputs, points, torch.ones_like(outputs), create_graph=True)
            norm = gradient.flatten(1).norm(dim=1)
            loss = loss + {"r1": norm**2, "gp": (norm - 1) ** 2, "lp": (norm - 1).clamp_min(0) ** 2}[name].mean()
        self.descend(1, loss)

    def descend(self, player: int, loss: Tensor) -> None:
        self.optimisers[player].zero_grad()
        loss.backward()
        self.optimisers[player].step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="residual", choices=["dcgan", "residual", "resnet"])
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--latent", type=int, default=100)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--critic-steps", type=int, default=2)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES), help="rows of the table")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    device = prepare()
    pixels = torch.randint(0, 256, (1024, 3, 32, 32), dtype=torch.uint8, device=device)
    images = Images(pixels, pixels[:0].float(), Scale(0.5, 0.5))
    schedule = Schedule(1, arguments.critic_steps, arguments.batch, (0,), 1, ())
    pieces: dict[str, Callable[[], object]] = {}
    for name in arguments.cases:
        penalty, spectral_norm = CASES[name]
        network = Network(arguments.network, arguments.width, arguments.latent, spectral_norm)
        objective = Objective("jsd", penalty, 1.0, 1, "usual", "image")
        settings = Training(network, objective, ADAM, ADAM, Averaging(0.99, ema_warmup=True), schedule, "fp32")
        case = Case(settings, images, device)
        pieces[f"{name}, plain"] = case.plain()
        for precision in ("fp32", "bf16"):
            pieces[f"{name}, {precision}"] = case.ours(precision, recorded=False)
            if device.type == "cuda":
                pieces[f"{name}, {precision} recorded"] = case.ours(precision, recorded=True)
    seconds = alternate({name: finished(piece, device) for name, piece in pieces.items()}, arguments.rounds)
    report(seconds, arguments)


def finished(piece: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """Return a piece of work that waits for the device, after a few steps to warm up on a GPU."""
    if device.type != "cuda":
        return piece
    for _ in range(WARM):
        piece()

    def waiting() -> None:
        piece()
        torch.cuda.synchronize()

    return waiting


def report(seconds: dict[str, float], arguments: argparse.Namespace) -> None:
    forms = [name.split(", ")[1] for name in seconds if name.startswith(f"{arguments.cases[0]}, ")]
    print(describe())
    print(
        f"{arguments.network}, width {arguments.width}, batch {arguments.batch}, {arguments.critic_steps} critic steps"
    )
    print(f"ms a step, medians of {arguments.rounds} rounds\n")
    print(f"| penalty | {' | '.join(forms)} | fp32, relative to the first row |")
    print(f"|---|{'---:|' * (len(forms) + 1)}")
    first = seconds[f"{arguments.cases[0]}, fp32"]
    for name in arguments.cases:
        cells = " | ".join(f"{seconds[f'{name}, {form}'] * 1e3:.1f}" for form in forms)
        print(f"| {name} | {cells} | {seconds[f'{name}, fp32'] / first:.2f} |")
    print()
    for name in arguments.cases:
        what = f"{arguments.network} GAN step, width {arguments.width}, {name}"
        comparisons = [("fp32", "plain", "plain PyTorch"), ("bf16", "fp32", "the same in fp32")]
        comparisons += [
            (f"{form} recorded", form, "the same not recorded") for form in forms[1:] if f"{form} recorded" in forms
        ]
        for form, other, peer in comparisons:
            factor = seconds[f"{name}, {other}"] / seconds[f"{name}, {form}"]
            print(verdict(f"{what}, {form}", peer, factor, arguments.rounds))


if __name__ == "__main__":
    main()

"""A critic step with each penalty against the plain PyTorch form: `python -m benchmarks.gan_step [--width N]`.

The plain form is that of the papers' code: one forward pass each for real images, fakes and penalty points, the default
Adam, the default memory format. Both compute the same loss. The last column is what a penalty or spectral normalisation
costs (claim C47).
"""

import argparse

import torch
from torch import Tensor, nn

from benchmarks.machine import alternate, describe
from pipeline.gan.losses import critic_loss
from pipeline.gan.network import build
from pipeline.gan.train import Objective, Player, Trainer
from pipeline.runtime.device import prepare
from pipeline.runtime.seeding import seeded

ADAM = {"learning_rate": 2e-4, "betas": [0.0, 0.99], "weight_decay": 0.0, "decay_steps": 0}


class Plain:
    """The plain form of a critic step."""

    def __init__(self, generator: nn.Module, critic: nn.Module, penalty: str) -> None:
        self.generator, self.critic, self.penalty = generator, critic, penalty
        self.optimiser = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.0, 0.99))

    def step(self, real: Tensor, codes: Tensor, shares: Tensor) -> None:
        fake = self.generator(codes).detach()
        loss = sum(critic_loss("jsd", self.critic(real), self.critic(fake)))
        if self.penalty != "none":
            points = (
                real
                if self.penalty == "r1"
                else shares[:, None, None, None] * real + (1 - shares)[:, None, None, None] * fake
            )
            points = points.clone().requires_grad_()
            outputs = self.critic(points)
            (slope,) = torch.autograd.grad(outputs, points, torch.ones_like(outputs), create_graph=True)
            norm = slope.flatten(1).norm(dim=1)
            loss = (
                loss + {"r1": norm**2, "gp": (norm - 1) ** 2, "lp": (norm - 1).clamp_min(0) ** 2}[self.penalty].mean()
            )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="residual", choices=["dcgan", "residual", "resnet"])
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--latent", type=int, default=100)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    device = prepare()
    real = torch.rand(arguments.batch, 3, 32, 32, device=device) * 2 - 1
    codes, shares = (
        torch.randn(arguments.batch, arguments.latent, device=device),
        torch.rand(arguments.batch, device=device),
    )

    def nets(spectral: bool) -> list[nn.Module]:
        with seeded(0, "benchmark"):
            made = build(
                network=arguments.network,
                width=arguments.width,
                latent=arguments.latent,
                shape=(3, 32, 32),
                spectral=spectral,
            )
        return [net.to(device) for net in made]

    def finished(step: object) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    pieces = {}
    for name, penalty, spectral in (
        ("none", "none", False),
        ("spectral norm", "none", True),
        ("r1", "r1", False),
        ("gp", "gp", False),
        ("lp", "lp", False),
    ):
        plain = Plain(*nets(spectral), penalty)
        objective = Objective("jsd", penalty, 1.0, 1, "usual", "image")
        ours = Trainer(*(Player(net, **ADAM) for net in nets(spectral)), objective)
        pieces[f"{name}, plain"] = lambda plain=plain: finished(plain.step(real, codes, shares))
        pieces[f"{name}, ours"] = lambda ours=ours: finished(ours.critic_step(real.clone(), codes, shares, 0))
    seconds = alternate(pieces, arguments.rounds)
    print(describe())
    print(f"{arguments.network}, width {arguments.width}, batch {arguments.batch}; medians of {arguments.rounds}\n")
    print(
        "| critic step | plain, ms | ours, ms | plain / ours | ours / ours without penalty |\n|---|---:|---:|---:|---:|"
    )
    for name in dict.fromkeys(key.split(",")[0] for key in seconds):
        plain, ours = (seconds[f"{name}, {form}"] * 1e3 for form in ("plain", "ours"))
        print(f"| {name} | {plain:.1f} | {ours:.1f} | {plain / ours:.2f} | {ours / seconds['none, ours'] / 1e3:.2f} |")


if __name__ == "__main__":
    main()

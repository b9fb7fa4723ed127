"""A recorded step trains as the plain one does, measured step by step: on a real GPU if asked, else on a tape."""

import os

import pytest
import torch

from pipeline.gan.average import Average
from pipeline.gan.network import build
from pipeline.gan.settings import Averaging, Network, Objective, Optimiser
from pipeline.gan.trainer import Player, Trainer
from pipeline.runtime.captured import PLAIN, Captured, captured

ADAM = Optimiser(learning_rate=1e-2, betas=(0.5, 0.9), weight_decay=1e-4, decay_steps=50)
STEPS = 14


@pytest.fixture
def trainers(device, monkeypatch):
    """Return a function that makes two equal trainers, the first of which records nothing."""

    def make(network, objective, precision):
        torch.manual_seed(0)
        players = [Player(net.to(device), ADAM) for net in build(network, (3, 32, 32))]
        return Trainer(*players, objective, precision, device)

    def both(*arguments):
        with monkeypatch.context() as patch:
            patch.setenv("PIPELINE_CAPTURE", "off")
            plain = make(*arguments)
        return plain, make(*arguments)

    return both


def trained(trainer, device, steps=STEPS):
    """Return what every step measured, and all that the players and the average are afterwards."""
    average, found = Average(trainer.generator.network, Averaging(0.9, ema_warmup=True)), []
    for step in range(steps):
        random = torch.Generator().manual_seed(step)
        real, latents = torch.rand(8, 3, 32, 32, generator=random), torch.randn(2, 8, 8, generator=random)
        real, latents, shares = (x.to(device) for x in (real, latents, torch.rand(8, generator=random)))
        found.append(trainer.critic_step(real, latents[0], shares, step).clone())
        found.append(trainer.generator_step(latents[1], step).clone())
        average.update(step)
    for player in (trainer.generator, trainer.critic):
        found += player.network.state_dict().values()
        found += [each for kept in player.optimiser.state_dict().values() for each in kept]
    return [*found, *average.network.state_dict().values()]


SLOW = [
    ("residual", False, "r1", 2, "fp32"), ("residual", True, "none", 1, "fp32"), ("resnet", True, "gp", 3, "fp32"),
    ("dcgan", True, "r1", 2, "bf16"), ("dcgan", False, "lp", 1, "fp32"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "spectral_norm", "penalty", "interval", "precision"),
    [("mlp", False, "r2", 2, "fp32"), *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)],
)
def test_recorded_steps_train_as_plain_ones_do(
    trainers, device, architecture, spectral_norm, penalty, interval, precision
):  # fmt: skip
    network = Network(architecture, 4, 8, spectral_norm)
    plain, recorded = trainers(network, Objective("jsd", penalty, 0.5, interval, "usual", "image"), precision)
    for wanted, found in zip(trained(plain, device), trained(recorded, device), strict=True):
        assert torch.equal(wanted, found)
    kinds = {kind for kind, _ in recorded.improve_critic._recorded}
    assert len(kinds) == (1 if interval == 1 else 2)  # with a penalty and without: both were replayed


@pytest.mark.parametrize("mistake", ["reads", "samples"])
@pytest.mark.skipif(os.environ["PIPELINE_DEVICE"] != "cpu", reason="a real recording is spoilt by such a step")
def test_steps_that_cannot_be_recorded_are_refused(device, mistake):
    def step(_, x):
        return x * x.sum().item() if mistake == "reads" else torch.rand_like(x)

    wrapped = Captured(step)
    for _ in range(PLAIN):
        wrapped(None, torch.ones(3, device=device))
    with pytest.raises(AssertionError, match=mistake):
        wrapped(None, torch.ones(3, device=device))


def test_a_cpu_and_a_user_who_says_so_keep_the_plain_step(device, monkeypatch):
    def step(_, x):
        return x

    assert captured(step, torch.device("cpu")) is step
    assert isinstance(captured(step, device), Captured)
    monkeypatch.setenv("PIPELINE_CAPTURE", "off")
    assert captured(step, device) is step

"""A recorded step trains as the plain one does: on a real GPU where there is one, else on a tape."""

import os

import pytest
import torch
from gpu import tape

from pipeline.gan.average import Average
from pipeline.gan.network import build
from pipeline.gan.settings import Averaging, Network, Objective, Optimiser
from pipeline.gan.trainer import Player, Trainer
from pipeline.runtime import adam
from pipeline.runtime.captured import PLAIN, Captured, captured

ADAM = Optimiser(learning_rate=1e-2, betas=(0.5, 0.9), weight_decay=1e-4, decay_steps=50)
DEVICE = torch.device("cuda" if os.environ["PIPELINE_DEVICE"].startswith("cuda") else "cpu")
STEPS = 14


@pytest.fixture(autouse=True)
def recorder(monkeypatch):
    if DEVICE.type == "cpu":
        tape.install(monkeypatch)
        init = adam.Adam.__init__

        def with_rate_in_a_tensor(self, *arguments, **settings):
            init(self, *arguments, **settings)
            self._lr = torch.full((), self._lr)  # as on a GPU

        monkeypatch.setattr(adam.Adam, "__init__", with_rate_in_a_tensor)


def trainer(network, objective, precision):
    torch.manual_seed(0)
    players = [Player(net.to(DEVICE), ADAM) for net in build(network, (3, 32, 32))]
    return Trainer(*players, objective, precision, DEVICE)


def trained(trainer, steps=STEPS):
    """Return what every step measured, and all that the players and the average are afterwards."""
    average, found = Average(trainer.generator.network, Averaging(0.9, ema_warmup=True)), []
    for step in range(steps):
        random = torch.Generator().manual_seed(step)
        real, latents = torch.rand(8, 3, 32, 32, generator=random), torch.randn(2, 8, 8, generator=random)
        real, latents, shares = (x.to(DEVICE) for x in (real, latents, torch.rand(8, generator=random)))
        found.append(trainer.critic_step(real, latents[0], shares, step).clone())
        found.append(trainer.generator_step(latents[1], step).clone())
        average.update(step)
    for player in (trainer.generator, trainer.critic):
        found += player.network.state_dict().values()
        found += [each for kept in player.optimiser.state_dict().values() for each in kept]
    return [*found, *average.network.state_dict().values()]


def recorded(trainer):
    trainer.improve_critic = Captured(trainer._improve_critic)
    trainer.improve_generator = Captured(trainer._improve_generator)
    return trainer


CASES = [
    ("residual", False, "r1", 2, "fp32"), ("residual", True, "none", 1, "fp32"), ("resnet", True, "gp", 3, "fp32"),
    ("dcgan", False, "lp", 1, "fp32"), ("mlp", False, "r2", 2, "fp32"), ("dcgan", True, "r1", 2, "bf16"),
]  # fmt: skip


@pytest.mark.parametrize(("architecture", "spectral_norm", "penalty", "interval", "precision"), CASES)
def test_recorded_steps_train_as_plain_ones_do(architecture, spectral_norm, penalty, interval, precision):
    network = Network(architecture, 4, 8, spectral_norm)
    objective = Objective("jsd", penalty, 0.5, interval, "usual", "image")
    plain, replayed = trainer(network, objective, precision), recorded(trainer(network, objective, precision))
    for wanted, found in zip(trained(plain), trained(replayed), strict=True):
        assert torch.equal(wanted, found)
    kinds = {None, "real", "fake", "interpolated"} & {kind for kind, _ in replayed.improve_critic._recorded}
    assert len(kinds) == (1 if interval == 1 else 2)  # every kind was replayed


def test_a_frozen_learning_rate_would_be_noticed(monkeypatch):
    network, objective = Network("mlp", 4, 8, False), Objective("ns", "none", 0.0, 1, "usual", "image")
    plain, replayed = trainer(network, objective, "fp32"), recorded(trainer(network, objective, "fp32"))
    for player in (replayed.generator, replayed.critic):
        player.optimiser._lr = float(player.optimiser._lr)
    pairs = zip(trained(plain), trained(replayed), strict=True)
    assert not all(torch.equal(wanted, found) for wanted, found in pairs)


@pytest.mark.parametrize("mistake", ["reads", "draws"])
@pytest.mark.skipif(DEVICE.type == "cuda", reason="a real recording is spoilt by such a step")
def test_steps_that_cannot_be_recorded_are_refused(mistake):
    def step(_, x):
        return x * x.sum().item() if mistake == "reads" else torch.rand_like(x)

    wrapped = Captured(step)
    for _ in range(PLAIN):
        wrapped(None, torch.ones(3))
    with pytest.raises(AssertionError, match=mistake):
        wrapped(None, torch.ones(3))


def test_a_cpu_and_a_user_who_says_so_keep_the_plain_step(monkeypatch):
    def step(_, x):
        return x

    assert captured(step, torch.device("cpu")) is step
    assert isinstance(captured(step, torch.device("cuda")), Captured)
    monkeypatch.setenv("PIPELINE_CAPTURE", "off")
    assert captured(step, torch.device("cuda")) is step

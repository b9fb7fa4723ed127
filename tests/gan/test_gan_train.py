"""Steps and trainings against plain ones, in every precision, and what a training leaves behind."""

import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from pipeline.data import store
from pipeline.gan.images import evaluation_split
from pipeline.gan.model import TrainedGan
from pipeline.gan.network import build
from pipeline.gan.settings import Averaging, Network, Objective, Optimiser, Schedule, Training
from pipeline.gan.train import Batches
from pipeline.gan.train import train as train_gan
from pipeline.gan.trainer import Player, Trainer, points_of
from pipeline.runtime import history, weights
from pipeline.runtime.context import Context, silent
from pipeline.runtime.errors import UserError

CPU = torch.device("cpu")
ADAM = Optimiser(learning_rate=1e-3, betas=(0.5, 0.9), weight_decay=1e-4, decay_steps=0)
OBJECTIVE = Objective("jsd", "r1", 1.0, 1, "usual", "image")
NETWORK = Network("dcgan", width=4, latent=8, spectral_norm=False)
SCHEDULE = Schedule(steps=6, critic_steps=2, batch=8, seeds=(0, 1), log_every=2, snapshots=(0, 3))
SETTINGS = Training(NETWORK, OBJECTIVE, ADAM, ADAM, Averaging(0.5, ema_warmup=False), SCHEDULE, "fp32")


def schedule(**changes):
    return replace(SETTINGS, schedule=replace(SCHEDULE, **changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 12)):
        np.save(folder / f"{split}_images.npy", random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8))
    card = {"name": "noise", "levels": 256, "counts": {"train": 30, "test": 12}, "shape": [3, 32, 32]}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def train(data, folder, settings=SETTINGS, log=silent):
    output = folder / "model"
    output.mkdir(parents=True, exist_ok=True)
    train_gan(data, output, settings, Context(CPU, folder / "scratch", log))
    return output


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


class Steep(torch.nn.Module):
    """A critic with a hundred times the gradient: when untrained its norm is about 3, where lp is at work too."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return 100 * self.net(x)


def players(steep=False, dtype=torch.float32, network=NETWORK, precision="fp32", **changes):
    torch.manual_seed(0)
    generator, critic = build(network, (3, 32, 32))
    nets = generator, Steep(critic) if steep else critic
    objective = replace(OBJECTIVE, **changes)
    return Trainer(*(Player(net.to(dtype), ADAM) for net in nets), objective, precision, CPU)


def plain_critic_loss(critic, real, fake, name, shares):
    """The formulas of the table in `pipeline.gan.penalties`, written for one image at a time."""
    loss = (softplus(-critic(real)).mean() + softplus(critic(fake)).mean()) / 2
    penalties = []
    for x, y, t in zip(real, fake, shares, strict=True):
        point = {"r1": x, "r2": y, "gp": t * x + (1 - t) * y, "lp": t * x + (1 - t) * y}[name]
        point = point[None].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(point)[0], point, create_graph=True)
        norm = gradient.pow(2).sum().sqrt()
        penalties.append({"r1": norm**2, "r2": norm**2, "gp": (norm - 1) ** 2, "lp": (norm - 1).relu() ** 2}[name])
    return loss + 0.7 * torch.stack(penalties).mean()


@pytest.mark.parametrize("name", ["r1", "r2", "gp", "lp"])
def test_steps_are_those_of_a_plain_loop_with_plain_adam(name):
    """Also that no gradient reaches the fused optimiser in another memory layout than its weights have."""
    exact = {"steep": True, "dtype": torch.float64}
    ours, theirs = players(penalty=name, penalty_weight=0.7, **exact), players(**exact)
    bare = players(penalty="none", **exact)
    settings = {"lr": 1e-3, "betas": (0.5, 0.9), "weight_decay": 1e-4, "foreach": False}
    nets = theirs.generator.network, theirs.critic.network
    adams = [torch.optim.Adam(net.parameters(), **settings) for net in nets]
    for step in range(4):
        real, latents = torch.rand(6, 3, 32, 32, dtype=torch.float64) * 2 - 1, torch.randn(6, 8, dtype=torch.float64)
        shares = torch.rand(6, dtype=torch.float64)
        assert ours.critic_step(real.clone(), latents, shares, step)[2] > 0
        bare.critic_step(real.clone(), latents, shares, step)
        fake = nets[0](latents).detach()
        adams[1].zero_grad()
        plain_critic_loss(nets[1], real, fake, name, shares).backward()
        adams[1].step()
        ours.generator_step(latents, step)
        bare.generator_step(latents, step)
        adams[0].zero_grad()
        (-softplus(nets[1](nets[0](latents))).mean() / 2).backward()
        adams[0].step()
    for mine, plain in ((ours.generator.network, nets[0]), (ours.critic.network, nets[1])):
        assert apart(mine, plain) < 1
    assert apart(bare.critic.network, nets[1]) > 10  # so the penalty was felt


def apart(first, second, rtol=1e-5, atol=1e-8):
    """Return the largest difference of two networks' weights and statistics, as a multiple of what is tolerated."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return max(((a - b).abs() / (atol + rtol * b.abs())).max().item() for a, b in pairs)


def test_each_step_moves_its_own_player_only():
    trainer = players()
    nets = {"generator": trainer.generator.network, "critic": trainer.critic.network}

    def weights():
        return {name: [weight.clone() for weight in net.parameters()] for name, net in nets.items()}

    def moved(before):
        after = weights()
        return {
            name for name in nets if any(not torch.equal(a, b) for a, b in zip(before[name], after[name], strict=True))
        }

    before = weights()
    trainer.critic_step(torch.rand(4, 3, 32, 32), torch.randn(4, 8), torch.rand(4), 0)
    assert moved(before) == {"critic"}
    before = weights()
    trainer.generator_step(torch.randn(4, 8), 0)
    assert moved(before) == {"generator"}


def test_the_critic_step_returns_what_it_measured():
    trainer = players(penalty="gp", penalty_weight=3.0)
    real, latents, shares = torch.rand(6, 3, 32, 32), torch.randn(6, 8), torch.rand(6)
    critic, fake = trainer.critic.network, trainer.generator.network(latents).detach()
    with torch.no_grad():
        on_real, on_fake = critic(real), critic(fake)
    loss_real, loss_fake, penalty, jsd, w1 = trainer.critic_step(real, latents, shares, 0).tolist()
    assert loss_real == pytest.approx(softplus(-on_real).mean().item() / 2, rel=1e-4)
    assert loss_fake == pytest.approx(softplus(on_fake).mean().item() / 2, rel=1e-4)
    assert w1 == pytest.approx((on_real.mean() - on_fake.mean()).item(), rel=1e-2, abs=1e-5)
    assert jsd == pytest.approx(np.log(2) - loss_real - loss_fake, abs=1e-5)
    assert 0 < penalty < 1.1  # an untrained critic is nearly flat: (0 - 1)^2


def test_a_lazy_penalty_is_rare_and_heavier():
    lazy = replace(OBJECTIVE, penalty_interval=4)
    assert [points_of(lazy, step) for step in range(6)] == ["real", None, None, None, "real", None]
    assert points_of(replace(OBJECTIVE, penalty="none"), 0) is None
    assert [points_of(replace(OBJECTIVE, penalty=name), 0) for name in ("r1", "r2", "gp", "lp")] == [
        "real", "fake", "interpolated", "interpolated",
    ]  # fmt: skip
    assert points_of(replace(OBJECTIVE, penalty="gp", penalty_points="real"), 0) == "real"
    often, rare = players(penalty_weight=2.0), players(penalty_weight=0.5, penalty_interval=4)
    real, latents, shares = torch.rand(4, 3, 32, 32), torch.randn(4, 8), torch.rand(4)
    for trainer in (often, rare):
        trainer.critic_step(real.clone(), latents, shares, 0)
    for a, b in zip(often.critic.network.parameters(), rare.critic.network.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_learning_rate_falls_on_a_straight_line():
    player = Player(torch.nn.Linear(1, 1), replace(ADAM, decay_steps=10))
    rates = []
    for done in range(13):
        player.schedule(done)
        rates.append(player.optimiser.lr)
    assert rates == pytest.approx([1e-3 * max(0, 1 - n / 10) for n in range(13)])


@pytest.mark.parametrize(
    ("loss", "name"), list(itertools.product(("jsd", "ns", "lsgan", "w1", "hinge"), ("none", "r1", "r2", "gp", "lp")))
)
def test_any_loss_goes_with_any_penalty(loss, name):
    trainer = players(loss=loss, penalty=name, network=replace(NETWORK, spectral_norm=True), steep=True)
    values = trainer.critic_step(torch.rand(4, 3, 32, 32), torch.randn(4, 8), torch.rand(4), 0)
    assert torch.isfinite(values).all()
    assert (values[2] > 0) == (name != "none")
    assert torch.isfinite(trainer.generator_step(torch.randn(4, 8), 0))


def test_batches_are_shuffled_epochs_and_a_function_of_their_number():
    images = torch.arange(10)[:, None]
    batches = Batches(images, 3, seed=1)
    epochs = [torch.cat([batches[3 * epoch + place] for place in range(3)]).flatten().tolist() for epoch in range(3)]
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert torch.equal(Batches(images, 3, seed=1)[7], batches[7])


def test_what_a_run_leaves_behind(data, tmp_path):
    logged = []
    output = train(data, tmp_path, log=lambda seed, step, row: logged.append((seed, step)))
    names = {f"seed_{s}{part}.safetensors" for s in (0, 1) for part in ("", "-step_0", "-step_3", "-raw", "-critic")}
    assert set(contents(output)) == names | {"network.json", "history.csv"}
    rows = history.read(output / "history.csv")
    assert [(row["seed"], row["step"]) for row in rows] == logged == [(s, n) for s in (0, 1) for n in (2, 4, 6)]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    trained = TrainedGan.load(output)
    assert (trained.network, trained.shape, trained.snapshots) == (NETWORK, (3, 32, 32), (0, 3, 6))
    nets = [trained.generator(output, 0, step, CPU) for step in trained.snapshots]
    nets.append(trained.raw_generator(output, 0, CPU))
    assert len({tuple(next(net.parameters()).flatten().tolist()) for net in nets}) == 4
    assert trained.critic(output, 1, CPU)(torch.zeros(2, 3, 32, 32)).shape == (2,)


def test_without_decay_the_average_is_the_generator(data, tmp_path):
    output = train(data, tmp_path, replace(schedule(seeds=(0,)), average=Averaging(0.0, ema_warmup=False)))
    raw, average = (weights.load(output, weights.name(0, part)) for part in ("raw", ""))
    assert all(torch.equal(raw[name], average[name]) for name in raw)


def test_seeds_do_not_touch_each_other(data, tmp_path):
    both, alone = train(data, tmp_path / "both"), train(data, tmp_path / "alone", schedule(seeds=(1,)))
    for name, content in contents(alone).items():
        if name.startswith("seed_"):
            assert contents(both)[name] == content


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_killed_run_ends_with_the_same_bytes(data, tmp_path, monkeypatch, precision):
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    settings = replace(SETTINGS, precision=precision)
    whole = contents(train(data, tmp_path / "whole", settings))

    def killer(seed, step, row):
        if (seed, step) == (1, 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", settings, killer)
    steps = []
    resumed = train(data, tmp_path / "cut", settings, lambda seed, step, row: steps.append((seed, step)))
    assert steps == [(1, 4), (1, 6)]
    assert contents(resumed) == whole


def test_a_set_without_a_test_split_is_evaluated_against_its_training_images(data, tmp_path):
    """Against the first thousand of them: the stage `data` mixes what is sorted."""
    undivided = tmp_path / "undivided"
    shutil.copytree(data, undivided)
    (undivided / "test_images.npy").unlink()
    card = json.loads((data / "card.json").read_text())
    (undivided / "card.json").write_text(json.dumps(card | {"counts": {"train": 30}}))
    images = store.load(undivided, CPU)
    split, found = evaluation_split(images)
    assert split == "train" and torch.equal(found, images.split("train"))
    whole = store.load(data, CPU)
    split, found = evaluation_split(whole)
    assert split == "test" and torch.equal(found, whole.split("test"))
    first, second = (train(folder, tmp_path / name) for folder, name in ((data, "a"), (undivided, "b")))
    rows = [history.read(output / "history.csv") for output in (first, second)]
    held_out = {"test_jsd", "test_w1", "test_real", "test_fake", "gradient_norm", "gradient_norm_spread"}
    for one, other in zip(*rows, strict=True):
        assert {key for key in one if one[key] != other[key]} == held_out  # training itself is the same


def test_divergence_and_impossible_batches_are_said(data, tmp_path):
    wild = replace(
        schedule(steps=30, snapshots=()),
        objective=replace(OBJECTIVE, loss="lsgan", penalty="none"),
        critic=replace(ADAM, learning_rate=1e18),
    )
    with pytest.raises(UserError, match="training has diverged; a smaller learning rate, a penalty or spectral_norm"):
        train(data, tmp_path, wild)
    with pytest.raises(UserError, match="batch 31 is larger than the 30 training images"):
        train(data, tmp_path / "other", schedule(batch=31))


def gradient(precision, network, name, points="usual"):
    """Return the gradient of the critic's weights in one penalised step, as one vector, and the penalty."""
    trainer = players(network=network, precision=precision, penalty=name, penalty_points=points, steep=True)
    random = torch.Generator().manual_seed(1)
    real, latents = torch.rand(16, 3, 32, 32, generator=random) * 2 - 1, torch.randn(16, 8, generator=random)
    penalty = trainer.critic_step(real, latents, torch.rand(16, generator=random), 0)[2]
    every = [weight.grad for weight in trainer.critic.network.parameters()]
    assert all(each.dtype == torch.float32 for each in every)
    return torch.cat([each.flatten() for each in every]), penalty


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("architecture", ["dcgan", "residual", "resnet", "mlp"])
@pytest.mark.parametrize("name", ["none", "r1", "r2", "gp", "lp"])
def test_gradients_in_bf16_are_near_those_in_fp32(architecture, spectral_norm, name):
    """Within 5 percent of their norm, penalties within 2 percent of their value: bf16 rounds to 0.4 percent."""
    network = replace(NETWORK, network=architecture, spectral_norm=spectral_norm)
    (wanted, exact), (found, rounded) = (gradient(precision, network, name) for precision in ("fp32", "bf16"))
    assert (found - wanted).norm() < 0.05 * wanted.norm()
    assert not torch.equal(found, wanted)
    assert rounded == pytest.approx(exact.item(), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["none", "r1", "gp"])
def test_a_short_training_in_bf16_ends_near_that_in_fp32(data, tmp_path, name):
    """After 40 steps the critics' weights differ by at most 5 percent of their norm, what is measured by 2 percent."""
    short = replace(schedule(steps=40, seeds=(0,), snapshots=()), objective=replace(OBJECTIVE, penalty=name))
    exact, rounded = (train(data, tmp_path / p, replace(short, precision=p)) for p in ("fp32", "bf16"))
    wanted, found = (weights.load(folder, weights.name(0, "critic")) for folder in (exact, rounded))
    apart = sum((wanted[key] - found[key]).square().sum() for key in wanted)
    assert 0 < apart < 0.05**2 * sum(value.square().sum() for value in wanted.values())
    wanted, found = (history.read(folder / "history.csv")[-1] for folder in (exact, rounded))
    for key in ("test_jsd", "test_w1", "gradient_norm"):
        assert found[key] == pytest.approx(wanted[key], rel=0.02)


def test_tf32_is_fp32_on_a_cpu(data, tmp_path):
    first, second = (train(data, tmp_path / p, replace(SETTINGS, precision=p)) for p in ("fp32", "tf32"))
    assert contents(first) == contents(second)


@pytest.mark.parametrize(
    ("train_images", "test_images", "message"),
    [
        (None, np.full((1, 3, 32, 32), 9, np.uint8), "1 images, all the same; at least two that differ"),
        (None, np.full((12, 3, 32, 32), 9, np.uint8), "12 images, all the same"),
        (np.full((30, 3, 32, 32), 9, np.uint8), None, "30 images, all the same"),
        (None, np.arange(36, dtype=np.uint8).reshape(12, 3, 1, 1).repeat(32, 2).repeat(32, 3), "has an edge"),
    ],
)
def test_images_that_nothing_can_be_compared_with_are_refused(data, tmp_path, train_images, test_images, message):
    folder = shutil.copytree(data, tmp_path / "degenerate")
    for split, images in (("train", train_images), ("test", test_images)):
        if images is not None:
            np.save(folder / f"{split}_images.npy", images)
    with pytest.raises(UserError, match=message):
        train(folder, tmp_path)

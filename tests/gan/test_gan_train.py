"""The training loop against a plain one, and what it leaves behind."""

import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import softplus

from pipeline.data import store
from pipeline.gan import model as models
from pipeline.gan.images import judged
from pipeline.gan.network import build
from pipeline.gan.train import Batches, Objective, Player, Trainer, fit
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.errors import UserError

CPU = torch.device("cpu")
ADAM = {"learning_rate": 1e-3, "betas": [0.5, 0.9], "weight_decay": 1e-4, "decay_steps": 0}
SETTINGS = {
    "network": {"network": "dcgan", "width": 4, "latent": 8, "spectral": False},
    "objective": {
        "loss": "jsd", "penalty": "r1", "penalty_weight": 1.0, "penalty_interval": 1, "penalty_points": "usual",
        "r1_axis": "image",
    },
    "generator": ADAM,
    "critic": ADAM,
    "steps": 6, "critic_steps": 2, "batch": 8, "ema": 0.5, "ema_warmup": False, "log_every": 2, "snapshots": [0, 3],
    "seeds": [0, 1], "device": CPU,
}  # fmt: skip


def objective(**changes):
    return Objective(**{**SETTINGS["objective"], **changes})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 12)):
        np.save(folder / f"{split}_images.npy", random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8))
    card = {"name": "noise", "levels": 256, "counts": {"train": 30, "test": 12}, "shape": [3, 32, 32]}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def train(data, folder, log=lambda seed, step, row: None, **changes):
    output = folder / "model"
    output.mkdir(parents=True, exist_ok=True)
    fit(data, output, scratch=folder / "scratch", log=log, **{**SETTINGS, **changes})
    return output


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


class Steep(torch.nn.Module):
    """A critic with a hundred times the slope: about 3 when untrained, so that a one-sided penalty is at work too."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return 100 * self.net(x)


def players(spectral=False, steep=False, dtype=torch.float32, **changes):
    torch.manual_seed(0)
    generator, critic = build(network="dcgan", width=4, latent=8, shape=(3, 32, 32), spectral=spectral)
    nets = generator, Steep(critic) if steep else critic
    return Trainer(*(Player(net.to(dtype), **ADAM) for net in nets), objective(**changes))


def plain_critic_loss(critic, real, fake, name, shares):
    """The formulas of the table in `pipeline.gan.penalties`, written for one image at a time."""
    loss = (softplus(-critic(real)).mean() + softplus(critic(fake)).mean()) / 2
    costs = []
    for x, y, t in zip(real, fake, shares, strict=True):
        point = {"r1": x, "r2": y, "gp": t * x + (1 - t) * y, "lp": t * x + (1 - t) * y}[name]
        point = point[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(critic(point)[0], point, create_graph=True)
        norm = slope.pow(2).sum().sqrt()
        costs.append({"r1": norm**2, "r2": norm**2, "gp": (norm - 1) ** 2, "lp": (norm - 1).relu() ** 2}[name])
    return loss + 0.7 * torch.stack(costs).mean()


@pytest.mark.parametrize("name", ["r1", "r2", "gp", "lp"])
def test_steps_are_those_of_a_plain_loop_with_plain_adam(name):
    """Also that no gradient reaches the fused optimiser in another memory layout than its weights have."""
    exact = {"steep": True, "dtype": torch.float64}
    ours, theirs = players(penalty=name, penalty_weight=0.7, **exact), players(**exact)
    bare = players(penalty="none", **exact)
    settings = {"lr": 1e-3, "betas": (0.5, 0.9), "weight_decay": 1e-4, "foreach": False}
    nets = theirs.generator.net, theirs.critic.net
    adams = [torch.optim.Adam(net.parameters(), **settings) for net in nets]
    for step in range(4):
        real, codes = torch.rand(6, 3, 32, 32, dtype=torch.float64) * 2 - 1, torch.randn(6, 8, dtype=torch.float64)
        shares = torch.rand(6, dtype=torch.float64)
        assert ours.critic_step(real.clone(), codes, shares, step)[2] > 0
        bare.critic_step(real.clone(), codes, shares, step)
        fake = nets[0](codes).detach()
        adams[1].zero_grad()
        plain_critic_loss(nets[1], real, fake, name, shares).backward()
        adams[1].step()
        ours.generator_step(codes, step)
        bare.generator_step(codes, step)
        adams[0].zero_grad()
        (-softplus(nets[1](nets[0](codes))).mean() / 2).backward()
        adams[0].step()
    for mine, plain in ((ours.generator.net, nets[0]), (ours.critic.net, nets[1])):
        assert apart(mine, plain) < 1
    assert apart(bare.critic.net, nets[1]) > 10  # so the penalty was felt


def apart(first, second, rtol=1e-5, atol=1e-8):
    """Return the largest difference of two networks' weights and statistics, as a multiple of what is tolerated."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return max(((a - b).abs() / (atol + rtol * b.abs())).max().item() for a, b in pairs)


def test_each_step_moves_its_own_player_only():
    trainer = players()
    nets = {"generator": trainer.generator.net, "critic": trainer.critic.net}

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


def test_the_critic_step_reports_what_it_measured():
    trainer = players(penalty="gp", penalty_weight=3.0)
    real, codes, shares = torch.rand(6, 3, 32, 32), torch.randn(6, 8), torch.rand(6)
    critic, fake = trainer.critic.net, trainer.generator.net(codes).detach()
    with torch.no_grad():
        on_real, on_fake = critic(real), critic(fake)
    loss_real, loss_fake, cost, jsd, w1 = trainer.critic_step(real, codes, shares, 0).tolist()
    assert loss_real == pytest.approx(softplus(-on_real).mean().item() / 2, rel=1e-4)
    assert loss_fake == pytest.approx(softplus(on_fake).mean().item() / 2, rel=1e-4)
    assert w1 == pytest.approx((on_real.mean() - on_fake.mean()).item(), rel=1e-2, abs=1e-5)
    assert jsd == pytest.approx(np.log(2) - loss_real - loss_fake, abs=1e-5)
    assert 0 < cost < 1.1  # an untrained critic is nearly flat: (0 - 1)^2


def test_a_lazy_penalty_is_rare_and_heavier():
    lazy = objective(penalty_interval=4)
    assert [lazy.points(step) for step in range(6)] == ["real", None, None, None, "real", None]
    assert objective(penalty="none").points(0) is None
    assert [objective(penalty=name).points(0) for name in ("r1", "r2", "gp", "lp")] == [
        "real", "fake", "interpolated", "interpolated",
    ]  # fmt: skip
    assert objective(penalty="gp", penalty_points="real").points(0) == "real"
    often, rare = players(penalty_weight=2.0), players(penalty_weight=0.5, penalty_interval=4)
    real, codes, shares = torch.rand(4, 3, 32, 32), torch.randn(4, 8), torch.rand(4)
    for trainer in (often, rare):
        trainer.critic_step(real.clone(), codes, shares, 0)
    for a, b in zip(often.critic.net.parameters(), rare.critic.net.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_learning_rate_falls_on_a_straight_line():
    player = Player(torch.nn.Linear(1, 1), **{**ADAM, "decay_steps": 10})
    rates = []
    for done in range(13):
        player.step(player.net.weight.sum() + player.net.bias.sum(), done)
        rates.append(player.optimiser.lr)
    assert rates == pytest.approx([1e-3 * max(0, 1 - n / 10) for n in range(13)])


@pytest.mark.parametrize(
    ("loss", "name"), list(itertools.product(("jsd", "ns", "lsgan", "w1", "hinge"), ("none", "r1", "r2", "gp", "lp")))
)
def test_any_loss_goes_with_any_penalty(loss, name):
    trainer = players(loss=loss, penalty=name, spectral=True, steep=True)
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
    seen = []
    output = train(data, tmp_path, lambda seed, step, row: seen.append((seed, step)))
    names = {
        f"seed_{s}_{what}.safetensors"
        for s in (0, 1)
        for what in ("step_000000", "step_000003", "step_000006", "raw", "critic")
    }
    assert set(contents(output)) == names | {"network.json", "history.csv"}
    rows = history.read(output / "history.csv")
    assert [(row["seed"], row["epoch"]) for row in rows] == seen == [(s, n) for s in (0, 1) for n in (2, 4, 6)]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    trained = models.load(output)
    assert trained.snapshots == [0, 3, 6]
    raw, average = trained.raw_generator(0, CPU), trained.generator(0, 6, CPU)
    assert not torch.equal(next(raw.parameters()), next(average.parameters()))
    assert trained.critic(1, CPU)(torch.zeros(2, 3, 32, 32)).shape == (2,)


def test_without_decay_the_average_is_the_generator(data, tmp_path):
    output = train(data, tmp_path, ema=0.0, seeds=[0])
    raw, average = (load_file(output / f"seed_0_{name}.safetensors") for name in ("raw", "step_000006"))
    assert all(torch.equal(raw[name], average[name]) for name in raw)


def test_seeds_do_not_touch_each_other(data, tmp_path):
    both, alone = train(data, tmp_path / "both"), train(data, tmp_path / "alone", seeds=[1])
    for name, content in contents(alone).items():
        if name.startswith("seed_"):
            assert contents(both)[name] == content


def test_a_killed_run_goes_on_to_the_same_bytes(data, tmp_path, monkeypatch):
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0.000001")
    whole = contents(train(data, tmp_path / "whole"))

    def killer(seed, step, row):
        if (seed, step) == (1, 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", killer)
    assert Checkpoint(tmp_path / "cut" / "scratch", "seed_1", CPU).load() is not None
    steps = []
    resumed = train(data, tmp_path / "cut", lambda seed, step, row: steps.append((seed, step)))
    assert steps == [(1, 4), (1, 6)]
    assert contents(resumed) == whole


def test_a_set_without_a_test_split_is_judged_by_its_training_images(data, tmp_path):
    """By the first thousand of them in an order drawn once, whatever their order in the files is."""
    undivided = tmp_path / "undivided"
    shutil.copytree(data, undivided)
    (undivided / "test_images.npy").unlink()
    card = json.loads((data / "card.json").read_text())
    (undivided / "card.json").write_text(json.dumps(card | {"counts": {"train": 30}}))
    images = store.load(undivided, CPU)
    split, seen = judged(images)
    assert split == "train" and not torch.equal(seen, images.split("train"))
    assert sorted(seen.flatten(1).tolist()) == sorted(images.split("train").flatten(1).tolist())
    whole = store.load(data, CPU)
    split, seen = judged(whole)
    assert split == "test" and torch.equal(seen, whole.split("test"))
    first, second = (train(folder, tmp_path / name) for folder, name in ((data, "a"), (undivided, "b")))
    rows = [history.read(output / "history.csv") for output in (first, second)]
    judgements = {"test_jsd", "test_w1", "test_real", "test_fake", "slope", "slope_spread"}
    for one, other in zip(*rows, strict=True):
        assert {key for key in one if one[key] != other[key]} == judgements  # training itself is the same


def test_divergence_and_impossible_batches_are_said(data, tmp_path):
    with pytest.raises(UserError, match="training has diverged"):
        train(data, tmp_path, objective={**SETTINGS["objective"], "loss": "lsgan", "penalty": "none"},
              critic={**ADAM, "learning_rate": 1e18}, steps=30, snapshots=[])  # fmt: skip
    with pytest.raises(UserError, match="batch 31 is larger than the 30 training images"):
        train(data, tmp_path / "other", batch=31)

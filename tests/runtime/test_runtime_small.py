import pytest
import torch

from pipeline.runtime import history, paths
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan, read_all
from pipeline.runtime.seeding import generator, seeded


def test_history_keeps_every_bit(tmp_path):
    rows = [
        {"seed": 0, "epoch": 1, "loss": 0.1 + 0.2, "kl": -1e-300},
        {"seed": 3, "epoch": 20, "loss": 5.0, "kl": 1 / 3},
    ]
    history.write(tmp_path / "history.csv", rows)
    assert history.read(tmp_path / "history.csv") == rows


def test_random_numbers_are_a_function_of_seed_purpose_and_epoch():
    def noise(*key):
        return torch.randn(4, generator=generator(*key))

    assert torch.equal(noise(0, "noise", 3), noise(0, "noise", 3))
    others = [noise(0, "noise", 4), noise(1, "noise", 3), noise(0, "order", 3)]
    assert not any(torch.equal(noise(0, "noise", 3), other) for other in others)


def test_seeded_initialisation_leaves_the_global_generator_as_it_was():
    before = torch.random.get_rng_state()
    with seeded(0, "init"):
        first = torch.nn.Linear(2, 2).weight
    assert torch.equal(torch.random.get_rng_state(), before)
    with seeded(0, "init"):
        assert torch.equal(torch.nn.Linear(2, 2).weight, first)


def test_plans_come_back_and_are_listed(tmp_path):
    plan = Plan(
        "train_vae", "bernoulli", {"data": "data/x"}, "models/vae/bernoulli", {"rate": 1e-8, "seeds": [0], "word": "no"}
    )
    (tmp_path / plan.path).parent.mkdir(parents=True)
    (tmp_path / plan.path).write_text(plan.text())
    assert Plan.read(tmp_path / plan.path) == plan
    assert read_all(tmp_path) == [plan]
    assert plan.address == "train_vae@bernoulli"
    with pytest.raises(UserError, match="no such plan file"):
        Plan.read(tmp_path / "plan/train_vae/other.yaml")


def test_scratch_lies_in_the_main_checkout_also_in_a_temporary_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert paths.scratch() == tmp_path / ".scratch"
    monkeypatch.delenv("DVC_ROOT")
    assert (paths.main_checkout() / "params.yaml").exists()

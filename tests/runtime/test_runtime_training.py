"""The one training loop, on a model of two numbers that any cut of a run can be compared with."""

import pytest
import torch

from pipeline.runtime import history, training, weights
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.context import Context
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator
from pipeline.runtime.training import Duration

CPU = torch.device("cpu")


class Killed(BaseException):
    """Nothing may catch it."""


class Walk:
    """A random walk: its place, and the sum of its steps since it was last measured."""

    remedy = "a shorter stride"

    def __init__(self, seed, stride=1.0):
        self.seed, self.stride = seed, stride
        self.place, self.since = torch.zeros(2), torch.zeros(())

    def advance(self, number):
        step = self.stride * torch.randn(2, generator=generator(self.seed, "walk", number))
        self.place += step
        self.since += step.sum()

    def measure(self, number):
        total, self.since = float(self.since), torch.zeros(())
        return {self.seed: {"moved": total, "distance": float(self.place.norm())}}

    def state(self):
        return {"place": self.place, "since": self.since}

    def resume(self, state):
        self.place, self.since = state["place"], state["since"]

    def weights(self):
        name = weights.name(self.seed)
        return {name: {"place": self.place}, f"{name}-double": {"place": 2 * self.place}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Train walks of some seeds in a folder; after `cut` checkpoints the process is killed."""
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    save = Checkpoint.save

    def train(name, duration, seeds=(0, 1), cut=None, stride=1.0, log=lambda *_: None):
        left = [cut]

        def save_until_killed(self, state, *, now=False):
            save(self, state, now=now)
            if left[0] is not None:
                left[0] -= 1
                if left[0] == 0:
                    raise Killed

        monkeypatch.setattr(Checkpoint, "save", save_until_killed)
        output = tmp_path / name / "output"
        output.mkdir(parents=True, exist_ok=True)
        walks = {weights.name(seed): lambda seed=seed: Walk(seed, stride) for seed in seeds}
        training.train(walks, duration, output, Context(CPU, tmp_path / name / "scratch", log))
        return {file.name: file.read_bytes() for file in output.iterdir()}

    return train


def test_each_seed_leaves_its_weights_its_rows_and_a_line_in_the_log(run, tmp_path):
    log = []
    files = run("walk", Duration("epoch", 3), seeds=(4, 1), log=lambda *entry: log.append(entry))
    assert set(files) == {"history.csv", *(f"seed_{s}{part}.safetensors" for s in (1, 4) for part in ("", "-double"))}
    rows = history.read(tmp_path / "walk/output/history.csv")
    assert [(row["seed"], row["epoch"]) for row in rows] == [(1, 1), (1, 2), (1, 3), (4, 1), (4, 2), (4, 3)]
    assert [(seed, epoch) for seed, epoch, _ in log] == [(4, 1), (4, 2), (4, 3), (1, 1), (1, 2), (1, 3)]
    assert [{"seed": seed, "epoch": epoch, **row} for seed, epoch, row in log[3:] + log[:3]] == rows
    expected = sum(torch.randn(2, generator=generator(4, "walk", epoch)) for epoch in (1, 2, 3))
    assert torch.equal(weights.load(tmp_path / "walk/output", "seed_4")["place"], expected)


@pytest.mark.parametrize(("length", "every", "expected"), [(6, 2, [2, 4, 6]), (7, 3, [3, 6, 7]), (2, 5, [2])])
def test_rows_come_at_equal_distances_and_at_the_end(run, tmp_path, length, every, expected):
    run("walk", Duration("step", length, every), seeds=(0,))
    rows = history.read(tmp_path / "walk/output/history.csv")
    assert [row["step"] for row in rows] == expected
    total = sum(float(torch.randn(2, generator=generator(0, "walk", step)).sum()) for step in range(1, length + 1))
    assert sum(row["moved"] for row in rows) == pytest.approx(total, rel=1e-5)  # none is measured twice


def test_snapshots_hold_the_first_of_the_weights_at_their_number(run, tmp_path):
    files = run("walk", Duration("step", 5, 5, snapshots=(0, 2, 5)))
    assert {name for name in files if "step" in name} == {
        f"seed_{seed}-step_{number}.safetensors" for seed in (0, 1) for number in (0, 2, 5)
    }
    place = {n: weights.load(tmp_path / "walk/output", f"seed_1-step_{n}")["place"] for n in (0, 2, 5)}
    assert not place[0].any()
    assert torch.equal(place[2], sum(torch.randn(2, generator=generator(1, "walk", step)) for step in (1, 2)))
    assert torch.equal(place[5], weights.load(tmp_path / "walk/output", "seed_1")["place"])


DURATION = Duration("step", 7, 2, snapshots=(0, 3, 7))


@pytest.mark.parametrize("cut", range(1, 9))
def test_killed_after_any_row_it_ends_with_the_same_bytes(run, cut):
    straight = run("straight", DURATION)
    with pytest.raises(Killed):
        run("cut", DURATION, cut=cut)  # two seeds of four rows
    assert run("cut", DURATION) == straight


def test_killed_after_every_row_it_ends_with_the_same_bytes(run):
    straight = run("straight", DURATION)
    kills = 0
    while True:
        try:
            files = run("cut", DURATION, cut=1)
            break
        except Killed:
            kills += 1
    assert kills == 8 and files == straight


def test_a_damaged_checkpoint_costs_time_and_nothing_else(run, tmp_path, capsys):
    straight = run("straight", DURATION)
    with pytest.raises(Killed):
        run("cut", DURATION, cut=6)
    for checkpoint in (tmp_path / "cut/scratch").glob("*.pt"):
        checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    assert run("cut", DURATION) == straight
    assert capsys.readouterr().err.count(" is damaged; it is removed, and the work starts afresh.") == 2


def test_what_is_stored_is_not_computed_again(run, monkeypatch):
    with pytest.raises(Killed):
        run("cut", DURATION, cut=6)
    numbers, advance = [], Walk.advance
    monkeypatch.setattr(Walk, "advance", lambda self, n: (numbers.append((self.seed, n)), advance(self, n)))
    run("cut", DURATION)
    assert numbers == [(1, 5), (1, 6), (1, 7)]


def test_a_training_that_diverges_is_stopped_with_a_sentence_before_anything_is_made_of_it(run, tmp_path):
    with pytest.raises(UserError) as stopped:
        run("walk", Duration("epoch", 3), stride=1e39)
    assert str(stopped.value) == (
        "seed 0, epoch 1: moved, distance are not finite numbers: training has diverged; a shorter stride keeps it in"
        " bounds."
    )
    assert not list((tmp_path / "walk").rglob("*.safetensors")) and not list((tmp_path / "walk").rglob("*.pt"))


def test_one_odd_number_among_good_ones_is_named():
    training.must_be_finite({"loss": -1e300, "kl": 0.0}, "seed 0, epoch 1", "less")
    with pytest.raises(
        UserError, match=r"^seed 2, epoch 3: loss is not a finite number: .*; less keeps it in bounds\.$"
    ):
        training.must_be_finite({"loss": float("nan"), "kl": 0.0}, "seed 2, epoch 3", "less")

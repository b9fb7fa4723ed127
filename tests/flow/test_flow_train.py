import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.flow import planar, weights
from pipeline.flow.densities import DENSITIES, cell, grid
from pipeline.flow.score import log_density, score
from pipeline.flow.train import draw, fit, initial, subsets
from pipeline.runtime import history
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "depth": 3,
    "densities": ["arcs", "sine"],
    "constraints": ["in_place", "smooth"],
    "points": 500,
    "iterations": 400,
    "batch": 32,
    "learning_rate": 0.002,
    "seeds": [0, 5],
}


def train(folder: Path, **changes: object) -> Path:
    folder.mkdir()
    fit(folder, **{**SETTINGS, **changes}, scratch=folder / "scratch", log=lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("flow") / "model")


def test_a_run_is_repeatable_and_improves_every_flow(trained, tmp_path):
    again = train(tmp_path / "again")
    for file in ("history.csv", "network.json", "seed_0.safetensors", "seed_5.safetensors"):
        assert (trained / file).read_bytes() == (again / file).read_bytes()
    rows = history.read(trained / "history.csv")
    assert [(row["seed"], row["epoch"]) for row in rows] == [(0, 1), (0, 2), (5, 1), (5, 2)]
    names = weights.names(SETTINGS["densities"], SETTINGS["constraints"])
    assert set(rows[0]) == {"seed", "epoch", *names} and len(names) == 8
    for name in names:
        assert rows[1][name] < rows[0][name]


def test_divergence_is_said(tmp_path):
    with pytest.raises(UserError, match=r"seed 0, epoch 1: .*training has diverged"):
        train(tmp_path / "model", learning_rate=1e30)


def test_a_flow_does_not_depend_on_which_others_are_trained_beside_it(trained, tmp_path):
    alone = train(tmp_path / "alone", densities=["sine"], constraints=["smooth"], seeds=[5])
    (_, few), (_, many) = weights.load(alone), weights.load(trained)
    for mode in weights.MODES:
        name = weights.name("sine", mode, "smooth")
        for part, expected in zip(few[5][name], many[5][name], strict=True):
            torch.testing.assert_close(part, expected, rtol=1e-4, atol=1e-5)


def test_the_training_loss_is_the_loss_of_the_stored_flow(tmp_path):
    """A step so small that the flow stands still: the printed means against the objective of the untrained flow."""
    folder = train(tmp_path / "still", learning_rate=1e-12, iterations=200, batch=500, seeds=[0])
    row, (_, flows) = history.read(folder / "history.csv")[0], weights.load(folder)
    base = torch.randn((50_000, 2), generator=generator("test"), dtype=torch.float64)
    for density in SETTINGS["densities"]:
        points = DENSITIES[density].points(500, generator("flow data", density)).double()
        for constraint in SETTINGS["constraints"]:
            flow = flows[0][weights.name(density, "samples", constraint)]
            nll = -log_density(flow, "samples", points).mean().item()  # batches of 500 of 500 points are all of them
            assert row[weights.name(density, "samples", constraint)] == pytest.approx(nll, abs=1e-4)
            x, volume = planar.forward(base, *flows[0][weights.name(density, "density", constraint)])
            losses = DENSITIES[density].potential(x) + planar.standard_normal(base) - volume
            error = float(losses.std()) / math.sqrt(50_000)
            assert row[weights.name(density, "density", constraint)] == pytest.approx(
                losses.mean().item(), abs=6 * error
            )


def test_a_killed_run_goes_on_to_the_same_bytes(trained, tmp_path):
    (tmp_path / "out").mkdir()
    code = f"""
import os
from pathlib import Path
from pipeline.flow.train import fit
def log(seed, epoch, row):
    if epoch == 2:
        os.kill(os.getpid(), 9)
fit(Path({str(tmp_path / "out")!r}), **{SETTINGS!r}, scratch=Path({str(tmp_path / "scratch")!r}), log=log)
"""
    environment = {**os.environ, "PIPELINE_CHECKPOINT_SECONDS": "0.000001"}
    code = f"import torch; torch.set_num_threads({torch.get_num_threads()})\n{code}"
    killed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -9 and not (tmp_path / "out/history.csv").exists(), killed.stderr
    seen = []
    fit(tmp_path / "out", **SETTINGS, scratch=tmp_path / "scratch", log=lambda seed, epoch, row: seen.append(epoch))
    assert seen == [2, 2]  # the first epoch was not repeated
    for file in ("history.csv", "seed_0.safetensors", "seed_5.safetensors"):
        assert (tmp_path / "out" / file).read_bytes() == (trained / file).read_bytes()


def test_flows_start_near_the_identity():
    for constraint, correct in (("smooth", planar.smooth), ("in_place", planar.in_place)):
        u, w, b = (part.double() for part in initial(constraint, 32, generator(0)).split((2, 2, 1), -1))
        u = correct(u, w)
        z = torch.randn((100, 2), generator=generator(1), dtype=torch.float64)
        x, logdet = planar.forward(z, u, w, b[:, 0])
        assert (x - z).abs().max() < 0.5 and logdet.abs().max() < 0.5


def test_a_batch_holds_distinct_points_and_every_point_is_equally_likely():
    chosen = subsets(4000, 12, 5, generator(0))
    assert chosen.shape == (4000, 5) and all(len(set(row)) == 5 for row in chosen.tolist())
    counts = torch.bincount(chosen.flatten(), minlength=12).double()
    deviation = math.sqrt(4000 * 5 / 12 * 7 / 12)
    assert ((counts - 4000 * 5 / 12).abs() < 5 * deviation).all()
    assert subsets(3, 7, 7, generator(1)).tolist() == [list(range(7))] * 3


def test_inputs_are_a_function_of_seed_density_and_epoch():
    data = {name: torch.arange(40.0).view(20, 2) for name in ("arcs", "sine")}
    inputs = draw(data, [3, 4], 7, 5)
    assert inputs.shape == (200, 2, 2, 2, 2, 5)
    assert torch.equal(draw({"sine": data["sine"]}, [4], 7, 5), inputs[:, :, 1:, 1:])
    assert not torch.equal(draw(data, [3, 4], 8, 5), inputs)
    assert torch.equal(inputs[:, 0, :, :, 1], inputs[:, 0, :, :, 0] + 1)  # the coordinates of a point stay together


@pytest.mark.parametrize("mode", weights.MODES)
def test_the_learned_density_integrates_to_one(trained, mode):
    _, flows = weights.load(trained)
    for constraint in SETTINGS["constraints"]:
        flow = flows[0][weights.name("arcs", mode, constraint)]
        mass = torch.exp(log_density(flow, mode, grid(200, 8.0).flatten(0, 1))).sum() * cell(200, 8.0)
        assert mass.item() == pytest.approx(1, abs=0.01)


def test_scores_are_written_with_mean_and_spread_over_seeds(trained, tmp_path):
    import json

    import numpy as np

    score(trained, tmp_path, points=500)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    values = [metrics["seeds"][seed]["smooth"]["samples"]["arcs"]["nll"] for seed in ("0", "5")]
    assert metrics["mean"]["smooth"]["samples"]["arcs"]["nll"] == pytest.approx(np.mean(values))
    assert metrics["spread"]["smooth"]["samples"]["arcs"]["nll"] == pytest.approx(np.std(values, ddof=1))
    assert metrics["mean"]["in_place"]["samples"]["sine"]["integral"] == pytest.approx(1, abs=0.01)
    shapes = {name: np.load(tmp_path / f"{name}.npy").shape for name in ("targets", "densities", "samples")}
    assert shapes == {"targets": (2, 100, 100), "densities": (2, 2, 2, 100, 100), "samples": (2, 2, 500, 2)}
    assert np.load(tmp_path / "targets.npy").sum(axis=(1, 2)) * 0.01 == pytest.approx([1, 1], abs=1e-3)

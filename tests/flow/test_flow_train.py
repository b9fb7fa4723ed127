import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.flow import network, planar
from pipeline.flow.densities import DENSITIES, cell, grid
from pipeline.flow.score import log_density, score
from pipeline.flow.settings import Network, Scoring, Training
from pipeline.flow.train import initial, sample_inputs, subsets, train
from pipeline.runtime import history
from pipeline.runtime.context import Context, silent
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator

NETWORK = Network(depth=3, densities=("arcs", "sine"), constraints=("in_place", "smooth"))
SETTINGS = Training(NETWORK, points=500, steps=400, batch=32, learning_rate=0.002, seeds=(0, 5))


def trained_in(folder: Path, settings: Training = SETTINGS, log=silent) -> Path:
    folder.mkdir(exist_ok=True)
    train(folder, settings, Context(torch.device("cpu"), folder.with_name(f"{folder.name}-scratch"), log))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return trained_in(tmp_path_factory.mktemp("flow") / "model")


def test_a_run_is_repeatable_and_improves_every_flow(trained, tmp_path):
    again = trained_in(tmp_path / "again")
    for file in ("history.csv", "network.json", "seed_0.safetensors", "seed_5.safetensors"):
        assert (trained / file).read_bytes() == (again / file).read_bytes()
    rows = history.read(trained / "history.csv")
    assert [(row["seed"], row["step"]) for row in rows] == [(0, 200), (0, 400), (5, 200), (5, 400)]
    names = network.names(NETWORK)
    assert set(rows[0]) == {"seed", "step", *names} and len(names) == 8
    for name in names:
        assert rows[1][name] < rows[0][name]


def test_divergence_is_said(tmp_path):
    with pytest.raises(UserError, match=r"seed 0, step 200: .*training has diverged"):
        trained_in(tmp_path / "model", replace(SETTINGS, learning_rate=1e30))


def test_a_flow_does_not_depend_on_which_others_are_trained_beside_it(trained, tmp_path):
    one = replace(SETTINGS, network=Network(3, ("sine",), ("smooth",)), seeds=(5,))
    (_, few), (_, many) = network.load(trained_in(tmp_path / "alone", one)), network.load(trained)
    for mode in network.MODES:
        name = network.name("sine", mode, "smooth")
        for part, expected in zip(few[5][name], many[5][name], strict=True):
            torch.testing.assert_close(part, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_training_loss_is_the_loss_of_the_stored_flow(tmp_path):
    """A step so small that the flow stands still: the printed means against the objective of the untrained flow."""
    still = replace(SETTINGS, learning_rate=1e-12, steps=200, batch=500, seeds=(0,))
    folder = trained_in(tmp_path / "still", still)
    row, (_, flows) = history.read(folder / "history.csv")[0], network.load(folder)
    base = torch.randn((50_000, 2), generator=generator("test"), dtype=torch.float64)
    for density in NETWORK.densities:
        points = DENSITIES[density].points(500, generator("flow data", density)).double()
        for constraint in NETWORK.constraints:
            flow = flows[0][network.name(density, "samples", constraint)]
            nll = -log_density(flow, "samples", points).mean().item()  # batches of 500 of 500 points are all of them
            assert row[network.name(density, "samples", constraint)] == pytest.approx(nll, abs=1e-4)
            x, volume = planar.forward(base, *flows[0][network.name(density, "density", constraint)])
            losses = DENSITIES[density].potential(x) + planar.standard_normal(base) - volume
            error = float(losses.std()) / math.sqrt(50_000)
            assert row[network.name(density, "density", constraint)] == pytest.approx(
                losses.mean().item(), abs=6 * error
            )


def test_an_interrupted_run_ends_with_the_same_bytes(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0.000001")
    steps = []

    def interrupt(seed: int, step: int, row: object) -> None:
        if step == 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained_in(tmp_path / "out", log=interrupt)
    trained_in(tmp_path / "out", log=lambda seed, step, row: steps.append(step))
    assert steps == [400, 400]  # the first 200 steps were not repeated
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
    std = math.sqrt(4000 * 5 / 12 * 7 / 12)
    assert ((counts - 4000 * 5 / 12).abs() < 5 * std).all()
    assert subsets(3, 7, 7, generator(1)).tolist() == [list(range(7))] * 3


def test_inputs_are_a_function_of_seed_density_and_block():
    data = {name: torch.arange(40.0).view(20, 2) for name in ("arcs", "sine")}
    inputs = sample_inputs(data, [3, 4], 7, 5)
    assert inputs.shape == (200, 2, 2, 2, 2, 5)
    assert torch.equal(sample_inputs({"sine": data["sine"]}, [4], 7, 5), inputs[:, :, 1:, 1:])
    assert not torch.equal(sample_inputs(data, [3, 4], 8, 5), inputs)
    assert torch.equal(inputs[:, 0, :, :, 1], inputs[:, 0, :, :, 0] + 1)  # the coordinates of a point stay together


@pytest.mark.parametrize("mode", network.MODES)
def test_the_learned_density_integrates_to_one(trained, mode):
    _, flows = network.load(trained)
    for constraint in NETWORK.constraints:
        flow = flows[0][network.name("arcs", mode, constraint)]
        mass = torch.exp(log_density(flow, mode, grid(200, 8.0).flatten(0, 1))).sum() * cell(200, 8.0)
        assert mass.item() == pytest.approx(1, abs=0.01)


def test_scores_are_written_with_mean_and_spread_over_seeds(trained, tmp_path):
    score(trained, tmp_path, Scoring(points=500))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    values = [metrics["seeds"][seed]["smooth"]["samples"]["arcs"]["nll"] for seed in ("0", "5")]
    assert metrics["mean"]["smooth"]["samples"]["arcs"]["nll"] == pytest.approx(np.mean(values))
    assert metrics["spread"]["smooth"]["samples"]["arcs"]["nll"] == pytest.approx(np.std(values, ddof=1))
    assert metrics["mean"]["in_place"]["samples"]["sine"]["integral"] == pytest.approx(1, abs=0.01)
    shapes = {name: np.load(tmp_path / f"{name}.npy").shape for name in ("targets", "densities", "samples")}
    assert shapes == {"targets": (2, 100, 100), "densities": (2, 2, 2, 100, 100), "samples": (2, 2, 500, 2)}
    assert np.load(tmp_path / "targets.npy").sum(axis=(1, 2)) * 0.01 == pytest.approx([1, 1], abs=1e-3)

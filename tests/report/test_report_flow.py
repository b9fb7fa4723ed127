"""The chapter on planar flows, rendered from a small run of the real stages."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.flow.layers import show
from pipeline.flow.score import score
from pipeline.flow.settings import Distribution, Network, Scoring, SingleLayers, Training
from pipeline.flow.train import train
from pipeline.report import reported
from pipeline.report.flow import chapter
from pipeline.report.render import render
from pipeline.report.results import Results
from pipeline.runtime import settings
from pipeline.runtime.context import Context
from pipeline.runtime.plan import Plan

LAYERS = SingleLayers(
    points=200,
    distributions=(Distribution(0.0, 0.01, 0.0), Distribution(10.0, 100.0, 10.0)),
    dimensions=(16, 64),
    depths=(1, 4),
    seed=0,
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("flows")
    for depth in (2, 10):
        flows = Network(depth, ("arcs", "sine"), ("smooth", "in_place"))
        training = Training(flows, points=300, steps=400, batch=32, learning_rate=0.001, seeds=(0, 3))
        model = f"models/flow/k{depth}"
        context = Context(torch.device("cpu"), root / "scratch" / str(depth))
        train(planned(root, Plan("train_flow", f"k{depth}", {}, model, settings.plain(training))), training, context)
        plan = Plan("score_flow", f"k{depth}", {"model": model}, f"scores/flow/k{depth}", {"points": 300})
        score(root / model, planned(root, plan), Scoring(points=300))
    show(planned(root, Plan("planar", "layers", {}, "scores/planar/layers", settings.plain(LAYERS))), LAYERS)
    return root


def planned(root: Path, plan: Plan) -> Path:
    (root / plan.path).parent.mkdir(parents=True, exist_ok=True)
    (root / plan.path).write_text(plan.text())
    (root / plan.output).mkdir(parents=True)
    return root / plan.output


def test_every_picture_is_shown_and_is_not_blank(measured, tmp_path):
    render(measured, tmp_path, allow_missing=False, chapters=[chapter.CHAPTER])
    text = (tmp_path / "report.md").read_text()
    shown = set(re.findall(r"\]\((figures/.*?\.png)\)", text))
    assert shown == {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")} and len(shown) == 7
    for path in shown:
        assert np.asarray(Image.open(tmp_path / path).convert("L")).std() > 5, path


def test_the_tables_hold_what_was_measured(measured, tmp_path):
    render(measured, tmp_path, allow_missing=False, chapters=[chapter.CHAPTER])
    text = (tmp_path / "report.md").read_text()
    metrics = json.loads((measured / "scores/flow/k10/metrics.json").read_text())
    mean, spread = (metrics[key]["in_place"]["samples"]["sine"]["test_nll"] for key in ("mean", "spread"))
    line = next(row for row in text.splitlines() if row.startswith("| sine | 10 |") and "in place" in row)
    assert f"| {mean:.3f} ± {spread:.3f} (n = 2) |" in line and "| 2.805 |" in line
    assert [row.split("|")[2].strip() for row in text.splitlines() if row.startswith("| arcs |")][:4] == [
        "2",
        "2",
        "10",
        "10",
    ]
    assert "3.4643" in next(row for row in text.splitlines() if row.startswith("| arcs | 2 |"))
    headlines = json.loads((tmp_path / "summary.json").read_text())
    assert headlines["flow.k10.in_place.samples.sine.nll"] == metrics["mean"]["in_place"]["samples"]["sine"]["nll"]


def test_the_reported_nll_is_compared_with_the_last_batches_under_the_same_settings_only(measured):
    results = Results(measured, chapter.CHAPTER.reads)
    numbers = reported.read()
    row = numbers.row("001-flow-arcs-2")
    found = results.find(row.ours)
    curve = results.curve(results.finished["train_flow", "k2"], "arcs_samples_in_place")
    assert found is not None and found.value == curve.iloc[-1].mean()
    assert reported.verdict(row, numbers.conditions(row), found) == "other settings"
    shown = numbers.row("001-flow-demo-normal-1")
    assert results.find(shown.ours).value == [10.0, 100.0]


def test_what_is_missing_is_left_out(measured, tmp_path):
    shutil.copytree(measured / "plan", tmp_path / "plan")
    render(tmp_path, tmp_path / "out", allow_missing=True, chapters=[chapter.CHAPTER])
    text = (tmp_path / "out/report.md").read_text()
    assert "No run is scored yet." in text and "![" not in text


@pytest.mark.parametrize("density", ["sine", ""])
def test_the_finding_on_the_constraints_needs_the_arcs_alone(measured, tmp_path, density):
    root = tmp_path / "project"
    shutil.copytree(measured, root)
    file = root / "scores/flow/k2/metrics.json"
    metrics = json.loads(file.read_text())
    for values in (metrics["mean"], metrics["spread"], *metrics["seeds"].values()):
        for constraint, nll in (("smooth", 3.0), ("in_place", 3.5)):
            samples = values[constraint]["samples"]
            samples["arcs"]["test_nll"] = nll
            values[constraint]["samples"] = {name: samples[name] for name in ("arcs", density) if name}
    metrics["protocol"]["densities"] = [name for name in ("arcs", density) if name]
    file.write_text(json.dumps(metrics))
    for deeper in (root / "plan").glob("*flow/k10.yaml"):
        deeper.unlink()
    plan = Plan.read(root / "plan/train_flow/k2.yaml")
    plan.settings["network"]["densities"] = metrics["protocol"]["densities"]
    (root / plan.path).write_text(plan.text())
    render(root, tmp_path / "out", allow_missing=False, chapters=[chapter.CHAPTER])
    text = " ".join((tmp_path / "out/report.md").read_text().split())
    assert "**Two layers with the correction" in text and "is 3.50 nats in place and 3.00 with the smooth map" in text
    assert (", on sine " in text) == bool(density)

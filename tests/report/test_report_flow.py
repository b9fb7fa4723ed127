"""The chapter on planar flows, rendered from a small run of the real stages."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.flow.layers import show
from pipeline.flow.score import score
from pipeline.flow.train import fit
from pipeline.report import reported
from pipeline.report.chapters import flow
from pipeline.report.render import render
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

DRAWS = [{"mean": 0.0, "deviation": 0.01, "bias": 0.0}, {"mean": 10.0, "deviation": 100.0, "bias": 10.0}]
TRAINING = {
    "densities": ["arcs", "sine"], "constraints": ["smooth", "in_place"], "points": 300, "iterations": 400,
    "batch": 32, "learning_rate": 0.001, "seeds": [0, 3],
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("flows")
    layers = {"points": 200, "draws": DRAWS, "dimensions": [16, 64], "depths": [1, 4], "seed": 0}
    for depth in (2, 10):
        trained = Plan("train_flow", f"k{depth}", {}, f"models/flow/k{depth}", {"depth": depth, **TRAINING})
        scored = Plan("score_flow", f"k{depth}", {"model": trained.output}, f"scores/flow/k{depth}", {"points": 300})
        fit(planned(root, trained), **trained.settings, scratch=root / "scratch" / str(depth), log=lambda *_: None)
        score(root / trained.output, planned(root, scored), **scored.settings)
    show(planned(root, Plan("planar", "layers", {}, "scores/planar/layers", layers)), **layers)
    return root


def planned(root: Path, plan: Plan) -> Path:
    (root / plan.path).parent.mkdir(parents=True, exist_ok=True)
    (root / plan.path).write_text(plan.text())
    (root / plan.output).mkdir(parents=True)
    return root / plan.output


def test_every_picture_is_shown_and_is_not_blank(measured, tmp_path):
    render(measured, tmp_path, allow_missing=False, chapters=[flow.CHAPTER])
    text = (tmp_path / "report.md").read_text()
    shown = set(re.findall(r"\]\((figures/.*?\.png)\)", text))
    assert shown == {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")} and len(shown) == 7
    for path in shown:
        assert np.asarray(Image.open(tmp_path / path).convert("L")).std() > 5, path


def test_the_tables_hold_what_was_measured(measured, tmp_path):
    render(measured, tmp_path, allow_missing=False, chapters=[flow.CHAPTER])
    text = (tmp_path / "report.md").read_text()
    metrics = json.loads((measured / "scores/flow/k10/metrics.json").read_text())
    mean, spread = (metrics[key]["in_place"]["samples"]["sine"]["test_nll"] for key in ("mean", "spread"))
    line = next(row for row in text.splitlines() if row.startswith("| sine | 10 |") and "in place" in row)
    assert f"| {mean:.3f} ± {spread:.3f} |" in line and "| 2.805 |" in line
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
    results = Results(measured, flow.CHAPTER.reads)
    numbers = reported.read()
    row = numbers.row("001-flow-arcs-2")
    found = results.find(row.ours)
    curve = results.curve(results.finished["train_flow", "k2"], "arcs_samples_in_place")
    assert found is not None and found.value == curve.iloc[-1].mean()
    assert reported.verdict(row, numbers.conditions(row), found) == "other settings"
    drawn = numbers.row("001-flow-demo-normal-1")
    assert results.find(drawn.ours).value == [10.0, 100.0]


def test_what_is_missing_is_left_out(measured, tmp_path):
    shutil.copytree(measured / "plan", tmp_path / "plan")
    render(tmp_path, tmp_path / "out", allow_missing=True, chapters=[flow.CHAPTER])
    text = (tmp_path / "out/report.md").read_text()
    assert "No run is scored yet." in text and "![" not in text

"""The chapters of the Dirac games and the GANs, on a small project that the pipeline's own code has made."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.dirac.games import play_and_measure
from pipeline.dirac.settings import Game, Games
from pipeline.features import build as features
from pipeline.features import real
from pipeline.features.settings import Evaluation
from pipeline.gan import score, train
from pipeline.gan.settings import (
    Averaging,
    Network,
    Objective,
    Optimiser,
    Sampling,
    Schedule,
    Scoring,
    Studies,
    Training,
)
from pipeline.report.dirac.figures import plot
from pipeline.report.render import render
from pipeline.report.reported import read
from pipeline.runtime import settings
from pipeline.runtime.context import Context
from pipeline.runtime.plan import Plan

EVALUATION = {
    "network": "classifier", "weights": None, "architecture": {"width": 2, "dimensions": 4},
    "training": {
        "epochs": 5, "batch": 20, "learning_rate": 0.01, "weight_decay": 0.0, "noise": 0.0, "augment": "none",
        "seed": 0,
    },
    "precision": "fp32", "reference": "test", "reference_classes": [], "samples": 40,
    "scoring": {"splits": 2, "kid_subsets": 2, "kid_subset_size": 20, "neighbours": 3},
}  # fmt: skip
ADAM = Optimiser(learning_rate=1e-3, betas=(0.0, 0.99), weight_decay=0.0, decay_steps=0)
SCHEDULE = Schedule(steps=20, critic_steps=1, batch=20, seeds=(0, 1), log_every=5, snapshots=(0, 5, 10))
SCORING = Scoring(
    samples=40,
    final_samples=40,
    sampling=Sampling(normalisation="standing", normalisation_batches=2, precision="fp32"),
    studies=Studies(3, (0, 5), perturbation_scales=(1.0, 10.0), perturbed_latents=4, interpolation_pairs=20),
)
GAMES = Games(
    games={"jsd_1": Game("jsd", "none", 0.0, ema=False), "w1_8": Game("w1", "r1", 0.1, ema=True)},
    steps=3000,
    learning_rate=0.1,
    ema_decay=0.99,
    initial_points=2,
    initial_std=0.7,
    seed=0,
)


def training(loss: str, penalty: str) -> Training:
    objective = Objective(loss, penalty, 1.0, penalty_interval=1, penalty_points="usual", r1_axis="image")
    average = Averaging(ema_decay=0.9, ema_warmup=True)
    return Training(Network("mlp", 8, 6, spectral_norm=False), objective, ADAM, ADAM, average, SCHEDULE, "fp32")


def planned(root: Path, plan: Plan) -> Path:
    (root / plan.path).parent.mkdir(parents=True, exist_ok=True)
    (root / plan.path).write_text(plan.text())
    (root / plan.output).mkdir(parents=True)
    return root / plan.output


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, an evaluator, two GANs of two seeds, two Dirac games, all small; and the report of it."""
    root = tmp_path_factory.mktemp("gan_project")
    data = planned(root, Plan("data", "blobs", {}, "data/blobs", {"source": "blobs"}))
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        labels = random.integers(0, 3, 60)
        pixels = random.integers(0, 60, (60, 1, 16, 16)) + 80 * labels[:, None, None, None]
        np.save(data / f"{split}_images.npy", pixels.astype(np.uint8))
        np.save(data / f"{split}_labels.npy", labels)
    card = {
        "name": "blobs", "source": "made for a test", "title": "Blobs", "licence": "none", "citation": "nobody",
        "url": None, "checksums": {}, "shape": [1, 16, 16], "levels": 256, "counts": {"train": 60, "test": 60},
        "classes": None, "split": "By chance.", "note": None,
    }  # fmt: skip
    (data / "card.json").write_text(json.dumps(card))
    evaluator = planned(root, Plan("features", "blobs", {"data": "data/blobs"}, "models/features/blobs", EVALUATION))
    context = Context(torch.device("cpu"), root / ".scratch")
    evaluation = settings.build(Evaluation, EVALUATION)
    features.build(data, evaluator, evaluation, context)
    inputs = {"data": "data/blobs", "features": "models/features/blobs"}
    beside = planned(root, Plan("score_real", "blobs", inputs, "scores/real/blobs", EVALUATION))
    real.score(data, evaluator, beside, evaluation, context)
    for run, loss, penalty in (("main", "jsd", "none"), ("wgan_lp", "w1", "lp")):
        trained = training(loss, penalty)
        plan = Plan("train_gan", run, {"data": "data/blobs"}, f"models/gan/{run}", settings.plain(trained))
        model, context = planned(root, plan), Context(torch.device("cpu"), root / ".scratch" / run)
        train.train(data, model, trained, context)
        inputs = {"data": "data/blobs", "model": f"models/gan/{run}", "features": "models/features/blobs"}
        scores = planned(root, Plan("score_gan", run, inputs, f"scores/gan/{run}", settings.plain(SCORING)))
        score.score(data, model, evaluator, scores, SCORING, context)
    games = planned(root, Plan("dirac", "dirac", {}, "scores/dirac", settings.plain(GAMES)))
    play_and_measure(games, GAMES)
    plots = planned(root, Plan("animate", "animate", {"games": "scores/dirac"}, "plots/dirac", {"frames": 100}))
    plot(games, plots, frames=100)
    render(root, root / "reports", allow_missing=False)
    return root / "reports"


def test_every_figure_is_shown_and_none_is_blank(rendered: Path) -> None:
    text = (rendered / "report.md").read_text()
    shown = set(re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text))
    files = {file.relative_to(rendered).as_posix() for file in (rendered / "figures").rglob("*") if file.is_file()}
    assert shown == files
    assert {f"figures/gan/{run}/{name}.png" for run in ("main", "wgan_lp") for name in ("samples", "traversal")} < files
    for file in files:
        with Image.open(rendered / file) as image:
            assert np.asarray(image.convert("L")).std() > 1, file


def test_the_animation_grows_to_the_trajectories(rendered: Path) -> None:
    ink = []
    with Image.open(rendered / "figures/dirac/games.gif") as frames:
        assert frames.n_frames >= 5  # frames in which nothing new is drawn are one
        for number in range(frames.n_frames):
            frames.seek(number)
            ink.append((np.asarray(frames.convert("RGB")).std(axis=2) > 20).sum())
    assert ink == sorted(ink)
    assert ink[-1] > ink[0]


def test_verdicts_by_rule_stand_beside_the_words_of_the_report(rendered: Path) -> None:
    text = (rendered / "report.md").read_text()
    assert "| jsd_1 | jsd | none | 0.0 | off | diverges | neutral orbit |" in text
    assert "| w1_8 | w1 | r1 | 0.1 | on | converges well, quickly | converged |" in text
    rows = {line.split("|")[3].strip(): line for line in text.splitlines() if line.startswith("| 001 |")}
    assert "| cycle |  |" in rows["JSD"] and "| differs |" in rows["JSD"]
    assert "| matches |" in rows["W1, R1 0.1, EMA"]


def test_scores_stand_beside_their_protocol_and_are_no_fid(rendered: Path) -> None:
    text = (rendered / "report.md").read_text()
    assert "classifier trained on blobs" in text
    assert "](figures/gan/wgan_lp/mixed.png)" in text and "](figures/gan/main/mixed.png)" not in text
    assert re.search(r"\| main \| [^|]+ \| blobs: FD \(classifier\) \| 40 \(\d+\) \|", text)
    summary = json.loads((rendered / "summary.json").read_text())
    assert {"gan.main.frechet_distance", "gan.wgan_lp.inception_score", "dirac.converged", "dirac.cycle"} <= set(
        summary
    )


def test_score_tables_hold_all_runs_with_spread(rendered: Path) -> None:
    html = (rendered / "report.html").read_text()
    tables = [table for table in re.findall("<table.*?</table>", html, re.DOTALL) if ">coverage<" in table]
    of_gans = next(table for table in tables if "raw weights" in table)
    head, *rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall("<tr>(.*?)</tr>", of_gans, re.S)]
    assert [row[0] for row in rows] == ["main", "wgan_lp"] and all(len(row) == len(head) for row in rows)
    for column in ("Fréchet distance", "density", "coverage"):
        assert all(re.fullmatch(r"[\d.e+-]+ ± [\d.e+-]+", row[head.index(column)]) for row in rows), column
    assert all(row[head.index("n")] == "2" for row in rows)


def test_words_that_are_compared_say_which_word_of_ours_they_mean() -> None:
    rows = [row for row in read().rows if row.experiment == "D"]
    assert len(rows) == 20
    assert {row.means for row in rows} == {"converged", "cycle", "diverges"}
    assert {row.ours.metric.split(".")[1] for row in rows if row.ours and row.ours.metric} == {
        f"{loss}_{number}" for loss in ("jsd", "w1") for number in range(1, 11)
    }


def test_every_claim_of_both_chapters_stands_in_the_report_with_its_verdict(rendered: Path) -> None:
    rows = {
        line.split("|")[1].strip(): line for line in (rendered / "report.md").read_text().splitlines() if "| C" in line
    }
    expected = [*range(10, 18), *range(30, 35), *range(40, 48), *range(60, 68), *range(83, 87)]
    assert {f"C{number}" for number in expected} <= set(rows)
    assert "not run" in rows["C40"]  # its runs are not here
    assert "not tested: claimed of svhn" in rows["C10"]
    assert "confirmed" in rows["C64"]
    assert "interpolations.png" in rows["C16"]

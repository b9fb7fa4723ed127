"""Evaluators with density and coverage, and the scores of real images and noise that others are held against."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.data.errors import DataError
from pipeline.features import complete, evaluator, real
from pipeline.features.build import build
from pipeline.features.complete import NEIGHBOURS, CompleteEvaluator
from pipeline.features.network import FeatureNetwork
from pipeline.features.settings import Architecture, Evaluation, Scoring, Training
from pipeline.runtime.context import Context

SETTINGS = Evaluation(
    network="classifier", weights=None, architecture=Architecture(4, 8),
    training=Training(epochs=3, batch=16, learning_rate=0.01, weight_decay=0.01, noise=0.05, augment="none", seed=0),
    precision="fp32", reference="test", reference_classes=(), samples=40, scoring=Scoring(2, 3, 20, 3),
)  # fmt: skip


def corners(images):
    """Features: mean grey of the left and of the right half; logits of two classes."""
    grey = images.float().mean(1)
    features = torch.stack((grey[:, :, :8].mean((1, 2)), grey[:, :, 8:].mean((1, 2))), 1)
    return features, features


def by_hand(fake, reference, k):
    """Density and coverage as their paper defines them, one pair of points at a time."""
    between = [[float(np.linalg.norm(a - b)) for b in reference] for a in reference]
    radius = [sorted(row)[k] for row in between]  # the point itself comes first
    inside = np.array([[np.linalg.norm(y - x) <= r for x, r in zip(reference, radius, strict=True)] for y in fake])
    return inside.sum() / (k * len(fake)), inside.any(0).mean()


def test_density_and_coverage_are_those_of_the_definition():
    random = np.random.default_rng(1)
    reference, fake = (torch.from_numpy(random.integers(0, 256, (30, 1, 16, 16), dtype=np.uint8)) for _ in range(2))
    made = CompleteEvaluator.of(FeatureNetwork(corners, "halves", {}), reference, Scoring(2, 3, 20, 3), "noise")
    found = made.score(fake)
    density, coverage = by_hand(corners(fake)[0].numpy(), corners(reference)[0].numpy(), NEIGHBOURS)
    assert found["density"] == pytest.approx(density) and found["coverage"] == pytest.approx(coverage)
    assert density > 0 and 0 < coverage < 1
    assert list(found)[-4:] == ["precision", "recall", "density", "coverage"]
    protocol = made.protocol(30)
    assert protocol["names"]["coverage"] == "coverage" and f"k = {NEIGHBOURS}" in protocol["density_coverage"]


@pytest.fixture
def made(dots, cpu, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    build(dots, folder, SETTINGS, Context(cpu, tmp_path / "scratch"))
    return folder


def test_a_stored_evaluator_is_complete_when_it_is_loaded(made, images, cpu):
    fakes = images.split("train")
    whole, plain = complete.load(made, cpu, (3, 16, 16)), evaluator.load(made, cpu, (3, 16, 16))
    scores = whole.score(fakes)
    assert {key: scores[key] for key in plain.score(fakes)} == plain.score(fakes)
    assert set(scores) - set(plain.score(fakes)) == {"density", "coverage"}


def test_too_few_reference_images_are_refused(made, cpu, monkeypatch):
    monkeypatch.setattr(complete, "NEIGHBOURS", 60)
    with pytest.raises(DataError, match="made has 60 reference images; density and coverage need 61"):
        complete.load(made, cpu, (3, 16, 16))


def test_real_images_damaged_ones_and_noise_are_scored_with_the_accuracy(made, dots, cpu, tmp_path):
    (tmp_path / "real").mkdir()
    real.score(dots, made, tmp_path / "real", SETTINGS, Context(cpu, tmp_path / "scratch"))
    metrics, before = (json.loads((folder / "metrics.json").read_text()) for folder in (tmp_path / "real", made))
    assert metrics["accuracy"] == before["accuracy"] and metrics["accuracy"]["test"] > 0.5
    assert set(metrics["damaged"]) == {"blurred", "tenth_noise", "class_missing"}
    assert metrics["floor"]["source"] == "dots, train split" and metrics["floor"]["images"] == 40
    for kind in ("floor", "noise"):
        assert 0 <= metrics[kind]["coverage"] <= 1
    assert metrics["floor"]["coverage"] > 0.5 > metrics["noise"]["coverage"]
    assert metrics["protocol"]["names"]["density"] == "density"


def test_without_another_split_there_is_no_floor(undivided_dots, cpu, tmp_path):
    settings, context = replace(SETTINGS, reference="train"), Context(cpu, tmp_path / "scratch")
    for name in ("made", "real"):
        (tmp_path / name).mkdir()
    build(undivided_dots, tmp_path / "made", settings, context)
    real.score(undivided_dots, tmp_path / "made", tmp_path / "real", settings, context)
    assert {"floor", "damaged"}.isdisjoint(json.loads((tmp_path / "real/metrics.json").read_text()))

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.features import classifier, evaluator
from pipeline.features.build import build
from pipeline.features.classifier import Classifier
from pipeline.features.evaluator import load_network
from pipeline.features.settings import Architecture, Evaluation, EvaluatorDescription, Layout, Scoring, Training
from pipeline.metrics.frechet import Gaussian, Reference
from pipeline.runtime import history, weights
from pipeline.runtime.context import Context
from pipeline.runtime.settings import read

SETTINGS = Evaluation(
    network="classifier", weights=None, architecture=Architecture(4, 8),
    training=Training(epochs=3, batch=16, learning_rate=0.01, weight_decay=0.01, noise=0.05, augment="none", seed=0),
    precision="fp32", reference="test", samples=40, scoring=Scoring(2, 3, 20, 3),
)  # fmt: skip
SCORES = {
    "frechet_distance", "inception_score", "inception_score_spread", "kid", "kid_spread", "precision", "recall",
}  # fmt: skip


@pytest.fixture
def make(dots, cpu, tmp_path):
    def run(data=dots, **changes):
        output = tmp_path / "made"
        output.mkdir(exist_ok=True)
        build(data, output, replace(SETTINGS, **changes), Context(cpu, tmp_path / "scratch"))
        return output, json.loads((output / "metrics.json").read_text())

    return run


def test_floor_and_noise_with_the_protocol_of_both(make):
    output, metrics = make()
    floor, noise, protocol = metrics["floor"], metrics["noise"], metrics["protocol"]
    assert set(floor) == set(noise) == SCORES | {"source", "images"}
    assert (floor["source"], floor["images"]) == ("dots, train split", 40)
    assert (noise["source"], noise["images"]) == ("uniform noise", 40)
    assert 0 <= floor["frechet_distance"] < 0.1 * noise["frechet_distance"]
    assert floor["recall"] > 0.5 > noise["recall"]
    assert protocol["floor"].startswith("40 real images") and protocol["evaluator_precision"] == "fp32"
    assert protocol["names"]["frechet_distance"] == "FD (classifier)"
    assert not any("FID" in name or "KID" in name for name in protocol["names"].values())
    assert (protocol["reference"], protocol["reference_images"], protocol["images"]) == ("dots, test split", 60, 40)
    assert metrics["accuracy"]["test"] == history.read(output / "history.csv")[-1]["test_accuracy"]


def test_what_was_stored_scores_as_what_was_made_by_hand(make, images, cpu):
    output, _ = make()
    stored = evaluator.load(output, cpu, (3, 16, 16))
    fakes = images.split("train")[:50]
    network = load_network(output, read(output / "network.json", EvaluatorDescription), cpu)
    real, fake = (network.extract(part)[0] for part in (images.split("test"), fakes))
    expected = Reference.of(Gaussian.fit(real)).distance(Gaussian.fit(fake))
    assert stored.score(fakes)["frechet_distance"] == pytest.approx(expected, rel=1e-9)
    assert stored.distance(stored.network.extract(fakes)[0]) == pytest.approx(expected, rel=1e-9)
    assert stored.score(images.split("test"))["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert set(stored.score(fakes)) == SCORES


def test_two_makings_give_the_same_bytes(make):
    first = {file.name: file.read_bytes() for file in make()[0].iterdir()}
    second = {file.name: file.read_bytes() for file in make()[0].iterdir()}
    assert first == second


def test_the_training_split_as_reference_has_all_images_held_out_for_floor(make, dots):
    _, metrics = make(reference="train")
    assert (metrics["floor"]["source"], metrics["protocol"]["reference"]) == ("dots, test split", "dots, train split")
    card = json.loads((dots / "card.json").read_text())
    card["counts"]["valid"] = 60
    (dots / "card.json").write_text(json.dumps(card))
    np.save(dots / "valid_images.npy", np.load(dots / "test_images.npy"))
    _, metrics = make(reference="train", samples=100)
    assert (metrics["floor"]["source"], metrics["floor"]["images"]) == ("dots, valid and test splits", 100)
    _, metrics = make(reference="train", samples=200)
    assert (metrics["floor"]["images"], metrics["noise"]["images"]) == (120, 200)  # as many as there are


def test_a_set_of_one_split_has_no_floor(make, undivided_dots):
    _, metrics = make(data=undivided_dots, reference="train")
    assert "floor" not in metrics and "noise" in metrics


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stored_classifier_gives_the_logits_of_the_trained_one(cpu, tmp_path, precision):
    layout = Layout("classifier", width=2, dimensions=4, channels=1, size=16, classes=3)
    torch.manual_seed(0)
    model = Classifier(layout).eval()
    weights.save(tmp_path, classifier.WEIGHTS, weights.of(model))
    pixels = torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)
    features, logits = classifier.load(tmp_path, layout, "x", precision, cpu).extract(pixels)
    assert features.dtype == logits.dtype == torch.float32
    expected = model(pixels / 127.5 - 1)[1].detach()
    tolerance = 1e-5 if precision == "fp32" else 0.02
    torch.testing.assert_close(logits.clone(), expected, rtol=tolerance, atol=tolerance)
    assert precision == "fp32" or (logits - expected).abs().max() > 1e-5

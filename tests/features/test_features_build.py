import json

import numpy as np
import pytest
import torch

from pipeline.features import classifier, evaluator
from pipeline.features.build import build
from pipeline.features.classifier import Classifier
from pipeline.metrics.frechet import Gaussian, Reference
from pipeline.runtime import history

CLASSIFIER = {"kind": "classifier", "width": 4, "dimensions": 8}
TRAINING = {"epochs": 3, "batch": 16, "learning_rate": 0.01, "weight_decay": 0.01, "noise": 0.05, "seed": 0}
SCORING = {"splits": 2, "kid_subsets": 3, "kid_subset_size": 20, "neighbours": 3}
SCORES = {
    "frechet_distance", "inception_score", "inception_score_spread", "kid", "kid_spread", "precision", "recall",
}  # fmt: skip


@pytest.fixture
def make(dots, cpu, tmp_path):
    def run(data=dots, **settings):
        output = tmp_path / "made"
        output.mkdir(exist_ok=True)
        settings = {"feature_network": CLASSIFIER, "training": TRAINING, "reference": "test", "samples": 40} | settings
        build(
            data, output, scoring=SCORING, device=cpu, scratch=tmp_path / "scratch", log=lambda *row: None, **settings
        )
        return output, json.loads((output / "metrics.json").read_text())

    return run


def test_floor_and_ceiling_with_the_protocol_of_both(make):
    output, metrics = make()
    floor, ceiling, protocol = metrics["floor"], metrics["ceiling"], metrics["protocol"]
    assert set(floor) == set(ceiling) == SCORES | {"source", "images"}
    assert (floor["source"], floor["images"], ceiling["source"], ceiling["images"]) == (
        "dots, train split",
        40,
        "uniform noise",
        40,
    )
    assert 0 <= floor["frechet_distance"] < 0.1 * ceiling["frechet_distance"]
    assert floor["recall"] > 0.5 > ceiling["recall"]
    assert protocol["names"]["frechet_distance"] == "FD (classifier)"
    assert not any("FID" in name or "KID" in name for name in protocol["names"].values())
    assert (protocol["reference"], protocol["reference_images"], protocol["images"]) == ("dots, test split", 60, 40)
    assert metrics["accuracy"]["test"] == history.read(output / "history.csv")[-1]["test_accuracy"]


def test_what_was_stored_scores_as_what_was_made_by_hand(make, images, cpu):
    output, _ = make()
    stored = evaluator.load(output, cpu)
    fakes = images.split("train")[:50]
    settings = json.loads((output / "network.json").read_text())["network"]
    network = classifier.load(output, {key: value for key, value in settings.items() if key != "kind"}, "dots", cpu)
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


def test_the_training_split_as_reference_has_the_test_split_for_floor(make):
    _, metrics = make(reference="train")
    assert (metrics["floor"]["source"], metrics["protocol"]["reference"]) == ("dots, test split", "dots, train split")


def test_a_set_of_one_split_has_no_floor(make, undivided_dots):
    _, metrics = make(data=undivided_dots, reference="train")
    assert "floor" not in metrics and "ceiling" in metrics


def test_a_stored_classifier_gives_the_logits_of_the_trained_one(cpu, tmp_path):
    settings = {"channels": 1, "size": 16, "width": 2, "dimensions": 4, "classes": 3}
    torch.manual_seed(0)
    model = Classifier(**settings).eval()
    classifier.save(tmp_path, model)
    pixels = torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)
    _, logits = classifier.load(tmp_path, settings, "x", cpu).extract(pixels)
    np.testing.assert_allclose(logits, model(pixels / 127.5 - 1)[1].detach(), rtol=1e-5, atol=1e-6)

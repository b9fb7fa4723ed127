import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features import build as building
from pipeline.features import check, classifier, evaluator, real
from pipeline.features.build import build
from pipeline.features.classifier import Classifier
from pipeline.features.evaluator import Evaluator, load_network
from pipeline.features.network import FeatureNetwork
from pipeline.features.settings import Architecture, Evaluation, EvaluatorDescription, Layout, Scoring, Training
from pipeline.metrics.frechet import Gaussian, Reference
from pipeline.runtime import history, weights
from pipeline.runtime.context import Context
from pipeline.runtime.errors import UserError
from pipeline.runtime.settings import read

SETTINGS = Evaluation(
    network="classifier", weights=None, architecture=Architecture(4, 8),
    training=Training(epochs=3, batch=16, learning_rate=0.01, weight_decay=0.01, noise=0.05, augment="none", seed=0),
    precision="fp32", reference="test", reference_classes=(), samples=40, scoring=Scoring(2, 3, 20, 3),
)  # fmt: skip
SCORES = {
    "frechet_distance", "inception_score", "inception_score_spread", "kid", "kid_spread", "precision", "recall",
}  # fmt: skip
COMPLETE = SCORES | {"density", "coverage"}


@pytest.fixture
def make(dots, cpu, tmp_path):
    def run(data=dots, **changes):
        """Make an evaluator; return its folder, and the scores of what is known."""
        output, scores = tmp_path / "made", tmp_path / "scores"
        output.mkdir(exist_ok=True)
        scores.mkdir(exist_ok=True)
        settings, context = replace(SETTINGS, **changes), Context(cpu, tmp_path / "scratch")
        build(data, output, settings, context)
        real.score(data, output, scores, settings, context)
        return output, json.loads((scores / "metrics.json").read_text())

    return run


def test_floor_and_noise_with_the_protocol_of_both(make):
    output, metrics = make()
    floor, noise, protocol = metrics["floor"], metrics["noise"], metrics["protocol"]
    assert set(floor) == set(noise) == COMPLETE | {"source", "images"}
    assert (floor["source"], floor["images"]) == ("dots, train split", 40)
    assert (noise["source"], noise["images"]) == ("uniform noise", 40)
    assert 0 <= floor["frechet_distance"] < 0.1 * noise["frechet_distance"]
    assert floor["recall"] > 0.5 > noise["recall"]
    assert protocol["evaluator_precision"] == "fp32"
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


def test_damaged_real_images_are_scored_beside_the_floor(make):
    _, metrics = make()
    assert set(metrics["damaged"]) == {"blurred", "tenth_noise", "class_missing"}
    distances = {kind: scores["frechet_distance"] for kind, scores in metrics["damaged"].items()}
    assert all(set(scores) == COMPLETE | {"images"} for scores in metrics["damaged"].values())
    # the dots are too simple for more: noise is between bright left and bright right, and blurred halves are bright too
    assert metrics["floor"]["frechet_distance"] < distances["class_missing"]
    assert len({metrics["floor"]["frechet_distance"], *distances.values()}) == 4


def test_images_are_compared_with_some_classes_alone(make, dots, images):
    name = images.card["classes"][1]
    _, metrics = make(reference_classes=(name,), samples=20)
    count = int((images.labels["test"] == 1).sum())
    assert metrics["protocol"]["reference_images"] == count
    assert metrics["protocol"]["reference"] == f"dots, test split, {name} only"
    assert metrics["floor"]["source"] == f"dots, train split, {name} only"
    with pytest.raises(DataError, match="has no class cat; it has"):
        make(reference_classes=("cat",))


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


def enough(counts, scoring, samples):
    """Whether the scores of real images and noise can be computed, tried with pixels for features."""

    def look(images):
        features = images.float().flatten(1)
        return features, features

    images = {split: torch.randint(256, (count, 1, 2, 2), dtype=torch.uint8) for split, count in counts.items()}
    try:
        network = FeatureNetwork(look, "pixels", {"feature_network": "pixels"})
        evaluator = Evaluator.of(network, images["test"], scoring, "pixels")
        for scored in (images["train"][:samples], torch.zeros(samples, 1, 2, 2, dtype=torch.uint8)):
            evaluator.score(scored)
    except ValueError:
        return False
    return True


COUNT = st.integers(2, 9)


@hypothesis(deadline=None, max_examples=100)
@given(
    counts=st.fixed_dictionaries({"train": COUNT, "test": COUNT}),
    scoring=st.builds(
        Scoring, splits=COUNT, kid_subsets=st.just(1), kid_subset_size=COUNT, neighbours=st.integers(1, 8)
    ),
)
def test_too_few_images_are_refused_before_training_and_no_others(counts, scoring):
    class StartedError(Exception):
        """Training would begin."""

    def start(*_):
        raise StartedError

    samples = max(10, scoring.least[0])  # `plan` makes sure of these
    images = DataSet(
        {"name": "few", "levels": 256},
        {split: torch.zeros(count, 1, 16, 16, dtype=torch.uint8) for split, count in counts.items()},
        {split: torch.arange(count) % 2 for split, count in counts.items()},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building.store, "load", lambda *_: images)
        patch.setattr(building, "_network", start)
        expected = StartedError if enough(counts, scoring, samples) else DataError
        with pytest.raises(expected):
            build(None, None, replace(SETTINGS, samples=samples, scoring=scoring), Context(torch.device("cpu"), None))


@pytest.mark.parametrize(
    ("shape", "labels", "changes", "message"),
    [
        ((1, 28, 20), 2, {}, "images of 28x20 pixels; the network classifier takes square ones from 15x15 on"),
        ((1, 14, 14), 2, {}, "images of 14x14 pixels"),
        ((1, 16, 16), 1, {}, "has 1 class; a classifier needs at least 2"),
        ((1, 8, 8), 2, {"network": "resnet"}, "features.batch 13 leaves one for the last batch"),
    ],
)
def test_images_that_the_network_does_not_take_are_refused(cpu, monkeypatch, shape, labels, changes, message):
    pixels = torch.randint(256, (40, *shape), dtype=torch.uint8)
    images = DataSet(
        {"name": "x", "levels": 256}, {"train": pixels, "test": pixels}, {"train": torch.arange(40) % labels}
    )
    monkeypatch.setattr(building.store, "load", lambda *_: images)
    assert SETTINGS.training is not None
    settings = replace(SETTINGS, training=replace(SETTINGS.training, batch=13), **changes)
    with pytest.raises(DataError, match=message):
        build(None, None, settings, Context(cpu, None))


@pytest.mark.parametrize("network", ["classifier", "resnet"])
@pytest.mark.parametrize("shape", [(1, 15, 15), (3, 16, 16), (3, 8, 8), (1, 9, 20), (3, 4, 4)])
def test_every_other_shape_is_taken(network, shape, cpu, tmp_path, monkeypatch):
    if network == "classifier" and (shape[1] < 15 or shape[1] != shape[2]):
        pytest.skip("refused")
    pixels = torch.zeros((40, *shape), dtype=torch.uint8)
    pixels[::2, :, : shape[1] // 2] = 200
    images = DataSet(
        {"name": "x", "levels": 256, "classes": None},
        {"train": pixels, "test": pixels},
        {"train": torch.arange(40) % 2},
    )
    monkeypatch.setattr(building.store, "load", lambda *_: images)
    build(None, tmp_path, replace(SETTINGS, network=network), Context(cpu, tmp_path / "scratch"))


@pytest.mark.parametrize("floor", [0.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 1e-9, 5.9, 6.1, float("nan"), float("inf")])
def test_an_evaluator_that_does_not_tell_noise_from_images_is_refused(floor, noise):
    if max(1e-6, 2 * floor) < noise < math.inf:
        check.tells(floor, noise)
    else:
        with pytest.raises(UserError, match="cannot tell real images from noise"):
            check.tells(floor, noise)


def test_a_dead_classifier_is_refused(make):
    with pytest.raises(UserError, match="cannot tell real images from noise"):
        make(training=Training(3, 16, 50.0, 0.01, 0.05, "none", 0))


def test_images_of_another_shape_than_the_evaluators_are_refused(make, cpu):
    output, _ = make()
    for shape in ((1, 16, 16), (3, 8, 8), (3, 16, 8)):
        with pytest.raises(DataError, match=f"the images have {shape[1]}x{shape[2]} pixels and {shape[0]} channels"):
            evaluator.load(output, cpu, shape)

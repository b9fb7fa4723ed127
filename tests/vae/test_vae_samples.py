"""Samples and reconstructions of autoencoders whose pictures are known."""

import json

import pytest
import torch
from torch import nn

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features.evaluator import Evaluator, Scoring
from pipeline.features.network import FeatureNetwork
from pipeline.runtime.context import Context
from pipeline.vae import samples
from pipeline.vae.model import Vae
from pipeline.vae.observation import Observation
from pipeline.vae.settings import Network, SampleScoring

CPU = torch.device("cpu")
SIDE = 8
SCORING = Scoring(splits=2, kid_subsets=2, kid_subset_size=10, neighbours=3)
CARD = {"name": "noise", "shape": [1, SIDE, SIDE], "levels": 256}
TEST = torch.randint(0, 256, (60, 1, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
DATA = DataSet(CARD, {"train": TEST, "test": TEST}, {})


def evaluator():
    """Features are the first pixels, labels the brightest of them."""

    def look(images):
        features = images.float().flatten(1)[:, :4]
        return features, features

    return Evaluator.of(FeatureNetwork(look, "pixels", {"feature_network": "pixels"}), TEST, SCORING, "noise")


def autoencoder(decoder):
    """The latent of an image is its pixels in [-1, 1]."""
    network = Network("mlp", None, SIDE**2, "deterministic", flow_layers=0, logit_shift=0.0)
    return Vae(nn.Flatten(), decoder, network, Observation.of("gaussian", DATA), "fp32")


class Grey(nn.Module):
    """Decodes everything to grey level 0 in [-1, 1]."""

    def forward(self, z):
        return torch.zeros_like(z)


@pytest.fixture
def scored(monkeypatch, tmp_path):
    def run(decoder, count=60, data=DATA):
        monkeypatch.setattr(samples.store, "load", lambda folder, device: data)
        monkeypatch.setattr(samples.complete, "load", lambda folder, device, shape: evaluator())
        monkeypatch.setattr(samples.models, "load", lambda folder, device: {7: autoencoder(decoder)})
        samples.score(tmp_path, tmp_path, tmp_path, tmp_path, SampleScoring(count), Context(CPU, tmp_path))
        return json.loads((tmp_path / "metrics.json").read_text())

    return run


def test_perfect_reconstructions_are_the_test_images_and_samples_of_the_prior_are_not(scored):
    found = scored(nn.Identity())["seeds"]["7"]
    assert found["reconstructions"]["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert found["reconstructions"]["sharpness"] == pytest.approx(1)
    assert found["samples"]["frechet_distance"] > 100  # a clamped normal distribution is not uniform
    assert found["samples"]["precision"] < found["reconstructions"]["precision"] == 1
    assert 0.1 <= found["paths"]["linear"]["stride"] < 0.2  # but for clamping the decoder is linear


def test_pictures_that_are_all_the_same_are_not_sharp_and_of_one_class(scored):
    metrics = scored(Grey(), count=40)
    for kind in ("samples", "reconstructions"):
        assert metrics["seeds"]["7"][kind]["sharpness"] == 0
        assert metrics["seeds"]["7"][kind]["inception_score"] == pytest.approx(1)
    assert metrics["protocol"]["images"] == 40 and metrics["protocol"]["reconstructed"] == 40


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (
            TEST[:9],
            "data set noise has 9 test images to reconstruct; the evaluator needs at least 10: .*kid_subset_size",
        ),
        (torch.full_like(TEST, 7), "its test images have no edges"),
    ],
)
def test_images_that_cannot_be_scored_are_refused_first(scored, test, message):
    with pytest.raises(DataError, match=message):
        scored(Grey(), data=DataSet(CARD, {"train": TEST, "test": test}, {}))

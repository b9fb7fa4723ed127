import json
import math

import numpy as np
import pytest
import torch

from pipeline.runtime.context import Context
from pipeline.runtime.seeding import seeded
from pipeline.vae.model import VaeDescription
from pipeline.vae.observation import Observation
from pipeline.vae.settings import Network, Objective, Optimiser, Schedule, Training

GREY = (1, 28, 28)
NETWORK = {"hidden": 8, "latent": 5, "posterior": "gaussian", "flow_layers": 0, "logit_shift": 5.0}
OBJECTIVE = {"beta": 1.0, "beta_schedule": "constant", "kl": "analytic", "kl_samples": None}


@pytest.fixture
def describe():
    """Return a function that describes an autoencoder for images of a shape."""

    def make(network="mlp", shape=GREY, likelihood="bernoulli", precision="fp32", **changes):
        observation = Observation(likelihood, math.prod(shape), spacing=1.0, lowest=0.0)
        return VaeDescription(Network(network, **NETWORK | changes), tuple(shape), observation, precision)

    return make


@pytest.fixture
def build(describe):
    """Return a function that builds an autoencoder; equal arguments give equal weights."""

    def make(*arguments, **changes):
        with seeded(0, "init"):
            return describe(*arguments, **changes).build()

    return make


@pytest.fixture
def training():
    """Return a function that makes the settings of a short training from those that differ."""

    def make(precision="fp32", **changes):
        network = {"network": "mlp"} | NETWORK
        objective = {"likelihood": "bernoulli"} | OBJECTIVE
        optimiser = {"learning_rate": 2e-3, "clip_norm": 0.0}
        schedule = {"epochs": 3, "batch": 20, "snapshots": (), "seeds": (0,)}
        groups = (network, objective, optimiser, schedule)
        for name, value in changes.items():
            (group,) = (group for group in groups if name in group)
            group[name] = value
        kinds = (Network, Objective, Optimiser, Schedule)
        return Training(*(kind(**group) for kind, group in zip(kinds, groups, strict=True)), precision)

    return make


@pytest.fixture
def strokes(tmp_path):
    """A data set of black and white 28x28 images, each with one horizontal or vertical stroke, of two classes."""
    folder, random = tmp_path / "strokes", np.random.default_rng(0)
    folder.mkdir()
    counts = {"train": 130, "valid": 30, "test": 50}
    for split, count in counts.items():
        images, labels = np.zeros((count, *GREY), np.uint8), np.arange(count) % 2
        for image, label, place in zip(images, labels, random.integers(0, 24, count), strict=True):
            (image if label else image.swapaxes(1, 2))[:, place : place + 4] = 1
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", labels)
    card = {"name": "strokes", "levels": 2, "counts": counts, "shape": GREY, "classes": ["vertical", "horizontal"]}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def context(tmp_path):
    return Context(torch.device("cpu"), tmp_path / "scratch")

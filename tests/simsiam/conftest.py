"""A data set of a few dozen small images, and the settings of a network and a training that take a second."""

import json

import numpy as np
import pytest

from pipeline.simsiam.settings import Augmentation, Monitor, Network, Optimiser, Scoring, Training


@pytest.fixture
def network():
    return Network(
        backbone="resnet10", width=4, stem="halving", projector_hidden=8, projector_output=6, predictor="mlp",
        predictor_hidden=5, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3),
    )  # fmt: skip


@pytest.fixture
def augmentation():
    return Augmentation(
        crop=(0.5, 1.0), rotation=180.0, flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1), jitter_probability=0.8, greyscale=0.2
    )


@pytest.fixture
def training(network, augmentation):
    return Training(
        network, augmentation, stop_gradient=True, epochs=3, batch=16, optimiser=Optimiser(0.4, 0.9, 5e-4),
        precision="fp32", monitor=Monitor("projector", 5, 0.1), seeds=(0, 1),
    )  # fmt: skip


@pytest.fixture
def scoring(training):
    return Scoring(training.augmentation, training.precision, training.monitor, probe_l2=1e-3)


@pytest.fixture
def data(tmp_path):
    """Dark and light 16x16 images: 40 for training, 20 for testing."""
    random, folder = np.random.default_rng(0), tmp_path / "data"
    folder.mkdir()
    for split, count in (("train", 40), ("test", 20)):
        labels = np.arange(count) % 2
        images = random.integers(0, 128, (count, 3, 16, 16)) + 127 * labels[:, None, None, None]
        np.save(folder / f"{split}_images.npy", images.astype(np.uint8))
        np.save(folder / f"{split}_labels.npy", labels.astype(np.int64))
    card = {"name": "twotone", "levels": 256, "shape": [3, 16, 16], "counts": {"train": 40, "test": 20}}
    (folder / "card.json").write_text(json.dumps(card))
    return folder

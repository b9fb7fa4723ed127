import json

import numpy as np
import pytest
import torch

from pipeline.data.store import load


@pytest.fixture
def dots(tmp_path):
    """A data set of two classes, bright left or bright right, that a classifier learns at once."""
    return _dots(tmp_path / "dots", ("train", "test"))


@pytest.fixture
def undivided_dots(tmp_path):
    return _dots(tmp_path / "undivided", ("train",))


def _dots(folder, splits):
    folder.mkdir()
    random = np.random.default_rng(0)
    for split in splits:
        labels = np.arange(60) % 2
        images = random.integers(0, 80, (60, 3, 16, 16), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[:, :, 8 * label : 8 * label + 8] += 120
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", labels)
    counts, classes = dict.fromkeys(splits, 60), ["left", "right"]
    card = {"name": "dots", "levels": 256, "counts": counts, "shape": [3, 16, 16], "classes": classes}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def cpu():
    return torch.device("cpu")


@pytest.fixture
def images(dots, cpu):
    return load(dots, cpu)

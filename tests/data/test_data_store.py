import json

import numpy as np
import pytest
import torch

from pipeline.data import store
from pipeline.data.batches import epoch_batches
from pipeline.data.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for split, count in (("train", 6), ("test", 2)):
        np.save(tmp_path / f"{split}_images.npy", np.arange(count * 8, dtype=np.uint8).reshape(count, 2, 2, 2) % 2)
    np.save(tmp_path / "train_labels.npy", np.arange(6))
    (tmp_path / "card.json").write_text(json.dumps({"name": "x", "levels": 2, "counts": {"train": 6, "test": 2}}))
    return tmp_path


def test_a_set_comes_back_as_bytes(folder):
    data = store.load(folder, "cpu")
    assert data.images["train"].dtype == torch.uint8 and data.images["train"].shape == (6, 2, 2, 2)
    assert data.labels["train"].tolist() == list(range(6)) and "test" not in data.labels
    assert torch.equal(data.binary("test"), data.images["test"])
    with pytest.raises(DataError, match="data set x has no split valid; it has train, test"):
        data.binary("valid")


def test_scales():
    grey = store.DataSet({"levels": 256, "name": "x"}, {}, {})
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(grey.unit(pixels), torch.arange(256) / 255)
    assert torch.allclose(grey.signed(pixels), torch.linspace(-1, 1, 256), atol=1e-6)
    assert grey.signed(pixels)[[0, 255]].tolist() == [-1, 1]
    black = store.DataSet({"levels": 2, "name": "x"}, {}, {})
    assert black.unit(pixels[:2]).tolist() == [0, 1] and black.signed(pixels[:2]).tolist() == [-1, 1]
    with pytest.raises(DataError, match="has 256 grey levels"):
        grey.binary("train")


def test_pickled_arrays_are_refused(folder):
    np.save(folder / "train_images.npy", np.array([None], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        store.load(folder, "cpu")


@pytest.mark.parametrize(
    ("count", "batch", "drop", "sizes"),
    [
        (10, 4, False, [4, 4, 2]),
        (10, 4, True, [4, 4]),
        (8, 4, True, [4, 4]),
        (8, 4, False, [4, 4]),
        (3, 4, False, [3]),
        (3, 4, True, []),
    ],
)
def test_an_epoch_holds_each_image_once(count, batch, drop, sizes):
    parts = epoch_batches(count, batch, torch.Generator().manual_seed(0), drop)
    assert [len(part) for part in parts] == sizes
    shown = [index for part in parts for index in part.tolist()]
    assert len(set(shown)) == len(shown) == sum(sizes) and set(shown) <= set(range(count))


def test_the_order_follows_from_the_generator():
    one, two, other = (
        torch.cat(list(epoch_batches(100, 7, torch.Generator().manual_seed(seed)))).tolist() for seed in (1, 1, 2)
    )
    assert one == two != other and one != sorted(one)

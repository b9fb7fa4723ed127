import json

import numpy as np
import pytest

from pipeline.config.data import settings_of
from pipeline.data import digits
from pipeline.data.build import build
from pipeline.data.errors import DataError
from pipeline.data.registry import EMBEDDED
from pipeline.data.selection import of_classes
from pipeline.data.splits import Split


def test_the_chosen_classes_are_kept_in_order_and_counted_from_0(tmp_path):
    build("fives", tmp_path, settings_of({"source": "digits16", "classes": [5, 3]}))
    whole = digits.digits16()
    for split, part in whole.items():
        kept = np.isin(part.labels, [5, 3])
        assert np.array_equal(np.load(tmp_path / f"{split}_images.npy"), part.images[kept])
        labels = np.load(tmp_path / f"{split}_labels.npy")
        assert np.array_equal(labels, np.where(part.labels[kept] == 5, 0, 1)) and labels.dtype == np.int64
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["classes"] == ["5", "3"] and card["source"] == "digits16"
    assert card["title"].endswith("in a frame of 16x16, only 5, 3") and card["split"].endswith("; only 5, 3")
    assert card["counts"]["train"] == np.isin(whole["train"].labels, [5, 3]).sum()


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"data set mine: no class bat; there are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\.$"):
        of_classes("mine", EMBEDDED["digits16"], digits.digits16(), ["3", "bat"])


def test_a_set_without_labels_has_no_classes():
    source, images = EMBEDDED["digits16"], np.zeros((2, 1, 4, 4), np.uint8)
    with pytest.raises(DataError, match="data set mine: the set has no labels, so no classes can be chosen"):
        of_classes("mine", source.__class__("t", "l", "c", "u", "s"), {"train": Split(images)}, ["3"])


def test_a_split_that_would_be_empty_is_named():
    splits = digits.digits16() | {"test": digits.digits16()["test"][:0]}
    with pytest.raises(DataError, match=r"data set mine: its split test holds no image of 3, 4\."):
        of_classes("mine", EMBEDDED["digits16"], splits, ["3", "4"])

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from pipeline.data import digits, render, shapes
from pipeline.data.build import build
from pipeline.data.errors import DataError
from pipeline.data.registry import DIGITS, EMBEDDED, SHAPES
from pipeline.data.settings import Making, Rendered


def test_digits28_are_all_digits_once():
    splits = digits.digits28()
    assert {name: part.images.shape for name, part in splits.items()} == {
        "train": (1297, 1, 28, 28), "valid": (250, 1, 28, 28), "test": (250, 1, 28, 28),
    }  # fmt: skip
    small = load_digits()
    large = np.concatenate([part.images for part in splits.values()])
    labels = np.concatenate([part.labels for part in splits.values()])
    # means over quarters of the digit correlate best with those of the 8x8 picture that it was made from
    blocks = large[:, 0, 4:24, 4:24].reshape(-1, 4, 5, 4, 5).mean((2, 4)).reshape(-1, 16)
    coarse = small.images.reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16)
    blocks, coarse = ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) for x in (blocks, coarse))
    nearest = (blocks[::20] @ coarse.T).argmax(1)
    assert (small.target[nearest] == labels[::20]).all() and len(set(nearest)) > 0.95 * len(nearest)
    assert np.bincount(labels).tolist() == np.bincount(small.target).tolist()
    assert not large[:, :, :4].any() and not large[:, :, 24:].any() and large.max() == 255
    assert len(np.unique(large.reshape(1797, -1), axis=0)) == len(np.unique(small.data, axis=0))


def test_digits16_are_pils_enlargement_of_the_same_digits():
    splits, larger = digits.digits16(), digits.digits28()
    assert {name: part.images.shape for name, part in splits.items()} == {
        "train": (1297, 1, 16, 16), "valid": (250, 1, 16, 16), "test": (250, 1, 16, 16),
    }  # fmt: skip
    assert all(np.array_equal(part.labels, larger[name].labels) for name, part in splits.items())
    small, found = load_digits(), {image.tobytes() for part in splits.values() for image in part.images}
    for image in small.images[::100]:
        pil = Image.fromarray((image / 16).astype(np.float32)).resize((12, 12), Image.Resampling.BICUBIC)
        stretched = np.pad(np.clip(1.5 * np.asarray(pil, dtype=np.float64) - 0.25, 0, 1), 2)
        nearest = min(np.abs(np.frombuffer(one, np.uint8).reshape(16, 16) - 255 * stretched).max() for one in found)
        assert nearest < 0.51  # rounding


def test_the_binarisation_is_one_bernoulli_draw_per_pixel():
    grey, binary = digits.digits28(), digits.binarized_digits28()
    p = np.concatenate([part.images for part in grey.values()]) / 255
    bits = np.concatenate([part.images for part in binary.values()])
    assert set(np.unique(bits)) == {0, 1} and not bits[p == 0].any() and bits[p == 1].all()
    for low in np.arange(0, 1, 0.1):
        among = (p > low) & (p <= low + 0.1) & (p < 1)
        deviation = np.sqrt((p[among] * (1 - p[among])).sum())
        assert abs(bits[among].sum() - p[among].sum()) < 4 * deviation
    for name, part in binary.items():
        assert np.array_equal(part.labels, grey[name].labels)


def test_street_digits_show_their_label_and_share_no_digit_between_splits(monkeypatch):
    used = {}
    monkeypatch.setattr(digits, "_street", lambda part, count, seed: used.setdefault(seed, part)[:count])
    digits.street_digits32(train=10, test=10)
    own = {part.images.tobytes() for part in digits.digits28().values()}
    assert len(own) == 3
    train, rest = ({image.tobytes() for image in used[seed].images} for seed in (0, 1))
    assert len(used[0]) + len(used[1]) == 1797 and not train & rest


@pytest.mark.slow
def test_street_digits_can_be_read():
    splits = digits.street_digits32(train=1500, test=500)
    grey = {
        name: np.abs(part.images - np.median(part.images, (2, 3), keepdims=True)).mean(1)
        for name, part in splits.items()
    }
    features = {
        name: images[:, 4:28, 8:24].reshape(len(images), 12, 2, 8, 2).mean((2, 4)).reshape(len(images), -1) / 64
        for name, images in grey.items()
    }
    model = LogisticRegression(max_iter=200, C=0.3).fit(features["train"], splits["train"].labels)
    assert model.score(features["test"], splits["test"].labels) > 0.5  # chance is 0.1
    assert splits["train"].images.shape == (1500, 3, 32, 32) and len(splits["test"]) == 500


def test_street_digits16_are_the_larger_ones_averaged():
    small, large = (make(train=20, test=10) for make in (digits.street_digits16, digits.street_digits32))
    for name, part in small.items():
        assert part.images.shape == (len(large[name]), 3, 16, 16) and np.array_equal(part.labels, large[name].labels)
        quarters = [large[name].images[..., i::2, j::2].astype(float) for i in (0, 1) for j in (0, 1)]
        assert np.abs(part.images - sum(quarters) / 4).max() <= 0.5


def test_shapes_are_balanced_and_differ_between_splits():
    splits = shapes.shapes32(train=200, test=100)
    assert np.bincount(splits["train"].labels).tolist() == [20] * 10
    assert np.bincount(splits["test"].labels).tolist() == [10] * 10
    images = np.concatenate([part.images for part in splits.values()])
    assert images.shape == (300, 3, 32, 32) and images.dtype == np.uint8
    assert len(np.unique(images.reshape(300, -1), axis=0)) == 300


def area(name: str) -> float:
    """Area of the unit shape by counting points."""
    x, y = np.meshgrid(*2 * [(np.arange(1201) + 0.5) * 3 / 1201 - 1.5])
    turned = np.cos(0.3) * x + np.sin(0.3) * y, np.cos(0.3) * y - np.sin(0.3) * x  # no edge runs along the grid
    return float((shapes.signed_distance(SHAPES.index(name), *turned) < 0).mean() * 9)


def lens(a: float, b: float, d: float) -> float:
    """Area common to two discs of radius a and b at distance d (circular segments)."""
    alpha = np.arccos((d * d + a * a - b * b) / (2 * d * a))
    beta = np.arccos((d * d + b * b - a * a) / (2 * d * b))
    return a * a * (alpha - np.sin(2 * alpha) / 2) + b * b * (beta - np.sin(2 * beta) / 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("disc", np.pi),
        ("ring", np.pi * (1 - 0.55**2)),
        ("square", 1.7**2),
        ("frame", 1.76**2 - 0.96**2),
        ("triangle", 3 * 3**0.5 / 4),
        ("cross", 2 * 1.9 * 0.6 - 0.6**2),
        ("star", 5 * 0.42 * np.sin(np.pi / 5)),
        ("bars", 2 * 1.8 * 0.6),
        ("moon", np.pi - lens(1, 0.75, 0.5)),
        ("checker", 1.7**2 / 2),
    ],
)
def test_each_shape_has_the_area_of_its_closed_form(name, expected):
    assert area(name) == pytest.approx(expected, rel=3e-3)


def test_shapes_are_light_on_dark():
    images = shapes.shapes32(train=500, test=10)["train"].images.mean(1)
    assert (images[:, 12:20, 12:20].max((1, 2)) > images[:, [0, 0, -1, -1], [0, -1, 0, -1]].max(1)).mean() > 0.99


def test_bicubic_is_pils():
    image = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    pil = np.asarray(Image.fromarray(image).resize((20, 20), Image.Resampling.BICUBIC))
    assert np.allclose(render.bicubic(image.astype(float), 20), pil, atol=1e-6)


def test_rgb_is_the_standard_librarys():
    from colorsys import hsv_to_rgb

    colours = np.random.default_rng(0).random((3, 50))
    assert np.allclose(render.rgb(*colours)[:, :, 0, 0], [hsv_to_rgb(*colour) for colour in colours.T])


@pytest.mark.parametrize("name", sorted(EMBEDDED))
def test_built_twice_the_bytes_are_the_same(tmp_path, name):
    settings = Making(name, rendered=Rendered(60, 20) if name.startswith(("street", "shapes")) else None)
    found = []
    for place in (tmp_path / "one", tmp_path / "two"):
        place.mkdir()
        build(name, place, settings)
        found.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir()})
    assert found[0] == found[1]
    card = json.loads((tmp_path / "one" / "card.json").read_text())
    assert card["levels"] == (2 if name == "binarized_digits28" else 256)
    assert card["classes"] == list(SHAPES if name == "shapes32" else DIGITS) and "stands in for" in card["note"]


def test_an_unknown_source_is_named(tmp_path):
    with pytest.raises(DataError, match="imagenet: no such source of data; there are mnist,"):
        build("x", tmp_path, Making("imagenet"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("file", ["train_images.npy", "card.json"])
def test_a_full_disk_while_writing_arrays(tmp_path, file):
    (tmp_path / file).symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"data set digits28 cannot be stored: No space left on device.*rerun"):
        build("digits28", tmp_path, Making("digits28"))


def test_a_missing_target_is_named(tmp_path):
    with pytest.raises(DataError, match="data set digits28 cannot be stored: No such file or directory"):
        build("digits28", tmp_path / "none", Making("digits28"))

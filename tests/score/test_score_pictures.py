"""Somebody's pictures scored by an evaluator, and what is said where they cannot be."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import checksum
from pipeline.data.errors import DataError
from pipeline.features import real
from pipeline.features.build import build
from pipeline.features.settings import Architecture, Evaluation, Scoring, Training
from pipeline.runtime.context import Context
from pipeline.runtime.errors import UserError
from pipeline.score import __main__ as command
from pipeline.score.pictures import Wanted, check, read
from pipeline.score.samples import score, score_theirs
from pipeline.score.settings import TheirSamples

GREY, COLOUR = Wanted("digits28", 1, 28), Wanted("shapes32", 3, 32)


def save(folder, images):
    """Write images `(n, h, w)` or `(n, h, w, c)` as PNG files."""
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:04d}.png")
    return folder


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_pictures_come_back_as_they_were_written(tmp_path):
    grey, colour = noise(5, 28, 28), noise(5, 32, 32, 3)
    assert (read(save(tmp_path / "grey", grey), GREY)[:, 0] == grey).all()
    assert (read(save(tmp_path / "colour", colour), COLOUR) == colour.transpose(0, 3, 1, 2)).all()


def test_a_grey_picture_may_be_stored_in_colour_and_other_files_may_lie_beside(tmp_path):
    grey = noise(3, 28, 28)
    folder = save(tmp_path / "a", grey[..., None].repeat(3, -1))
    (folder / "samples.json").write_text("{}")
    np.savez(folder / "samples.npz", samples=grey)
    assert (read(folder, GREY)[:, 0] == grey).all()


@pytest.mark.parametrize("shape", [(6, 28, 28), (6, 1, 28, 28), (6, 28, 28, 1)])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays(tmp_path, shape, suffix):
    images, file = noise(*shape), tmp_path / f"a.{suffix}"
    np.save(file, images) if suffix == "npy" else np.savez(file, samples=images, labels=np.arange(6))
    assert (read(file, GREY).reshape(-1) == images.reshape(-1)).all()


def broken(folder):
    (folder / "0000.png").write_bytes(b"no picture")


def transparent(folder):
    Image.new("RGBA", (28, 28), (0, 0, 0, 100)).save(folder / "0000.png")


def small(folder):
    Image.new("L", (27, 28)).save(folder / "0000.png")


def coloured(folder):
    Image.new("RGB", (28, 28), (255, 0, 0)).save(folder / "0000.png")


def moving(folder):
    frames = [Image.new("L", (28, 28), level) for level in (0, 9)]
    frames[0].save(folder / "0000.png", "GIF", save_all=True, append_images=frames[1:])


def fractions(folder):
    Image.new("F", (28, 28)).save(folder / "0000.png", "TIFF")


def test_sixteen_bits_a_value_become_eight(tmp_path):
    grey = np.tile(np.array([0, 300, 32768, 65535], np.uint16), (28, 7))
    read_ = read(save(tmp_path / "a", grey[None]), GREY)
    assert read_[0, 0, 0, :4].tolist() == [0, 1, 128, 255]  # v / 257


def test_what_a_checksum_leaves_out_is_not_scored(tmp_path):
    folder = save(tmp_path / "a", noise(3, 28, 28))
    (folder / ".hidden").mkdir()
    (folder / "__MACOSX").mkdir()
    Image.new("L", (28, 28)).save(folder / ".hidden" / "x.png")
    (folder / "__MACOSX" / "._0.png").write_bytes(b"no picture")
    assert len(read(folder, GREY)) == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (moving, "1 cannot be read: it holds several pictures; one is needed"),
        (fractions, "1 cannot be read: its pixels are F; 8 or 16 bits per channel of grey, RGB or CMYK are needed"),
        (broken, "1 cannot be read"),
        (transparent, "1 are transparent in places"),
        (small, "1 are 27 x 28"),
        (coloured, "1 have colours, and are 28 x 28"),
    ],
)
def test_what_is_wrong_with_pictures_is_counted_and_named(tmp_path, fault, message):
    fault(folder := save(tmp_path / "a", noise(4, 28, 28)))
    with pytest.raises(DataError) as error:
        read(folder, GREY)
    text = str(error.value)
    assert "of 4 pictures some cannot be scored; digits28 takes 28 x 28 with 1 channel" in text
    assert f"  {message}, such as 0000.png" in text


def test_pictures_are_scaled_where_that_is_asked_for(tmp_path):
    folder = save(tmp_path / "a", noise(3, 40, 56))
    with pytest.raises(DataError, match=r"3 are 56 x 40.*\n.*--resize cuts out the centre square"):
        read(folder, GREY)
    assert read(folder, GREY, resize=True).shape == (3, 1, 28, 28)


def test_a_network_that_resizes_takes_any_one_size(tmp_path):
    inception = Wanted("inception", 3, None)
    folder = save(tmp_path / "a", noise(3, 20, 20))
    assert read(folder, inception).shape == (3, 3, 20, 20)
    Image.new("RGB", (21, 20)).save(folder / "9.png")
    with pytest.raises(DataError, match="of different sizes: 3 of 20 x 20, 1 of 21 x 20"):
        read(folder, inception)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 28, 28), np.float32), "is float32 from 0 to 0; bytes"),
        (np.zeros((4, 32, 32), np.uint8), r"has the shape \(4, 1, 32, 32\); digits28 takes 28 x 28"),
        (np.array([{}]), "without pickle"),
    ],
)
def test_what_is_wrong_with_an_array(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.npy", GREY)


def test_nothing_to_score(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(1), y=np.zeros(1))
    for place, message in ((tmp_path / "none", "no such"), (tmp_path, "no pictures"), (tmp_path / "a.npz", "x, y")):
        with pytest.raises(DataError, match=message):
            read(place, GREY)


def test_what_readers_of_the_scores_should_know():
    evaluator = SimpleNamespace(scoring=Scoring(10, 10, 20, 3), features=torch.zeros(100, 64))
    images = noise(30, 1, 28, 28)
    assert check(images, evaluator) == ["30 images do not determine the covariance of 64 features."]
    images[:3] = 7
    said = check(images, evaluator)
    assert said[:2] == ["2 of 30 images are exact copies of others.", "3 of 30 images are of a single colour."]
    with pytest.raises(DataError, match="19 images; the protocol of this evaluator needs at least 20"):
        check(images[:19], evaluator)
    with pytest.raises(DataError, match="black is 0 and white 255"):
        check(images % 2, evaluator)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory):
    """An evaluator of digits28 that has hardly been trained, with the other half of the set to score."""
    folder = tmp_path_factory.mktemp("evaluator")
    images, labels = digits_of()
    for split, part in (("train", slice(0, 1000)), ("test", slice(1000, 1500))):
        np.save(folder / f"{split}_images.npy", images[part])
        np.save(folder / f"{split}_labels.npy", labels[part])
    counts = {"train": 1000, "test": 500}
    card = {"name": "digits28", "levels": 256, "counts": counts, "shape": [1, 28, 28], "classes": None}
    (folder / "card.json").write_text(json.dumps(card))
    output = folder / "features" / "digits28"
    output.mkdir(parents=True)
    training = Training(epochs=1, batch=64, learning_rate=0.003, weight_decay=0.0, noise=0.0, augment="none", seed=0)
    settings = Evaluation(
        network="classifier", weights=None, architecture=Architecture(4, 16), training=training, precision="fp32",
        reference="train", reference_classes=(), samples=500, scoring=Scoring(10, 10, 200, 3),
    )  # fmt: skip
    context = Context(torch.device("cpu"), folder / "scratch")
    build(folder, output, settings, context)
    beside = folder / "real" / "digits28"
    beside.mkdir(parents=True)
    real.score(folder, output, beside, settings, context)
    return output, beside, images[1000:1500]


def digits_of():
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.kron(found.images, np.ones((1, 3, 3))) * 15.9375
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None].astype(np.uint8), found.target


@pytest.mark.slow
def test_500_pictures_of_digits_score_as_the_floor_does(evaluator, tmp_path, capsys, monkeypatch):
    """The floor of this evaluator is of the very same 500 images."""
    features, beside, images = evaluator
    folder = save(tmp_path / "theirs", images[:, 0])
    monkeypatch.setattr(command, "EVALUATORS", features.parent)
    monkeypatch.setattr(command, "REAL", beside.parent)
    monkeypatch.setattr(
        "sys.argv", ["score", str(folder), "--features", "digits28", "--out", str(tmp_path / "o/s.json")]
    )
    command.main()
    printed = capsys.readouterr().out
    scores = json.loads((tmp_path / "o/s.json").read_text())
    for name in ("frechet_distance", "precision", "recall", "density", "coverage"):
        assert scores["samples"][name] == pytest.approx(scores["floor"][name], rel=1e-4)
    assert scores["samples"]["images"] == 500 and scores["protocol"]["resized_before"] == "no"
    assert scores["noise"]["frechet_distance"] > scores["samples"]["frechet_distance"]
    head = printed.splitlines()[0].split("  ")
    assert [word.strip() for word in head if word] == [
        "samples", "floor", "blurred", "tenth noise", "class missing", "noise",
    ]  # fmt: skip
    assert f"accuracy of the classifier: train {100 * scores['accuracy']['train']:.1f} %" in printed
    assert "reference: digits28, train split" in printed


def test_an_evaluator_that_is_not_there(tmp_path):
    (tmp_path / "digits28").mkdir()
    with pytest.raises(UserError, match="`dvc repro score_real@other` makes it; there: digits28"):
        score(tmp_path, tmp_path / "other", tmp_path / "other", torch.device("cpu"))


@pytest.mark.slow
def test_samples_of_params_yaml_are_known_by_their_checksum_and_scored_as_by_the_command(evaluator, tmp_path):
    features, beside, images = evaluator
    folder, context = save(tmp_path / "theirs", images[:, 0]), Context(torch.device("cpu"), tmp_path)
    theirs = TheirSamples(str(folder), checksum.of(folder), resize=False)
    score_theirs(features, beside, tmp_path, theirs, context)
    scores = json.loads((tmp_path / "metrics.json").read_text())
    assert scores == score(folder, features, beside, context.device)
    assert scores["samples"]["source"] == str(folder) and scores["damaged"] and scores["accuracy"]
    (folder / "0007.png").unlink()
    with pytest.raises(DataError, match=f"its sha256 is {checksum.of(folder)}, params.yaml says {theirs.sha256}"):
        score_theirs(features, beside, tmp_path, theirs, context)
    with pytest.raises(DataError, match="no such file or folder; put the samples there"):
        score_theirs(features, beside, tmp_path, TheirSamples(str(tmp_path / "x"), "", resize=False), context)

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config.data import settings_of
from pipeline.data import checksum
from pipeline.data.build import build
from pipeline.data.errors import DataError

RANDOM = np.random.default_rng(0)
BLACK = np.zeros((4, 8, 8), np.uint8)
ROOT = Path(__file__).resolve().parents[2]


def arrays(count: int, shape: tuple[int, ...], start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images that spell their own number in the first pixel."""
    images = RANDOM.integers(0, 256, (count, *shape), dtype=np.uint8)
    images.reshape(count, -1)[:, 0] = np.arange(start, start + count)
    return images, np.arange(count) % 3


@pytest.fixture
def made(checkout, tmp_path):
    """Build a set from a path in the checkout and return its arrays and card."""

    def make(path: str, source: str = "arrays", **options):
        entry = {"source": source, "path": path, "sha256": checksum.of(checkout / path)} | options
        output = tmp_path / "output"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        build("mine", output, settings_of(entry))
        card = json.loads((output / "card.json").read_text())
        return {path.stem: np.load(path) for path in output.glob("*.npy")}, card

    return make


def saved(folder: Path, **content: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for name, values in content.items():
        np.save(folder / f"{name}.npy", values)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 8), (8, 8, 3)])
def test_arrays_of_every_layout(checkout, made, shape):
    images, labels = arrays(12, shape)
    saved(checkout / "own", train_images=images, train_labels=labels, val_images=images[:4], val_labels=labels[:4],
          test_images=images[:2], test_labels=labels[:2])  # fmt: skip
    found, card = made("own")
    expected = images[:, None] if len(shape) == 2 else images.transpose(0, 3, 1, 2) if shape[2] == 3 else images
    assert np.array_equal(found["train_images"], expected) and np.array_equal(found["valid_images"], expected[:4])
    assert np.array_equal(found["train_labels"], labels) and found["train_labels"].dtype == np.int64
    assert card["counts"] == {"train": 12, "valid": 4, "test": 2} and card["classes"] == ["0", "1", "2"]
    assert card["checksums"] == {"own": f"sha256:{checksum.of(checkout / 'own')}"} and card["levels"] == 256


def test_an_npz_file_of_black_and_white_images(checkout, made):
    checkout.mkdir()
    images = RANDOM.integers(0, 2, (10, 8, 8), dtype=np.uint8)
    np.savez(checkout / "own.npz", train_images=images, test_images=images[:3])
    found, card = made("own.npz", title="Mine", licence="CC0")
    assert sorted(found) == ["test_images", "train_images"] and card["levels"] == 2 and card["classes"] is None
    assert (card["title"], card["licence"]) == ("Mine", "CC0")


def test_without_a_test_split_a_part_of_train_becomes_one(checkout, made):
    images, labels = arrays(50, (8, 8))
    saved(checkout / "own", train_images=images, train_labels=labels)
    found, card = made("own", test_share=0.3)
    numbers = [found[f"{split}_images"].reshape(-1, 64)[:, 0] for split in ("train", "test")]
    assert [len(part) for part in numbers] == [35, 15] and sorted(np.concatenate(numbers)) == list(range(50))
    assert np.array_equal(found["test_labels"], numbers[1] % 3) and numbers[1].tolist() != sorted(numbers[1])
    assert "15 images of the training split" in card["split"]
    assert np.array_equal(made("own", test_share=0.3)[0]["test_images"], found["test_images"])


def test_splits_can_be_named(checkout, made):
    images, labels = arrays(12, (8, 8))
    saved(checkout / "own", train_images=images, train_labels=labels, val_images=images[:5], val_labels=labels[:5])
    found, card = made("own", splits={"train": "train", "test": "val"})
    assert card["counts"] == {"train": 12, "test": 5} and np.array_equal(found["test_images"][:, 0], images[:5])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ({"train_images": np.zeros((4, 8, 8))}, {}, "float64; bytes"),
        ({"train_images": np.zeros((4, 8, 8, 8), np.uint8)}, {}, r"shape \(4, 8, 8, 8\)"),
        ({"train_images": np.zeros((0, 8, 8), np.uint8)}, {}, r"shape \(0, 1, 8, 8\)"),
        ({"train_images": BLACK, "train_labels": np.zeros(3, int)}, {}, "one whole number"),
        ({"train_images": BLACK, "train_labels": np.full(4, -1)}, {}, "one whole number"),
        ({"images": BLACK}, {}, "has no split train"),
        ({"train_images": BLACK}, {"splits": {"train": "trian"}}, "no split trian; it has train"),
        ({"train_images": BLACK}, {"test_share": 0.01}, "leave one split empty"),
        ({"train_images": BLACK, "test_images": BLACK[:, 1:]}, {}, "differ in shape"),
        ({"train_images": np.array([None, object()], dtype=object)}, {}, "without pickle"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(checkout, made, content, options, message):
    saved(checkout / "own", **content)
    with pytest.raises(DataError, match=message):
        made("own", **options)


def test_a_changed_file_is_noticed(checkout, made):
    saved(checkout / "own", train_images=np.zeros((20, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"its sha256 is [0-9a-f]{64}, params\.yaml says 0{64}"):
        made("own", sha256="0" * 64)


def test_a_missing_path_names_every_place_searched(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path))
    entry = {"source": "arrays", "path": "nowhere", "sha256": "0" * 64}
    with pytest.raises(DataError) as caught:
        build("mine", tmp_path, settings_of(entry))
    assert f"{tmp_path}/nowhere and {checkout}/nowhere: no such file" in str(caught.value)


def test_the_mirror_comes_before_the_checkout(checkout, made, tmp_path, monkeypatch):
    saved(checkout / "own", train_images=np.zeros((20, 8, 8), np.uint8))
    saved(tmp_path / "mirror" / "own", train_images=np.ones((20, 8, 8), np.uint8))
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path / "mirror"))
    assert made("own", sha256=checksum.of(tmp_path / "mirror" / "own"))[0]["train_images"].all()


def pictures(folder: Path, **counts: int) -> None:
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            colour = (k, 200, 0) if name == "cat" else (k, 0, 200)
            Image.new("RGB", (30, 20), colour).save(folder / name / f"{k}.png")


def test_a_folder_of_pictures(checkout, made):
    pictures(checkout / "own" / "train", dog=3, cat=4)
    pictures(checkout / "own" / "test", cat=2, dog=1)
    (checkout / "own" / "train" / "cat" / ".DS_Store").write_bytes(b"hidden")
    found, card = made("own", "folder", size=16)
    assert found["train_images"].shape == (7, 3, 16, 16) and found["test_images"].shape == (3, 3, 16, 16)
    assert card["classes"] == ["cat", "dog"] and card["counts"] == {"train": 7, "test": 3}
    assert found["train_labels"].tolist() == [0] * 4 + [1] * 3
    assert (found["train_images"][:, 1, 8, 8] == np.where(found["train_labels"] == 0, 200, 0)).all()
    assert made("own", "folder", size=8, channels=1)[0]["test_images"].shape == (3, 1, 8, 8)


def test_a_folder_with_something_else_in_it(checkout, made):
    pictures(checkout / "own" / "train", cat=2)
    (checkout / "own" / "train" / "cat" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"notes\.txt: no picture"):
        made("own", "folder", size=16)
    shutil.rmtree(checkout / "own" / "train" / "cat")
    with pytest.raises(DataError, match="own/train: no pictures"):
        made("own", "folder", size=16)


def test_the_checksum_of_a_folder_is_what_the_shell_says(tmp_path):
    for place in ("b/one", "b two", "a", "B/.hidden/x", "b-c"):
        (tmp_path / "x" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / place).write_text(place)
    listing = r"find . -type f -not -path '*/.*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    shell = subprocess.run(listing, shell=True, cwd=tmp_path / "x", capture_output=True, text=True, check=True)
    assert checksum.of(tmp_path / "x") == shell.stdout.split()[0]
    line = subprocess.run(
        [sys.executable, "-m", "pipeline.data.checksum", tmp_path / "x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert line == f'sha256: "{checksum.of(tmp_path / "x")}"\n'

import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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


def sort(found: dict[str, np.ndarray], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images of a split and their labels, in the order of the numbers that they spell."""
    images = found[f"{split}_images"]
    order = images.reshape(len(images), -1)[:, 0].argsort()
    return images[order], found[f"{split}_labels"][order]


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
    for split, count in (("train", 12), ("valid", 4)):
        for values, wanted in zip(sort(found, split), (expected[:count], labels[:count]), strict=True):
            assert np.array_equal(values, wanted)
    assert found["train_labels"].dtype == np.int64
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
    assert card["counts"] == {"train": 12, "test": 5} and np.array_equal(sort(found, "test")[0][:, 0], images[:5])


def test_images_that_are_sorted_by_class_are_mixed(checkout, made):
    """Some scores look at the first images of a split only."""
    images, labels = arrays(200, (8, 8))[0], np.arange(200) // 50
    saved(checkout / "own", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    found, card = made("own")
    for split in ("train", "test"):
        assert set(found[f"{split}_labels"][:50]) == {0, 1, 2, 3}
        assert np.array_equal(found[f"{split}_images"][:, 0, 0, 0] // 50, found[f"{split}_labels"])
    assert card["split"] == "as given, in a fixed random order"
    assert np.array_equal(made("own")[0]["test_images"], found["test_images"])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ({"train_images": np.zeros((4, 8, 8))}, {}, "float64; bytes"),
        ({"train_images": np.zeros((4, 8, 8, 8), np.uint8)}, {}, r"shape \(4, 8, 8, 8\)"),
        ({"train_images": np.zeros((0, 8, 8), np.uint8)}, {}, r"shape \(0, 1, 8, 8\)"),
        ({"train_images": BLACK, "train_labels": np.zeros(3, int)}, {}, r"int64 \(3,\); one whole number or text"),
        ({"train_images": BLACK, "train_labels": np.zeros(4)}, {}, "float64"),
        ({"train_images": BLACK, "train_labels": np.zeros((4, 1), int)}, {}, r"int64 \(4, 1\)"),
        ({"train_images": BLACK, "train_labels": np.full(4, -1)}, {}, "train_labels: -1; one whole number from 0 on"),
        ({"train_images": BLACK, "train_labels": np.array(["cat", "", "dog", "cat"])}, {}, "an empty text"),
        ({"train_images": BLACK, "train_labels": np.array(["a\nb"] * 4)}, {"test_share": 0.5}, "cannot be printed"),
        ({"train_images": BLACK, "valid_images": BLACK, "val_images": BLACK}, {}, "val_images: left over"),
        ({"train_images": BLACK, "validation_images": BLACK}, {}, "validation_images: left over"),
        ({"train_images": BLACK, "test_labels": np.zeros(4, int)}, {}, "test_labels: left over"),
        ({"train_images": BLACK, "mean": BLACK}, {"splits": {"train": "train"}}, "mean: left over"),
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
        (folder / name).mkdir(parents=True, exist_ok=True)
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
    assert sorted(found["train_labels"]) == [0] * 4 + [1] * 3
    assert (found["train_images"][:, 1, 8, 8] == np.where(found["train_labels"] == 0, 200, 0)).all()
    assert made("own", "folder", size=8, channels=1)[0]["test_images"].shape == (3, 1, 8, 8)


def test_a_folder_with_something_else_in_it(checkout, made):
    pictures(checkout / "own" / "train", cat=2)
    (checkout / "own" / "train" / "cat" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"notes\.txt: no picture"):
        made("own", "folder", size=16)
    shutil.rmtree(checkout / "own" / "train" / "cat")
    with pytest.raises(DataError, match="own: has no split train; it has none"):
        made("own", "folder", size=16)


HIDDEN = (".DS_Store", ".ipynb_checkpoints/x.png", "__MACOSX/cat/._1.png", "Thumbs.db", "desktop.ini", "._0.png")
ODD = ("loose.png", "deeper/2020/x.png", "README.md")


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.dictionaries(st.sampled_from(["ant", "b-c", "b", "Zebra", "ä"]), st.integers(1, 3), min_size=1),
    linked=st.sets(st.sampled_from(["ant", "b", "Zebra"])),
    hidden=st.sets(st.tuples(st.sampled_from(["", "train/", "train/new/"]), st.sampled_from(HIDDEN))),
    odd=st.sampled_from(["", *ODD]),
)
def test_what_is_read_is_what_is_checksummed(checkout, made, tmp_path, counts, linked, hidden, odd):
    for old in (checkout / "own", tmp_path / "elsewhere"):
        shutil.rmtree(old, ignore_errors=True)
    files = []
    for name, count in counts.items():
        folder = checkout / "own" / "train" / name
        if name in linked:
            (tmp_path / "elsewhere" / name).mkdir(parents=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(tmp_path / "elsewhere" / name)
        pictures(checkout / "own" / "train", **{name: count})
        files += [folder / f"{k}.png" for k in range(count)]
    before = checksum.of(checkout / "own")
    for place, name in hidden:
        if place != "train/new/" or name in HIDDEN[:2]:
            (checkout / "own" / place / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / "own" / place / name).write_bytes(b"no picture")
    assert checksum.of(checkout / "own") == before
    if odd:
        (checkout / "own" / "train" / odd).parent.mkdir(parents=True, exist_ok=True)
        (checkout / "own" / "train" / odd).write_bytes(files[0].read_bytes())
        with pytest.raises(DataError, match=f"train/{odd}: left over"):
            made("own", "folder", size=4)
        return
    if len(files) > 3:
        card = made("own", "folder", size=4, test_share=0.5)[1]
        assert sum(card["counts"].values()) == len(files) and card["classes"] == sorted(counts)
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content + b"x")
        assert checksum.of(checkout / "own") != before
        file.write_bytes(content)


def test_links_that_lead_nowhere_or_round_in_circles_are_named(checkout, made):
    pictures(checkout / "own" / "train", cat=2)
    (checkout / "own" / "train" / "dog").symlink_to(checkout / "nowhere")
    with pytest.raises(DataError, match="train/dog: a link that leads nowhere"):
        made("own", "folder", size=4)
    (checkout / "own" / "train" / "dog").unlink()
    (checkout / "own" / "train" / "dog").symlink_to(checkout / "own")
    with pytest.raises(DataError, match="train/dog: a link to a folder that it lies in"):
        made("own", "folder", size=4)


def test_splits_that_are_not_named_are_left_out_on_purpose(checkout, made):
    pictures(checkout / "own" / "training", cat=4)
    pictures(checkout / "own" / "extra", dog=4)
    assert made("own", "folder", size=4, test_share=0.5, splits={"train": "training"})[1]["classes"] == ["cat"]
    images, labels = arrays(12, (8, 8))
    saved(checkout / "more", train_images=images, train_labels=labels, extra_images=images, extra_labels=labels)
    with pytest.raises(DataError, match="extra_images, extra_labels: left over"):
        made("more")
    assert made("more", splits={"train": "train"}, test_share=0.25)[1]["counts"] == {"train": 9, "test": 3}


NUMBERS = st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 3), min_size=2, max_size=8)
TEXTS = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=4), min_size=2, max_size=8)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.lists(NUMBERS, min_size=2, max_size=3) | st.lists(TEXTS, min_size=2, max_size=3))
def test_classes_are_the_labels_that_occur(checkout, made, labels):
    shutil.rmtree(checkout / "own", ignore_errors=True)
    splits = dict(zip(("train", "test", "valid"), map(np.array, labels), strict=False))
    images = {f"{split}_images": np.zeros((len(part), 4, 4), np.uint8) for split, part in splits.items()}
    saved(checkout / "own", **images, **{f"{split}_labels": part for split, part in splits.items()})
    found, card = made("own")
    assert card["classes"] == [str(value) for value in sorted({value for part in labels for value in part})]
    for split, part in splits.items():
        assert sorted(card["classes"][k] for k in found[f"{split}_labels"]) == sorted(map(str, part.tolist()))


def test_labels_of_one_kind_in_all_splits(checkout, made):
    own = {"train_images": BLACK, "train_labels": np.arange(4), "test_images": BLACK}
    for labels, message in ({"test_labels": np.array(["a"] * 4)}, "those of another are texts"), ({}, "has none"):
        shutil.rmtree(checkout / "own", ignore_errors=True)
        saved(checkout / "own", **own, **labels)
        with pytest.raises(DataError, match=message):
            made("own")


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


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.arange(31) % 2, ""),
        (np.arange(30) % 2, "30 test images of 2 classes; a t-SNE map"),
        (np.zeros(31, int), "31 test images of 1 classes"),
        (np.arange(31), "31 test images of 31 classes"),
        (None, "has no labels; a t-SNE map"),
    ],
)
def test_images_too_few_for_the_map_of_an_autoencoder_are_refused_here(checkout, tmp_path, labels, sentence):
    images, _ = arrays(31, (8, 8))
    known = {} if labels is None else {"train_labels": np.arange(31) % 2, "test_labels": labels}
    saved(checkout / "own", train_images=images, test_images=images[: 31 if labels is None else len(labels)], **known)
    making = settings_of({"source": "arrays", "path": "own", "sha256": checksum.of(checkout / "own")})
    build("mine", tmp_path, making)  # nobody maps them
    mapped = replace(making, own=replace(making.own, mapped=("vae.runs.one",)))
    with pytest.raises(DataError, match=f"vae.runs.one: data set mine .*{sentence}") if sentence else nullcontext():
        build("mine", tmp_path, mapped)

"""The published sets, read from small files of the same format that stand in a mirror with their own checksums."""

import gzip
import io
import json
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.data import official
from pipeline.data.build import build
from pipeline.data.errors import DataError
from pipeline.data.registry import EMBEDDED, OFFICIAL
from pipeline.data.settings import Making

RANDOM = np.random.default_rng(0)


@pytest.fixture
def mirror(tmp_path, monkeypatch, md5):
    """Put files into a mirror and register their checksums in the place of the official ones."""
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path))

    def put(name: str, contents: dict[str, bytes]) -> Path:
        source, folder = OFFICIAL[name], tmp_path / OFFICIAL[name].folder

        def registered(file):
            checksum = md5(contents[file.name]) if file.name in contents else file.checksum
            return replace(file, checksum=checksum, members=tuple(map(registered, file.members)))

        for place, content in contents.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(content)
        files = tuple(map(registered, source.files))
        monkeypatch.setitem(official.OFFICIAL, name, replace(source, files=files))
        return folder

    return put


def packed(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def jpeg(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def idx(values: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, values.ndim])
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.astype(np.uint8).tobytes()
    )


@pytest.mark.parametrize("pack", [True, False], ids=["archives", "members"])
def test_mnist_is_split_55000_5000_10000(mirror, pack):
    number = np.arange(60000, dtype="<u4").view(np.uint8).reshape(60000, 2, 2)  # each image spells its number
    plain = {
        "train-images-idx3-ubyte": idx(number),
        "train-labels-idx1-ubyte": idx(np.arange(60000) % 10),
        "t10k-images-idx3-ubyte": idx(number[:10000]),
        "t10k-labels-idx1-ubyte": idx(np.arange(10000) % 10),
    }
    mirror("mnist", {f"{name}.gz": gzip.compress(content, 1) for name, content in plain.items()} if pack else plain)
    _, splits = official.read("mnist")
    assert {name: len(part) for name, part in splits.items()} == {"train": 55000, "valid": 5000, "test": 10000}
    numbers = {
        name: np.ascontiguousarray(part.images).reshape(-1, 4).view("<u4").ravel() for name, part in splits.items()
    }
    assert np.array_equal(np.sort(np.concatenate([numbers["train"], numbers["valid"]])), np.arange(60000))
    assert np.array_equal(numbers["test"], np.arange(10000))
    for name, part in splits.items():
        assert np.array_equal(part.labels, numbers[name] % 10)


def test_binarized_mnist(mirror):
    bits = {split: RANDOM.integers(0, 2, (count, 784)) for split, count in (("train", 5), ("valid", 3), ("test", 2))}
    lines = {split: "".join(" ".join(map(str, line)) + "\n" for line in part) for split, part in bits.items()}
    mirror("binarized_mnist", {f"binarized_mnist_{split}.amat": text.encode() for split, text in lines.items()})
    source, splits = official.read("binarized_mnist")
    assert source.levels == 2
    for split, part in bits.items():
        assert np.array_equal(splits[split].images, part.reshape(-1, 1, 28, 28)) and splits[split].labels is None


def test_svhn(mirror):
    files = {}
    for name, count in (("train_32x32.mat", 4), ("test_32x32.mat", 3)):
        buffer = io.BytesIO()
        savemat(
            buffer, {"X": RANDOM.integers(0, 256, (32, 32, 3, count), dtype=np.uint8), "y": np.full((count, 1), 10)}
        )
        files[name] = buffer.getvalue()
    mirror("svhn", files)
    _, splits = official.read("svhn")
    assert {name: part.images.shape for name, part in splits.items()} == {
        "train": (4, 3, 32, 32),
        "test": (3, 3, 32, 32),
    }
    assert not splits["train"].labels.any()


@pytest.mark.parametrize("form", ["archive", "members"])
def test_cifar10(mirror, cifar_pickle, form):
    [archive] = OFFICIAL["cifar10"].files
    images = RANDOM.integers(0, 256, (6, 2, 3, 32, 32), dtype=np.uint8)
    members = {member.name: cifar_pickle(images[k], [k, k]) for k, member in enumerate(archive.members)}
    others = {"cifar-10-batches-py/readme.html": b"", "cifar-10-batches-py/batches.meta": b"never unpickled"}
    mirror("cifar10", {archive.name: packed({**others, **members})} if form == "archive" else members)
    _, splits = official.read("cifar10")
    assert np.array_equal(splits["train"].images, images[:5].reshape(10, 3, 32, 32))
    assert splits["train"].labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert np.array_equal(splits["test"].images, images[5]) and splits["test"].labels.tolist() == [5, 5]


def test_an_archive_without_a_member_is_named(mirror):
    mirror("cifar10", {"cifar-10-python.tar.gz": packed({"cifar-10-batches-py/data_batch_1": b""})})
    with pytest.raises(DataError, match="holds no cifar-10-batches-py/data_batch_2"):
        official.read("cifar10")


def test_cub200_leaves_out_the_grey_pictures(mirror):
    pictures = {
        "002.Laysan_Albatross/Laysan_Albatross_0001_545.jpg": jpeg(50, 30, (200, 0, 0)),
        "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg": jpeg(60, 90, (0, 200, 0)),
        "087.Mallard/Mallard_0130_76836.jpg": jpeg(40, 40, (9, 9, 9)),
    }
    content = {f"CUB_200_2011/images/{name}": data for name, data in pictures.items()} | {
        "attributes.txt": b"",
        "CUB_200_2011/README": b"",
    }
    mirror("cub200", {"CUB_200_2011.tgz": packed(content)})
    source, splits = official.read("cub200")
    assert source.classes == ("Black footed Albatross", "Laysan Albatross")
    assert splits["train"].labels.tolist() == [0, 1] and list(splits) == ["train"]
    assert splits["train"].images.shape == (2, 3, 32, 32)
    assert splits["train"].images.argmax(1)[:, 16, 16].tolist() == [1, 0]


def test_cub200_names_eight_grey_pictures():
    assert len(set(official.CUB_GREY)) == 8


def test_imagenette(mirror):
    content = {
        "imagenette2-160/train/n03888257/a.JPEG": jpeg(160, 200, (200, 0, 0)),
        "imagenette2-160/train/n01440764/b.JPEG": jpeg(160, 200, (0, 200, 0)),
        "imagenette2-160/val/n02102040/c.JPEG": jpeg(220, 160, (0, 0, 200)),
        "imagenette2-160/noisy_imagenette.csv": b"",
    }
    mirror("imagenette", {"imagenette2-160.tgz": packed(content)})
    source, splits = official.read("imagenette")
    assert [source.classes[label] for label in splits["train"].labels] == ["tench", "parachute"]
    assert [source.classes[label] for label in splits["test"].labels] == ["English springer"]
    assert splits["train"].images.argmax(1)[:, 16, 16].tolist() == [1, 0] and splits["test"].images.shape == (
        1,
        3,
        32,
        32,
    )


def test_a_built_set_has_its_card_and_the_same_bytes_each_time(mirror, tmp_path):
    bits = np.zeros((3, 784), int)
    bits[:, 5] = 1
    text = "".join(" ".join(map(str, line)) + "\n" for line in bits).encode()
    mirror("binarized_mnist", {f"binarized_mnist_{split}.amat": text for split in ("train", "valid", "test")})
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        build("digits_of_mine", tmp_path / place, Making("binarized_mnist"))
    card = json.loads((tmp_path / "one" / "card.json").read_text())
    assert card["name"] == "digits_of_mine" and card["source"] == "binarized_mnist" and card["levels"] == 2
    assert card["counts"] == {"train": 3, "valid": 3, "test": 3} and card["shape"] == [1, 28, 28]
    assert set(card["checksums"]) == {f"binarized_mnist_{split}.amat" for split in ("train", "valid", "test")}
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["card.json", "test_images.npy", "train_images.npy", "valid_images.npy"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_every_set_of_the_registry_is_described():
    for name, source in {**OFFICIAL, **EMBEDDED}.items():
        assert source.title and source.licence and source.citation and source.url and source.split, name
    for source in OFFICIAL.values():
        for file in source.files:
            assert file.url.endswith(file.name) and file.url.startswith("http")
            for each in (file, *file.members):
                algorithm, checksum = each.checksum.split(":")
                assert len(checksum) == {"md5": 32, "sha256": 64}[algorithm] and int(checksum, 16)


@pytest.mark.slow
def test_the_checksums_that_torchvision_knows_too():
    from torchvision.datasets import CIFAR10, MNIST, SVHN, Imagenette

    known = dict(MNIST.resources) | {CIFAR10.filename: CIFAR10.tgz_md5}
    known |= {f"{CIFAR10.base_folder}/{name}": md5 for name, md5 in CIFAR10.train_list + CIFAR10.test_list}
    known |= {name: md5 for _, name, md5 in SVHN.split_list.values()}
    known |= {url.rpartition("/")[2]: md5 for url, md5 in Imagenette._ARCHIVES.values()}
    files = [file for source in OFFICIAL.values() for packed in source.files for file in (packed, *packed.members)]
    compared = [file for file in files if file.name in known]
    assert len(compared) == 4 + 1 + 6 + 2 + 1
    assert all(file.checksum == f"md5:{known[file.name]}" for file in compared)

"""The published data sets: fetched, verified, read and split as the reports did."""

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from pipeline.data import archive, readers
from pipeline.data.download import fetch
from pipeline.data.errors import DataError
from pipeline.data.registry import OFFICIAL, File, Source
from pipeline.data.splits import Split, Splits, parted, shuffled
from pipeline.runtime.progress import bar

CUB_GREY = (
    "Mallard_0130_76836", "Brewer_Blackbird_0028_2682", "Clark_Nutcracker_0020_85099",
    "Ivory_Gull_0040_49180", "Pelagic_Cormorant_0022_23802", "Western_Gull_0002_54825",
    "Ivory_Gull_0085_49456", "White_Necked_Raven_0070_102645",
)  # fmt: skip
"""The eight grey pictures of CUB-200-2011, left out."""

IMAGENETTE = (
    "n01440764", "n02102040", "n02979186", "n03000684", "n03028079",
    "n03394916", "n03417042", "n03425413", "n03445777", "n03888257",
)  # fmt: skip
"""Folders of Imagenette's classes, in the order of their names in the registry."""


def read(name: str) -> tuple[Source, Splits]:
    """Return what is known about a published data set, and its splits.

    Raises:
        DataError: If it cannot be had or is not the official one.
    """
    source = OFFICIAL[name]
    match name:
        case "mnist":
            return source, _mnist(source)
        case "binarized_mnist":
            return source, _binarized_mnist(source)
        case "svhn":
            return source, _svhn(source)
        case "cifar10":
            return source, _cifar10(source)
        case "cub200":
            return _cub200(source)
        case "imagenette":
            return source, _imagenette(source)
    raise KeyError(name)


def _mnist(source: Source) -> Splits:
    content = [readers.idx(fetch(source.folder, file)[0]) for file in source.files]
    train, test = (Split(images[:, None], labels.astype(np.int64)) for images, labels in (content[:2], content[2:]))
    return {**parted(train, {"train": 55000, "valid": 5000}, seed=0), "test": test}


def _binarized_mnist(source: Source) -> Splits:
    lines = [readers.amat(fetch(source.folder, file)[0]) for file in source.files]
    return {
        split: Split(pixels.reshape(-1, 1, 28, 28))
        for split, pixels in zip(("train", "valid", "test"), lines, strict=True)
    }


def _svhn(source: Source) -> Splits:
    train, test = (Split(*readers.svhn(fetch(source.folder, file)[0])) for file in source.files)
    return {"train": train, "test": test}


def _cifar10(source: Source) -> Splits:
    [packed] = source.files
    content = _members(source, packed)
    batches = [readers.cifar_batch(content[member.name], member.name) for member in packed.members]
    images, labels = (list(part) for part in zip(*batches, strict=True))
    train = Split(np.concatenate(images[:-1]), np.concatenate(labels[:-1]))
    return {"train": train, "test": Split(images[-1], labels[-1])}


def _members(source: Source, packed: File) -> dict[str, bytes]:
    """Return the registered members of an archive, by name, from it or from what lies extracted in its place."""
    names = [member.name for member in packed.members]
    paths = fetch(source.folder, packed)
    if paths[0].name != packed.name:
        return {name: path.read_bytes() for name, path in zip(names, paths, strict=True)}
    content = dict(archive.members(paths[0], names.__contains__))
    if missing := set(names) - set(content):
        raise DataError(f"{paths[0]}: holds no {', '.join(sorted(missing))}.")
    return content


def _cub200(source: Source) -> tuple[Source, Splits]:
    [packed] = source.files
    [path] = fetch(source.folder, packed)
    pictures: dict[tuple[str, str], readers.Bytes] = {}
    with bar(None, "CUB-200-2011 to 32x32", "image") as progress:
        for name, content in archive.members(path, lambda name: name.startswith("CUB_200_2011/images/")):
            place = PurePosixPath(name)
            if place.stem not in CUB_GREY:
                key = (place.parent.name, place.name)
                pictures[key] = readers.picture(content, name, 32, crop=False, jpeg=True)
                progress.update()
    folders = sorted({folder for folder, _ in pictures})  # 001.Black_footed_Albatross
    order = sorted(pictures)
    images = np.stack([pictures[key] for key in order])
    labels = np.array([folders.index(folder) for folder, _ in order], dtype=np.int64)
    classes = tuple(folder.split(".", 1)[-1].replace("_", " ") for folder in folders)
    return replace(source, classes=classes), shuffled({"train": Split(images, labels)})


def _imagenette(source: Source) -> Splits:
    [packed] = source.files
    [path] = fetch(source.folder, packed)
    pictures: dict[str, dict[tuple[int, str], readers.Bytes]] = {"train": {}, "val": {}}
    with bar(None, "Imagenette to 32x32", "image") as progress:
        for name, content in archive.members(path, lambda name: name.endswith(".JPEG")):
            _, split, folder, file = PurePosixPath(name).parts
            pictures[split][IMAGENETTE.index(folder), file] = readers.picture(content, name, 32, crop=True)
            progress.update()
    train, test = (
        Split(
            np.stack([found[key] for key in sorted(found)]), np.array([label for label, _ in sorted(found)], np.int64)
        )
        for found in (pictures["train"], pictures["val"])
    )
    return shuffled({"train": train, "test": test})

"""A user's own data set: arrays or folders of pictures, by path and checksum."""

import io
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.data import checksum, readers
from pipeline.data.download import mirror_folder
from pipeline.data.errors import DataError
from pipeline.data.registry import File, Source
from pipeline.data.settings import Own, Pictures
from pipeline.data.splits import Split, Splits, parted
from pipeline.runtime.paths import main_checkout
from pipeline.runtime.progress import bar

NAMES = {"train": ("train",), "valid": ("valid", "val"), "test": ("test",)}
"""Names under which a split is searched for where the entry of params.yaml does not say."""


def arrays(own: Own) -> tuple[Source, Splits]:
    """Read `<split>_images` and `<split>_labels` from a folder of .npy files or from one .npz file.

    Args:
        own: What the user says of the data. A relative path is searched for in `DATA_MIRROR`, then in the checkout.

    Raises:
        DataError: If something is missing, of the wrong kind or of another checksum.
    """
    place = _verified(own)
    found = _arrays(place)
    images = {key.removesuffix("_images"): value for key, value in found.items() if key.endswith("_images")}
    read = {
        ours: Split(_pixels(images[theirs], f"{place}: {theirs}_images"), _labels(found, theirs, place))
        for ours, theirs in _chosen(place, set(images), own.splits).items()
    }
    if {part.images.shape[1:] for part in read.values()} != {read["train"].images.shape[1:]}:
        raise DataError(f"{place}: the images of its splits differ in shape.")
    if len({part.labels is None for part in read.values()}) > 1:
        raise DataError(f"{place}: one of its splits has labels and another has none.")
    read, how = _with_test(read, own.test_share)
    labels = [part.labels for part in read.values() if part.labels is not None]
    classes = tuple(str(label) for label in range(max(int(part.max()) for part in labels) + 1)) if labels else ()
    levels = 2 if max(int(part.images.max()) for part in read.values()) <= 1 else 256
    return _source(place, own, how, classes, levels), read


def folder(own: Own, pictures: Pictures) -> tuple[Source, Splits]:
    """Read `<split>/<class>/<picture>`: the centre square of each picture, scaled by PIL's bicubic filter.

    Args:
        own: What the user says of the data, as for `arrays`.
        pictures: Size and channels of the images.

    Raises:
        DataError: If something is missing, no picture or of another checksum.
    """
    place = _verified(own)
    chosen = _chosen(place, {entry.name for entry in place.iterdir() if entry.is_dir()}, own.splits)
    files = {ours: _pictures(place / theirs) for ours, theirs in chosen.items()}
    classes = sorted({file.parent.name for part in files.values() for file in part})
    read: Splits = {}
    with bar(sum(map(len, files.values())), place.name, "image") as progress:
        for name, part in files.items():
            images = np.empty((len(part), pictures.channels, pictures.size, pictures.size), np.uint8)
            for k, file in enumerate(part):
                content = file.read_bytes()
                images[k] = readers.picture(content, str(file), pictures.size, crop=True, channels=pictures.channels)
                progress.update()
            read[name] = Split(images, np.array([classes.index(file.parent.name) for file in part], np.int64))
    read, how = _with_test(read, own.test_share)
    return _source(place, own, how, tuple(classes), 256), read


def _verified(own: Own) -> Path:
    mirror = os.environ.get("DATA_MIRROR", "")
    roots = [main_checkout()] if not mirror or "://" in mirror else [mirror_folder(mirror), main_checkout()]
    places = [root / own.path for root in roots]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise DataError(
            f"{' and '.join(map(str, places))}: no such file or folder; put the data there or correct `path`."
        )
    if (found := checksum.of(place)) != own.sha256:
        raise DataError(
            f"{place}: its sha256 is {found}, params.yaml says {own.sha256}. If the data have changed on"
            " purpose, put the new one there (`python -m pipeline.data.checksum` prints it)."
        )
    return place


def _arrays(place: Path) -> dict[str, NDArray[np.generic]]:
    try:
        if place.is_dir():
            return {file.stem: np.load(file, allow_pickle=False) for file in sorted(place.glob("*.npy"))}
        content = np.load(io.BytesIO(place.read_bytes()), allow_pickle=False)
        if isinstance(content, np.lib.npyio.NpzFile):
            with content:
                return {name: content[name] for name in content.files}
    except (ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{place}: no arrays that can be read without pickle ({error}).") from error
    raise DataError(f"{place}: one array; a folder of .npy files or an .npz file with train_images is needed.")


def _chosen(place: Path, found: set[str], splits: dict[str, str] | None) -> dict[str, str]:
    """Return our names of the splits to use with theirs, `train` first."""
    if splits is None:
        present = {ours: [name for name in names if name in found] for ours, names in NAMES.items()}
        splits = {ours: names[0] for ours, names in present.items() if names}
    if missing := set(splits.values()) - found:
        raise DataError(
            f"{place}: has no split {', '.join(sorted(missing))}; it has {', '.join(sorted(found)) or 'none'}."
        )
    if "train" not in splits:
        raise DataError(f"{place}: has no split train; it has {', '.join(sorted(found)) or 'none'}.")
    return {ours: splits[ours] for ours in NAMES if ours in splits}


def _pixels(images: NDArray[np.generic], what: str) -> readers.Bytes:
    """Return images `(n, h, w)`, `(n, c, h, w)` or `(n, h, w, c)` with 1 or 3 channels as `(n, c, h, w)`."""
    if images.dtype != np.uint8:
        raise DataError(f"{what}: {images.dtype}; bytes (uint8) 0..255, or 0 and 1 for black and white, are needed.")
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise DataError(
            f"{what}: shape {images.shape}; (n, h, w), (n, c, h, w) or (n, h, w, c) with 1 or 3 channels is needed."
        )
    return images.astype(np.uint8, copy=False)


def _labels(found: dict[str, NDArray[np.generic]], split: str, place: Path) -> NDArray[np.int64] | None:
    labels, what = found.get(f"{split}_labels"), f"{place}: {split}_labels"
    if labels is None:
        return None
    if (
        not np.issubdtype(labels.dtype, np.integer)
        or labels.shape != (len(found[f"{split}_images"]),)
        or labels.min() < 0
    ):
        raise DataError(f"{what}: {labels.dtype} {labels.shape}; one whole number from 0 on per image is needed.")
    return labels.astype(np.int64)


def _pictures(place: Path) -> list[Path]:
    files = sorted(file for file in place.glob("*/*") if file.is_file() and not file.name.startswith("."))
    if not files:
        raise DataError(f"{place}: no pictures; one folder per class with pictures in it is needed.")
    return files


def _with_test(read: Splits, share: float) -> tuple[Splits, str]:
    """Split a test part off the training split where there is none; say how the splits came about."""
    if "test" in read:
        return read, "as given"
    whole = read["train"]
    count = round(share * len(whole))
    if not 0 < count < len(whole):
        raise DataError(f"{len(whole)} images and a test_share of {share} leave one split empty.")
    parts = parted(whole, {"train": len(whole) - count, "test": count}, seed=0)
    how = f"test: {count:,} images of the training split, taken in a fixed random order; the rest as given"
    return {**read, **parts}, how


def _source(place: Path, own: Own, split: str, classes: tuple[str, ...], levels: int) -> Source:
    files = (File(place.name, f"sha256:{own.sha256}"),)
    return Source(own.title, own.licence, "-", "-", split, classes, levels, files=files)

"""A user's own data set: arrays or folders of pictures, by path and checksum."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.data import checksum, readers
from pipeline.data.download import mirror_folder
from pipeline.data.errors import DataError
from pipeline.data.registry import File, Source
from pipeline.data.settings import Own, Pictures
from pipeline.data.splits import Split, Splits, parted, shuffled
from pipeline.runtime.paths import main_checkout
from pipeline.runtime.progress import bar

NAMES = {"train": ("train",), "valid": ("valid", "val"), "test": ("test",)}
"""Names under which a split is searched for where the entry of params.yaml does not say."""


def arrays(own: Own) -> tuple[Source, Splits]:
    """Read `<split>_images` and `<split>_labels` from a folder of .npy files or from one .npz file.

    The classes are the values that occur among the labels of all splits, whole numbers or texts, in their order.

    Args:
        own: What the user says of the data. A relative path is searched for in `DATA_MIRROR`, then in the checkout.

    Raises:
        DataError: If something is missing, left over, of the wrong kind or of another checksum.
    """
    place = verified(own)
    found = _arrays(place)
    splits = _chosen(place, {name.removesuffix("_images") for name in found if name.endswith("_images")}, own.splits)
    stems = {name.removesuffix("_images").removesuffix("_labels") for name in found}
    known = {f"{split}_{what}" for split in _known(splits, stems, own) for what in ("images", "labels")}
    _nothing_left(place, sorted(set(found) - known), "arrays <split>_images and <split>_labels")
    images = {ours: _pixels(found[f"{theirs}_images"], f"{place}: {theirs}_images") for ours, theirs in splits.items()}
    if {part.shape[1:] for part in images.values()} != {images["train"].shape[1:]}:
        raise DataError(f"{place}: the images of its splits differ in shape.")
    labels, classes = _numbered({ours: _labels(found, theirs, place) for ours, theirs in splits.items()}, place)
    levels = 2 if max(int(part.max()) for part in images.values()) <= 1 else 256
    given = {split: Split(part, labels.get(split)) for split, part in images.items()}
    read, how = _ordered(given, own.test_share)
    return _source(place, own, how, classes, levels), read


def folder(own: Own, pictures: Pictures) -> tuple[Source, Splits]:
    """Read `<split>/<class>/<picture>`: the centre square of each picture, scaled by PIL's bicubic filter.

    Args:
        own: What the user says of the data, as for `arrays`.
        pictures: Size and channels of the images.

    Raises:
        DataError: If something is missing, left over, no picture or of another checksum.
    """
    place = verified(own)
    if not place.is_dir():
        raise DataError(f"{place}: a file; a folder of pictures, <split>/<class>/<picture>, is needed.")
    listed = checksum.listing(place)
    splits = _chosen(place, {file.parts[0] for file in listed if len(file.parts) > 1}, own.splits)
    known = _known(splits, {file.parts[0] for file in listed}, own)
    odd = [str(file) for file in listed if len(file.parts) != 3 or file.parts[0] not in known]
    _nothing_left(place, odd, "pictures <split>/<class>/<picture>")
    files = {ours: sorted(file for file in listed if file.parts[0] == theirs) for ours, theirs in splits.items()}
    classes = sorted({file.parts[1] for part in files.values() for file in part})
    read: Splits = {}
    with bar(sum(map(len, files.values())), place.name, "image") as progress:
        for name, part in files.items():
            images = np.empty((len(part), pictures.channels, pictures.size, pictures.size), np.uint8)
            for k, path in enumerate(place / file for file in part):
                images[k] = readers.picture(
                    path.read_bytes(), str(path), pictures.size, crop=True, channels=pictures.channels, upright=True
                )
                progress.update()
            read[name] = Split(images, np.array([classes.index(file.parts[1]) for file in part], np.int64))
    read, how = _ordered(read, own.test_share)
    return _source(place, own, how, tuple(classes), 256), read


def verified(own: Own) -> Path:
    """Return where one's own data lie, in the mirror or the checkout, once their checksum is that of `params.yaml`.

    Args:
        own: The entry of `params.yaml`.

    Raises:
        DataError: If there is no such file or folder, or its checksum is another.
    """
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
            files = checksum.listing(place)
            _nothing_left(place, [str(file) for file in files if file != Path(f"{file.stem}.npy")], "files *.npy")
            return {file.stem: np.load(place / file, allow_pickle=False) for file in files}
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


def _known(splits: dict[str, str], found: set[str], own: Own) -> set[str]:
    """Return their splits that are read, and of those `found` what the user leaves out by naming others."""
    return {*splits.values(), *(found if own.splits else ())}


def _nothing_left(place: Path, odd: Sequence[str], read: str) -> None:
    """Refuse `odd`, what lies in the data and would not be read."""
    if odd:
        shown = ", ".join(odd[:3]) + (f" and {len(odd) - 3:,} more" if len(odd) > 3 else "")
        raise DataError(
            f"{place}: {shown}: left over. Only {read} are read, of the splits train, valid or val, and test, or of"
            " those that `splits` names in params.yaml; move or remove the rest."
        )


def _labels(found: dict[str, NDArray[np.generic]], split: str, place: Path) -> NDArray[np.generic] | None:
    labels, what = found.get(f"{split}_labels"), f"{place}: {split}_labels"
    if labels is None:
        return None
    if labels.dtype.kind not in "iuU" or labels.shape != (len(found[f"{split}_images"]),):
        raise DataError(f"{what}: {labels.dtype} {labels.shape}; one whole number or text per image is needed.")
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise DataError(f"{what}: {labels.min()}; one whole number from 0 on per image is needed.")
    if labels.dtype.kind == "U" and (labels == "").any():
        raise DataError(f"{what}: an empty text; the name of a class is needed for every image.")
    return labels


def _numbered(
    labels: dict[str, NDArray[np.generic] | None], place: Path
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Number the values that occur among all labels from 0 on, in their order; return also their names."""
    given = {split: part for split, part in labels.items() if part is not None}
    if given and len(given) < len(labels):
        raise DataError(f"{place}: one of its splits has labels and another has none.")
    if len({part.dtype.kind == "U" for part in given.values()}) > 1:
        raise DataError(f"{place}: the labels of one of its splits are numbers, those of another are texts.")
    occurring = {split: np.unique(part, return_inverse=True) for split, part in given.items()}
    values = sorted({value for found, _ in occurring.values() for value in found.tolist()})
    number = {value: k for k, value in enumerate(values)}
    numbered = {
        split: np.array([number[value] for value in found.tolist()], np.int64)[where]
        for split, (found, where) in occurring.items()
    }
    return numbered, tuple(map(str, values))


def _ordered(given: Splits, share: float) -> tuple[Splits, str]:
    """Put splits in a fixed random order, a test part split off where there is none; say how they came about."""
    read = shuffled(given)
    if "test" in read:
        return read, "as given, in a fixed random order"
    whole = read["train"]
    count = round(share * len(whole))
    if not 0 < count < len(whole):
        raise DataError(f"{len(whole)} images and a test_share of {share} leave one split empty.")
    parts = parted(whole, {"train": len(whole) - count, "test": count}, seed=0)
    how = f"test: {count:,} images of the training split, taken in a fixed random order"
    return {**read, **parts}, how


def _source(place: Path, own: Own, split: str, classes: tuple[str, ...], levels: int) -> Source:
    if odd := [name for name in classes if not name.isprintable()]:
        raise DataError(f"{place}: the name of the class {odd[0]!r} holds what cannot be printed; rename it.")
    files = (File(place.name, f"sha256:{own.sha256}"),)
    return Source(own.title, own.licence, "-", "-", split, classes, levels, files=files)

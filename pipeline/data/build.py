"""Make one data set folder: arrays of bytes per split, and a card that says what they are."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data import digits, official, own, selection, shapes
from pipeline.data.download import disk_errors
from pipeline.data.errors import DataError
from pipeline.data.registry import EMBEDDED, OFFICIAL, Source
from pipeline.data.splits import Splits

_EMBEDDED: dict[str, Callable[..., Splits]] = {
    "digits28": digits.digits28,
    "digits16": digits.digits16,
    "binarized_digits28": digits.binarized_digits28,
    "street_digits32": digits.street_digits32,
    "street_digits16": digits.street_digits16,
    "shapes32": shapes.shapes32,
}
_OWN: dict[str, Callable[..., tuple[Source, Splits]]] = {"arrays": own.arrays, "folder": own.folder}


def build(name: str, output: Path, *, source: str, classes: Sequence[str] | None = None, **options: Any) -> None:
    """Write the data set `name` into the folder `output`: `<split>_images.npy`, `<split>_labels.npy`, `card.json`.

    Args:
        name: what the set is called in params.yaml.
        output: an existing folder.
        source: a name of the registry, or `arrays` or `folder` for a user's own data.
        classes: names of the classes to keep, in the order of their labels; `None` keeps all.
        options: what the source can be told; see `pipeline.config.data`.

    Raises:
        DataError: if the data cannot be had, are not what they should be, or cannot be stored.
    """
    with disk_errors(f"data set {name} cannot be read"):
        origin, splits = _read(source, options)
    if classes is not None:
        origin, splits = selection.of_classes(name, origin, splits, classes)
    with disk_errors(f"data set {name} cannot be stored"):
        for split, part in splits.items():
            np.save(output / f"{split}_images.npy", np.ascontiguousarray(part.images))
            if part.labels is not None:
                np.save(output / f"{split}_labels.npy", part.labels)
        card = json.dumps(_card(name, source, origin, splits), indent=2, ensure_ascii=False)
        (output / "card.json").write_text(card + "\n", encoding="utf-8")


def _read(source: str, options: dict[str, Any]) -> tuple[Source, Splits]:
    if source in OFFICIAL:
        return official.read(source, **options)
    if source in EMBEDDED:
        return EMBEDDED[source], _EMBEDDED[source](**options)
    if source in _OWN:
        return _OWN[source](**options)
    raise DataError(f"{source}: no such source of data; there are {', '.join([*OFFICIAL, *EMBEDDED, *_OWN])}.")


def _card(name: str, source: str, origin: Source, splits: Splits) -> dict[str, Any]:
    return {
        "name": name,
        "source": source,
        "title": origin.title,
        "licence": origin.licence,
        "citation": origin.citation,
        "url": origin.url,
        "checksums": {file.name: file.checksum for file in origin.files},
        "counts": {split: len(part) for split, part in splits.items()},
        "shape": list(next(iter(splits.values())).images.shape[1:]),
        "levels": origin.levels,
        "classes": list(origin.classes) or None,
        "split": origin.split,
        "note": origin.note,
    }

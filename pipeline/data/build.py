"""Make one data set folder: arrays of bytes per split, and a card that says what they are."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data import digits, official, own, selection, shapes
from pipeline.data.download import disk_errors
from pipeline.data.errors import DataError
from pipeline.data.registry import EMBEDDED, OFFICIAL, Source
from pipeline.data.settings import Making
from pipeline.data.splits import Splits
from pipeline.metrics import mappable

_EMBEDDED: dict[str, Callable[..., Splits]] = {
    "digits28": digits.digits28,
    "digits16": digits.digits16,
    "binarized_digits28": digits.binarized_digits28,
    "street_digits32": digits.street_digits32,
    "street_digits16": digits.street_digits16,
    "shapes32": shapes.shapes32,
}

LEAST = 2
"""Images of a split: one has no standard deviation and no distance to another."""


def build(name: str, output: Path, settings: Making) -> None:
    """Write the data set `name` into the folder `output`: `<split>_images.npy`, `<split>_labels.npy`, `card.json`.

    Args:
        name: What the set is called in params.yaml.
        output: An existing folder.
        settings: Where the data come from.

    Raises:
        DataError: If the data cannot be had, are not what they should be, are too few for the map of an autoencoder
            that reads them, or cannot be stored.
    """
    with disk_errors(f"data set {name} cannot be read"):
        origin, splits = _read(settings)
    if settings.classes is not None:
        origin, splits = selection.of_classes(name, origin, splits, settings.classes)
    for split, part in splits.items():
        if len(part) < LEAST:
            raise DataError(f"data set {name}: its split {split} has {len(part)} image; at least {LEAST} are needed.")
    if settings.own and settings.own.mapped and (reason := mappable.refusal(splits["test"].labels)):
        raise DataError(f"{', '.join(settings.own.mapped)}: data set {name} {reason}")
    with disk_errors(f"data set {name} cannot be stored"):
        for split, part in splits.items():
            np.save(output / f"{split}_images.npy", np.ascontiguousarray(part.images))
            if part.labels is not None:
                np.save(output / f"{split}_labels.npy", part.labels)
        card = json.dumps(_card(name, settings.source, origin, splits), indent=2, ensure_ascii=False)
        (output / "card.json").write_text(card + "\n", encoding="utf-8")


def _read(settings: Making) -> tuple[Source, Splits]:
    source = settings.source
    if source in OFFICIAL:
        return official.read(source)
    if source in EMBEDDED:
        return EMBEDDED[source], _EMBEDDED[source](**asdict(settings.rendered) if settings.rendered else {})
    if settings.own:
        return own.folder(settings.own, settings.pictures) if settings.pictures else own.arrays(settings.own)
    known = ", ".join([*OFFICIAL, *EMBEDDED])
    raise DataError(f"{source}: no such source of data; there are {known}, and your own arrays or folder of pictures.")


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

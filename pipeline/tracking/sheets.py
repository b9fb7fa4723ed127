"""Sheets of a run's pictures, which MLflow shows beside those of other runs."""

from collections.abc import Iterator
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.tracking import records
from pipeline.tracking.records import Record

PICTURES = {"score_gan": ("samples",), "likelihood": ("samples", "reconstructions")}
"""Arrays of images that scoring stages store, by stage; those of every snapshot where there are several."""

SIDE = 512  # pixels of a sheet, about


def sheets(record: Record) -> Iterator[tuple[str, int, Image.Image]]:
    """Yield the name of each sheet, the step of training that it shows (0 where it is the end), and the sheet."""
    for name in PICTURES.get(record.plan.stage, ()):
        file = record.output / f"{name}.npy"
        if file.is_file():
            images = np.load(file, allow_pickle=False)
            snapshots = images if images.ndim == 5 else images[None]
            for step, batch in zip(_steps(record, len(snapshots)), snapshots, strict=True):
                yield name, step, sheet(batch)


def _steps(record: Record, count: int) -> list[int]:
    scores: dict[str, Any] = next(iter(record.metrics().get("seeds", {}).values()), {})
    steps = [int(step) for step in scores.get(records.SNAPSHOTS, {})]
    return steps if len(steps) == count else [0] * count


def sheet(images: NDArray[np.generic]) -> Image.Image:
    """Return images `(n, c, h, w)`, bytes or numbers in [0, 1], as one picture: the largest square of them."""
    n, c, h, w = images.shape
    side = isqrt(n)
    whole = images if images.dtype == np.uint8 else np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    framed = np.pad(whole[: side * side], ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=128)
    rows = framed.reshape(side, side, c, h + 2, w + 2).transpose(0, 3, 1, 4, 2).reshape(side * (h + 2), -1, c)
    picture = Image.fromarray(rows[..., 0] if c == 1 else rows)
    scale = max(1, SIDE // picture.width)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)

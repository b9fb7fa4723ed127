"""Training curves as a CSV file: one row per seed and epoch or step, exact to the last bit."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.context import Row

COUNTERS = ("seed", "epoch", "step")
"""Columns of whole numbers: the seed, and passes over the data or steps; a history has one of these two."""


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write `rows` with the columns of the first one; floats by `repr`, so that reading gives the same bits."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, float]]:
    """Read what `write` wrote; counters come back as `int`."""
    with path.open(newline="") as file:
        return [
            {key: int(value) if key in COUNTERS else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]

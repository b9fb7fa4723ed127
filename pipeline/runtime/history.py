"""Training curves as a CSV file: one row per seed and epoch, exact to the last bit."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.runtime.errors import UserError

Row = Mapping[str, float]
Log = Callable[[int, int, Row], None]
"""Shows a finished epoch: its seed, its number and what was measured."""


def must_be_finite(row: Row, when: str, remedy: str) -> None:
    """Stop a training that has diverged before anything is made of it.

    Args:
        row: what was measured.
        when: of what seed, and at which step or epoch.
        remedy: what keeps it in bounds.

    Raises:
        UserError: if a value is not a finite number.
    """
    odd = [name for name, value in row.items() if not math.isfinite(value)]
    if odd:
        verb = "is not a finite number" if len(odd) == 1 else "are not finite numbers"
        raise UserError(f"{when}: {', '.join(odd)} {verb}: training has diverged; {remedy} keeps it in bounds.")


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write `rows` with the columns of the first one; floats by `repr`, so that reading gives the same bits."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, float]]:
    """Read what `write` wrote; `seed` and `epoch` come back as `int`."""
    with path.open(newline="") as file:
        return [
            {key: int(value) if key in ("seed", "epoch") else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]

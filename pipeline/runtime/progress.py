"""Progress with rate and remaining time: a bar on a terminal, a plain line now and then in a log file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

LOG_SECONDS = 15.0  # between two lines of a log file
PATIENCE = 2.0  # seconds before the bar of a part appears on a terminal


@contextmanager
def bar(total: int | None, what: str, unit: str = "it", *, part: bool = False) -> Iterator["tqdm[Any]"]:
    """Show progress of `what` through `total` units; call `.update(n)` on what is yielded.

    Args:
        total: Number of units of work, `None` where it is not known.
        what: A few words at the left of the bar.
        unit: What is counted: `"epoch"`, `"step"`, `"image"`; `"B"` counts bytes and scales them.
        part: Whether it is part of longer work, and mostly short: it is shown only if it lasts, below the other bars.
    """
    terminal = sys.stderr.isatty()
    shown: tqdm[Any] = tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1024 if unit == "B" else 1000,
        dynamic_ncols=terminal,
        ascii=None if terminal else " #",
        mininterval=0.2 if terminal else LOG_SECONDS,
        delay=(PATIENCE if terminal else LOG_SECONDS) if part else 0,
        position=None if terminal else 0,  # a log file has no line below to move to
        leave=not part,
        file=sys.stderr if terminal else _Lines(),
    )
    with shown:
        yield shown


class _Lines:
    """Turn the carriage returns with which tqdm redraws its bar into lines of their own."""

    def write(self, text: str) -> None:
        if text.strip():
            print(text.strip("\r\n"), file=sys.stderr, flush=True)

    def flush(self) -> None:
        sys.stderr.flush()

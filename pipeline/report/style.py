"""The style of all charts: colours that colour-blind readers tell apart, small files, the same bytes each time."""

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image

# Okabe & Ito, Color Universal Design (2008), darkest first; black is kept for the reports' own numbers
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")
REPORTED = "#000000"
LINES = PALETTE[:6]  # yellow is too faint for a thin line
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))  # after the last colour the palette starts again with another dash
MARKERS = ("o", "s", "^")  # and another marker
TICKS = 4  # at most so many steps between them on an axis of a small panel
FONT = "DejaVu Sans"  # comes with matplotlib: the same glyphs everywhere
DOTS = {"color": REPORTED, "linestyle": "", "marker": "o", "markersize": 3}  # of a report's own numbers
DOTTED = (0, (1, 1.5))
FAILED = 1  # exit status of a process that ends with a traceback; a greater one is the number of an error of the disk
COMPRESSION = 4  # of PNG files: a third of the time of 6, and hardly larger
COLOURS = 256  # of a chart: one byte a pixel

_RC: Any = {
    "figure.dpi": 120,
    "figure.facecolor": "white",
    "font.family": FONT,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titley": 1.0,  # where it is anyway; by default each title looks for ticks above it
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "axes.prop_cycle": cycler(color=PALETTE),
}


def line(number: int) -> dict[str, Any]:
    """Return colour and dash of the `number`-th line of a chart."""
    return {"color": LINES[number % len(LINES)], "linestyle": DASHES[number // len(LINES) % len(DASHES)]}


def marked(number: int) -> dict[str, Any]:
    """Return colour, dash and marker of the `number`-th line of a chart of few points."""
    return {**line(number), "marker": MARKERS[number // len(LINES) % len(MARKERS)], "markersize": 3}


def logarithmic(axes: Axes) -> None:
    """Give what is plotted already a logarithmic scale upwards, with plain numbers, more of them on a narrow one."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    subs = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 4, 5, 6, 8)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend_above(axes: Axes, columns: int) -> None:
    """Put the legend of one panel above all panels of its figure: it is that of the others, too."""
    handles, labels = axes.get_legend_handles_labels()
    axes.get_figure(root=True).legend(handles, labels, loc="outside upper center", ncols=columns)  # type: ignore[union-attr]


@contextmanager
def look() -> Iterator[None]:
    """Give figures that are made inside the block the common style."""
    with matplotlib.rc_context(_RC):
        yield


@contextmanager
def chart(path: Path, width: float = 6.4, height: float = 3.6) -> Iterator[Axes]:
    """Yield axes to plot on, and save them as a PNG at `path` afterwards; for the arguments see `panels`."""
    with panels(path, 1, 1, width, height) as axes:
        yield axes[0]


@contextmanager
def panels(
    path: Path, count: int, columns: int, width: float, height: float, projection: str | None = None
) -> Iterator[list[Any]]:
    """Yield the axes of `count` panels in reading order, and save them together as a PNG at `path` afterwards.

    Args:
        path: File to write; its folder is made.
        count: Number of panels in all.
        columns: Number of panels in a row.
        width: Width of one panel in inches, 120 pixels each.
        height: Its height, likewise.
        projection: `3d`, or nothing for flat panels.
    """
    rows = -(-count // columns)
    with look():
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
        yield [figure.add_subplot(rows, columns, number + 1, projection=projection) for number in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    (_savers.get() or _Savers()).save(figure, path)


def drawn(figure: Figure) -> Image.Image:
    """Return a figure as a picture of RGB."""
    canvas = FigureCanvasAgg(figure)
    with look(), warnings.catch_warnings():  # numbers so long that they leave no room are no reason to stop
        warnings.filterwarnings("ignore", "constrained_layout not applied")
        canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]


def _save(figure: Figure, path: Path) -> None:
    # a third of the bytes of all colours, and no eye tells them apart
    palette = drawn(figure).quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette.save(path, compress_level=COMPRESSION)


def _save_apart(figure: Figure, path: Path) -> None:
    """Save a figure in a process of its own; what the disk cannot do is its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    try:
        _save(figure, path)
    except OSError as error:
        sys.exit(error.errno or FAILED)


class _Savers:
    """Saves figures at once or in forks of this process: half of the time of a report goes into their layout.

    Args:
        forks: How many save at a time; with 0 this process saves each figure at once.
    """

    def __init__(self, forks: int = 0) -> None:
        self._forks = forks
        self._waiting: list[tuple[Figure, Path]] = []
        self._running: dict[int, tuple[ForkProcess, Path]] = {}  # by a handle that is ready when the fork has ended

    def save(self, figure: Figure, path: Path) -> None:
        """Save a figure; with forks later, by the end of `finish`. A fork has the figure without a copy."""
        if not self._forks:
            return _save(figure, path)
        self._waiting.append((figure, path))
        self._go_on(timeout=0)

    def finish(self) -> None:
        """Wait until all figures are saved.

        Raises:
            OSError: If the disk cannot take one.
            RuntimeError: If one could not be saved for another reason, which its fork has printed unless it was killed.
        """
        while self._waiting or self._running:
            self._go_on(timeout=None)

    def stop(self) -> None:
        """Save no more."""
        self._waiting.clear()
        for fork, _ in self._running.values():
            fork.terminate()
            fork.join()

    def _go_on(self, timeout: float | None) -> None:
        """Start forks for the figures that wait, as far as others have ended or do so within `timeout` seconds."""
        for ended in wait(list(self._running), timeout) if self._running else []:
            fork, path = self._running.pop(cast(int, ended))
            fork.join()
            status = fork.exitcode or 0
            if status > FAILED:
                raise OSError(status, os.strerror(status), str(path))
            if status:
                raise RuntimeError(f"{path} was not saved: its process ended with status {status}")
        while self._waiting and len(self._running) < self._forks:
            figure, path = self._waiting.pop(0)
            fork = multiprocessing.get_context("fork").Process(target=_save_apart, args=(figure, path))
            fork.start()
            self._running[fork.sentinel] = fork, path


_savers: ContextVar[_Savers | None] = ContextVar("_savers", default=None)


@contextmanager
def saved_in_forks() -> Iterator[None]:
    """Save figures that are made inside the block on all cores; all are there at its end."""
    # elsewhere than on Linux a process must not fork once it has loaded certain libraries
    savers = _Savers(len(os.sched_getaffinity(0)) if sys.platform == "linux" else 0)
    before = _savers.set(savers)
    try:
        yield
        savers.finish()
    finally:
        savers.stop()
        _savers.reset(before)

"""The style of all charts: colours that colour-blind readers tell apart, small files, the same bytes each time."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

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
COMPRESSION = 4  # of PNG files: a third of the time of 6, and hardly larger

_RC: Any = {
    "figure.dpi": 120,
    "figure.facecolor": "white",
    "font.family": FONT,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
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
        layout = figure.get_layout_engine()
        assert layout is not None
        with warnings.catch_warnings():  # numbers so long that they leave no room are no reason to stop
            warnings.filterwarnings("ignore", "constrained_layout not applied")
            layout.execute(figure)  # by itself: `savefig` would draw all of the figure once more for it
        figure.set_layout_engine("none")
        path.parent.mkdir(parents=True, exist_ok=True)
        # matplotlib's version would be in the bytes
        figure.savefig(path, metadata={"Software": None}, pil_kwargs={"compress_level": COMPRESSION})

"""Charts and picture sheets of several chapters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from pipeline.report import style

GROUND = 255  # grey level between the images of a sheet
LETTERS = 15  # pixels of the letters beside a sheet's rows, as many as those of a chart


@dataclass(frozen=True)
class Curve:
    """One line of a chart against epochs or steps.

    Args:
        label: Its name in the legend.
        values: A row per epoch or step, a column per seed; shown are their mean and a band from smallest to largest.
        look: Keyword arguments of matplotlib's `plot`.
    """

    label: str
    values: pd.DataFrame
    look: dict[str, Any]


def curves(path: Path, lines: Sequence[Curve], ylabel: str, log: bool = False) -> None:
    """Plot curves over epochs, with a logarithmic scale of values if `log`."""
    with style.chart(path) as axes:
        plot(axes, lines, ylabel)
        if log:
            style.logarithmic(axes)
        axes.legend()


def zoomed(path: Path, lines: Sequence[Curve], ylabel: str) -> None:
    """Plot curves over epochs, and in a panel below the later half of the epochs that all of them have."""
    last = min(int(curve.values.index.max()) for curve in lines if len(curve.values))
    with style.panels(path, 2, 1, 6.4, 2.9) as (whole, half):
        plot(whole, lines, ylabel)
        whole.legend()
        late = [replace(curve, values=curve.values.loc[last // 2 : last]) for curve in lines]
        plot(half, [curve for curve in late if len(curve.values)], ylabel, f"epoch, {last // 2} to {last}")


def plot(axes: Axes, lines: Sequence[Curve], ylabel: str, xlabel: str = "epoch") -> None:
    """Plot curves on the axes of one chart."""
    for curve in lines:
        epochs, mean = curve.values.index.to_numpy(), curve.values.mean(axis=1).to_numpy()
        axes.plot(epochs, mean, label=curve.label, **curve.look)
        if curve.values.shape[1] > 1:
            low, high = curve.values.min(axis=1).to_numpy(), curve.values.max(axis=1).to_numpy()
            axes.fill_between(epochs, low, high, color=curve.look["color"], alpha=0.2, linewidth=0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def sheet(path: Path, images: np.ndarray, columns: int, scale: int, group: int = 1, labels: Sequence[str] = ()) -> None:
    """Write images side by side as a PNG, each pixel a square of `scale` by `scale`.

    Args:
        path: file to write; its folder is made.
        images: uint8 `(n, c, h, w)`, c = 1 or 3, in reading order; n a multiple of `columns`, so that no cell is empty.
        columns: images per row.
        scale: side of a pixel in the PNG.
        group: rows that stand closer together, such as originals above their reconstructions.
        labels: what stands left of each row, empty where nothing does.

    Raises:
        ValueError: if the images do not fill the rows, or the labels are not as many as the rows.
    """
    n, c, h, w = images.shape
    if n % columns:
        raise ValueError(f"{n} images do not fill rows of {columns}")
    rows = n // columns
    if labels and len(labels) != rows:
        raise ValueError(f"{len(labels)} labels do not fit {rows} rows")
    tall = np.asarray(images).transpose(0, 2, 3, 1).repeat(scale, axis=1).repeat(scale, axis=2)
    gap, wide = 2, 2 if group == 1 else 8
    tops = [gap + row * (h * scale + gap) + row // group * (wide - gap) for row in range(rows)]
    font = ImageFont.truetype(font_manager.findfont(style.FONT), LETTERS)
    margin = max((int(font.getlength(label)) + 2 * gap + 4 for label in labels if label), default=0)
    canvas = np.full((tops[-1] + h * scale + gap, margin + gap + columns * (w * scale + gap), c), GROUND, np.uint8)
    for number, image in enumerate(tall):
        top, left = tops[number // columns], margin + gap + number % columns * (w * scale + gap)
        canvas[top : top + h * scale, left : left + w * scale] = image
    picture = Image.fromarray(canvas[..., 0] if c == 1 else canvas)
    for top, label in zip(tops, labels, strict=False):
        place = (margin - gap, top + h * scale // 2)
        ImageDraw.Draw(picture).text(place, label, fill=0 if c == 1 else (0, 0, 0), font=font, anchor="rm")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, compress_level=style.COMPRESSION)


def whole_rows(count: int, columns: int) -> tuple[int, int]:
    """Return how many of `count` images fill rows of at most `columns`, and the columns of such a row."""
    columns = min(count, columns)
    return count // columns * columns, columns


def grey(images: np.ndarray, levels: int) -> np.ndarray:
    """Return images as uint8 in 0..255: integers in 0..levels-1, or floats in [0, 1]."""
    whole = images.dtype == np.uint8
    scaled: np.ndarray = images * (255 / (levels - 1)) if whole else images.clip(0, 1) * 255
    return np.asarray(np.rint(scaled), np.uint8)


def interleave(above: np.ndarray, below: np.ndarray, columns: int) -> np.ndarray:
    """Return rows of `above` and `below` in turn, `columns` images a row."""
    rows = [part[start : start + columns] for start in range(0, len(above), columns) for part in (above, below)]
    return np.concatenate(rows)

"""The drawings of all Dirac games: trajectories, phase portraits, and an animation in which the trajectories grow."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import proj3d
from PIL import Image, ImageDraw

from pipeline.report import dirac, style

MILLISECONDS = 40  # per frame
LAST = 2000  # milliseconds that the last frame stays
COLUMNS = 5
WIDTH, HEIGHT = 1.8, 1.9  # inches of a panel


def draw(games: Path, output: Path, *, frames: int) -> None:
    """Draw `trajectories.png`, `portraits.png` and `games.gif`.

    Args:
        games: folder of the played games.
        output: folder to write into.
        frames: pictures of the animation, which together show the whole game.
    """
    played = json.loads((games / "metrics.json").read_text())["games"]
    paths = np.load(games / "paths.npy", allow_pickle=False)
    with style.cells(output / "trajectories.png", len(played), COLUMNS, WIDTH, HEIGHT, projection="3d") as panels:
        for axes, (name, game), path in zip(panels, played.items(), paths, strict=True):
            dirac.space(axes, name, game, path)
            axes.plot(*path.T, color=dirac.colour(game), linewidth=0.6)
    with style.cells(output / "portraits.png", len(played), COLUMNS, WIDTH, HEIGHT) as panels:
        for axes, (name, game), path in zip(panels, played.items(), paths, strict=True):
            dirac.portrait(axes, name, game, path)
    _animate(played, paths, output / "games.gif", frames)


def _animate(games: dict[str, Any], paths: np.ndarray, file: Path, frames: int) -> None:
    """Draw the panels once, then in each frame the next piece of every trajectory."""
    rows = -(-len(paths) // COLUMNS)
    with style.look():
        figure = Figure(figsize=(WIDTH * COLUMNS, HEIGHT * rows), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        panels = []
        for number, (name, game) in enumerate(games.items()):
            axes = figure.add_subplot(rows, COLUMNS, number + 1, projection="3d")
            dirac.space(axes, name, game, paths[number])
            panels.append(axes)
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    ground = Image.fromarray(pixels).convert("RGB")
    colours = [dirac.colour(game) for game in games.values()]
    lines = [_pixels(axes, path, ground.height) for axes, path in zip(panels, paths, strict=True)]
    complete = ground.copy()
    for line, colour in zip(lines, colours, strict=True):
        ImageDraw.Draw(complete).line([tuple(point) for point in line], fill=colour, width=1)
    palette = complete.quantize(256)
    ends = np.linspace(0, paths.shape[1] - 1, frames + 1).round().astype(int)
    pictures = []
    draw = ImageDraw.Draw(ground)
    for start, end in pairwise(ends):
        for line, colour in zip(lines, colours, strict=True):
            draw.line([tuple(point) for point in line[start : end + 1]], fill=colour, width=1)
        pictures.append(ground.quantize(palette=palette, dither=Image.Dither.NONE))
    durations = [MILLISECONDS] * (frames - 1) + [LAST]
    pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=durations, loop=0)


def _pixels(axes: object, path: np.ndarray, height: int) -> np.ndarray:
    """Return a path `(n, 3)` where it lies in the picture, in pixels from the top left, `(n, 2)`."""
    x, y, _ = proj3d.proj_transform(*path.T, axes.get_proj())  # type: ignore[attr-defined]
    places = axes.transData.transform(np.stack([x, y], 1))  # type: ignore[attr-defined]
    places[:, 1] = height - places[:, 1]
    return np.asarray(places.round(1))

"""Plots of all Dirac games: trajectories, phase portraits, and an animation in which the trajectories grow."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d import proj3d
from PIL import Image, ImageDraw

from pipeline.dirac.game import Field
from pipeline.dirac.settings import Game
from pipeline.report import style

MILLISECONDS = 40  # per frame
LAST = 2000  # milliseconds that the last frame stays
COLUMNS = 4
WIDTH, HEIGHT = 1.65, 1.85  # inches of a panel
LOSSES = ("jsd", "w1")
WORDS = {"none": "", "r1": "R1", "gp": "GP"}
ZOOM = 0.85  # of a box in its panel: its labels stand outside
ARROWS = 13  # of the vector field, per axis


def plot(games: Path, output: Path, *, frames: int) -> None:
    """Write `trajectories.png`, `portraits.png` and `games.gif`.

    Args:
        games: Folder of the played games.
        output: Folder to write into.
        frames: Pictures of the animation, which together show the whole game.
    """
    played = json.loads((games / "metrics.json").read_text())["games"]
    paths = np.load(games / "trajectories.npy", allow_pickle=False)
    with style.panels(output / "trajectories.png", len(played), COLUMNS, WIDTH, HEIGHT, projection="3d") as panels:
        for axes, (name, game), path in zip(panels, played.items(), paths, strict=True):
            _space(axes, name, game, path)
            axes.plot(*path.T, color=_colour(game), linewidth=0.6)
    with style.panels(output / "portraits.png", len(played), COLUMNS, WIDTH, HEIGHT) as panels:
        for axes, (name, game), path in zip(panels, played.items(), paths, strict=True):
            _portrait(axes, name, game, path)
    _animate(played, paths, output / "games.gif", frames)


def _animate(games: dict[str, Any], paths: np.ndarray, file: Path, frames: int) -> None:
    """Show the panels, and in each frame the next piece of every trajectory."""
    rows = -(-len(paths) // COLUMNS)
    with style.look():
        figure = Figure(figsize=(WIDTH * COLUMNS, HEIGHT * rows), layout="constrained")
        panels = [figure.add_subplot(rows, COLUMNS, number + 1, projection="3d") for number in range(len(paths))]
        for axes, (name, game), path in zip(panels, games.items(), paths, strict=True):
            _space(axes, name, game, path)
    ground = style.drawn(figure)
    colours = [_colour(game) for game in games.values()]
    lines = [_pixels(axes, path, ground.height) for axes, path in zip(panels, paths, strict=True)]
    complete = ground.copy()
    for line, colour in zip(lines, colours, strict=True):
        ImageDraw.Draw(complete).line([tuple(point) for point in line], fill=colour, width=1)
    palette = complete.quantize(256)
    ends = np.linspace(0, paths.shape[1] - 1, frames + 1).round().astype(int)
    pictures, draw = [], ImageDraw.Draw(ground)
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


def _colour(game: dict[str, Any]) -> str:
    """Return the colour of a game: one per loss."""
    return style.PALETTE[LOSSES.index(game["loss"])]


def _title(name: str, game: dict[str, Any]) -> str:
    """Return the name of a game and what it is, in two lines."""
    penalty = f" + {game['penalty_weight']:g} {WORDS[game['penalty']]}" if WORDS[game["penalty"]] else ""
    return f"{name}\n{game['loss'].upper()}{penalty}{', EMA' if game['ema'] else ''}"


def _space(axes: Any, name: str, game: dict[str, Any], path: np.ndarray) -> None:
    """Set up a three-dimensional panel: equal limits, the initial point, and the points where the critic is constant.

    Args:
        axes: In matplotlib's 3d projection.
        name: Name of the game.
        game: Its entry in `metrics.json`.
        path: Values of psi0, psi1 and theta after every step, `(steps + 1, 3)`.
    """
    limit = 1.05 * float(np.abs(path).max())
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), zlim=(-limit, limit))
    axes.set_box_aspect((1, 1, 1), zoom=ZOOM)
    axes.set_title(_title(name, game), fontsize=8)
    axes.tick_params(labelsize=6, pad=-4)
    ticks = [tick for tick in MaxNLocator(3).tick_values(-limit, limit) if abs(tick) < limit]
    # the largest ψ0 and the smallest ψ1 would stand in the same corner
    for label, axis, shown in (("ψ0", axes.xaxis, ticks[:-1]), ("ψ1", axes.yaxis, ticks[1:]), ("θ", axes.zaxis, ticks)):
        axis.set_label_text(label, fontsize=7)
        axis.labelpad = -10
        axis.set_ticks(shown)
    axes.plot(*path[0], marker="o", markersize=3, color=style.REPORTED)
    if game["loss"] == "jsd":
        axes.plot(0, 0, 0, marker="*", markersize=6, color=style.PALETTE[2])
    axes.plot([0, 0], [-limit, limit], [0, 0], linestyle=(0, (4, 3)), linewidth=0.8, color=style.PALETTE[2])


def _portrait(axes: Any, name: str, game: dict[str, Any], path: np.ndarray) -> None:
    """Plot a trajectory in the plane of psi0 and theta over the vector field at psi1 = 0; arguments as in `_space`."""
    limit = 1.1 * float(np.abs(path[:, [0, 2]]).max())
    axis = np.linspace(-limit, limit, ARROWS)
    psi0, theta = (part.reshape(1, -1) for part in np.meshgrid(axis, axis))
    field = Field([Game(game["loss"], game["penalty"], game["penalty_weight"], game["ema"])])
    push, _ = field.critic(psi0, np.zeros_like(psi0), theta)
    pull = field.generator(psi0, np.zeros_like(psi0), theta)
    axes.quiver(psi0, theta, -push, -pull, color="#888888", angles="xy", width=0.005)
    axes.plot(path[:, 0], path[:, 2], color=_colour(game), linewidth=0.7)
    axes.plot(path[0, 0], path[0, 2], marker="o", markersize=3, color=style.REPORTED)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set_title(f"{_title(name, game)}\n{game['verdict']}", fontsize=8)
    axes.locator_params(nbins=style.TICKS)
    axes.set_xlabel("ψ0", fontsize=7, labelpad=0)
    axes.set_ylabel("θ", fontsize=7, labelpad=0, rotation=0)
    axes.tick_params(labelsize=6)
    axes.grid(visible=False)

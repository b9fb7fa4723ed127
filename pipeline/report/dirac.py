"""Panels of the Dirac games: trajectories in three dimensions and phase portraits."""

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from pipeline.dirac.game import Field, Game
from pipeline.report import style

LOSSES = ("jsd", "w1")
WORDS = {"none": "", "r1": "R1", "gp": "GP"}
ZOOM = 0.85  # of a box in its panel: its labels stand outside
ARROWS = 13  # of the vector field, per axis


def colour(game: dict[str, Any]) -> str:
    """Return the colour of a game: one per loss."""
    return style.PALETTE[LOSSES.index(game["loss"])]


def title(name: str, game: dict[str, Any]) -> str:
    """Return the name of a game and what it is, in two lines."""
    penalty = f" + {game['weight']:g} {WORDS[game['penalty']]}" if WORDS[game["penalty"]] else ""
    return f"{name}\n{game['loss'].upper()}{penalty}{', EMA' if game['ema'] else ''}"


def space(axes: Any, name: str, game: dict[str, Any], path: np.ndarray) -> None:
    """Set up a three-dimensional panel: equal limits, the start, and the points where the critic is blind.

    Args:
        axes: of matplotlib's 3d projection.
        name: of the game.
        game: its entry in `metrics.json`.
        path: psi0, psi1 and theta after every step, `(steps + 1, 3)`.
    """
    limit = 1.05 * float(np.abs(path).max())
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), zlim=(-limit, limit))
    axes.set_box_aspect((1, 1, 1), zoom=ZOOM)
    axes.set_title(title(name, game), fontsize=8)
    axes.tick_params(labelsize=5, pad=-4)
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


def portrait(axes: Any, name: str, game: dict[str, Any], path: np.ndarray) -> None:
    """Draw the trajectory in the plane of psi0 and theta over the vector field at psi1 = 0; arguments as in `space`."""
    limit = 1.1 * float(np.abs(path[:, [0, 2]]).max())
    axis = np.linspace(-limit, limit, ARROWS)
    psi0, theta = (part.reshape(1, -1) for part in np.meshgrid(axis, axis))
    field = Field([Game(game["loss"], game["penalty"], game["weight"], game["ema"])])
    slope, _ = field.critic(psi0, np.zeros_like(psi0), theta)
    pull = field.generator(psi0, np.zeros_like(psi0), theta)
    axes.quiver(psi0, theta, -slope, -pull, color="#888888", angles="xy", width=0.005)
    axes.plot(path[:, 0], path[:, 2], color=colour(game), linewidth=0.7)
    axes.plot(path[0, 0], path[0, 2], marker="o", markersize=3, color=style.REPORTED)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set_title(f"{title(name, game)}: {game['verdict']}", fontsize=7)
    axes.set_xlabel("ψ0", fontsize=7, labelpad=0)
    axes.set_ylabel("θ", fontsize=7, labelpad=0, rotation=0)
    axes.tick_params(labelsize=6)
    axes.grid(visible=False)

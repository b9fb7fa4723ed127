"""What becomes of a Dirac game: whether it converges, how fast, how far it stays away, and what theory says of it."""

from typing import Any

import numpy as np

from pipeline.dirac.game import STRIDE, Array, Field
from pipeline.dirac.settings import Game

CONVERGED = 0.05  # radius below which a game counts as converged
WINDOW = 500  # steps in which every game goes round at least once, at the learning rate of report 001
FAR = 1e6  # written for whatever is larger: the numbers of a game that diverges overflow
ROUNDING = 1e-12  # radius that may be rounding
STEADY = 0.1  # relative change of the radius between two windows that still counts as a cycle


def measure(game: Game, radii: Array, distances: Array) -> dict[str, Any]:
    """Return what became of one game.

    Args:
        game: Its configuration.
        radii: Its radii, `(samples, points)`.
        distances: Its distances of the shown theta from 0, `(samples, points)`.

    Returns:
        The configuration; the `verdict`; the largest `radius` and distance `theta` in the last window, over initial
        points; the `rate` at which the radius falls per step; and the `eigenvalues` at the origin.
    """
    samples = WINDOW // STRIDE
    outcome = verdict(radii, samples)
    radii, distances = bounded(radii), bounded(distances)
    last = radii[-samples:].max(0)
    return {
        "loss": game.loss,
        "penalty": game.penalty,
        "penalty_weight": game.penalty_weight,
        "ema": game.ema,
        "verdict": outcome,
        "radius": _summary(last),
        "theta": _summary(distances[-samples:].max(0)),
        "rate": decay_rate(radii, samples),
        "eigenvalues": [] if game.penalty == "gp" else [[value.real, value.imag] for value in eigenvalues(game)],
    }


def bounded(values: Array) -> Array:
    """Return values within `FAR` of 0, which stands for those that are not finite as well."""
    return np.clip(np.nan_to_num(values, nan=FAR), -FAR, FAR)


def _summary(values: Array) -> dict[str, float]:
    return {"median": float(np.median(values)), "least": float(values.min()), "most": float(values.max())}


def verdict(radii: Array, window: int) -> str:
    """Return in a word or two how far one game stays from the equilibrium line psi0 = theta = 0.

    `converged` if the largest radius of the last window is below 0.05; else `spirals in` or `diverges` if it is a tenth
    smaller or larger than that of the window that ends at two thirds of the game; else `cycle`. A radius that is
    not finite diverges. All radii are medians over initial points.

    Args:
        radii: Radii of the game, `(samples, points)`.
        window: Number of samples that cover at least one round.
    """
    if not np.isfinite(np.median(radii[-window:].max(0))):
        return "diverges"
    end = 2 * len(radii) // 3
    before, after = np.median(radii[end - window : end].max(0)), np.median(radii[-window:].max(0))
    if after < CONVERGED:
        return "converged"
    if after < (1 - STEADY) * before:
        return "spirals in"
    return "diverges" if after > (1 + STEADY) * before else "cycle"


def decay_rate(radii: Array, window: int) -> float:
    """Return the rate per step of an exponential fall of the radius, the median over initial points.

    It compares the largest radii of the first and of a later window, both above rounding error.

    Args:
        radii: Radii of one game, `(samples, points)`.
        window: Number of samples that cover at least one round.
    """
    envelope = np.stack([radii[at : at + window].max(0) for at in range(0, len(radii) - window + 1, window)])
    known = max((np.median(envelope, 1) > ROUNDING).nonzero()[0], default=0)
    if known == 0:  # a lower limit
        known, envelope = 1, np.maximum(envelope, ROUNDING)
    return float(np.median(np.log(envelope[0] / envelope[known])) / (known * window * STRIDE))


def eigenvalues(game: Game) -> list[complex]:
    """Return the eigenvalues at the origin of the continuous game, in which both players move at once.

    They are those of the Jacobian of both players' negative gradients in (psi0, psi1, theta), by central differences. A
    game is stable there if all real parts are negative. With gp the origin is no equilibrium: the critic's gradient
    jumps.

    Args:
        game: A game without penalty, or with r1.
    """
    field, step = Field([game]), 1e-4

    def velocity(state: Array) -> Array:
        arrays = state[:, None, None]
        return -np.concatenate([*field.critic(*arrays), field.generator(*arrays)]).ravel()

    columns = [(velocity(step * axis) - velocity(-step * axis)) / (2 * step) for axis in np.eye(3)]
    return [complex(value) for value in np.sort_complex(np.linalg.eigvals(np.stack(columns, 1)))]

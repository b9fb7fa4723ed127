r"""The Dirac GAN: one data point at 0, a generator that is one number, a linear critic - and gradients in closed form.

$$C(x) = \psi_0 x + \psi_1, \qquad x_{real} = 0, \qquad x_{fake} = \theta$$

The critic minimises -metric + weight * penalty, the generator then minimises the metric, both by plain gradient
descent. Every game is played from many starting points at once: a state is an array `(3, games, starts)` of psi0, psi1
and theta.

Reference: Mescheder, Geiger & Nowozin, Which Training Methods for GANs do actually Converge?, ICML 2018.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CONVERGED = 0.05  # radius below which a game counts as converged
STRIDE = 10  # steps between two samples of the radius
WINDOW = 500  # steps in which every game goes round at least once, at the learning rate of report 001
STEADY = 0.1  # relative change of the radius between two windows that still counts as a cycle


@dataclass(frozen=True)
class Game:
    """One configuration of the game.

    Args:
        loss: `jsd` or `w1`, the metric that the generator minimises and the critic maximises.
        penalty: `none`, `r1` = psi0^2, or `gp` = (|psi0| - 1)^2, of the critic's slope.
        weight: of the penalty.
        ema: whether the generator that is shown is the running average.
    """

    loss: str
    penalty: str
    weight: float
    ema: bool


@dataclass(frozen=True)
class Course:
    """What became of the games.

    Args:
        paths: psi0, psi1 and the shown theta of the first start after every step, `(games, steps + 1, 3)`.
        radii: sqrt(psi0^2 + theta^2) of the game itself, not of its average, after every `stride` steps,
            `(games, samples, starts)`.
        shown: |shown theta| at the same moments, `(games, samples, starts)`.
        stride: steps between two samples.
    """

    paths: Array
    radii: Array
    shown: Array
    stride: int


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


# d metric / d C(x_real) and -d metric / d C(x_fake), both in terms of the critic's outputs;
# jsd = (log sigmoid(C(real)) + log sigmoid(-C(fake)) + log 4) / 2, w1 = C(real) - C(fake)
_SLOPES: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "jsd": lambda real, fake: (0.5 * sigmoid(-real), 0.5 * sigmoid(fake)),
    "w1": lambda real, fake: (np.ones_like(real), np.ones_like(fake)),
}
_PENALTIES: dict[str, Callable[[Array], Array]] = {  # d penalty / d psi0
    "none": np.zeros_like,
    "r1": lambda slope: 2 * slope,
    "gp": lambda slope: 2 * (slope - np.sign(slope)),
}


def _rows(names: Sequence[str]) -> dict[str, list[int]]:
    return {name: [row for row, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}


class Field:
    """The two gradients of several games at once.

    Args:
        games: what is played; row g of every array belongs to game g.
    """

    def __init__(self, games: Sequence[Game]) -> None:
        self._losses = _rows([game.loss for game in games])
        self._penalties = _rows([game.penalty for game in games])
        self._weights = np.array([[game.weight] for game in games])

    def _slopes(self, psi0: Array, psi1: Array, theta: Array) -> tuple[Array, Array]:
        real, fake = np.empty_like(psi0), np.empty_like(psi0)
        output = psi0 * theta + psi1
        for loss, rows in self._losses.items():
            real[rows], fake[rows] = _SLOPES[loss](psi1[rows], output[rows])
        return real, fake

    def critic(self, psi0: Array, psi1: Array, theta: Array) -> tuple[Array, Array]:
        """Return the gradient of the critic's loss in psi0 and psi1, each of the arguments' shape `(games, n)`."""
        real, fake = self._slopes(psi0, psi1, theta)
        push = np.empty_like(psi0)
        for penalty, rows in self._penalties.items():
            push[rows] = _PENALTIES[penalty](psi0[rows])
        return fake * theta + self._weights * push, fake - real

    def generator(self, psi0: Array, psi1: Array, theta: Array) -> Array:
        """Return the gradient of the metric in theta, `(games, n)`."""
        return -self._slopes(psi0, psi1, theta)[1] * psi0


def eigenvalues(game: Game) -> list[complex]:
    """Return the eigenvalues at the origin of the continuous game, in which both players move at once.

    They are those of the Jacobian of both players' negative gradients in (psi0, psi1, theta), by central differences. A
    game is stable there if all real parts are negative. With gp the origin is no equilibrium: the critic's gradient
    jumps.

    Args:
        game: without penalty, or with r1.
    """
    field, step = Field([game]), 1e-4

    def velocity(state: Array) -> Array:
        arrays = state[:, None, None]
        return -np.concatenate([*field.critic(*arrays), field.generator(*arrays)]).ravel()

    columns = [(velocity(step * axis) - velocity(-step * axis)) / (2 * step) for axis in np.eye(3)]
    return [complex(value) for value in np.sort_complex(np.linalg.eigvals(np.stack(columns, 1)))]


def play(games: Sequence[Game], start: Array, *, steps: int, learning_rate: float, decay: float, stride: int) -> Course:
    """Play every game from every start: a critic step, then a generator step that sees the new critic.

    Args:
        games: the configurations.
        start: psi0, psi1 and theta, `(3, starts)`, the same for all games.
        steps: of each player.
        learning_rate: of both players.
        decay: of the running average of theta, for the games that show it.
        stride: steps between two samples of the radius.
    """
    field = Field(games)
    psi0, psi1, theta = (np.repeat(values[None], len(games), 0) for values in start)
    keep = np.array([[decay if game.ema else 0.0] for game in games])  # 0 shows the generator itself
    shown = theta.copy()
    paths = np.empty((steps + 1, 3, len(games)))
    radii, distances = [], []
    for step in range(steps + 1):
        if step:
            slope, shift = field.critic(psi0, psi1, theta)
            psi0 = psi0 - learning_rate * slope
            psi1 = psi1 - learning_rate * shift
            theta = theta - learning_rate * field.generator(psi0, psi1, theta)
            shown = keep * shown + (1 - keep) * theta
        paths[step] = psi0[:, 0], psi1[:, 0], shown[:, 0]
        if step % stride == 0:
            radii.append(np.hypot(psi0, theta))
            distances.append(np.abs(shown))
    return Course(paths.transpose(2, 0, 1), np.stack(radii, 1), np.stack(distances, 1), stride)


def draw_starts(count: int, spread: float, seed: int) -> Array:
    """Draw starting points N(0, spread^2), theta first as in report 001; psi0, psi1 and theta, `(3, count)`."""
    theta, psi0, psi1 = np.random.default_rng(seed).normal(0, spread, (count, 3)).T
    return np.stack([psi0, psi1, theta])


def verdict(radii: Array, window: int) -> tuple[str, Array]:
    """Judge one game by how far it stays from the equilibrium line psi0 = theta = 0.

    `converged` if the largest radius of the last window is below 0.05; else `spirals in` or `diverges` if it is a tenth
    smaller or larger than that of the window that ends at two thirds of the game; else `cycle`.

    Args:
        radii: of one game, `(samples, starts)`.
        window: samples that cover at least one round.

    Returns:
        The verdict on the median over starts, and the largest radius of the last window of each start, `(starts,)`.
    """
    last = radii[-window:].max(0)
    end = 2 * len(radii) // 3
    before, after = np.median(radii[end - window : end].max(0)), np.median(last)
    if after < CONVERGED:
        return "converged", last
    if after < (1 - STEADY) * before:
        return "spirals in", last
    return ("diverges" if after > (1 + STEADY) * before else "cycle"), last


def decay_rate(radii: Array, stride: int, window: int) -> float:
    """Return the rate per step of an exponential fall of the radius, the median over starts.

    It compares the largest radii of the first and of a later window, both above rounding error.

    Args:
        radii: of one game, `(samples, starts)`.
        stride: steps between two samples.
        window: samples that cover at least one round.
    """
    envelope = np.stack([radii[at : at + window].max(0) for at in range(0, len(radii) - window + 1, window)])
    known = (np.median(envelope, 1) > 1e-12).nonzero()[0][-1]
    if known == 0:
        return float("nan")
    return float(np.median(np.log(envelope[0] / envelope[known])) / (known * window * stride))


def measure(game: Game, radii: Array, shown: Array, stride: int, window: int) -> dict[str, Any]:
    """Return verdict, amplitude, decay rate per step, reach of the shown theta and eigenvalues of one game."""
    samples = max(1, window // stride)
    word, last = verdict(radii, samples)
    reach = shown[-samples:].max(0)
    return {
        "loss": game.loss,
        "penalty": game.penalty,
        "weight": game.weight,
        "ema": game.ema,
        "verdict": word,
        "radius": {"median": float(np.median(last)), "least": float(last.min()), "most": float(last.max())},
        "theta": {"median": float(np.median(reach)), "least": float(reach.min()), "most": float(reach.max())},
        "rate": decay_rate(radii, stride, samples),
        "eigenvalues": [] if game.penalty == "gp" else [[value.real, value.imag] for value in eigenvalues(game)],
    }


def run(
    output: Path,
    *,
    games: Mapping[str, Mapping[str, Any]],
    steps: int,
    learning_rate: float,
    ema_decay: float,
    starts: int,
    spread: float,
    seed: int,
) -> None:
    """Play all games and write what became of them.

    Writes `paths.npy`, float32 `(games, steps + 1, 3)`: psi0, psi1 and the shown theta of the first start, and
    `metrics.json`.

    Args:
        output: folder to write into.
        games: name to the arguments of `Game`.
        steps: of each player.
        learning_rate: of both players.
        ema_decay: of the running average of theta.
        starts: starting points of every game; verdicts are medians over them.
        spread: standard deviation of the starting points.
        seed: of the starting points.
    """
    played = {name: Game(**entry) for name, entry in games.items()}
    points = draw_starts(starts, spread, seed)
    course = play(
        list(played.values()), points, steps=steps, learning_rate=learning_rate, decay=ema_decay, stride=STRIDE
    )
    np.save(output / "paths.npy", course.paths.astype(np.float32))
    metrics = {
        "protocol": {
            "data": "one point at 0",
            "critic": "psi0 x + psi1",
            "order": "a critic step, then a generator step that sees the new critic",
            "starts": starts,
            "rule": f"converged: radius below {CONVERGED} over the last {WINDOW} steps; spirals in or diverges:"
            f" the radius changes by more than {STEADY:.0%} over the last third; cycle: neither",
        },
        "start_radius": float(np.median(np.hypot(points[0], points[2]))),
        "games": {
            name: measure(game, course.radii[row], course.shown[row], STRIDE, WINDOW)
            for row, (name, game) in enumerate(played.items())
        },
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

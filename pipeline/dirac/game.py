r"""The Dirac GAN: one data point at 0, a generator that is one number, a linear critic - and gradients in closed form.

$$C(x) = \psi_0 x + \psi_1, \qquad x_{real} = 0, \qquad x_{fake} = \theta$$

The critic minimises -metric + penalty_weight * penalty, the generator then minimises the metric, both by plain gradient
descent. The metrics are jsd = (log sigmoid(C(x_real)) + log sigmoid(-C(x_fake)) + log 4) / 2 and w1 = C(x_real) -
C(x_fake); the penalties are r1 = psi0^2 and gp = (|psi0| - 1)^2. Every game is played from many initial points at once:
a state is an array `(3, games, points)` of psi0, psi1 and theta.

Reference: Mescheder, Geiger & Nowozin, Which Training Methods for GANs do actually Converge?, ICML 2018.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.dirac.settings import Game, Games

Array = NDArray[np.float64]
STRIDE = 10  # steps between two samples of the radius


@dataclass(frozen=True)
class Trajectories:
    """How the games went.

    Args:
        paths: psi0, psi1 and the shown theta from the first initial point after every step, `(games, steps + 1, 3)`.
        radii: sqrt(psi0^2 + theta^2) of the game itself, not of its average, after every `STRIDE` steps,
            `(games, samples, points)`.
        distances: |shown theta| at the same moments, `(games, samples, points)`.
    """

    paths: Array
    radii: Array
    distances: Array


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


# d metric / d C(x_real) and -d metric / d C(x_fake), both in terms of the critic's outputs
_METRICS: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "jsd": lambda real, fake: (0.5 * sigmoid(-real), 0.5 * sigmoid(fake)),
    "w1": lambda real, fake: (np.ones_like(real), np.ones_like(fake)),
}
_PENALTIES: dict[str, Callable[[Array], Array]] = {  # d penalty / d psi0
    "none": np.zeros_like,
    "r1": lambda psi0: 2 * psi0,
    "gp": lambda psi0: 2 * (psi0 - np.sign(psi0)),
}


def _rows(names: Sequence[str]) -> dict[str, list[int]]:
    return {name: [row for row, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}


class Field:
    """The two gradients of several games at once.

    Args:
        games: What is played; row g of every array belongs to game g.
    """

    def __init__(self, games: Sequence[Game]) -> None:
        self._losses = _rows([game.loss for game in games])
        self._penalties = _rows([game.penalty for game in games])
        self._weights = np.array([[game.penalty_weight] for game in games])

    def _derivatives(self, psi0: Array, psi1: Array, theta: Array) -> tuple[Array, Array]:
        real, fake = np.empty_like(psi0), np.empty_like(psi0)
        output = psi0 * theta + psi1
        for loss, rows in self._losses.items():
            real[rows], fake[rows] = _METRICS[loss](psi1[rows], output[rows])
        return real, fake

    def critic(self, psi0: Array, psi1: Array, theta: Array) -> tuple[Array, Array]:
        """Return the gradient of the critic's loss in psi0 and psi1, each of the arguments' shape `(games, n)`."""
        real, fake = self._derivatives(psi0, psi1, theta)
        push = np.empty_like(psi0)
        for penalty, rows in self._penalties.items():
            push[rows] = _PENALTIES[penalty](psi0[rows])
        return fake * theta + self._weights * push, fake - real

    def generator(self, psi0: Array, psi1: Array, theta: Array) -> Array:
        """Return the gradient of the metric in theta, `(games, n)`."""
        return -self._derivatives(psi0, psi1, theta)[1] * psi0


def play(games: Games) -> Trajectories:
    """Play every game from every initial point: a critic step, then a generator step that sees the new critic."""
    field, rate = Field(list(games.games.values())), games.learning_rate
    initial = initial_points(games.initial_points, games.initial_std, games.seed)
    psi0, psi1, theta = (np.repeat(values[None], len(games.games), 0) for values in initial)
    # a decay of 0 shows the generator itself
    decay = np.array([[games.ema_decay if game.ema else 0.0] for game in games.games.values()])
    shown = theta.copy()
    paths = np.empty((games.steps + 1, 3, len(games.games)))
    radii, distances = [], []
    with np.errstate(over="ignore", invalid="ignore"):  # of games that diverge
        for step in range(games.steps + 1):
            if step:
                push, shift = field.critic(psi0, psi1, theta)
                psi0 = psi0 - rate * push
                psi1 = psi1 - rate * shift
                theta = theta - rate * field.generator(psi0, psi1, theta)
                shown = decay * shown + (1 - decay) * theta
            paths[step] = psi0[:, 0], psi1[:, 0], shown[:, 0]
            if step % STRIDE == 0:
                radii.append(np.hypot(psi0, theta))
                distances.append(np.abs(shown))
    return Trajectories(paths.transpose(2, 0, 1), np.stack(radii, 1), np.stack(distances, 1))


def initial_points(count: int, std: float, seed: int) -> Array:
    """Sample initial points from N(0, std^2), theta first as in report 001; psi0, psi1 and theta, `(3, count)`."""
    theta, psi0, psi1 = np.random.default_rng(seed).normal(0, std, (count, 3)).T
    return np.stack([psi0, psi1, theta])

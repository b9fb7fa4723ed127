"""Settings of the Dirac games; `pipeline.config.dirac` explains each hyperparameter."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Game:
    """One configuration of the game."""

    loss: str
    penalty: str
    penalty_weight: float
    ema: bool


@dataclass(frozen=True)
class Games:
    """All games, by name, and what they share."""

    games: dict[str, Game]
    steps: int
    learning_rate: float
    ema_decay: float
    initial_points: int
    initial_std: float
    seed: int

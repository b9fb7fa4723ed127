"""Schema and plans of the Dirac games: one stage plays all of them, another makes their figures."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pipeline.config.base import NonNegativeInt, PositiveFloat, PositiveInt, Schema, explain, join, mapping, misnamed
from pipeline.dirac import settings
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import plain


class GameHyperparameters(Schema):
    """Hyperparameters of one game."""

    loss: Literal["jsd", "w1"] = Field(description="metric that the critic maximises and the generator minimises")
    penalty: Literal["none", "r1", "gp"] = Field(
        description="penalty on the critic's gradient psi0; r1 is psi0^2, gp is (|psi0| - 1)^2"
    )
    penalty_weight: Annotated[float, Field(ge=0)] = Field(description="factor of the penalty in the critic's loss")
    ema: bool = Field(description="whether the shown generator is the running average")


class DiracHyperparameters(Schema):
    """What all games share."""

    steps: int = Field(ge=1000, description="steps of each player; verdicts compare windows of 500")
    learning_rate: PositiveFloat = Field(description="learning rate of both players")
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(description="decay of the running average of the generator")
    initial_points: PositiveInt = Field(description="initial points of every game; verdicts are medians over them")
    initial_std: PositiveFloat = Field(description="standard deviation of the initial points, whose mean is 0")
    seed: NonNegativeInt = Field(description="seed of the initial points")
    frames: PositiveInt = Field(description="frames of the animation")


class DiracSection:
    """The section `dirac` of params.yaml: hyperparameters of all games, and a mapping `games`."""

    name = "dirac"

    def expand(self, section: object, entries: Mapping[str, Sequence[str]]) -> tuple[list[Plan], list[str]]:
        """Check the section; return its plan files and every error found."""
        del entries  # the games need no data set
        values, errors = mapping(section, self.name)
        if errors:
            return [], errors
        games, errors = self._games(values.get("games", {}))
        shared = {key: value for key, value in values.items() if key != "games"}
        try:
            hyperparameters = DiracHyperparameters.model_validate(shared)
        except ValidationError as error:
            return [], [*errors, *(sentence for _, sentence in explain(error, DiracHyperparameters, self.name))]
        return ([] if errors else plans(hyperparameters, games)), errors

    def _games(self, section: object) -> tuple[dict[str, GameHyperparameters], list[str]]:
        named, errors = mapping(section, f"{self.name}.games")
        if not errors and not named:
            errors = [f"{self.name}.games: missing or empty; a mapping of names to games is needed"]
        games: dict[str, GameHyperparameters] = {}
        for name, entry in named.items():
            place = join(f"{self.name}.games", name)
            errors += misnamed(name, place)
            try:
                games[str(name)] = GameHyperparameters.model_validate(entry)
            except ValidationError as error:
                errors += [sentence for _, sentence in explain(error, GameHyperparameters, place)]
        return games, errors


def plans(shared: DiracHyperparameters, games: Mapping[str, GameHyperparameters]) -> list[Plan]:
    """Return the plans of the two stages: all games, and their figures."""
    played = settings.Games(
        {name: settings.Game(game.loss, game.penalty, game.penalty_weight, game.ema) for name, game in games.items()},
        steps=shared.steps,
        learning_rate=shared.learning_rate,
        ema_decay=shared.ema_decay,
        initial_points=shared.initial_points,
        initial_std=shared.initial_std,
        seed=shared.seed,
    )
    output = "scores/dirac"
    return [
        Plan("dirac", "dirac", {}, output, plain(played)),
        Plan("animate", "animate", {"games": output}, "plots/dirac", {"frames": shared.frames}),
    ]


GAMES = DiracSection()

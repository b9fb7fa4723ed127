"""Schema and steps of the Dirac games: one stage plays all of them, another draws the animation."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pipeline.config.base import Model, NonNegativeInt, PositiveFloat, PositiveInt, explain, join, mapping, misnamed
from pipeline.runtime.plan import Plan


class Game(Model):
    """One game."""

    loss: Literal["jsd", "w1"] = Field(description="the metric that the generator minimises")
    penalty: Literal["none", "r1", "gp"] = Field(description="of the critic's slope")
    weight: Annotated[float, Field(ge=0)] = Field(description="of the penalty")
    ema: bool = Field(description="whether the shown generator is the running average")


class Hyperparameters(Model):
    """What all games share."""

    steps: int = Field(ge=1000, description="of each player; verdicts look at windows of 500")
    learning_rate: PositiveFloat = Field(description="of both players")
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(description="of the running average")
    starts: PositiveInt = Field(description="starting points of every game")
    spread: PositiveFloat = Field(description="standard deviation of the starting points")
    seed: NonNegativeInt = Field(description="of the starting points")
    frames: PositiveInt = Field(description="pictures of the animation")


class Games:
    """The section `dirac` of params.yaml: hyperparameters of all games, and a mapping `games`."""

    name = "dirac"

    def expand(self, section: object, entries: Mapping[str, Sequence[str]]) -> tuple[list[Plan], list[str]]:
        """Check the section; return its plan files and every error found."""
        del entries  # the games need no data set
        values, errors = mapping(section, self.name)
        if errors:
            return [], errors
        games: dict[str, Game] = {}
        named, errors = mapping(values.get("games", {}), f"{self.name}.games")
        if not errors and not named:
            errors = [f"{self.name}.games: missing or empty; a mapping of names to games is needed"]
        for name, entry in named.items():
            place = join(f"{self.name}.games", name)
            errors += misnamed(name, place)
            try:
                games[str(name)] = Game.model_validate(entry)
            except ValidationError as error:
                errors += [sentence for _, sentence in explain(error, Game, place)]
        try:
            hyperparameters = Hyperparameters.model_validate(
                {key: value for key, value in values.items() if key != "games"}
            )
        except ValidationError as error:
            return [], [*errors, *(sentence for _, sentence in explain(error, Hyperparameters, self.name))]
        if errors:
            return [], errors
        settings = hyperparameters.model_dump(exclude={"frames"})
        played = {name: game.model_dump() for name, game in games.items()}
        output = "scores/dirac"
        return [
            Plan("dirac", "dirac", {}, output, {**settings, "games": played}),
            Plan("animate", "animate", {"games": output}, "plots/dirac", {"frames": hyperparameters.frames}),
        ], []


GAMES = Games()

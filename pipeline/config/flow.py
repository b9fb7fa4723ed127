"""Schema and steps of planar flows, and of single planar layers."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.base import Model, NonNegativeInt, PositiveFloat, PositiveInt, distinct
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan

EPOCH = 200  # iterations that pipeline.flow.train counts as one epoch


def _epochs(iterations: int) -> int:
    if iterations % EPOCH:
        raise ValueError(
            f"{iterations} is not a multiple of {EPOCH}, the iterations that a printed loss is averaged over"
        )
    return iterations


class FlowHyperparameters(Model):
    """Hyperparameters of the planar flows of one depth."""

    depth: PositiveInt = Field(description="planar layers k of every flow")
    densities: Annotated[list[Literal["arcs", "sine"]], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="what the flows are fitted to, each from points and from its potential"
    )
    constraints: Annotated[list[Literal["smooth", "in_place"]], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="how every layer is kept invertible; one flow is trained per constraint"
    )
    points: PositiveInt = Field(description="data points of each density")
    iterations: Annotated[PositiveInt, AfterValidator(_epochs)] = Field(description="training steps")
    batch: PositiveInt = Field(description="points per step")
    learning_rate: PositiveFloat = Field(description="of RMSprop")
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="one set of flows is trained per seed"
    )

    @model_validator(mode="after")
    def _enough_points(self) -> Self:
        if self.batch > self.points:
            raise ValueError(f"batch {self.batch} exceeds points {self.points}; the points of a batch are distinct")
        return self


class Draw(Model):
    """How u and w of a single layer are drawn: from N(mean, deviation^2)."""

    mean: float = Field(description="mean of u and w")
    deviation: PositiveFloat = Field(description="standard deviation of u and w")
    bias: float = Field(description="the bias b")


class LayerHyperparameters(Model):
    """Hyperparameters of what is shown of single planar layers."""

    points: PositiveInt = Field(description="points of N(0, I) that every layer moves")
    draws: Annotated[list[Draw], Field(min_length=1)] = Field(description="mean, deviation and bias of each layer")
    dimensions: Annotated[list[PositiveInt], Field(min_length=2), AfterValidator(distinct)] = Field(
        description="dimensions d at which operations are counted"
    )
    depths: Annotated[list[PositiveInt], Field(min_length=2), AfterValidator(distinct)] = Field(
        description="depths k at which operations are counted"
    )
    seed: NonNegativeInt = Field(description="of points and layers")


def plans(run: str, hyperparameters: FlowHyperparameters) -> list[Plan]:
    """Return the two steps of the flows of one depth: training and scoring."""
    model = f"models/flow/{run}"
    return [
        Plan("train_flow", run, {}, model, hyperparameters.model_dump()),
        Plan("score_flow", run, {"model": model}, f"scores/flow/{run}", hyperparameters.model_dump(include={"points"})),
    ]


def layer_plans(run: str, hyperparameters: LayerHyperparameters) -> list[Plan]:
    """Return the one step of what is shown of single layers."""
    return [Plan("planar", run, {}, f"scores/planar/{run}", hyperparameters.model_dump())]


FAMILY = Family("flow", FlowHyperparameters, plans, names=())
LAYERS = Family("planar", LayerHyperparameters, layer_plans, names=())

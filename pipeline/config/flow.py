"""Schema and plans of planar flows, and of single planar layers."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.base import NonNegativeInt, PositiveFloat, PositiveInt, Schema, distinct
from pipeline.config.family import Family
from pipeline.flow.settings import BLOCK, Distribution, Network, Scoring, SingleLayers, Training
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import plain


def _blocks(steps: int) -> int:
    if steps % BLOCK:
        raise ValueError(f"{steps} is not a multiple of {BLOCK}, the steps that a printed loss is averaged over")
    return steps


class FlowHyperparameters(Schema):
    """Hyperparameters of the planar flows of one depth."""

    depth: PositiveInt = Field(description="number of planar layers in every flow")
    densities: Annotated[list[Literal["arcs", "sine"]], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="densities that flows are fitted to, once from points and once from the formula"
    )
    constraints: Annotated[list[Literal["smooth", "in_place"]], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="ways to keep every layer invertible; flows are trained with each of them: smooth is the map of"
        " Rezende and Mohamed (2015), in_place the correction of the reports' code"
    )
    points: PositiveInt = Field(description="number of data points of each density")
    steps: Annotated[PositiveInt, AfterValidator(_blocks)] = Field(description="number of training steps")
    batch: PositiveInt = Field(description="number of points in a training step")
    learning_rate: PositiveFloat = Field(description="learning rate of the optimiser RMSprop")
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="seeds of the random numbers; one set of flows is trained for each of them"
    )

    @model_validator(mode="after")
    def _enough_points(self) -> Self:
        if self.batch > self.points:
            raise ValueError(f"batch {self.batch} exceeds points {self.points}; the points of a batch are distinct")
        return self


class DistributionHyperparameters(Schema):
    """What u and w of a single layer are sampled from, N(mean, std^2), and the layer's b."""

    mean: float = Field(description="mean of the normal distribution that u and w are sampled from")
    std: PositiveFloat = Field(
        description="standard deviation of the normal distribution that u and w are sampled from"
    )
    bias: float = Field(description="bias b of the layer")


class LayerHyperparameters(Schema):
    """Hyperparameters of what is shown of single planar layers."""

    points: PositiveInt = Field(description="number of points of N(0, I) that every layer moves")
    distributions: Annotated[list[DistributionHyperparameters], Field(min_length=1)] = Field(
        description="mean and standard deviation of u and w, and bias b, for each layer"
    )
    dimensions: Annotated[list[PositiveInt], Field(min_length=2), AfterValidator(distinct)] = Field(
        description="dimensions d at which the operations of a log-determinant are counted"
    )
    depths: Annotated[list[PositiveInt], Field(min_length=2), AfterValidator(distinct)] = Field(
        description="numbers of layers k at which the operations of a log-determinant are counted"
    )
    seed: NonNegativeInt = Field(description="seed of the points and of the layers")


def plans(run: str, hyperparameters: FlowHyperparameters) -> list[Plan]:
    """Return the two plans of the flows of one depth: training and scoring."""
    h, model = hyperparameters, f"models/flow/{run}"
    training = Training(
        network=Network(depth=h.depth, densities=tuple(h.densities), constraints=tuple(h.constraints)),
        points=h.points,
        steps=h.steps,
        batch=h.batch,
        learning_rate=h.learning_rate,
        seeds=tuple(h.seeds),
    )
    scoring = Scoring(points=h.points)
    return [
        Plan("train_flow", run, {}, model, plain(training)),
        Plan("score_flow", run, {"model": model}, f"scores/flow/{run}", plain(scoring)),
    ]


def layer_plans(run: str, hyperparameters: LayerHyperparameters) -> list[Plan]:
    """Return the one plan of what is shown of single layers."""
    h = hyperparameters
    layers = SingleLayers(
        points=h.points,
        distributions=tuple(Distribution(each.mean, each.std, each.bias) for each in h.distributions),
        dimensions=tuple(h.dimensions),
        depths=tuple(h.depths),
        seed=h.seed,
    )
    return [Plan("planar", run, {}, f"scores/planar/{run}", plain(layers))]


FAMILY = Family("flow", FlowHyperparameters, plans, names=())
LAYERS = Family("planar", LayerHyperparameters, layer_plans, names=())

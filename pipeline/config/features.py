"""Schema and steps of the evaluators: feature networks and reference images by which generated images are scored."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Model, NonNegativeInt, PositiveFloat, PositiveInt
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan

NonNegativeFloat = Annotated[float, Field(ge=0)]


class FeatureHyperparameters(Model):
    """Hyperparameters of one evaluator."""

    network: Literal["classifier", "inception"] = Field(description="the network whose features are compared")
    weights: Literal["official", "random"] = Field(description="of inception; random ones give no FID")
    width: PositiveInt = Field(description="channels of the classifier's first block")
    dimensions: PositiveInt = Field(description="features of the classifier")
    epochs: PositiveInt = Field(description="passes of the classifier over the training split")
    batch: Annotated[int, Field(ge=2)] = Field(description="images per step of the classifier")
    learning_rate: PositiveFloat = Field(description="the highest of the classifier's one cycle")
    weight_decay: NonNegativeFloat = Field(description="of AdamW")
    noise: NonNegativeFloat = Field(description="standard deviation of the noise on the classifier's training images")
    seed: NonNegativeInt = Field(description="of the classifier")
    reference: Literal["train", "test"] = Field(description="the split that generated images are compared with")
    samples: Annotated[int, Field(ge=2)] = Field(description="images of floor and ceiling")
    splits: PositiveInt = Field(description="parts of the images over which the Inception Score is averaged")
    kid_subsets: PositiveInt = Field(description="random subsets over which KID is averaged")
    kid_subset_size: Annotated[int, Field(ge=2)] = Field(description="images per subset")
    neighbours: PositiveInt = Field(description="k of precision and recall")


TRAINING = {"epochs", "batch", "learning_rate", "weight_decay", "noise", "seed"}
SCORING = {"splits", "kid_subsets", "kid_subset_size", "neighbours"}


def plans(run: str, data: str, hyperparameters: FeatureHyperparameters) -> list[Plan]:
    """Return the one step of an evaluator; hyperparameters of the other kind of network stay out of its plan."""
    trained = hyperparameters.network == "classifier"
    network = {"kind": hyperparameters.network} | hyperparameters.model_dump(
        include={"width", "dimensions"} if trained else {"weights"}
    )
    settings = {
        "feature_network": network,
        "training": hyperparameters.model_dump(include=TRAINING) if trained else None,
        "reference": hyperparameters.reference,
        "samples": hyperparameters.samples,
        "scoring": hyperparameters.model_dump(include=SCORING),
    }
    return [Plan("features", run, {"data": f"data/{data}"}, f"models/features/{run}", settings)]


FAMILY = Family("features", FeatureHyperparameters, plans)

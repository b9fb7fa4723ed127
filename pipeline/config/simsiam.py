"""Schema and steps of the SimSiam family."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config.base import Model, NonNegativeInt, PositiveFloat, PositiveInt, distinct
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan

Probability = Annotated[float, Field(ge=0, le=1)]


def _crop(share: list[float]) -> list[float]:
    if len(share) != 2 or not 0 < share[0] <= share[1] <= 1:
        raise ValueError(f"{share} is not [smallest, largest] share of the area, above 0 and at most 1")
    return share


def _jitter(changes: list[float]) -> list[float]:
    if len(changes) != 4 or min(changes) < 0 or max(changes[:3]) > 1 or changes[3] > 0.5:
        raise ValueError(f"{changes} is not [brightness, contrast, saturation, hue], from 0 to 1, 1, 1 and 0.5")
    return changes


def _channels(values: list[float]) -> list[float]:
    if len(values) != 3:
        raise ValueError(f"{values} is not [red, green, blue]")
    return values


def _deviation(values: list[float]) -> list[float]:
    if min(_channels(values)) <= 0:
        raise ValueError(f"{values}: a standard deviation is above 0")
    return values


class SimSiamHyperparameters(Model):
    """Hyperparameters of one SimSiam network and of how it is judged."""

    backbone: Literal["resnet10", "resnet18"] = Field(description="the residual network")
    width: PositiveInt = Field(description="channels of its first stage")
    stem: Literal["imagenet", "cifar", "halving"] = Field(description="its first layers")
    projector_hidden: PositiveInt = Field(description="units of the projector's hidden layers")
    features: PositiveInt = Field(description="dimensions of z")
    predictor: Literal["mlp", "identity", "fixed"] = Field(description="trained, left out, or left as it was drawn")
    predictor_hidden: PositiveInt = Field(description="units of the predictor's hidden layer")
    mean: Annotated[list[float], AfterValidator(_channels)] = Field(description="subtracted from each channel")
    deviation: Annotated[list[float], AfterValidator(_deviation)] = Field(description="each channel is divided by it")
    stop_gradient: bool = Field(description="whether z is a constant in the loss")
    crop: Annotated[list[float], AfterValidator(_crop)] = Field(description="share of the area that a view covers")
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(description="largest rotation of a view in degrees")
    flip: Probability = Field(description="of a horizontal flip")
    jitter: Annotated[list[float], AfterValidator(_jitter)] = Field(
        description="of brightness, contrast, saturation, hue"
    )
    jitter_probability: Probability = Field(description="of the jitter as a whole")
    grey: Probability = Field(description="of a view without colour")
    epochs: PositiveInt = Field(description="passes over the training split")
    batch: Annotated[int, Field(ge=2)] = Field(description="images per step, each in two views")
    learning_rate: PositiveFloat = Field(description="of SGD for a batch of 256")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(description="of SGD")
    weight_decay: Annotated[float, Field(ge=0)] = Field(description="of SGD")
    precision: Literal["fp32", "bf16"] = Field(description="arithmetic of the networks")
    knn_features: Literal["backbone", "projector"] = Field(description="layer that the monitor measures")
    knn_neighbours: PositiveInt = Field(description="neighbours that vote")
    knn_temperature: PositiveFloat = Field(description="of their weights")
    probe_epochs: PositiveInt = Field(description="passes over the training split for the linear probe")
    probe_learning_rate: PositiveFloat = Field(description="of the probe's SGD for a batch of 256")
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="one network is trained per seed"
    )


NETWORK = {
    "backbone", "width", "stem", "projector_hidden", "features", "predictor", "predictor_hidden", "mean", "deviation",
}  # fmt: skip
AUGMENTATION = {"crop", "rotation", "flip", "jitter", "jitter_probability", "grey"}
MONITOR = {"precision", "knn_features", "knn_neighbours", "knn_temperature"}
TRAINING = MONITOR | {"stop_gradient", "epochs", "batch", "learning_rate", "momentum", "weight_decay", "seeds"}
SCORING = MONITOR | {"batch", "momentum", "weight_decay", "probe_epochs", "probe_learning_rate"}


def plans(run: str, data: str, hyperparameters: SimSiamHyperparameters) -> list[Plan]:
    """Return the two steps of one run: training with its monitor, and scoring with a linear probe."""
    folder, model = f"data/{data}", f"models/simsiam/{run}"
    augmentation = {"augmentation": hyperparameters.model_dump(include=AUGMENTATION)}
    network = hyperparameters.model_dump(include=NETWORK)
    # a hyperparameter that does nothing in this run must not make it run again
    network |= {"predictor_hidden": None} if hyperparameters.predictor == "identity" else {}
    training = {"network": network, **augmentation, **hyperparameters.model_dump(include=TRAINING)}
    scoring = {**augmentation, **hyperparameters.model_dump(include=SCORING)}
    return [
        Plan("train_simsiam", run, {"data": folder}, model, training),
        Plan("score_simsiam", run, {"data": folder, "model": model}, f"scores/simsiam/{run}", scoring),
    ]


FAMILY = Family("simsiam", SimSiamHyperparameters, plans)

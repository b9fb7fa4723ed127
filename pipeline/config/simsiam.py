"""Schema and plans of the SimSiam family."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config.base import NonNegativeInt, PositiveFloat, PositiveInt, Schema, distinct
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import plain
from pipeline.simsiam.settings import Augmentation, Monitor, Network, Optimiser, Scoring, Training

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


def _std(values: list[float]) -> list[float]:
    if min(_channels(values)) <= 0:
        raise ValueError(f"{values}: a standard deviation is above 0")
    return values


class SimSiamHyperparameters(Schema):
    """Hyperparameters of one SimSiam network and of its evaluation."""

    backbone: Literal["resnet10", "resnet18"] = Field(
        description="residual network that encodes images; one or two blocks in each of its four stages"
    )
    width: PositiveInt = Field(
        description="channels of the backbone's first stage; doubled from stage to stage, 64 in torchvision"
    )
    stem: Literal["imagenet", "cifar", "halving"] = Field(
        description="first layers of the backbone; imagenet: a 7x7 convolution of stride 2 and a maximum of stride 2,"
        " cifar: a 3x3 convolution, halving: a 3x3 convolution of stride 2"
    )
    projector_hidden: PositiveInt = Field(description="units in each of the projector's two hidden layers")
    projector_output: PositiveInt = Field(description="dimensions of the projector's output z, which the loss compares")
    predictor: Literal["mlp", "identity", "fixed"] = Field(
        description="network that predicts the other view's z; mlp: trained, identity: none, fixed: an mlp that is"
        " never trained"
    )
    predictor_hidden: PositiveInt = Field(description="units in the predictor's hidden layer")
    mean: Annotated[list[float], AfterValidator(_channels)] = Field(
        description="value subtracted from each channel of images in [0, 1]; red, green, blue"
    )
    std: Annotated[list[float], AfterValidator(_std)] = Field(
        description="value by which each channel is divided then; red, green, blue"
    )
    stop_gradient: bool = Field(description="whether the loss treats z as a constant: no gradient flows through it")
    crop: Annotated[list[float], AfterValidator(_crop)] = Field(
        description="smallest and largest share of the image's area that a view covers; a crop is resized to the"
        " image's size, and its sides have a ratio from 3/4 to 4/3"
    )
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(
        description="largest rotation of a view in degrees, to either side"
    )
    flip: Probability = Field(description="probability that a view is mirrored from left to right")
    jitter: Annotated[list[float], AfterValidator(_jitter)] = Field(
        description="largest change of brightness, contrast, saturation and hue; the first three are factors from 1 - j"
        " to 1 + j, the hue turns by up to j of its circle"
    )
    jitter_probability: Probability = Field(description="probability that the colours of a view are changed at all")
    greyscale: Probability = Field(description="probability that a view has no colour")
    epochs: PositiveInt = Field(description="passes over the training images")
    batch: Annotated[int, Field(ge=2)] = Field(
        description="images per step, each in two views; the last, smaller batch of an epoch is left out"
    )
    learning_rate: PositiveFloat = Field(
        description="learning rate of SGD for a batch of 256; scaled in proportion to the batch; the encoder's falls"
        " to 0 along a cosine, the predictor's stays"
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(description="momentum of SGD")
    weight_decay: Annotated[float, Field(ge=0)] = Field(description="weight decay of SGD")
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        description="arithmetic of the network; fp32: float32, tf32: TensorFloat-32 on NVIDIA GPUs, bf16: bfloat16;"
        " losses, normalisation statistics and optimiser stay in float32"
    )
    knn_features: Literal["backbone", "projector"] = Field(
        description="layer whose features are measured after each epoch"
    )
    knn_neighbours: PositiveInt = Field(description="nearest training images that vote for a test image's class")
    knn_temperature: PositiveFloat = Field(
        description="temperature t of the votes; a neighbour with the cosine c has the weight exp(c / t)"
    )
    probe_l2: PositiveFloat = Field(
        description="penalty on the squared weights of the linear probe; half of it times their sum is added to the"
        " mean cross-entropy; the features are standardised"
    )
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="seeds, each of which trains one network"
    )


def plans(run: str, data: str, hyperparameters: SimSiamHyperparameters) -> list[Plan]:
    """Return the two plans of one run: training with its monitor, and scoring with a linear probe."""
    folder, model, given = f"data/{data}", f"models/simsiam/{run}", hyperparameters
    augmentation = Augmentation(
        crop=tuple(given.crop),
        rotation=given.rotation,
        flip=given.flip,
        jitter=tuple(given.jitter),
        jitter_probability=given.jitter_probability,
        greyscale=given.greyscale,
    )
    monitor = Monitor(given.knn_features, given.knn_neighbours, given.knn_temperature)
    training = Training(
        network=_network(given),
        augmentation=augmentation,
        stop_gradient=given.stop_gradient,
        epochs=given.epochs,
        batch=given.batch,
        optimiser=Optimiser(given.learning_rate, given.momentum, given.weight_decay),
        precision=given.precision,
        monitor=monitor,
        seeds=tuple(given.seeds),
    )
    scoring = Scoring(augmentation, given.precision, monitor, given.probe_l2)
    scores = {"data": folder, "model": model}
    return [
        Plan("train_simsiam", run, {"data": folder}, model, plain(training)),
        Plan("score_simsiam", run, scores, f"scores/simsiam/{run}", plain(scoring)),
    ]


def _network(given: SimSiamHyperparameters) -> Network:
    # a hyperparameter that does nothing in this run must not make it run again
    hidden = None if given.predictor == "identity" else given.predictor_hidden
    return Network(
        backbone=given.backbone,
        width=given.width,
        stem=given.stem,
        projector_hidden=given.projector_hidden,
        projector_output=given.projector_output,
        predictor=given.predictor,
        predictor_hidden=hidden,
        mean=tuple(given.mean),
        std=tuple(given.std),
    )


FAMILY = Family("simsiam", SimSiamHyperparameters, plans)

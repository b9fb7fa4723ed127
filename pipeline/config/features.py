"""Schema and plans of the evaluators: feature networks and reference images by which generated images are scored."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config.base import NonNegativeInt, PositiveFloat, PositiveInt, Schema, distinct
from pipeline.config.family import Family
from pipeline.features.settings import Architecture, Evaluation, Scoring, Training
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import plain

NonNegativeFloat = Annotated[float, Field(ge=0)]


class FeatureHyperparameters(Schema):
    """Hyperparameters of one evaluator."""

    network: Literal["classifier", "resnet", "inception"] = Field(
        description="network whose features are compared; classifier: three convolutions trained on the data set"
        " itself, resnet: ten layers trained on it, inception: the network of published FIDs, which are its scores only"
    )
    weights: Literal["official", "random"] = Field(
        description="weights of inception; with random ones everything runs, and scores are no FID"
    )
    width: PositiveInt = Field(description="channels of the classifier's first block; later blocks have more")
    dimensions: PositiveInt = Field(description="features of the classifier that are compared")
    epochs: PositiveInt = Field(description="passes of the classifier over the training images")
    batch: Annotated[int, Field(ge=2)] = Field(description="images per step of the classifier")
    learning_rate: PositiveFloat = Field(
        description="largest learning rate of the classifier; AdamW's rate rises to it and falls again in one cycle"
    )
    weight_decay: NonNegativeFloat = Field(description="weight decay of AdamW")
    noise: NonNegativeFloat = Field(
        description="standard deviation of the noise on the classifier's training images; they lie in [-1, 1]"
    )
    augment: Literal["none", "crop_flip"] = Field(
        description="random changes of the classifier's training images; crop_flip: shifted by up to four pixels, and"
        " half of them mirrored"
    )
    seed: NonNegativeInt = Field(description="seed of the classifier")
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        description="arithmetic of the network, in training and when features are computed; fp32: float32, tf32:"
        " TensorFloat-32 on NVIDIA GPUs, bf16: bfloat16"
    )
    reference: Literal["train", "test"] = Field(
        description="split that generated images are compared with; the floor is the score of real images of the others"
    )
    reference_classes: Annotated[list[str], AfterValidator(distinct)] = Field(
        description="classes of the split that generated images are compared with; an empty list is all of them"
    )
    samples: Annotated[int, Field(ge=2)] = Field(
        description="images of noise that are scored, and at most of the floor; as many as will be generated, since the"
        " Fréchet distance falls with their number"
    )
    splits: PositiveInt = Field(description="parts of the images over which the Inception Score is averaged")
    kid_subsets: PositiveInt = Field(description="random subsets of the images over which KID is averaged")
    kid_subset_size: Annotated[int, Field(ge=2)] = Field(description="images in each of these subsets")
    neighbours: PositiveInt = Field(
        description="number k of neighbours in precision and recall; the balls around images reach to the k-th nearest"
    )


def plans(run: str, data: str, hyperparameters: FeatureHyperparameters) -> list[Plan]:
    """Return the plans of an evaluator, its making and its scores of real images and noise.

    Hyperparameters of the other kind of network stay out of them.
    """
    given = hyperparameters
    trained = given.network != "inception"
    training = Training(
        epochs=given.epochs,
        batch=given.batch,
        learning_rate=given.learning_rate,
        weight_decay=given.weight_decay,
        noise=given.noise,
        augment=given.augment,
        seed=given.seed,
    )
    evaluation = Evaluation(
        network=given.network,
        weights=None if trained else given.weights,
        architecture=Architecture(given.width, given.dimensions) if trained else None,
        training=training if trained else None,
        precision=given.precision,
        reference=given.reference,
        reference_classes=tuple(given.reference_classes),
        samples=given.samples,
        scoring=Scoring(given.splits, given.kid_subsets, given.kid_subset_size, given.neighbours),
    )
    inputs, folder = {"data": f"data/{data}"}, f"models/features/{run}"
    return [
        Plan("features", run, inputs, folder, plain(evaluation)),
        Plan("score_real", run, {**inputs, "features": folder}, f"scores/real/{run}", plain(evaluation)),
    ]


FAMILY = Family("features", FeatureHyperparameters, plans)

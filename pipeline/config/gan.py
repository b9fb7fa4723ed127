"""Schema and steps of the generative adversarial networks."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.base import Model, NonNegativeInt, PositiveFloat, PositiveInt, distinct
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan

NonNegativeFloat = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[list[Decay], Field(min_length=2, max_length=2)]
Distinct = AfterValidator(distinct)


class GanHyperparameters(Model):
    """Hyperparameters of one generator and its critic."""

    network: Literal["dcgan", "residual", "resnet", "mlp"] = Field(description="the architecture of both networks")
    width: PositiveInt = Field(description="channels of the convolutions, hidden units of the mlp")
    latent: Annotated[int, Field(ge=2)] = Field(description="dimensions of a code")
    loss: Literal["jsd", "ns", "lsgan", "w1", "hinge"] = Field(description="what the players play for")
    penalty: Literal["none", "r1", "r2", "gp", "lp"] = Field(description="of the critic's slope")
    penalty_weight: NonNegativeFloat = Field(description="factor of the penalty in the critic's loss")
    penalty_interval: PositiveInt = Field(description="critic steps from one penalised step to the next")
    penalty_points: Literal["usual", "real", "fake", "interpolated"] = Field(description="where the slope is taken")
    r1_axis: Literal["image", "last"] = Field(description="what the norm of r1 and r2 runs over")
    spectral_norm: bool = Field(description="whether the critic's layers are divided by their spectral norm")
    steps: PositiveInt = Field(description="of the generator")
    critic_steps: PositiveInt = Field(description="of the critic before each of the generator's")
    batch: Annotated[int, Field(ge=2)] = Field(description="images per step")
    generator_learning_rate: PositiveFloat = Field(description="of Adam")
    critic_learning_rate: PositiveFloat = Field(description="of Adam")
    generator_betas: Betas = Field(description="of Adam")
    critic_betas: Betas = Field(description="of Adam")
    generator_weight_decay: NonNegativeFloat = Field(description="of the L2 kind")
    critic_weight_decay: NonNegativeFloat = Field(description="of the L2 kind")
    generator_decay_steps: NonNegativeInt = Field(description="own steps until the learning rate would be 0, or 0")
    critic_decay_steps: NonNegativeInt = Field(description="own steps until the learning rate would be 0, or 0")
    ema: Decay = Field(description="decay of the averaged generator")
    ema_warmup: bool = Field(description="whether that decay grows from small")
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), Distinct] = Field(description="one training per seed")
    log_every: PositiveInt = Field(description="generator steps from one row of the history to the next")
    snapshots: Annotated[list[NonNegativeInt], Distinct] = Field(
        description="generator steps after which the generator is stored and scored, besides the last"
    )
    samples: Annotated[int, Field(ge=2)] = Field(description="images generated for the scores of a snapshot")
    final_samples: Annotated[int, Field(ge=2)] = Field(description="images generated for the scores of the last one")
    normalisation: Literal["standing", "batch"] = Field(
        description="statistics of batch normalisation when sampling: of many batches before, or of the batch itself"
    )
    normalisation_batches: PositiveInt = Field(description="batches over which the standing statistics are taken")
    dimensions: PositiveInt = Field(description="of the code whose perturbation is measured, the first ones")
    perturbed: Annotated[list[NonNegativeInt], Field(min_length=1), Distinct] = Field(
        description="dimensions of the code whose perturbation is drawn"
    )
    scales: Annotated[list[PositiveFloat], Field(min_length=1)] = Field(description="sizes of the perturbations")
    codes: Annotated[int, Field(ge=2)] = Field(description="codes that are perturbed")
    pairs: Annotated[int, Field(ge=2)] = Field(description="pairs of codes that are interpolated")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if late := [step for step in self.snapshots if step > self.steps]:
            raise ValueError(f"snapshots: {late[0]} is beyond the last of {self.steps} steps")
        if far := [dimension for dimension in self.perturbed if dimension >= self.latent]:
            raise ValueError(f"perturbed: {far[0]} is no dimension of a code with {self.latent}, counted from 0")
        return self


OBJECTIVE = {"loss", "penalty", "penalty_weight", "penalty_interval", "penalty_points", "r1_axis"}
TRAINING = {"steps", "critic_steps", "batch", "ema", "ema_warmup", "seeds", "log_every", "snapshots"}
SCORING = {
    "samples",
    "final_samples",
    "normalisation",
    "normalisation_batches",
    "dimensions",
    "perturbed",
    "scales",
    "codes",
    "pairs",
}
OPTIMISER = ("learning_rate", "betas", "weight_decay", "decay_steps")


def plans(run: str, data: str, features: str, hyperparameters: GanHyperparameters) -> list[Plan]:
    """Return the two steps of one run: training, and scoring of its snapshots with latent studies."""
    objective = hyperparameters.model_dump(include=OBJECTIVE)
    if hyperparameters.penalty == "none":  # what a run inherits and does not use must not make it run again
        objective |= {"penalty_weight": 0.0, "penalty_interval": 1, "penalty_points": "usual"}
    if hyperparameters.penalty not in ("r1", "r2"):
        objective["r1_axis"] = "image"
    folder, model, evaluator = f"data/{data}", f"models/gan/{run}", f"models/features/{features}"
    training = {
        "network": {
            **hyperparameters.model_dump(include={"network", "width", "latent"}),
            "spectral": hyperparameters.spectral_norm,
        },
        "objective": objective,
        **{
            player: {setting: getattr(hyperparameters, f"{player}_{setting}") for setting in OPTIMISER}
            for player in ("generator", "critic")
        },
        **hyperparameters.model_dump(include=TRAINING),
    }
    inputs = {"data": folder, "model": model, "features": evaluator}
    return [
        Plan("train_gan", run, {"data": folder}, model, training),
        Plan("score_gan", run, inputs, f"scores/gan/{run}", hyperparameters.model_dump(include=SCORING)),
    ]


FAMILY = Family("gan", GanHyperparameters, plans, names=("data", "features"))

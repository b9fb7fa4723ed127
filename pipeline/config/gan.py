"""Schema and plans of the generative adversarial networks."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.base import NonNegativeInt, PositiveFloat, PositiveInt, Schema, distinct
from pipeline.config.family import Family
from pipeline.gan.settings import (
    Averaging,
    Network,
    Objective,
    Optimiser,
    Sampling,
    Schedule,
    Scoring,
    Studies,
    Training,
)
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import plain

NonNegativeFloat = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[list[Decay], Field(min_length=2, max_length=2)]
Distinct = AfterValidator(distinct)


class GanHyperparameters(Schema):
    """Hyperparameters of one generator and its critic."""

    network: Literal["dcgan", "residual", "resnet", "mlp"] = Field(
        description="architecture of generator and critic; all but the mlp make square images of 16, 32 or 64 pixels"
    )
    width: PositiveInt = Field(description="channels of the convolutions, hidden units of the mlp")
    latent: Annotated[int, Field(ge=2)] = Field(description="dimensions of the latent z, the generator's input")
    loss: Literal["jsd", "ns", "lsgan", "w1", "hinge"] = Field(
        description="what the players play for; jsd is the saturating game, ns the non-saturating one"
    )
    penalty: Literal["none", "r1", "r2", "gp", "lp"] = Field(
        description="penalty on the norm of the critic's gradient in its input; r1 and r2 pull it to 0, gp to 1, lp"
        " below 1"
    )
    penalty_weight: NonNegativeFloat = Field(description="factor of the penalty in the critic's loss")
    penalty_interval: PositiveInt = Field(
        description="critic steps from one penalised step to the next; the penalty is multiplied by it"
    )
    penalty_points: Literal["usual", "real", "fake", "interpolated"] = Field(
        description="images at which the gradient is taken; usual is real for r1, fake for r2, interpolated for gp, lp"
    )
    r1_axis: Literal["image", "last"] = Field(
        description="what the norm in r1 and r2 runs over; image is all pixels, last a row of them, which is a mistake"
        " in copies of report 001's code"
    )
    spectral_norm: bool = Field(description="whether each layer of the critic is divided by its spectral norm")
    steps: PositiveInt = Field(description="generator steps")
    critic_steps: PositiveInt = Field(description="critic steps before each generator step")
    batch: Annotated[int, Field(ge=2)] = Field(description="real images, and as many generated ones, per step")
    generator_learning_rate: PositiveFloat = Field(description="learning rate of the generator's Adam")
    critic_learning_rate: PositiveFloat = Field(description="learning rate of the critic's Adam")
    generator_betas: Betas = Field(description="decays of the two moments of the generator's Adam")
    critic_betas: Betas = Field(description="decays of the two moments of the critic's Adam")
    generator_weight_decay: NonNegativeFloat = Field(description="L2 weight decay of the generator's Adam")
    critic_weight_decay: NonNegativeFloat = Field(description="L2 weight decay of the critic's Adam")
    generator_decay_steps: NonNegativeInt = Field(
        description="generator steps until its learning rate has fallen to 0 on a straight line; 0 keeps it constant"
    )
    critic_decay_steps: NonNegativeInt = Field(
        description="critic steps until its learning rate has fallen to 0 on a straight line; 0 keeps it constant"
    )
    ema_decay: Decay = Field(description="decay of the averaged generator, which is what is scored")
    ema_warmup: bool = Field(description="whether this decay grows from a small one at first")
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        description="arithmetic of the networks; in training and where samples are generated for scores"
    )
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), Distinct] = Field(
        description="seeds; one generator and one critic are trained for each"
    )
    log_every: PositiveInt = Field(description="generator steps from one row of the history to the next")
    snapshots: Annotated[list[NonNegativeInt], Distinct] = Field(
        description="generator steps after which the generator is stored and scored, besides the last; 0 is untrained"
    )
    samples: Annotated[int, Field(ge=2)] = Field(description="images generated for the scores of each snapshot")
    final_samples: Annotated[int, Field(ge=2)] = Field(
        description="images generated for the scores of the last generator"
    )
    normalisation: Literal["standing", "batch"] = Field(
        description="statistics of batch normalisation when sampling; standing are those of many batches before, batch"
        " those of the batch itself"
    )
    normalisation_batches: PositiveInt = Field(description="batches of 64 over which the standing statistics are taken")
    perturbed_dimensions: PositiveInt = Field(
        description="latent dimensions, the first ones, whose perturbation is measured"
    )
    shown_dimensions: Annotated[list[NonNegativeInt], Field(min_length=1), Distinct] = Field(
        description="latent dimensions, counted from 0, whose perturbation is shown"
    )
    perturbation_scales: Annotated[list[PositiveFloat], Field(min_length=1)] = Field(
        description="what is added to a latent dimension to perturb it"
    )
    perturbed_latents: Annotated[int, Field(ge=2)] = Field(description="latents that are perturbed")
    interpolation_pairs: Annotated[int, Field(ge=2)] = Field(
        description="pairs of latents between which images are interpolated"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if late := [step for step in self.snapshots if step > self.steps]:
            raise ValueError(f"snapshots: {late[0]} is beyond the last of {self.steps} steps")
        if far := [dimension for dimension in self.shown_dimensions if dimension >= self.latent]:
            raise ValueError(
                f"shown_dimensions: there is no dimension {far[0]} among {self.latent}, which are counted from 0"
            )
        return self

    def objective(self) -> Objective:
        """Return what the players play for; what a run inherits and does not use must not make it run again."""
        penalised = self.penalty != "none"
        return Objective(
            loss=self.loss,
            penalty=self.penalty,
            penalty_weight=self.penalty_weight if penalised else 0.0,
            penalty_interval=self.penalty_interval if penalised else 1,
            penalty_points=self.penalty_points if penalised else "usual",
            r1_axis=self.r1_axis if self.penalty in ("r1", "r2") else "image",
        )

    def generator(self) -> Optimiser:
        return Optimiser(
            learning_rate=self.generator_learning_rate,
            betas=(self.generator_betas[0], self.generator_betas[1]),
            weight_decay=self.generator_weight_decay,
            decay_steps=self.generator_decay_steps,
        )

    def critic(self) -> Optimiser:
        return Optimiser(
            learning_rate=self.critic_learning_rate,
            betas=(self.critic_betas[0], self.critic_betas[1]),
            weight_decay=self.critic_weight_decay,
            decay_steps=self.critic_decay_steps,
        )

    def training(self) -> Training:
        schedule = Schedule(
            steps=self.steps,
            critic_steps=self.critic_steps,
            batch=self.batch,
            seeds=tuple(self.seeds),
            log_every=self.log_every,
            snapshots=tuple(self.snapshots),
        )
        return Training(
            network=Network(self.network, self.width, self.latent, self.spectral_norm),
            objective=self.objective(),
            generator=self.generator(),
            critic=self.critic(),
            average=Averaging(self.ema_decay, self.ema_warmup),
            schedule=schedule,
            precision=self.precision,
        )

    def scoring(self) -> Scoring:
        studies = Studies(
            perturbed_dimensions=self.perturbed_dimensions,
            shown_dimensions=tuple(self.shown_dimensions),
            perturbation_scales=tuple(self.perturbation_scales),
            perturbed_latents=self.perturbed_latents,
            interpolation_pairs=self.interpolation_pairs,
        )
        sampling = Sampling(self.normalisation, self.normalisation_batches, self.precision)
        return Scoring(self.samples, self.final_samples, sampling, studies)


def plans(run: str, data: str, features: str, hyperparameters: GanHyperparameters) -> list[Plan]:
    """Return the plans of one run: its training, and the scoring of its snapshots with latent studies."""
    folder, model, evaluator = f"data/{data}", f"models/gan/{run}", f"models/features/{features}"
    inputs = {"data": folder, "model": model, "features": evaluator}
    return [
        Plan("train_gan", run, {"data": folder}, model, plain(hyperparameters.training())),
        Plan("score_gan", run, inputs, f"scores/gan/{run}", plain(hyperparameters.scoring())),
    ]


FAMILY = Family("gan", GanHyperparameters, plans, names=("data", "features"))

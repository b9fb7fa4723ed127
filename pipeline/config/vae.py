"""Schema and steps of the autoencoder family."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.base import Model, NonNegativeInt, PositiveFloat, PositiveInt, distinct
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan


def _nested(samples: list[int]) -> list[int]:
    """Return importance-sample counts that can share one set of draws: each divides the largest."""
    distinct(samples)
    odd = [k for k in samples if max(samples) % k]
    if odd:
        raise ValueError(f"{odd[0]} does not divide {max(samples)}; all estimates share the draws of the largest count")
    return samples


class VaeHyperparameters(Model):
    """Hyperparameters of one autoencoder."""

    network: Literal["mlp", "mlp_shallow", "conv", "conv32"] = Field(
        description="the architecture of encoder and decoder"
    )
    hidden: PositiveInt = Field(description="units per hidden layer of an mlp, channels of conv32's first convolution")
    latent: PositiveInt = Field(description="dimensions of z")
    likelihood: Literal[
        "bernoulli", "gaussian", "gaussian_standardised", "cross_entropy", "cross_entropy_standardised"
    ] = Field(description="of the pixels, and how they are scaled")
    logit_shift: Annotated[float, Field(ge=0)] = Field(description="subtracted from every logit of the decoder")
    posterior: Literal["gaussian", "mean", "deterministic"] = Field(description="what the decoder is given")
    flow_layers: NonNegativeInt = Field(description="planar layers of the posterior")
    beta: Annotated[float, Field(ge=0)] = Field(description="weight of KL")
    beta_schedule: Literal["constant", "linear"] = Field(description="the course of beta over the epochs")
    kl: Literal["analytic", "monte_carlo"] = Field(description="how KL(q || p) is estimated while training")
    kl_samples: PositiveInt = Field(description="samples S of the Monte Carlo estimate")
    epochs: PositiveInt = Field(description="passes over the training split")
    batch: PositiveInt = Field(description="images per step")
    learning_rate: PositiveFloat = Field(description="of Adam")
    clip_norm: Annotated[float, Field(ge=0)] = Field(description="largest norm of a gradient; 0 is no limit")
    snapshots: Annotated[list[PositiveInt], AfterValidator(distinct)] = Field(
        description="epochs whose weights are stored beside the last ones"
    )
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="one network is trained per seed"
    )
    importance_samples: Annotated[list[PositiveInt], Field(min_length=1), AfterValidator(_nested)] = Field(
        description="sample counts K of the importance-sampled log p(x)"
    )
    elbo_draws: PositiveInt = Field(description="draws of z per image when the ELBO is scored")
    tsne: bool = Field(description="whether to map the test codes")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.flow_layers and self.posterior != "gaussian":
            raise ValueError(f"flow_layers: {self.flow_layers}, but with posterior {self.posterior} nothing is drawn")
        return self


NETWORK = {"network", "hidden", "latent", "likelihood", "logit_shift", "posterior", "flow_layers"}
OBJECTIVE = {"beta", "beta_schedule", "kl", "kl_samples"}
TRAINING = NETWORK | OBJECTIVE | {"epochs", "batch", "learning_rate", "clip_norm", "snapshots", "seeds"}
SCORING = {"importance_samples", "elbo_draws", "batch", "tsne"}
DENSITIES = {"bernoulli", "gaussian", "gaussian_standardised"}


def _idle(hyperparameters: VaeHyperparameters) -> set[str]:
    """Return the hyperparameters that do nothing in this run."""
    idle = {"hidden"} if hyperparameters.network == "conv" else set()
    if hyperparameters.likelihood.startswith("gaussian"):
        idle |= {"logit_shift"}
    if hyperparameters.posterior == "deterministic":
        idle |= OBJECTIVE
    if hyperparameters.posterior != "gaussian":
        idle |= {"flow_layers", "kl", "kl_samples", "importance_samples", "elbo_draws"}
    if hyperparameters.likelihood not in DENSITIES:
        idle |= {"importance_samples"}
    if hyperparameters.flow_layers:
        idle |= {"kl"}
    if hyperparameters.flow_layers or hyperparameters.kl == "analytic":
        idle |= {"kl_samples"}
    return idle


def plans(run: str, data: str, hyperparameters: VaeHyperparameters) -> list[Plan]:
    """Return the two steps of one autoencoder: training, and scoring under its likelihood."""
    folder, model = f"data/{data}", f"models/vae/{run}"
    # a hyperparameter that does nothing in this run must not make it run again
    values: dict[str, Any] = hyperparameters.model_dump() | dict.fromkeys(_idle(hyperparameters))
    values["snapshots"] = [epoch for epoch in hyperparameters.snapshots if epoch <= hyperparameters.epochs]
    training, scoring = ({key: values[key] for key in values if key in part} for part in (TRAINING, SCORING))
    return [
        Plan("train_vae", run, {"data": folder}, model, training),
        Plan("likelihood", run, {"data": folder, "model": model}, f"scores/likelihood/{run}", scoring),
    ]


FAMILY = Family("vae", VaeHyperparameters, plans)

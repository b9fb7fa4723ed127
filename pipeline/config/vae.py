"""Schema and plans of the autoencoder family."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.base import NonNegativeInt, PositiveFloat, PositiveInt, Schema, distinct
from pipeline.config.family import Family
from pipeline.runtime import settings
from pipeline.runtime.plan import Plan
from pipeline.vae.settings import Network, Objective, Optimiser, Schedule, Scoring, Training


def _nested(samples: list[int]) -> list[int]:
    """Return importance-sample counts that can share one set of samples: each divides the largest."""
    distinct(samples)
    odd = [k for k in samples if max(samples) % k]
    if odd:
        raise ValueError(f"{odd[0]} does not divide {max(samples)}; all estimates share the samples of the largest one")
    return samples


class VaeHyperparameters(Schema):
    """Hyperparameters of one autoencoder."""

    network: Literal["mlp", "mlp_shallow", "conv", "conv32"] = Field(
        description="architecture of encoder and decoder; the two mlp take images of any size, conv takes 28x28, conv32"
        " 16x16, 32x32 or 64x64"
    )
    hidden: PositiveInt = Field(
        description="units of a hidden layer, or channels of conv32's first convolution; conv does not use it"
    )
    latent: PositiveInt = Field(description="number of latent dimensions, those of z")
    likelihood: Literal[
        "bernoulli", "gaussian", "gaussian_standardised", "cross_entropy", "cross_entropy_standardised"
    ] = Field(
        description="how pixels are scaled and what is maximised of them; bernoulli is for binary images, gaussian for"
        " pixels in [-1, 1] with variance 1/2, gaussian_standardised for pixels of mean 0 and variance 1 with variance"
        " 1; the cross-entropies apply the formula of bernoulli to pixels in [0, 1] or to standardised ones, and are no"
        " likelihoods"
    )
    logit_shift: Annotated[float, Field(ge=0)] = Field(
        description="number subtracted from every logit of the decoder; with 5, training starts from black images"
    )
    posterior: Literal["gaussian", "mean", "deterministic"] = Field(
        description="what the decoder is given in training; gaussian: a sample of q(z|x), mean: the mean of q(z|x),"
        " deterministic: the output of an encoder that has no variance"
    )
    flow_layers: NonNegativeInt = Field(description="planar layers that transform the posterior; 0 leaves it Gaussian")
    beta: Annotated[float, Field(ge=0)] = Field(description="weight of KL(q(z|x) || p(z)) in the loss")
    beta_schedule: Literal["constant", "linear"] = Field(
        description="how beta changes over the epochs; linear rises from 0 towards beta"
    )
    kl: Literal["analytic", "monte_carlo"] = Field(
        description="how KL is computed in training; analytic: in closed form, monte_carlo: from samples of q(z|x)"
    )
    kl_samples: PositiveInt = Field(description="samples per image of the Monte Carlo estimate of KL")
    epochs: PositiveInt = Field(description="passes over the training images")
    batch: PositiveInt = Field(description="images per step of gradient descent")
    learning_rate: PositiveFloat = Field(description="learning rate of Adam")
    clip_norm: Annotated[float, Field(ge=0)] = Field(
        description="largest norm of the gradient of all parameters; 0 is no limit"
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        description="arithmetic of encoder and decoder, in training and scoring; tf32 is for NVIDIA GPUs and is fp32"
        " elsewhere, bf16 rounds to 8 bits and is fast on processors that have it; losses are computed in fp32"
    )
    snapshots: Annotated[list[PositiveInt], AfterValidator(distinct)] = Field(
        description="epochs after which the weights are stored as well, to show images of that time"
    )
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="seeds, for each of which one autoencoder is trained"
    )
    importance_samples: Annotated[list[PositiveInt], Field(min_length=1), AfterValidator(_nested)] = Field(
        description="numbers K of samples that log p(x) is estimated with; each divides the largest"
    )
    elbo_samples: PositiveInt = Field(description="samples of z per image that the ELBO is scored with")
    tsne: bool = Field(description="whether to make a t-SNE map of the test latents; needs labels")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.flow_layers and self.posterior != "gaussian":
            raise ValueError(f"flow_layers: {self.flow_layers}, but posterior {self.posterior} takes no samples")
        if self.tsne and self.latent < 2:
            raise ValueError(
                f"tsne: true, but a map in the plane needs latent to be at least 2, and it is {self.latent}"
            )
        return self


DENSITIES = {"bernoulli", "gaussian", "gaussian_standardised"}


def _network(h: VaeHyperparameters) -> Network:
    return Network(
        network=h.network,
        hidden=None if h.network == "conv" else h.hidden,
        latent=h.latent,
        posterior=h.posterior,
        flow_layers=h.flow_layers,
        logit_shift=0.0 if h.likelihood.startswith("gaussian") else h.logit_shift,
    )


def _objective(h: VaeHyperparameters) -> Objective:
    if h.posterior == "deterministic":
        return Objective(likelihood=h.likelihood, beta=None, beta_schedule=None, kl=None, kl_samples=None)
    # a flow's KL is estimated with the sample that is decoded; the mean alone needs the closed form
    kl = None if h.flow_layers or h.posterior == "mean" else h.kl
    return Objective(
        likelihood=h.likelihood,
        beta=h.beta,
        beta_schedule=h.beta_schedule,
        kl=kl,
        kl_samples=h.kl_samples if kl == "monte_carlo" else None,
    )


def plans(run: str, data: str, hyperparameters: VaeHyperparameters) -> list[Plan]:
    """Return the two plans of one autoencoder, training and scoring.

    A hyperparameter that does nothing in this run is `None` in them, or neutral: another value must not rerun it.
    """
    h, folder, model = hyperparameters, f"data/{data}", f"models/vae/{run}"
    sampled = h.posterior == "gaussian"
    training = Training(
        network=_network(h),
        objective=_objective(h),
        optimiser=Optimiser(learning_rate=h.learning_rate, clip_norm=h.clip_norm),
        schedule=Schedule(
            epochs=h.epochs,
            batch=h.batch,
            snapshots=tuple(epoch for epoch in h.snapshots if epoch <= h.epochs),
            seeds=tuple(h.seeds),
        ),
        precision=h.precision,
    )
    scoring = Scoring(
        importance_samples=tuple(h.importance_samples) if sampled and h.likelihood in DENSITIES else None,
        elbo_samples=h.elbo_samples if sampled else None,
        batch=h.batch,
        tsne=h.tsne,
    )
    inputs = {"data": folder}
    return [
        Plan("train_vae", run, inputs, model, settings.plain(training)),
        Plan("likelihood", run, {**inputs, "model": model}, f"scores/likelihood/{run}", settings.plain(scoring)),
    ]


FAMILY = Family("vae", VaeHyperparameters, plans)

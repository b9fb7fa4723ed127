"""Schema and steps of the autoencoder family."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

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


class VaeKnobs(Model):
    """Knobs of one variational autoencoder."""

    network: Literal["mlp", "conv"] = Field(description="the architecture of encoder and decoder")
    hidden: PositiveInt = Field(description="units per hidden layer of the mlp")
    latent: PositiveInt = Field(description="dimensions of z")
    kl: Literal["analytic", "monte_carlo"] = Field(description="how KL(q || p) is estimated while training")
    kl_samples: PositiveInt = Field(description="samples S of the Monte Carlo estimate")
    epochs: PositiveInt = Field(description="passes over the training split")
    batch: PositiveInt = Field(description="images per step")
    learning_rate: PositiveFloat = Field(description="of Adam")
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] = Field(
        description="one network is trained per seed"
    )
    importance_samples: Annotated[list[PositiveInt], Field(min_length=1), AfterValidator(_nested)] = Field(
        description="sample counts K of the importance-sampled log p(x)"
    )


NETWORK = {"network", "hidden", "latent"}
TRAINING = NETWORK | {"kl", "kl_samples", "epochs", "batch", "learning_rate", "seeds"}
SCORING = {"importance_samples"}


def steps(run: str, data: str, knobs: VaeKnobs) -> list[Plan]:
    """Return the two steps of one autoencoder: training, and scoring under its likelihood."""
    folder, model = f"data/{data}", f"models/vae/{run}"
    training = knobs.model_dump(include=TRAINING)
    # a knob that does nothing in this run must not make it run again
    training |= {"kl_samples": None} if knobs.kl == "analytic" else {}
    training |= {"hidden": None} if knobs.network == "conv" else {}
    return [
        Plan("train_vae", run, {"data": folder}, model, training),
        Plan(
            "likelihood",
            run,
            {"data": folder, "model": model},
            f"scores/likelihood/{run}",
            knobs.model_dump(include=SCORING),
        ),
    ]


FAMILY = Family("vae", VaeKnobs, steps)

"""Schema and step of judging the pictures that autoencoders make."""

from typing import Annotated

from pydantic import Field

from pipeline.config.base import Model
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan


class SampleHyperparameters(Model):
    """Hyperparameters of one judgement."""

    count: Annotated[int, Field(ge=2)] = Field(description="pictures that are drawn and judged")


def plans(run: str, data: str, vae: str, features: str, hyperparameters: SampleHyperparameters) -> list[Plan]:
    """Return the one step of a judgement."""
    inputs = {"data": f"data/{data}", "model": f"models/vae/{vae}", "features": f"models/features/{features}"}
    return [Plan("score_samples", run, inputs, f"scores/samples/{run}", hyperparameters.model_dump())]


FAMILY = Family("samples", SampleHyperparameters, plans, names=("data", "vae", "features"))

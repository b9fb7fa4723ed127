"""Schema and plan of scoring the images that autoencoders decode."""

from typing import Annotated

from pydantic import Field

from pipeline.config.base import Schema
from pipeline.config.family import Family
from pipeline.runtime import settings
from pipeline.runtime.plan import Plan
from pipeline.vae.settings import SampleScoring


class SampleHyperparameters(Schema):
    """Hyperparameters of one run of the evaluator on an autoencoder."""

    count: Annotated[int, Field(ge=2)] = Field(description="images that are sampled, and that are reconstructed")


def plans(run: str, data: str, vae: str, features: str, hyperparameters: SampleHyperparameters) -> list[Plan]:
    """Return the one plan of a run."""
    inputs = {"data": f"data/{data}", "model": f"models/vae/{vae}", "features": f"models/features/{features}"}
    scoring = SampleScoring(count=hyperparameters.count)
    return [Plan("score_samples", run, inputs, f"scores/samples/{run}", settings.plain(scoring))]


FAMILY = Family("samples", SampleHyperparameters, plans, names=("data", "vae", "features"))

"""Schema and plan of scoring other people's samples: pictures or an array, by path and checksum."""

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.config.base import Schema
from pipeline.config.data import hexadecimal
from pipeline.config.family import Family
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import plain
from pipeline.score.settings import TheirSamples


class TheirHyperparameters(Schema):
    """What somebody's samples may have in common."""

    resize: bool = Field(
        description="whether pictures of another size are cut to their centre square and scaled; by PIL's bicubic"
        " filter, which changes a Fréchet distance by more than many a model does"
    )


class TheirSource(Schema):
    """What every run says itself."""

    path: Annotated[str, Field(min_length=1)] = Field(
        description="a folder of pictures, or an .npy or .npz file of bytes; a relative path is one in the checkout"
    )
    sha256: Annotated[str, AfterValidator(hexadecimal)] = Field(
        description="checksum of the samples; `python -m pipeline.data.checksum PATH` prints it"
    )


def plans(run: str, features: str, source: TheirSource, hyperparameters: TheirHyperparameters) -> list[Plan]:
    """Return the one plan of a run."""
    inputs = {"features": f"models/features/{features}", "real": f"scores/real/{features}"}
    samples = TheirSamples(source.path, source.sha256, hyperparameters.resize)
    return [Plan("score_theirs", run, inputs, f"scores/theirs/{run}", plain(samples))]


FAMILY = Family("theirs", TheirHyperparameters, plans, names=("features",), own=TheirSource)

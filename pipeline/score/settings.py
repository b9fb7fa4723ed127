"""Settings of scoring somebody's samples; `pipeline.config.theirs` explains them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TheirSamples:
    """Where somebody's samples lie, how they are known again, and whether they are scaled."""

    path: str
    sha256: str
    resize: bool

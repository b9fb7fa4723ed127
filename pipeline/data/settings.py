"""Settings of the stage `data`; which groups of them a data set has depends on its source."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rendered:
    """How many images of each split are rendered."""

    train: int
    test: int


@dataclass(frozen=True)
class Own:
    """Where a user's own data lie, and what they are."""

    path: str
    sha256: str
    title: str
    licence: str
    splits: dict[str, str] | None
    test_share: float


@dataclass(frozen=True)
class Pictures:
    """What pictures of many sizes are scaled to."""

    size: int
    channels: int


@dataclass(frozen=True)
class Making:
    """How one data set is made: from a source of the registry, or from a user's own arrays or pictures."""

    source: str
    rendered: Rendered | None = None
    own: Own | None = None
    pictures: Pictures | None = None

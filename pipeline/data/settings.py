"""Settings of the stage `data`; which groups of them a data set has depends on its source."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rendered:
    """How many images of each split are rendered."""

    train: int
    test: int


@dataclass(frozen=True)
class Own:
    """Where a user's own data lie, what they are, and the autoencoders that make a t-SNE map of their test images."""

    path: str
    sha256: str
    title: str
    licence: str
    splits: dict[str, str] | None
    test_share: float
    mapped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pictures:
    """What pictures of many sizes are scaled to."""

    size: int
    channels: int


@dataclass(frozen=True)
class Making:
    """How one data set is made: from which source, which of its classes, and what more the source has to be told."""

    source: str
    classes: tuple[str, ...] | None = None
    rendered: Rendered | None = None
    own: Own | None = None
    pictures: Pictures | None = None

"""Schema of the section `data` of params.yaml: one entry per data set, each with its source."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from pipeline.config.base import NAME, Schema, distinct, explain, join, mapping, nearest
from pipeline.data.registry import EMBEDDED, OFFICIAL, SHAPES
from pipeline.data.settings import Making, Own, Pictures, Rendered
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import plain

OWN = ("arrays", "folder")
"""Sources of a user's own data."""


def _digits_are_names(classes: Any) -> Any:
    return [str(name) if type(name) is int else name for name in classes] if isinstance(classes, list) else classes


Names = Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]


class Labelled(Schema):
    """What every data set with labels can be told."""

    classes: Annotated[Names | None, BeforeValidator(_digits_are_names)] = Field(
        None, description="names of the classes to keep, in the order of their new labels; null keeps all"
    )


class UnlabelledSet(Schema):
    """A data set of the registry without labels, which leaves nothing to choose."""

    source: str = Field(description="name of the data set in the registry")


class NamedSet(Labelled):
    """A data set of the registry with labels."""

    source: str = Field(description="name of the data set in the registry")


def _balanced(count: int) -> int:
    if count % len(SHAPES):
        raise ValueError(f"{count} is not a multiple of {len(SHAPES)}; all classes are equally frequent")
    return count


class RenderedShapes(Labelled):
    """Rendered shapes, made by this repository."""

    source: Literal["shapes32"] = Field(description="the rendered shapes")
    train: Annotated[int, Field(ge=len(SHAPES)), AfterValidator(_balanced)] = Field(
        4000, description="number of training images; a multiple of the number of classes, ten"
    )
    test: Annotated[int, Field(ge=len(SHAPES)), AfterValidator(_balanced)] = Field(
        2000, description="number of test images; a multiple of the number of classes, ten"
    )


class RenderedDigits(Labelled):
    """Rendered digits on textured ground, made by this repository from scikit-learn's digits."""

    source: Literal["street_digits16", "street_digits32"] = Field(description="the rendered digits")
    train: Annotated[int, Field(ge=2)] = Field(4000, description="number of training images")
    test: Annotated[int, Field(ge=2)] = Field(2000, description="number of test images")


def _checked_splits(splits: dict[str, str] | None) -> dict[str, str] | None:
    if splits is None:
        return splits
    if odd := set(splits) - {"train", "valid", "test"}:
        raise ValueError(f"{', '.join(sorted(odd))}: not a split; those are train, valid and test")
    if "train" not in splits:
        raise ValueError("train is missing; it says which of their splits is the training split")
    if len(set(splits.values())) < len(splits):
        raise ValueError(f"{splits} uses a split twice")
    return splits


def hexadecimal(sha256: str) -> str:
    """Return a checksum in hexadecimal.

    Raises:
        ValueError: If it is none.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{sha256!r} is not a sha256; `python -m pipeline.data.checksum PATH` prints it")
    return sha256


class OwnArrays(Labelled):
    """A user's own arrays."""

    source: Literal["arrays"] = Field(description="your own arrays")
    path: Annotated[str, Field(min_length=1)] = Field(description="a folder of .npy files or an .npz file")
    sha256: Annotated[str, AfterValidator(hexadecimal)] = Field(
        description="checksum of the data; `python -m pipeline.data.checksum PATH` prints it"
    )
    title: str = Field("own data", description="name of the data set in the report")
    licence: str = Field("the owner's", description="licence of the data as the report names it")
    splits: Annotated[dict[str, str] | None, AfterValidator(_checked_splits)] = Field(
        None,
        description="the data's own splits that are used as train, valid and test; by default those of the same names",
    )
    test_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="share of the training split that becomes the test split where the data have none"
    )


class OwnFolder(OwnArrays):
    """A user's own pictures in folders."""

    source: Literal["folder"] = Field(description="your own pictures")  # type: ignore[assignment]
    path: Annotated[str, Field(min_length=1)] = Field(
        description="a folder of pictures, <split>/<class>/<picture>; what is transparent is laid on white"
    )
    size: Annotated[int, Field(ge=4, le=1024)] = Field(description="pixels of a side, to which pictures are scaled")
    channels: Literal[1, 3] = Field(3, description="number of colour channels")


SCHEMAS: dict[str, type[Schema]] = dict.fromkeys((*OFFICIAL, *EMBEDDED), NamedSet) | {
    "binarized_mnist": UnlabelledSet,
    "shapes32": RenderedShapes,
    "street_digits16": RenderedDigits,
    "street_digits32": RenderedDigits,
    "arrays": OwnArrays,
    "folder": OwnFolder,
}
"""Schema of an entry, by its source."""


def expand(section: object) -> tuple[list[Plan], list[str], list[str]]:
    """Check the section `data`; return its plan files, the names of its sets, and every error found."""
    entries, errors = mapping(section, "data")
    plans: list[Plan] = []
    for name, value in entries.items():
        place = join("data", name)
        entry, more = mapping(value, place)
        more = more or _named_for_what_it_is(place, name, entry)
        if not more:
            try:
                settings = settings_of(entry)
                more = _without(place, settings)
                if not more:
                    plans.append(Plan("data", str(name), output=f"data/{name}", settings=plain(settings)))
            except ValidationError as error:
                more = [sentence for _, sentence in explain(error, SCHEMAS[entry["source"]], place)]
        errors += more
    return plans, [str(name) for name in entries], errors


def settings_of(entry: Any) -> Making:
    """Return the settings of the stage `data` for one entry with a known source.

    Raises:
        ValidationError: If a key is unknown, missing or of the wrong kind.
    """
    checked = SCHEMAS[entry["source"]].model_validate(dict(entry))
    classes = tuple(checked.classes) if isinstance(checked, Labelled) and checked.classes else None
    match checked:
        case RenderedShapes() | RenderedDigits():
            return Making(checked.source, classes, rendered=Rendered(checked.train, checked.test))
        case OwnArrays():
            own = Own(checked.path, checked.sha256, checked.title, checked.licence, checked.splits, checked.test_share)
            pictures = Pictures(checked.size, checked.channels) if isinstance(checked, OwnFolder) else None
            return Making(checked.source, classes, own=own, pictures=pictures)
    return Making(entry["source"], classes)


def _without(place: str, settings: Making) -> list[str]:
    """Say which of the chosen classes a set of the registry does not have; those of others stand in their files."""
    known = {**OFFICIAL, **EMBEDDED}.get(settings.source)
    if settings.classes is None or known is None or not known.classes:
        return []
    sentence = known.without(settings.classes)
    return [f"{place}.classes: {sentence}"] if sentence else []


def _named_for_what_it_is(place: str, name: object, entry: Any) -> list[str]:
    """Say what is wrong with the name or the source of an entry: no set may carry the name of another one."""
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        return [f"{place}: {name!r} is not a data set name; lower-case letters, digits and _ are allowed"]
    source, allowed = entry.get("source"), ", ".join(SCHEMAS)
    if "source" not in entry:
        return [f"{place}.source: missing; one of {allowed} is needed"]
    if not isinstance(source, str) or source not in SCHEMAS:
        return [f"{place}.source: {source!r} is not one of {allowed}{nearest(source, SCHEMAS)}"]
    if name in (*OFFICIAL, *EMBEDDED, *OWN) and name != source:
        return [
            f"{place}.source: {source}, but a data set is always named for what it is; use another name than {name}"
        ]
    if name == source and entry.get("classes") is not None:
        return [f"{place}.classes: {name} is the name of the whole set; use another name for some of its classes"]
    return []

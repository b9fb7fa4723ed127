"""Schema of the section `data` of params.yaml: one entry per data set, each with its source."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from pipeline.config.base import NAME, Model, distinct, explain, join, mapping, nearest
from pipeline.data.registry import EMBEDDED, OFFICIAL, SHAPES
from pipeline.runtime.plan import Plan


class Unlabelled(Model):
    """A data set of the registry without labels."""

    source: str


def _digits_are_names(classes: Any) -> Any:
    return [str(name) if type(name) is int else name for name in classes] if isinstance(classes, list) else classes


Names = Annotated[list[str], Field(min_length=1), AfterValidator(distinct)]


class Labelled(Model):
    """What every data set with labels can be told."""

    classes: Annotated[
        Names | None,
        BeforeValidator(_digits_are_names),
        Field(description="names of the classes to keep, in the order of their new labels; null keeps all"),
    ] = None


class Named(Labelled):
    """A data set of the registry with labels."""

    source: str


def _balanced(count: int) -> int:
    if count % len(SHAPES):
        raise ValueError(f"{count} is not a multiple of {len(SHAPES)}; all classes are equally frequent")
    return count


class Shapes(Labelled):
    """Rendered shapes."""

    source: Literal["shapes32"]
    train: Annotated[int, Field(ge=len(SHAPES)), AfterValidator(_balanced)] = 4000
    test: Annotated[int, Field(ge=len(SHAPES)), AfterValidator(_balanced)] = 2000


class Street(Labelled):
    """Rendered digits on textured ground."""

    source: Literal["street_digits16", "street_digits32"]
    train: Annotated[int, Field(ge=1)] = 4000
    test: Annotated[int, Field(ge=1)] = 2000


def _checked_splits(splits: dict[str, str] | None) -> dict[str, str] | None:
    if splits is None:
        return splits
    if odd := set(splits) - {"train", "valid", "test"}:
        raise ValueError(f"{', '.join(sorted(odd))}: no split of ours; train, valid and test are")
    if "train" not in splits:
        raise ValueError("train is missing; it says which of their splits is the training split")
    if len(set(splits.values())) < len(splits):
        raise ValueError(f"{splits} uses a split twice")
    return splits


def _hexadecimal(sha256: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{sha256!r} is not a sha256; `python -m pipeline.data.checksum PATH` prints it")
    return sha256


class Arrays(Labelled):
    """A user's own arrays."""

    source: Literal["arrays"]
    path: Annotated[str, Field(min_length=1, description="a folder of .npy files or an .npz file")]
    sha256: Annotated[
        str, AfterValidator(_hexadecimal), Field(description="what `python -m pipeline.data.checksum PATH` prints")
    ]
    title: str = "own data"
    licence: str = "the owner's"
    splits: Annotated[dict[str, str] | None, AfterValidator(_checked_splits)] = None
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.1


class Folder(Arrays):
    """A user's own pictures in folders."""

    source: Literal["folder"]  # type: ignore[assignment]
    size: Annotated[int, Field(ge=4, le=1024, description="pixels of a side")]
    channels: Literal[1, 3] = 3


_MODELS: dict[str, type[Model]] = dict.fromkeys((*OFFICIAL, *EMBEDDED), Named) | {
    "shapes32": Shapes,
    "binarized_mnist": Unlabelled,
    "street_digits16": Street,
    "street_digits32": Street,
    "arrays": Arrays,
    "folder": Folder,
}


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
                more = _classes(place, settings)
                if not more:
                    plans.append(Plan("data", str(name), output=f"data/{name}", settings=settings))
            except ValidationError as error:
                more = [sentence for _, sentence in explain(error, _MODELS[entry["source"]], place)]
        errors += more
    return plans, [str(name) for name in entries], errors


def settings_of(entry: Any) -> dict[str, Any]:
    """Return the keyword arguments of `pipeline.data.build.build` for one entry with a known source.

    Raises:
        ValidationError: if a key is unknown, missing or of the wrong kind.
    """
    return _MODELS[entry["source"]].model_validate(dict(entry)).model_dump()


def _classes(place: str, settings: dict[str, Any]) -> list[str]:
    """Say which of the chosen classes a set of the registry has not; those of other sets stand in their files."""
    known, chosen = {**OFFICIAL, **EMBEDDED}.get(settings["source"]), settings.get("classes")
    if chosen is None or known is None or not known.classes:
        return []
    sentence = known.without(chosen)
    return [f"{place}.classes: {sentence}"] if sentence else []


def _named_for_what_it_is(place: str, name: object, entry: Any) -> list[str]:
    """Say what is wrong with the name or the source of an entry: no set may carry the name of another one."""
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        return [f"{place}: {name!r} is not a data set name; lower-case letters, digits and _ are allowed"]
    source, allowed = entry.get("source"), ", ".join(_MODELS)
    if "source" not in entry:
        return [f"{place}.source: missing; one of {allowed} is needed"]
    if not isinstance(source, str) or source not in _MODELS:
        return [f"{place}.source: {source!r} is not one of {allowed}{nearest(source, _MODELS)}"]
    if name in (*OFFICIAL, *EMBEDDED, "arrays", "folder") and name != source:
        return [
            f"{place}.source: {source}, but a data set is always named for what it is; use another name than {name}"
        ]
    if name == source and entry.get("classes") is not None:
        return [f"{place}.classes: {name} is the name of the whole set; use another name for some of its classes"]
    return []

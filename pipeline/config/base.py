"""What every part of params.yaml is made of: strict schemas, names, and errors in the reader's words."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

NAME = r"[a-z0-9][a-z0-9_]{0,63}"
"""Form of the name of a run or data set, which becomes a file name and part of a DVC stage's address."""


class Schema(BaseModel):
    """Schema of a part of params.yaml: it refuses unknown keys and takes no text for a number.

    The description of a field is where the hyperparameter is explained: a phrase that stands alone, then perhaps
    `"; "` and details. The comments of params.yaml and docs/hyperparameters.md are made from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def distinct(values: list[Any]) -> list[Any]:
    """Return `values` if no two are equal.

    Raises:
        ValueError: If two are equal.
    """
    if len(set(values)) < len(values):
        raise ValueError(f"{values} holds a value twice")
    return values


PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]


def nearest(word: object, allowed: Iterable[str]) -> str:
    """Return `"; did you mean x?"` where one of `allowed` is spelt like `word`, else nothing."""
    close = get_close_matches(str(word), list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def unknown(place: str, key: object, allowed: Iterable[str]) -> str:
    """Say that `place` has no key `key`, and what it has."""
    names = list(allowed)
    return f"{join(place, key)}: unknown key{nearest(key, names)} (allowed here: {', '.join(names)})"


def join(place: str, key: object) -> str:
    """Append `key` to the dotted `place`; a key that is no plain word is quoted."""
    word = key if isinstance(key, str) and key.replace("_", "").replace("-", "").isalnum() else repr(key)
    return f"{place}.{word}" if place else str(word)


def explain(error: ValidationError, schema: type[Schema], place: str) -> list[tuple[str | None, str]]:
    """Turn pydantic's errors of one flat schema into sentences.

    Args:
        error: The errors.
        schema: What the values were checked against.
        place: Dotted place of the values in params.yaml.

    Returns:
        Pairs of key and sentence in pydantic's order; the key is `None` for an error of the values as a whole.
    """
    return [(str(e["loc"][0]) if e["loc"] else None, _sentence(e, schema, place)) for e in error.errors()]


def _sentence(error: ErrorDetails, schema: type[Schema], place: str) -> str:
    where = place
    for part in error["loc"]:
        where = f"{where}[{part}]" if isinstance(part, int) else join(where, part)
    value, kind, context = error["input"], error["type"], error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return unknown(place, error["loc"][-1], schema.model_fields)
        case "missing":
            return f"{where}: missing ({summary(schema.model_fields[str(error['loc'][0])])})"
        case "literal_error":
            allowed = choices(schema.model_fields[str(error["loc"][0])].annotation)
            return f"{where}: {value!r} is not one of {', '.join(allowed)}{nearest(value, allowed)}"
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            bound = next(iter(context.values()))
            words = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
            return f"{where}: {value!r} is not {words[next(iter(context))]} {bound}"
        case "value_error":
            return f"{where}: {context['error']}"
        case "too_short":
            return f"{where}: empty; at least one value is needed"
        case _:
            expected = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "a text"}
            expected |= {"list": "a list", "dict": "a mapping", "finite": "a finite number", "model": "a mapping"}
            wanted = expected.get(kind.split("_")[0])
            return f"{where}: {value!r} is not {wanted}" if wanted else f"{where}: {value!r}: {error['msg']}"


def choices(annotation: Any) -> list[str]:
    """Collect the values of a `Literal`, also inside a list or a union."""
    if get_origin(annotation) is None:
        return []
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return [str(argument) for argument in arguments]
    return [value for argument in arguments for value in choices(argument)]


def summary(field: FieldInfo) -> str:
    """Say in one phrase what a hyperparameter is and which values it may have: the comment beside it in params.yaml."""
    phrase = re.split("[;:] ", field.description or "")[0]
    allowed = " | ".join(choices(field.annotation))
    return f"{allowed}: {phrase}" if allowed else phrase


def misnamed(name: object, place: str) -> list[str]:
    """Return an error unless `name`, the last part of `place`, can name a run."""
    if isinstance(name, str) and re.fullmatch(NAME, name):
        return []
    return [f"{place}: {name!r} is not a run name; lower-case letters, digits and _ are allowed"]


def mapping(value: object, place: str) -> tuple[Mapping[Any, Any], list[str]]:
    """Return `value` where it is a mapping, else an empty one and an error that says so."""
    if isinstance(value, Mapping):
        return value, []
    return {}, [f"{place}: {value!r} is not a mapping"]

"""Reference of all hyperparameters, made from their schemas: `python -m pipeline.config.reference` writes it."""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from pipeline.config import data, dirac
from pipeline.config.base import Schema, choices
from pipeline.config.family import Family
from pipeline.config.layout import SECTIONS
from pipeline.config.params import FAMILIES, SCHEMAS

PAGE = Path("docs/hyperparameters.md")

INTRODUCTION = """\
# Hyperparameters

What can stand in [`params.yaml`](../params.yaml), section by section. A family's hyperparameters stand at the top of
its section and hold for all of its runs; an entry under `runs` overrides any of them. Where images
are needed, the entry names its data set; `like` names a run of the same family whose overrides it inherits.
`make profile NAME=paper` writes the reports' own values, `make profile NAME=default` the small ones.

(`python -m pipeline.config.reference` writes this page from the schemas in `pipeline/config/`; edit those.)
"""


def page() -> str:
    """Return the reference as Markdown."""
    return INTRODUCTION + "".join(
        f"\n## `{section}`\n\n{_sentence(about)}\n" + (_sources() if section == "data" else _family(section))
        for section, about in SECTIONS.items()
    )


def _sources() -> str:
    parts = []
    for schema in dict.fromkeys(data.SCHEMAS.values()):
        names = ", ".join(f"`{name}`" for name, other in data.SCHEMAS.items() if other is schema)
        parts.append(f"\nWith the source {names}:\n\n{_table(schema)}")
    return "".join(parts)


def _family(section: str) -> str:
    inner = (f"\nEach entry of `{key}` has these:\n\n{_table(schema)}" for key, schema in _inner(section).items())
    return f"\n{_table(SCHEMAS[section])}" + "".join(inner)


def _inner(section: str) -> dict[str, type[Schema]]:
    """Return the schemas of what stands in lists and mappings of a section, by their keys."""
    inner: dict[str, type[Schema]] = {"games": dirac.GameHyperparameters} if section == "dirac" else {}
    if isinstance(family := FAMILIES[section], Family) and family.own:
        inner["runs"] = family.own
    for key, field in SCHEMAS[section].model_fields.items():
        for part in get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, Schema):
                inner[key] = part
    return inner


def _table(schema: type[Schema]) -> str:
    rows = ["| key | value | meaning |", "|---|---|---|"]
    for key, field in schema.model_fields.items():
        value = _values(field.annotation, field.metadata) + _default(field)
        rows.append(f"| `{key}` | {value} | {_sentence(field.description or '')} |")
    return "\n".join([*rows, ""])


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}.".replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    return "" if field.is_required() else f" (default: {'none' if field.default is None else field.default})"


def _values(annotation: Any, rules: Iterable[Any] = ()) -> str:
    """Say which values a hyperparameter may have."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = [rule for each in arguments[1:] for rule in (each.metadata if isinstance(each, FieldInfo) else [each])]
        return _values(arguments[0], [*inner, *rules])
    if origin in (Union, UnionType):
        return " or ".join(_values(each) for each in arguments if each is not NoneType)
    if origin is list:
        return f"list: {_values(arguments[0])}"
    if origin is dict:
        return f"mapping: {_values(arguments[1])}"
    if options := choices(annotation):
        return ", ".join(f"`{option}`" for option in options)
    kinds = {bool: "`true`, `false`", int: "whole number", float: "number", str: "text"}
    words = {Ge: "at least {0.ge}", Gt: "greater than {0.gt}", Le: "at most {0.le}", Lt: "less than {0.lt}"}
    bounds = [words[type(rule)].format(rule) for rule in rules if type(rule) in words]
    return ", ".join([kinds.get(annotation, "mapping"), *bounds])


if __name__ == "__main__":
    PAGE.write_text(page())

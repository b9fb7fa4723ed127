"""Typed settings: small frozen dataclasses of plain values, and their way into plan files and `network.json` and back.

A family declares its settings in `pipeline/<family>/settings.py`, without importing torch, so that `plan` can build
them as well. What each hyperparameter means and may be stands in its schema, `pipeline/config/<family>.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints


class Settings(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Kind = TypeVar("Kind", bound=Settings)


def plain(settings: Settings) -> dict[str, Any]:
    """Return settings as nested dictionaries and lists, as YAML and JSON store them."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return values


def build(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Return the settings that `plain` turned into `values`.

    Args:
        kind: The dataclass; its fields may be dataclasses, optional, or tuples and dictionaries of them.
        values: One value for each field; those that have a default may be left out.

    Raises:
        TypeError: If a field is missing or unknown.
    """
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], value) if name in hints else value for name, value in values.items()})


def write(path: Path, settings: Settings) -> None:
    """Write settings as a JSON file."""
    path.write_text(json.dumps(plain(settings), indent=2) + "\n")


def read(path: Path, kind: type[Kind]) -> Kind:
    """Read what `write` wrote."""
    return build(kind, json.loads(path.read_text()))


def _value(hint: Any, value: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):  # the only unions are with None
        hint = next(option for option in get_args(hint) if option is not NoneType)
    if isinstance(value, dict) and isinstance(hint, type) and is_dataclass(hint):
        return build(hint, value)
    if isinstance(value, dict):
        return {key: _value(get_args(hint)[1], item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_value(get_args(hint)[0], item) for item in value)
    return value


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings under the names that their hyperparameters have in params.yaml.

    The names of groups are dropped, but for a name that stands in several groups: `generator_learning_rate` and
    `critic_learning_rate`. A mapping of mappings, such as the games of `dirac`, is no group but one hyperparameter.
    """
    groups = {name: value for name, value in values.items() if _is_group(value)}
    names = [name for group in groups.values() for name in group]
    flattened = {name: value for name, value in values.items() if name not in groups}
    for group, inner in groups.items():
        for name, value in inner.items():
            flattened[f"{group}_{name}" if names.count(name) > 1 else name] = value
    return flattened


def _is_group(value: Any) -> bool:
    return isinstance(value, Mapping) and not all(isinstance(inner, Mapping) for inner in value.values())

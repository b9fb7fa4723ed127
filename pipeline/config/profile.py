"""Profiles: named contents of params.yaml; `python -m pipeline.config.profile paper` writes one of them into it."""

import argparse
import copy
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.config import layout
from pipeline.config.base import join, mapping
from pipeline.config.family import Family
from pipeline.config.params import FAMILIES, expand, read
from pipeline.runtime import files
from pipeline.runtime.errors import UserError, told

FOLDER = Path(__file__).parent / "profiles"
DEFAULT = "default"
NAMES = [DEFAULT, *sorted({file.stem for file in FOLDER.glob("*.yaml")} - {DEFAULT})]
"""All profiles. Another one is another file: what differs from the default, as a merge patch (RFC 7386)."""

ABSENT = object()
"""Stands for the value of a key that is not there."""


def load(name: str) -> dict[str, Any]:
    """Return a profile as the full content of params.yaml."""
    params = copy.deepcopy(_read(DEFAULT))
    if name != DEFAULT:
        merge(params, _read(name))
    return params


@cache
def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = read(FOLDER / f"{name}.yaml")
    return content


def merge(target: MutableMapping[str, Any], patch: Mapping[str, Any]) -> None:
    """Apply a JSON merge patch (RFC 7386) in place: mappings merge, `null` removes a key, anything else replaces."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(target.get(key), MutableMapping):
            merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)  # an alias in the profile becomes two independent values


@dataclass(frozen=True)
class Switch:
    """A profile put in the place of another one.

    Args:
        params: The profile, and what is the user's own.
        own: Places of data sets, runs and games that are the user's own.
        needed: Places of data sets and runs that the profile does not have, but the user's own runs need.
        undone: What the user had changed by hand in the profile before, by its place: the old and the new value.
    """

    params: dict[str, Any]
    own: list[layout.Place]
    needed: list[layout.Place]
    undone: dict[layout.Place, tuple[Any, Any]]


def switch(params: Mapping[str, Any], name: str) -> Switch:
    """Put the profile `name` in the place of the profile that `params` is nearest to.

    The user's own data sets and runs are kept with all that they name. All else that differs from the profile before
    is undone.
    """
    before = min(map(load, NAMES), key=lambda profile: len(list(differing(params, profile))))
    target = load(name)
    changed = list(differing(params, before))
    own = [place for place in changed if _is_entry(place) and at(before, place) is at(target, place) is ABSENT]
    needed: list[layout.Place] = []
    waiting = own.copy()
    while waiting:
        place = waiting.pop(0)
        entry = at(params, place)
        if entry is ABSENT or at(target, place) is not ABSENT:
            continue
        _put(target, place, copy.deepcopy(entry))
        needed += [] if place in own else [place]
        waiting += _named_by(place, entry)
    undone = {place: (at(params, place), at(target, place)) for place in changed}
    return Switch(target, own, needed, {place: (old, new) for place, (old, new) in undone.items() if old != new})


def differing(one: object, other: object, place: layout.Place = ()) -> Iterator[layout.Place]:
    """Find the places at which two contents of params.yaml differ, the outermost ones."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            yield from differing(one.get(key, ABSENT), other.get(key, ABSENT), (*place, key))
    elif one != other:
        yield place


def at(params: object, place: layout.Place) -> Any:
    """Return the value at a place of params.yaml, `ABSENT` where there is none."""
    for key in place:
        params = params.get(key, ABSENT) if isinstance(params, Mapping) else ABSENT
    return params


def _is_entry(place: layout.Place) -> bool:
    """Tell whether a place is that of a data set, a run or a game."""
    match place:
        case ("data", _) | (_, "runs" | "games", _):
            return True
    return False


def _named_by(place: layout.Place, entry: object) -> list[layout.Place]:
    """Return the places of what a run names: its data set, its evaluator, the run that it is like."""
    match place, entry:
        case (section, "runs", _), Mapping() if isinstance(family := FAMILIES.get(section), Family):
            named = [
                ("data", entry.get(key)) if key == "data" else (key, "runs", entry.get(key)) for key in family.names
            ]
            return [*named, (section, "runs", entry.get("like"))]
    return []


def _put(params: dict[str, Any], place: layout.Place, value: object) -> None:
    for key in place[:-1]:
        params = params[key]
    params[place[-1]] = value


def write(path: Path, name: str) -> Switch:
    """Write a profile into params.yaml, if the result can be run.

    Raises:
        UserError: If the file cannot be read, or what is the user's own in it cannot be run; the file stays as it was.
    """
    params, errors = mapping(read(path), path.name)
    if errors:
        raise UserError("\n".join(errors))
    switched = switch(params, name)
    expand(switched.params)
    kept = {*switched.own, *switched.needed}
    comments = layout.comments(YAML().load(path))
    own = {place: comment for place, comment in comments if any(place[: len(entry)] == entry for entry in kept)}
    files.write(path, layout.text(switched.params, own).encode())
    return switched


def main() -> None:
    """Write the profile that the command line names into params.yaml, and say what was kept and what undone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=NAMES, help="which profile")
    name = parser.parse_args().name
    with told(prefix=f"params.yaml is left as it was, without the profile {name}.\n"):
        switched = write(Path("params.yaml"), name)
    print(f"params.yaml now holds the profile {name}; `git diff params.yaml` shows it, `make repro` runs it.")
    for what, places in (
        ("kept, because they are your own", switched.own),
        ("kept, because your own runs need them", switched.needed),
        (
            "undone, because a profile sets them",
            [f"{dotted(place)} ({_said(old)} -> {_said(new)})" for place, (old, new) in switched.undone.items()],
        ),
    ):
        if places:
            print(f"{what}: {', '.join(place if isinstance(place, str) else dotted(place) for place in places)}")


def dotted(place: layout.Place) -> str:
    """Return a place of params.yaml as people write it, `gan.runs.main.steps`."""
    dotted = ""
    for key in place:
        dotted = join(dotted, key)
    return dotted


def _said(value: object) -> str:
    return "absent" if value is ABSENT else str(value)


if __name__ == "__main__":
    main()

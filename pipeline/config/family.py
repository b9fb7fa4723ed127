"""One family of runs: base knobs at its top level, and a mapping `runs` whose entries override them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.config.base import NAME, Model, explain, join, mapping, nearest, unknown
from pipeline.runtime.plan import Plan


@dataclass(frozen=True)
class Family:
    """How one section of params.yaml is checked and expanded.

    Args:
        name: the section, `vae`.
        knobs: its knobs; all of them stand at the section's top level, and any run may override any of them.
        steps: the plan files of one run, from its name, its data set and its resolved knobs.
        data: whether every run names a data set; a family without has the empty name there.
    """

    name: str
    knobs: type[Model]
    steps: Callable[[str, str, Any], list[Plan]]
    data: bool = True

    def expand(self, section: object, sets: Iterable[str]) -> tuple[list[Plan], list[str]]:
        """Check one section against the data sets named `sets`; return its plan files and every error found."""
        family, errors = mapping(section, self.name)
        if errors:
            return [], errors
        if "runs" not in family:
            errors.append(f"{self.name}.runs: missing; a mapping of run names to their settings is needed")
        base = {key: value for key, value in family.items() if key != "runs"}
        errors += [sentence for _, sentence in self._check(base, self.name)[1]]
        runs, more = mapping(family.get("runs", {}), f"{self.name}.runs")
        errors += more
        plans: list[Plan] = []
        for name, entry in runs.items():
            expanded, more = self._run(name, entry, base, sets)
            plans += expanded
            errors += more
        return plans, errors

    def _run(
        self, name: object, entry: object, base: dict[Any, Any], sets: Iterable[str]
    ) -> tuple[list[Plan], list[str]]:
        place = join(f"{self.name}.runs", name)
        if not isinstance(name, str) or not re.fullmatch(NAME, name):
            return [], [f"{place}: {name!r} is not a run name; lower-case letters, digits and _ are allowed"]
        run, errors = mapping(entry, place)
        if errors:
            return [], errors
        own = {key: value for key, value in run.items() if not (self.data and key == "data")}
        known = {key: value for key, value in own.items() if key in self.knobs.model_fields}
        allowed = ["data"] * self.data + list(self.knobs.model_fields)
        errors += [unknown(place, key, allowed) for key in own if key not in known]
        data = run.get("data") if self.data else ""
        if self.data and data not in list(sets):
            found = f"{data!r} is not one of the sets under data: {', '.join(sets)}{nearest(data, sets)}"
            errors.append(f"{place}.data: {found if 'data' in run else 'missing; every run names its data set'}")
        knobs, more = self._check({**base, **known}, place)
        # what the run inherits is reported once, at the family's top level
        errors += [sentence for key, sentence in more if key is None or key in known]
        return (self.steps(name, str(data), knobs) if knobs and not errors else []), errors

    def _check(self, values: dict[Any, Any], place: str) -> tuple[Model | None, list[tuple[str | None, str]]]:
        try:
            return self.knobs.model_validate(values), []
        except ValidationError as error:
            return None, explain(error, self.knobs, place)

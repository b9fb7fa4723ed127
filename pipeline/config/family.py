"""One family of runs: base hyperparameters at its top level, and a mapping `runs` whose entries override them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.config.base import Schema, explain, join, mapping, misnamed, nearest, unknown
from pipeline.runtime.plan import Plan


@dataclass(frozen=True)
class Family:
    """How one section of params.yaml is checked and expanded.

    Args:
        name: Name of the section, such as `vae`.
        hyperparameters: Schema of its hyperparameters. All of them stand at the section's top level, and any run may
            override any of them; a run that is `like` another inherits what that run overrides as well.
        plans: Function that makes the plans of one run from its name, what it names and its hyperparameters.
        names: Sections of which every run names one entry. They decide the run's dependencies in dvc.yaml, so they
            are not inherited.
        own: Schema of what every run says itself, where there is such; `plans` gets it before the hyperparameters.
    """

    name: str
    hyperparameters: type[Schema]
    plans: Callable[..., list[Plan]]
    names: tuple[str, ...] = ("data",)
    own: type[Schema] | None = None

    @property
    def _not_inherited(self) -> list[str]:
        """The keys that every run has itself."""
        return [*self.names, *(self.own.model_fields if self.own else {})]

    def expand(self, section: object, entries: Mapping[str, Sequence[str]]) -> tuple[list[Plan], list[str]]:
        """Check one section, given the names of the entries of the others; return its plans and every error found."""
        family, errors = mapping(section, self.name)
        if errors:
            return [], errors
        if "runs" not in family:
            errors.append(f"{self.name}.runs: missing; a mapping of run names to what they override is needed")
        base = {key: value for key, value in family.items() if key != "runs"}
        errors += [sentence for _, sentence in _check(self.hyperparameters, base, self.name)[1]]
        runs, more = mapping(family.get("runs", {}), f"{self.name}.runs")
        errors += more
        plans: list[Plan] = []
        for name, entry in runs.items():
            own, inherited, more = self._inherited(name, entry, runs)
            errors += more
            expanded, more = self._run(name, own, {**base, **inherited}, entries)
            plans += expanded
            errors += more
        return plans, errors

    def _inherited(
        self, name: object, entry: object, runs: Mapping[Any, Any]
    ) -> tuple[object, dict[Any, Any], list[str]]:
        """Return a run's own entry without `like`, what the run it is like overrides, and the errors found."""
        if not isinstance(entry, Mapping) or "like" not in entry:
            return entry, {}, []
        own, other = {key: value for key, value in entry.items() if key != "like"}, entry["like"]
        place = join(join(f"{self.name}.runs", name), "like")
        if other not in list(runs) or not isinstance(runs[other], Mapping):
            return own, {}, [f"{place}: {other!r} is not one of the other runs{nearest(other, map(str, runs))}"]
        if "like" in runs[other]:
            return own, {}, [f"{place}: {other} is itself like {runs[other]['like']!r}; name that run"]
        return own, {key: value for key, value in runs[other].items() if key not in self._not_inherited}, []

    def _run(
        self, name: object, entry: object, base: dict[Any, Any], entries: Mapping[str, Sequence[str]]
    ) -> tuple[list[Plan], list[str]]:
        place = join(f"{self.name}.runs", name)
        if errors := misnamed(name, place):
            return [], errors
        run, errors = mapping(entry, place)
        if errors:
            return [], errors
        rest = {key: value for key, value in run.items() if key not in self._not_inherited}
        known = {key: value for key, value in rest.items() if key in self.hyperparameters.model_fields}
        allowed = [*self._not_inherited, *self.hyperparameters.model_fields]
        errors += [unknown(place, key, allowed) for key in rest if key not in known]
        for key in self.names:
            value, there = run.get(key), entries[key]
            if value not in there:
                odd = f"{value!r} is not one of the entries under {key}: {', '.join(there)}{nearest(value, there)}"
                missing = f"missing; every run names one of the entries under {key}: {', '.join(there)}"
                errors.append(f"{place}.{key}: {odd if key in run else missing}")
        said, faults = self._own(run, place)
        errors += faults
        hyperparameters, more = _check(self.hyperparameters, {**base, **known}, place)
        # what the run inherits is reported once, at the family's top level
        errors += [sentence for key, sentence in more if key is None or key in known]
        named = [str(run.get(key)) for key in self.names]
        return (self.plans(name, *named, *said, hyperparameters) if hyperparameters and not errors else []), errors

    def _own(self, run: Mapping[Any, Any], place: str) -> tuple[list[Schema], list[str]]:
        """Return what a run says itself, checked, where the family has such, and the errors found."""
        if self.own is None:
            return [], []
        own, errors = _check(self.own, {key: run[key] for key in self.own.model_fields if key in run}, place)
        return [own] if own else [], [sentence for _, sentence in errors]


def _check(
    schema: type[Schema], values: dict[Any, Any], place: str
) -> tuple[Schema | None, list[tuple[str | None, str]]]:
    try:
        return schema.model_validate(values), []
    except ValidationError as error:
        return None, explain(error, schema, place)

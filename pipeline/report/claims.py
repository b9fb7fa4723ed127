"""Claims that the five reports make, each tested by a rule on what the pipeline has measured.

The texts lie in `claims.yaml`. A rule is a function of the named numbers of one seed, in the `rules.py` of a chapter;
it says whether the claim holds and what it found. Its thresholds are constants of its module, which the texts name.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pipeline.report.reported import Claimed, Reported, deviations

Numbers = Mapping[str, Any]
"""Named numbers: of one seed, or what is known of a run."""


@dataclass(frozen=True)
class Finding:
    """What a rule has found.

    Args:
        holds: Whether it holds, for each thing that it tests.
        numbers: What it has computed, by the name that the claim's text has for it.
    """

    holds: tuple[bool, ...]
    numbers: Numbers


Rule = Callable[..., Finding | None]
"""Takes the numbers of one seed by name; returns nothing where the run has not measured what it needs."""


def finding(*holds: bool, **numbers: Any) -> Finding:
    """Return what a rule has found, see `Finding`."""
    return Finding(tuple(map(bool, holds)), numbers)


@dataclass(frozen=True)
class Claim:
    """One claim and what became of it.

    Args:
        name: Its number, such as `C21`.
        text: What `claims.yaml` says of it.
        rule: When it counts as confirmed in one seed, in words.
        found: What was measured, in words.
        seeds: For each seed whether the rule holds; empty where nothing measures it.
        figure: Path of the picture that shows it, from the report's folder; empty without seeds.
        limit: Why these runs cannot test it, however the numbers fall.
    """

    name: str
    text: Claimed
    rule: str
    found: str
    seeds: Sequence[bool]
    figure: str = ""
    limit: str = ""

    @property
    def verdict(self) -> str:
        """The outcome in a word, and behind it the seeds or the reason."""
        if self.outcome == "not testable at this scale":
            return f"{self.outcome}: {self.limit}"
        if not self.seeds or self.text.counted:
            return self.outcome
        held = sum(self.seeds)
        return self.outcome + (f" ({held} of {len(self.seeds)} seeds)" if len(self.seeds) > 1 else " (1 seed)")

    @property
    def outcome(self) -> str:
        """`confirmed`, `confirmed in part`, `not confirmed`, `not testable at this scale` or `not run`."""
        if not self.seeds:
            return "not run"
        if self.limit:
            return "not testable at this scale"
        return "confirmed" if all(self.seeds) else "confirmed in part" if any(self.seeds) else "not confirmed"


def assess(
    reported: Reported, name: str, rule: Rule, seeds: Mapping[str, Numbers], facts: Sequence[Numbers] = (), **path: str
) -> Claim:
    """Test one claim by its rule.

    Args:
        reported: The reports, and the texts of their claims.
        name: Number of the claim.
        rule: Decides it in one seed.
        seeds: The rule's arguments by seed; a claim that no seed changes has one entry of any name.
        facts: What is known of each run that it is tested on: `data`, settings, and the lengths that the text names.
        path: Parts of the figure's path that depend on the runs.
    """
    text = reported.claims[name]
    tried = [(numbers, rule(**numbers)) for numbers in seeds.values()]
    found = [({**numbers, **result.numbers}, result.holds) for numbers, result in tried if result]
    words = {key: _Seeds([numbers[key] for numbers, _ in found]) for key in (found[0][0] if found else ())}
    return Claim(
        name,
        text,
        text.rule.format_map(vars(sys.modules[rule.__module__])),
        text.found.format_map(words) if found else "",
        [held for _, holds in found for held in holds],
        text.figure.format_map(path) if found else "",
        limit(text, facts),
    )


def limit(text: Claimed, facts: Sequence[Numbers]) -> str:
    """Return why runs of which `facts` are known cannot carry a verdict, nothing if they can."""
    reasons = []
    for what, needed in text.needs.items():
        least = min((known[what] for known in facts if what in known), default=needed)
        if least < needed:
            reasons.append(f"{least:,.0f} {what}, at least {needed:,} needed")
    different = [deviations(text.conditions, dict(known)) for known in facts]
    for key in ["data"] if any("data" in other for other in different) else text.conditions:
        if here := sorted({str(other[key][1]) for other in different if key in other}):
            reasons.insert(0, f"{key} is {text.conditions[key]} in the report, {' or '.join(here)} here")
    return "; ".join(reasons)


def per_seed(values: Mapping[Any, Mapping[str, Any]]) -> dict[str, dict[Any, Any]]:
    """Return by seed what `values` holds by seed under each key, for the seeds that all of them have."""
    first = next(iter(values.values()), {})
    seeds = [seed for seed in first if all(seed in each for each in values.values())]
    return {seed: {key: each[seed] for key, each in values.items()} for seed in seeds}


def three(value: float) -> str:
    """Return a number with three digits, or as a whole one."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


class _Seeds:
    """One value per seed, formatted with a slash between them where they differ.

    Parts of a list have arrows between them, entries of a mapping their names before them. The format `three` is that
    of the function, and `mean.2f` formats the mean over seeds.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values

    def __getitem__(self, key: Any) -> "_Seeds":
        return _Seeds([value[key] for value in self.values])

    def __getattr__(self, name: str) -> "_Seeds":
        return _Seeds([getattr(value, name) for value in self.values])

    def __format__(self, form: str) -> str:
        first = self.values[0]
        if isinstance(first, Mapping):
            return ", ".join(f"{key}: {self[key]:{form}}" for key in first)
        if isinstance(first, list | tuple):
            return " → ".join(format(self[place], form) for place in range(len(first)))
        if form.startswith("mean"):
            return format(fmean(self.values), form.removeprefix("mean"))
        words = [three(value) if form == "three" else format(value, form) for value in self.values]
        return words[0] if all(value == first for value in self.values) else " / ".join(words)

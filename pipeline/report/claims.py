"""Claims that the five reports make, tested by rule on what the pipeline has measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.reported import deviations

Seeds = Mapping[str, float]
"""One number of each seed."""


@dataclass(frozen=True)
class Claim:
    """One claim and what became of it.

    Args:
        name: `C21`.
        reports: who makes it.
        words: what is claimed.
        rule: when it counts as confirmed in one seed.
        found: what was measured.
        seeds: for each seed whether the rule holds; empty where nothing measures it.
        figure: path of the picture that shows it, from the report's folder.
        limit: why runs as small as these cannot judge it, however the numbers fall.
        counted: the one entry of `seeds` is a count or a formula, which no seed changes.
    """

    name: str
    reports: str
    words: str
    rule: str
    found: str
    seeds: Sequence[bool]
    figure: str = ""
    limit: str = ""
    counted: bool = False

    @property
    def verdict(self) -> str:
        """The outcome in a word, and behind it the seeds or the reason."""
        if self.outcome == "not testable at this scale":
            return f"{self.outcome}: {self.limit}"
        if not self.seeds or self.counted:
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


def each(values: Iterable[float], digits: int = 2) -> str:
    """Return numbers of several seeds, a slash between them."""
    return " / ".join(f"{value:.{digits}f}" for value in values)


def shared(*scores: Mapping[str, Any]) -> list[str]:
    """Return the seeds that every one of several runs has, in the order of the first."""
    return [seed for seed in scores[0] if all(seed in other for other in scores[1:])]


def short(length: float, theirs: int, unit: str = "steps") -> str:
    """Return the limit of a training of less than half the length of the report's, nothing for a longer one."""
    return f"trained for {length:,.0f} {unit}, the report's run for {theirs:,}" if 2 * length < theirs else ""


def elsewhere(conditions: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return the limit of a claim about certain data or settings which the run does not share, nothing if it does."""
    other = deviations(dict(conditions), dict(facts))
    other = {"data": other["data"]} if "data" in other else other
    return "; ".join(f"{key} is {there} in the report, {here} here" for key, (there, here) in other.items())

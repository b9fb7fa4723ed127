"""Claims that the five reports make, tested by rule on what the pipeline has measured."""

from collections.abc import Sequence
from dataclasses import dataclass


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
    """

    name: str
    reports: str
    words: str
    rule: str
    found: str
    seeds: Sequence[bool]

    @property
    def verdict(self) -> str:
        if not self.seeds:
            return "not run"
        held = sum(self.seeds)
        count = f" ({held} of {len(self.seeds)} seeds)" if len(self.seeds) > 1 else " (1 seed)"
        return ("confirmed" if held == len(self.seeds) else "confirmed in part" if held else "not confirmed") + count

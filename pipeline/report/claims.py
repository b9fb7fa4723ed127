"""Claims that the five reports make, each tested by a rule on what the pipeline has measured.

The texts lie in `claims.yaml`. A rule is a function of the named numbers of one seed, in the `rules.py` of a chapter.
It returns margins: how far the measured quantity lies on the claim's side of a threshold. Thresholds are constants of
the rule's module, each with its reason, which the texts name. Over several seeds the margins have a mean and a t
interval, and a claim is settled only where the interval lies on one side of zero.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Literal

from pipeline.metrics.intervals import half_width
from pipeline.report.reported import Claimed, Reported, deviations

Numbers = Mapping[str, Any]
"""Named numbers: of one seed, or what is known of a run."""

CONFIDENCE = 0.9  # of an interval, 0.95 of either bound: a claim has a direction, and 5 % of error in it are usual
FEWEST = 6  # points of a rank correlation: of five, a perfect one is found among 60 random orders once


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds between which it lies, of confidence `CONFIDENCE`; without bounds where there is one value.

    Args:
        mean: The mean.
        low: Lower bound.
        high: Upper bound.
        count: Number of values, of the smaller group where two are compared.
    """

    mean: float
    low: float
    high: float
    count: int


Margin = bool | float | Interval
"""Above zero where a condition holds; a condition without a quantity is true or false."""

Part = tuple[Margin, ...]
"""Margins of conditions that must all hold."""

State = Literal["holds", "fails", "open"]


@dataclass(frozen=True)
class Finding:
    """What a rule has found.

    Args:
        parts: The parts of the claim, each with the margins of its conditions.
        numbers: What was computed, by the name that the claim's text has for it.
        lacks: What the runs lack for a verdict; empty where they can carry one.
    """

    parts: tuple[Part, ...]
    numbers: Numbers
    lacks: str = ""


Rule = Callable[..., Finding | None]
"""Takes the numbers of one seed by name; returns nothing where the run has not measured what it needs."""


def finding(*parts: Margin | Sequence[Margin], **numbers: Any) -> Finding:
    """Return what a rule has found, see `Finding`; a part with one condition is its margin."""
    return Finding(
        tuple((part,) if isinstance(part, int | float | Interval) else tuple(part) for part in parts), numbers
    )


def lacking(what: str) -> Finding:
    """Return that the runs cannot carry a verdict, and what they lack for one."""
    return Finding((), {}, what)


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of values and its bounds by Student's t; a single value has no bounds.

    Args:
        values: One value per seed, such as the difference of two runs that share it.
    """
    mean, count = fmean(values), len(values)
    if count == 1:
        return Interval(mean, mean, mean, 1)
    half = half_width(stdev(values) / math.sqrt(count), count - 1, CONFIDENCE)
    return Interval(mean, mean - half, mean + half, count)


def gain(before: Sequence[float], after: Sequence[float]) -> Interval:
    """Return how far the mean of `after` is above that of `before`, and its bounds, for seeds that are not paired.

    The deviation is taken to be the same in both (the pooled t interval). Where one of them has a single seed there are
    no bounds, however many the other has: a single seed confirms nothing.
    """
    mean, count, freedom = fmean(after) - fmean(before), min(len(before), len(after)), len(before) + len(after) - 2
    if count == 1:
        return Interval(mean, mean, mean, 1)
    squares = sum(sum((value - fmean(group)) ** 2 for value in group) for group in (before, after))
    error = math.sqrt(squares / freedom * (1 / len(before) + 1 / len(after)))
    half = half_width(error, freedom, CONFIDENCE)
    return Interval(mean, mean - half, mean + half, count)


def state(margins: Sequence[Margin]) -> State:
    """Return what the margins of one condition over all seeds say of it: it is open where zero lies in the interval."""
    bounds = _bounds(margins)
    if math.isnan(bounds.mean):
        return "fails"
    return "holds" if bounds.low > 0 else "fails" if bounds.high <= 0 else "open"


def _bounds(margins: Sequence[Margin]) -> Interval:
    if isinstance(margins[0], Interval):
        return margins[0]
    return interval([_distance(margin) for margin in margins])


def _distance(margin: Margin) -> float:
    """Return a margin as a number: 1 where a condition without a quantity holds, else -1."""
    if isinstance(margin, bool):
        return 1.0 if margin else -1.0
    return margin.mean if isinstance(margin, Interval) else margin


@dataclass(frozen=True)
class Claim:
    """One claim and what became of it.

    Args:
        name: Its number, such as `C21`.
        text: What `claims.yaml` says of it.
        rule: When it holds, in words.
        found: What was measured, in words.
        seeds: For each seed the parts with their margins; empty where nothing measures it.
        figure: Path of the picture that shows it, from the report's folder; empty without seeds.
        data: Names of the data sets of the runs.
        apart: How the runs differ from the report's; empty where its own verdict can be given.
        lacks: Why these runs cannot test it on their own data either.
    """

    name: str
    text: Claimed
    rule: str
    found: str
    seeds: Sequence[tuple[Part, ...]]
    figure: str = ""
    data: str = ""
    apart: str = ""
    lacks: str = ""

    @property
    def parts(self) -> list[State]:
        """What became of each part: it holds where all its conditions do, and fails where one of them does."""
        return [_together([state(margins) for margins in part]) for part in self._conditions()]

    @property
    def outcome(self) -> str:
        """The outcome on the report's own data in a word of `OUTCOMES`."""
        if not self.seeds and not self.lacks:
            return "not run"
        if self.text.question:
            return "answered"
        if self.apart:
            return "not tested"
        return LACKING if self.lacks else self._word(OUTCOMES)

    @property
    def here(self) -> str:
        """The outcome on the data of these runs in a word of `HERE`; empty where the report's own verdict is given."""
        if not self.apart or self.text.question or not (self.seeds or self.lacks):
            return ""
        return LACKING if self.lacks else self._word(HERE)

    @property
    def differs(self) -> bool:
        """Whether our runs can carry a verdict, by which a part of it does not hold."""
        return not self.lacks and any(part != "holds" for part in self.parts)

    @property
    def verdict(self) -> str:
        """The outcome on the report's own data, and behind it the seeds or the reason."""
        if self.outcome == LACKING:
            return f"{self.outcome}: {self.lacks}"
        return f"{self.outcome}: {self.apart}" if self.outcome == "not tested" else self.outcome + self._count()

    @property
    def verdict_here(self) -> str:
        """The outcome on the data of these runs, and behind it their names and the seeds."""
        if self.here in ("", LACKING):
            return f"{self.here}: {self.lacks}" if self.here else ""
        return f"{self.here}, on {self.data or 'the same data'}{self._count()}"

    @property
    def margin(self) -> str:
        """The margin of each part in words: the least of its conditions, with the interval over seeds."""
        words = []
        for part in self._conditions():
            bounds = [_bounds(margins) for margins in part if not isinstance(margins[0], bool)]
            if bounds and (weakest := min(bounds, key=lambda each: each.low)).count > 1:
                low, mean, high = map(three, (weakest.low, weakest.mean, weakest.high))
                words.append(f"{mean} ({low} to {high})")
        return "; ".join(words)

    def _conditions(self) -> Iterator[list[list[Margin]]]:
        """Yield for each part its conditions, each as its margins over the seeds."""
        for place in range(len(self.seeds[0]) if self.seeds else 0):
            yield [list(margins) for margins in zip(*(parts[place] for parts in self.seeds), strict=True)]

    @property
    def _several(self) -> bool:
        """Whether more than one seed bears on it."""
        compared = [margin.count for part in self.seeds[0] for margin in part if isinstance(margin, Interval)]
        return len(self.seeds) > 1 or min(compared, default=1) > 1

    def _word(self, words: Mapping[str, str]) -> str:
        parts = self.parts
        kind = "part" if "holds" in parts and len(set(parts)) > 1 else _together(parts)
        return words[kind if self.text.counted or self._several else f"once {kind}"]

    def _count(self) -> str:
        """Count the seeds in which every part holds, where more than one was run."""
        if self.text.counted or len(self.seeds) < 2:
            return ""
        held = sum(all(_distance(margin) > 0 for part in parts for margin in part) for parts in self.seeds)
        return f" ({held} of {len(self.seeds)} seeds)"


def _together(states: Sequence[State]) -> State:
    return "fails" if "fails" in states else "open" if "open" in states else "holds"


LACKING = "not testable at this scale"
OUTCOMES = {
    "holds": "confirmed",
    "part": "confirmed in part",
    "fails": "not confirmed",
    "open": "undecided",
    "once holds": "holds (1 seed)",
    "once part": "holds in part (1 seed)",
    "once fails": "does not hold (1 seed)",
}
HERE = {
    "holds": "holds here",
    "part": "holds here in part",
    "fails": "does not hold here",
    "open": "undecided here",
    "once holds": "holds here (1 seed)",
    "once part": "holds here in part (1 seed)",
    "once fails": "does not hold here (1 seed)",
}
MEANING = {
    "confirmed": "holds on the report's own data, by a count or a formula, or over several seeds",
    "confirmed in part": "a part of it holds; another does not, or is undecided",
    "not confirmed": "does not hold on the report's own data",
    "undecided": "the seeds do not settle it: the interval of a margin contains zero",
    "holds (1 seed)": "a single training, which varies with the seed, confirms nothing and refutes nothing:"
    " initial weights that differ by rounding (1e-7) turn some of these verdicts over, see `python -m tools.perturb`",
    "not tested": "our runs are on other data, shorter, or have other settings",
    "holds here": "on the data of our runs it holds, does not, or is undecided, whatever it does on the report's",
    LACKING: "the rule needs what our runs do not have",
    "not run": "no finished run measures it",
    "answered": "a question of the assignment, not a claim; the numbers are under *found*",
}


def assess(
    reported: Reported, name: str, rule: Rule, seeds: Mapping[str, Numbers], facts: Sequence[Numbers] = (), **path: str
) -> Claim:
    """Test one claim by its rule.

    Args:
        reported: The reports, and the texts of their claims.
        name: Number of the claim.
        rule: Tests it in one seed.
        seeds: The rule's arguments by seed; a claim that no seed changes has one entry of any name.
        facts: What is known of each run that it is tested on: `data`, settings, and the lengths that the text names.
        path: Parts of the figure's path that depend on the runs.
    """
    text = reported.claims[name]
    tried = [(numbers, rule(**numbers)) for numbers in seeds.values()]
    found = [({**numbers, **result.numbers}, result.parts) for numbers, result in tried if result and result.parts]
    lacks = [result.lacks for _, result in tried if result and result.lacks]
    words = {key: _Seeds([numbers[key] for numbers, _ in found]) for key in (found[0][0] if found else ())}
    apart = limit(text, facts)
    if apart and tried:
        lacks += [text.only] if text.only else [shortage(text.here, facts)]
    return Claim(
        name,
        text,
        text.rule.format_map(vars(sys.modules[rule.__module__])),
        text.found.format_map(words) if found else "",
        [parts for _, parts in found],
        text.figure.format_map(path) if found else "",
        " and ".join(sorted({str(known["data"]) for known in facts if "data" in known})),
        apart,
        "; ".join(dict.fromkeys(filter(None, lacks))),
    )


def limit(text: Claimed, facts: Sequence[Numbers]) -> str:
    """Return how runs of which `facts` are known differ from the report's, nothing if they carry its own verdict.

    Where the data differ, nothing else is named: no other length or setting would make the verdict possible.
    """
    conditions = {"data": text.data, **text.conditions} if text.data else text.conditions
    different = [deviations(conditions, dict(known)) for known in facts]
    if any("data" in other for other in different):
        return f"claimed of {conditions['data']}"
    reasons = [short] if (short := shortage(text.needs, facts)) else []
    for key in conditions:
        if here := sorted({str(other[key][1]) for other in different if key in other}):
            reasons.insert(0, f"{key} is {conditions[key]} in the report, {' or '.join(here)} here")
    return "; ".join(reasons)


def shortage(needs: Mapping[str, float], facts: Sequence[Numbers]) -> str:
    """Return what runs of which `facts` are known have too little of."""
    least = {what: min((known[what] for known in facts if what in known), default=math.inf) for what in needs}
    return "; ".join(
        f"{least[what]:,.6g} {what}, at least {needed:,.6g} needed"
        for what, needed in needs.items()
        if least[what] < needed
    )


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

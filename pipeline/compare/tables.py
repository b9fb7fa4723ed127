"""Rankings and differences of a group of runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev

import numpy as np

from pipeline.compare.metrics import LARGER, better
from pipeline.compare.scored import Group, ScoredRun
from pipeline.compare.statistics import POWER, Bounds, Difference, bootstrap, holm, needed, paired

ALPHA = 0.05


@dataclass(frozen=True)
class Ranked:
    """One run in a ranking.

    Args:
        label: Its name.
        values: The number by seed.
    """

    label: str
    values: dict[str, float]

    @property
    def mean(self) -> float:
        return fmean(self.values.values())

    @property
    def spread(self) -> float | None:
        return stdev(self.values.values()) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Pair:
    """The difference of two runs, the better one first where one of two values is better.

    Args:
        first: Label of a run.
        second: Label of another; differences are `first - second`.
        seeds: The seeds that both have.
        difference: Over these seeds; `None` if there is none.
        images: Bounds over images, for the networks of these seeds; `None` where no values per image are stored.
        adjusted: The p-value after Holm's correction for all pairs of the ranking; `None` without an interval.
    """

    first: str
    second: str
    seeds: tuple[str, ...]
    difference: Difference | None
    images: Bounds | None = None
    adjusted: float | None = None

    @property
    def told_apart(self) -> bool:
        """Whether they differ, also among all pairs of the ranking."""
        return self.adjusted is not None and self.adjusted < ALPHA

    def verdict(self) -> str:
        """Say whether the two can be told apart, and if not, how many seeds that would take."""
        found = self.difference
        if found is None:
            return "no seed in common: nothing can be said"
        if found.interval is None or found.spread is None:
            if found.n > 1:
                return f"the same difference for all {found.n} seeds: no interval"
            return "one seed in common: no interval; train at least 3"
        if self.told_apart:
            return "told apart"
        if found.interval.excludes(0):
            return "told apart as a single pair, not among all pairs of this table"
        if not found.mean:
            return "equal"
        count = needed(found.mean, found.spread)
        more = "more than 1000 would be needed" if count is None else f"about {max(count, found.n + 1)} would be needed"
        return f"cannot be told apart with {found.n} seeds; {more}"


@dataclass(frozen=True)
class Ranking:
    """One number of a group of runs.

    Args:
        metric: Its name.
        which: `smaller` or `larger` is better, or nothing.
        rows: The runs, the best first.
        pairs: All pairs of them, in the order of the rows.
        missing: Labels of the runs that lack it.
    """

    metric: str
    which: str
    rows: list[Ranked]
    pairs: list[Pair]
    missing: list[str]

    @property
    def to_first(self) -> list[Pair]:
        """The pairs of the first run with each other one."""
        return [pair for pair in self.pairs if pair.first == self.rows[0].label]

    def summary(self) -> str:
        """Say in a sentence whether the first run is better than all others."""
        best, apart = self.rows[0].label, [pair.second for pair in self.to_first if pair.told_apart]
        others = [row.label for row in self.rows[1:] if row.label not in apart]
        if not others:
            return f"{best} is best, and told apart from all others."
        if not apart:
            return f"{best} has the best mean, but cannot be told apart from any other run."
        return f"{best} has the best mean; it is told apart from {', '.join(apart)}, not from {', '.join(others)}."


def rank(group: Group, metric: str) -> Ranking:
    """Return the ranking of one number of a group."""
    which = better(metric)
    have = {label: scored for label, scored in group.members.items() if scored.values.get(metric)}
    rows = [Ranked(label, scored.values[metric]) for label, scored in have.items()]
    rows.sort(key=lambda row: row.mean, reverse=which == LARGER)
    pairs = [_pair(first, second, have, metric) for first, second in combinations(rows, 2)]
    known = [pair for pair in pairs if pair.difference and pair.difference.p is not None]
    adjusted = holm([pair.difference.p for pair in known if pair.difference and pair.difference.p is not None])
    by_pair = {(pair.first, pair.second): p for pair, p in zip(known, adjusted, strict=True)}
    pairs = [_adjusted(pair, by_pair.get((pair.first, pair.second))) for pair in pairs]
    return Ranking(metric, which, rows, pairs, [label for label in group.members if label not in have])


def _pair(first: Ranked, second: Ranked, have: Mapping[str, ScoredRun], metric: str) -> Pair:
    seeds = tuple(seed for seed in first.values if seed in second.values)
    if not seeds:
        return Pair(first.label, second.label, seeds, None)
    difference = paired([first.values[seed] for seed in seeds], [second.values[seed] for seed in seeds])
    images = _over_images(have[first.label], have[second.label], metric, seeds)
    return Pair(first.label, second.label, seeds, difference, images)


def _over_images(first: ScoredRun, second: ScoredRun, metric: str, seeds: tuple[str, ...]) -> Bounds | None:
    """Return the bootstrap interval over images, of which both runs have the same."""
    if metric not in first.images or metric not in second.images:
        return None
    one, other = (np.mean([each.images[metric][seed] for seed in seeds], axis=0) for each in (first, second))
    return bootstrap(one - other) if one.shape == other.shape else None


def _adjusted(pair: Pair, p: float | None) -> Pair:
    return Pair(pair.first, pair.second, pair.seeds, pair.difference, pair.images, p)


METHOD = f"""Mean and spread (standard deviation) are over seeds. A difference is the mean over the seeds that both runs
have, its interval of 95 % that of Student's t for paired values: it takes the differences to be normal, and says
nothing about other data or hyperparameters. Two runs are told apart where 0 lies outside at the level of 5 % after
Holm's correction for all pairs of a table. The number of seeds that would be needed is that at which the interval
leaves out 0 with a probability of {100 * POWER:.0f} %, if difference and spread were those found; after three seeds it
is a rough guide. Intervals over images, where values per image are stored, are those of the bootstrap (percentiles of
10,000 resamples of the test images): they hold for the trained networks at hand, not for other seeds."""

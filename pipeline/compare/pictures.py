"""Pictures of a comparison: runs one below the other, and numbers against the hyperparameter that was swept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from pipeline.compare.scored import ABSENT, Group
from pipeline.compare.statistics import CONFIDENCE
from pipeline.compare.tables import Ranked, Ranking
from pipeline.metrics.intervals import half_width
from pipeline.report import style

WIDE = 20  # times from the smallest to the largest value of a hyperparameter, from where its axis is logarithmic


def ranked(file: Path, rankings: Sequence[Ranking], titles: Sequence[str]) -> None:
    """Plot the value of each seed, their mean and its interval, a panel per number, the best run at the top."""
    rows = max(len(ranking.rows) for ranking in rankings)
    with style.panels(file, len(rankings), min(2, len(rankings)), 5.2, 1.1 + 0.3 * rows) as panels:
        for axes, ranking, title in zip(panels, rankings, titles, strict=True):
            for place, row in enumerate(ranking.rows):
                axes.plot(list(row.values.values()), [place] * len(row.values), "o", color=style.PALETTE[4], ms=4)
                axes.errorbar(row.mean, place, xerr=_half_width(row), fmt="|", ms=14, color=style.PALETTE[0], capsize=3)
            axes.set_yticks(range(len(ranking.rows)), [row.label for row in ranking.rows])
            axes.set_ylim(len(ranking.rows) - 0.5, -0.5)
            axes.set_xlabel(title)


def swept(group: Group, names: Sequence[str] = ()) -> list[str]:
    """Return the hyperparameters that the members of a group are plotted against, one or two, or none.

    Args:
        group: The group.
        names: Hyperparameters that were swept; without any, the first that has another value for each member. Of two
            the first has more values.
    """
    differing = group.differing("settings")
    if len(names) in (1, 2) and set(names) <= differing.keys():
        return sorted(names, key=lambda name: -len(set(map(str, differing[name]))))
    return [name for name, values in differing.items() if len(set(map(str, values))) == len(values)][:1]


def against(file: Path, group: Group, rankings: Sequence[Ranking], titles: Sequence[str], names: Sequence[str]) -> None:
    """Plot numbers against a hyperparameter: seeds as thin lines, their means with intervals, a panel per number.

    Args:
        file: File to write.
        group: The runs.
        rankings: The numbers.
        titles: What to call them.
        names: The hyperparameter, and perhaps a second one, each of whose values gets a line of its own.
    """
    first, *second = ([member.settings.get(name, ABSENT) for member in group.members.values()] for name in names)
    at, ticks = _positions(first)
    places = dict(zip(group.members, at, strict=True))
    lines = dict(zip(group.members, second[0] if second else [None] * len(places), strict=True))
    with style.panels(file, len(rankings), min(2, len(rankings)), 4.6, 3.2) as panels:
        for axes, ranking, title in zip(panels, rankings, titles, strict=True):
            for number, value in enumerate(dict.fromkeys(map(str, lines.values()))):
                rows = [row for row in ranking.rows if str(lines[row.label]) == value]
                rows.sort(key=lambda row: places[row.label])
                _line(axes, rows, places, style.LINES[number % 6], value, "_" if ticks else "_-")
            if second:
                axes.legend(title=names[1])
            if ticks:
                axes.set_xticks(range(len(ticks)), ticks)
            elif min(at) > 0 and max(at) > WIDE * min(at):
                axes.set_xscale("log")
            axes.set_xlabel(names[0])
            axes.set_ylabel(title)


def _positions(values: Sequence[Any]) -> tuple[list[float], list[str]]:
    """Return where values stand on an axis, and the labels there of those that are no numbers, in their own order."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return [float(value) for value in values], []
    labels = list(dict.fromkeys(map(str, values)))
    return [float(labels.index(str(value))) for value in values], labels


def _line(axes: Axes, rows: Sequence[Ranked], places: dict[str, float], colour: str, label: str, form: str) -> None:
    at = [places[row.label] for row in rows]
    for seed in dict.fromkeys(seed for row in rows for seed in row.values):
        axes.plot(at, [row.values.get(seed, float("nan")) for row in rows], "o-", color=colour, lw=0.6, ms=3, alpha=0.5)
    means, widths = [row.mean for row in rows], [_half_width(row) for row in rows]
    axes.errorbar(at, means, yerr=widths, fmt=form, ms=12, lw=1.8, color=colour, capsize=4, label=label)


def _half_width(row: Ranked) -> float:
    """Return half the interval of the mean of one run, 0 where there is none."""
    n = len(row.values)
    return 0.0 if row.spread is None else half_width(row.spread / n**0.5, n - 1, CONFIDENCE)

"""A comparison as text, as tables for other programs, and as pictures."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.compare.metrics import words
from pipeline.compare.scored import Group
from pipeline.compare.statistics import CONFIDENCE, Bounds
from pipeline.compare.tables import METHOD, Pair, Ranked, Ranking
from pipeline.metrics.intervals import half_width
from pipeline.report import style

PAIRS = (
    "group", "metric", "first", "second", "seeds", "mean", "spread", "low", "high", "images_low", "images_high", "p",
    "p_holm", "verdict",
)  # fmt: skip
"""Columns of `differences.csv`."""


@dataclass(frozen=True)
class Compared:
    """A group of runs with the rankings of its numbers."""

    group: Group
    rankings: list[Ranking]

    @property
    def picture(self) -> str:
        return re.sub(r"\W+", "-", self.group.title).strip("-") + ".png"

    def name(self, ranking: Ranking) -> str:
        """Return the name of a ranking's number as tables show it."""
        return words(ranking.metric, next(iter(self.group.members.values())).protocol)


def text(compared: Sequence[Compared]) -> str:
    """Return all of it as Markdown."""
    parts = ["# Comparison", METHOD]
    for each in compared:
        parts += _section(each)
    if not any(each.rankings for each in compared):
        parts.append("No scores differ.")
    return "\n\n".join(parts) + "\n"


def _section(compared: Compared) -> list[str]:
    group = compared.group
    parts = [f"## {group.title or 'Left out'}"]
    if notes := _notes(group):
        parts.append("\n".join(f"- {note}" for note in notes))
    if group.members and (settings := group.differing("settings")):
        rows = [[name, *map(_value, values)] for name, values in settings.items()]
        parts += ["Hyperparameters that differ:", _table(["", *group.members], rows)]
    for ranking in compared.rankings:
        wish = f", {ranking.which} is better" if ranking.which else ""
        parts.append(f"### {compared.name(ranking)} (`{ranking.metric}`{wish})")
        rows = [
            [str(place), row.label, _number(row.mean), _number(row.spread), str(len(row.values))]
            for place, row in enumerate(ranking.rows, 1)
        ]
        parts.append(_table(["", "run", "mean", "spread", "n"], rows))
        if ranking.missing:
            parts.append(f"Not measured: {', '.join(ranking.missing)}.")
        if ranking.pairs:
            parts.append(_differences(ranking))
            if ranking.which:
                parts.append(ranking.summary())
    if compared.rankings:
        parts.append(f"![{group.title}]({compared.picture})")
    return parts


def _notes(group: Group) -> list[str]:
    notes = list(group.notes)
    notes += [f"{label}: {lost}, left out." for label, scored in group.members.items() for lost in scored.lost]
    if group.members and (measured := group.differing("protocol")):
        notes.append(f"Not measured alike, compare with care: {', '.join(measured)}.")
    if group.members and (sources := group.differing("sources")):
        notes.append(f"Computed by different code or packages: {', '.join(sources)}.")
    return notes


def _differences(ranking: Ranking) -> str:
    head = ["difference", "mean", "interval of 95 %", "seeds", "verdict"]
    over_images = any(pair.images for pair in ranking.to_first)
    rows = []
    for pair in ranking.to_first:
        found = pair.difference
        mean, interval = (found.mean, found.interval) if found else (None, None)
        row = [f"{pair.first} - {pair.second}", _number(mean), _interval(interval), str(len(pair.seeds))]
        rows.append([*row, *([_interval(pair.images)] if over_images else []), pair.verdict()])
    return _table([*head[:4], *(["interval over images"] if over_images else []), head[4]], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns stand below each other also as plain text."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[column]) for row in lines)) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def _interval(interval: Bounds | None) -> str:
    return f"{_number(interval.low)} to {_number(interval.high)}" if interval else "-"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write(compared: Sequence[Compared], folder: Path) -> list[Path]:
    """Write `comparison.md`, `ranking.csv`, `differences.csv` and a picture of each group, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.md").write_text(text(compared))
    rankings = [(each.group.title, ranking) for each in compared for ranking in each.rankings]
    ranked = [
        [title, ranking.metric, place, row.label, row.mean, row.spread, len(row.values)]
        for title, ranking in rankings
        for place, row in enumerate(ranking.rows, 1)
    ]
    _csv(folder / "ranking.csv", ["group", "metric", "rank", "run", "mean", "spread", "n"], ranked)
    pairs = [[title, ranking.metric, *_cells(pair)] for title, ranking in rankings for pair in ranking.pairs]
    _csv(folder / "differences.csv", PAIRS, pairs)
    drawn = [each for each in compared if each.rankings]
    for each in drawn:
        _picture(each, folder / each.picture)
    return [folder / name for name in ("comparison.md", "ranking.csv", "differences.csv", *(d.picture for d in drawn))]


def _cells(pair: Pair) -> list[Any]:
    ends = [(each.low, each.high) if each else (None, None) for each in (_over_seeds(pair), pair.images)]
    found = pair.difference
    mean, spread, p = (found.mean, found.spread, found.p) if found else (None, None, None)
    return [pair.first, pair.second, " ".join(pair.seeds), mean, spread, *ends[0], *ends[1], p, pair.adjusted,
            pair.verdict()]  # fmt: skip


def _over_seeds(pair: Pair) -> Bounds | None:
    return pair.difference.interval if pair.difference else None


def _csv(file: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def _picture(compared: Compared, file: Path) -> None:
    """Plot the value of each seed, their mean and its interval, a panel per number, the best run at the top."""
    rows = max(len(ranking.rows) for ranking in compared.rankings)
    height = 1.1 + 0.3 * rows
    with style.panels(file, len(compared.rankings), min(2, len(compared.rankings)), 5.2, height) as panels:
        for axes, ranking in zip(panels, compared.rankings, strict=True):
            for place, row in enumerate(ranking.rows):
                axes.plot(list(row.values.values()), [place] * len(row.values), "o", color=style.PALETTE[4], ms=4)
                axes.errorbar(row.mean, place, xerr=_half_width(row), fmt="|", ms=14, color=style.PALETTE[0], capsize=3)
            axes.set_yticks(range(len(ranking.rows)), [row.label for row in ranking.rows])
            axes.set_ylim(len(ranking.rows) - 0.5, -0.5)
            axes.set_xlabel(compared.name(ranking) + (f" ({ranking.which} is better)" if ranking.which else ""))


def _half_width(row: Ranked) -> float:
    """Return half the interval of the mean of one run, 0 where there is none."""
    n = len(row.values)
    return 0.0 if row.spread is None else half_width(row.spread / n**0.5, n - 1, CONFIDENCE)

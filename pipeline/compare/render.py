"""A comparison as text, as tables for other programs, and as pictures."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.compare import pictures
from pipeline.compare.metrics import CONDITIONS, chosen, words
from pipeline.compare.scored import Group
from pipeline.compare.statistics import Bounds
from pipeline.compare.tables import METHOD, Pair, Ranking, rank

PAIRS = (
    "group", "metric", "first", "second", "seeds", "mean", "spread", "low", "high", "images_low", "images_high", "p",
    "p_holm", "verdict",
)  # fmt: skip
"""Columns of `differences.csv`."""


@dataclass(frozen=True)
class Compared:
    """A group of runs with the rankings of its numbers, and the hyperparameters that they are plotted against."""

    group: Group
    rankings: list[Ranking]
    over: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> list[str]:
        """Names of the pictures: the ranking, and the numbers against `over` where that names a hyperparameter."""
        title = re.sub(r"\W+", "-", self.group.title).strip("-")
        return [f"{title}.png"] + ([f"{title}-{'-'.join(self.over)}.png"] if self.over else [])

    def name(self, ranking: Ranking) -> str:
        """Return the name of a ranking's number as tables show it."""
        return words(ranking.metric, next(iter(self.group.members.values())).protocol)


def compared(group: Group, patterns: Sequence[str] = (), over: Sequence[str] = ()) -> Compared:
    """Return the rankings of a group.

    Args:
        group: The runs.
        patterns: Names of the numbers to rank by, see `pipeline.compare.metrics.chosen`.
        over: Hyperparameters to plot them against, see `pipeline.compare.pictures.swept`.
    """
    if not group.members:
        return Compared(group, [])
    names = dict.fromkeys(name for member in group.members.values() for name in member.values)
    rankings = [rank(group, name) for name in chosen(group.stage, names, patterns)]
    return Compared(group, rankings, pictures.swept(group, over))


def text(found: Sequence[Compared]) -> str:
    """Return all of it as Markdown."""
    parts = ["# Comparison", METHOD]
    for each in found:
        parts += _section(each)
    if not any(each.rankings for each in found):
        parts.append("No scores differ.")
    return "\n\n".join(parts) + "\n"


def _section(compared: Compared) -> list[str]:
    group = compared.group
    parts = [f"## {group.title or 'Left out'}"]
    if said := notes(group):
        parts.append("\n".join(f"- {note}" for note in said))
    if group.members and (settings := group.differing("settings")):
        rows = [[name, *map(_value, values)] for name, values in settings.items()]
        parts += ["Hyperparameters that differ:", _table(["", *group.members], rows)]
    for ranking in compared.rankings:
        wish = f", {ranking.which} is better" if ranking.which else ""
        parts.append(f"### {compared.name(ranking)} (`{ranking.metric}`{wish})")
        rows = [
            [str(place), row.label, number(row.mean), number(row.spread), str(len(row.values))]
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
        parts += [f"![{group.title}]({picture})" for picture in compared.pictures]
    return parts


def notes(group: Group) -> list[str]:
    """Return what has to be said of a group: what was left out, and what was not alike."""
    said = list(group.notes)
    said += [f"{label}: {lost}, left out." for label, scored in group.members.items() for lost in scored.lost]
    for name, values in (group.differing("protocol") if group.members else {}).items():
        condition = CONDITIONS.get(name, name.replace("_", " "))
        usual, count = Counter(map(str, values)).most_common(1)[0]
        others = [label for label, value in zip(group.members, values, strict=True) if str(value) != usual]
        if count > len(values) / 2:
            verb = "differs" if len(others) == 1 else "differ"
            said.append(f"Compare with care: {', '.join(others)} {verb} from the rest in {condition}.")
        else:
            said.append(f"Compare with care: the runs differ in {condition}.")
    if group.members and (sources := group.differing("sources")):
        said.append(f"Computed by different code or packages: {', '.join(sources)}.")
    return said


def _differences(ranking: Ranking) -> str:
    head = ["difference", "mean", "interval of 95 %", "seeds", "verdict"]
    over_images = any(pair.images for pair in ranking.to_first)
    rows = []
    for pair in ranking.to_first:
        found = pair.difference
        mean, bounds = (found.mean, found.interval) if found else (None, None)
        row = [f"{pair.first} - {pair.second}", number(mean), interval(bounds), str(len(pair.seeds))]
        rows.append([*row, *([interval(pair.images)] if over_images else []), pair.verdict()])
    return _table([*head[:4], *(["interval over images"] if over_images else []), head[4]], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns stand below each other also as plain text."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[column]) for row in lines)) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in lines)


def number(value: float | None) -> str:
    """Return a number with four digits, or as a whole one; a dash for none."""
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def interval(bounds: Bounds | None) -> str:
    """Return the ends of an interval; a dash for none."""
    return f"{number(bounds.low)} to {number(bounds.high)}" if bounds else "-"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write(found: Sequence[Compared], folder: Path) -> list[Path]:
    """Write `comparison.md`, `ranking.csv`, `differences.csv` and the pictures of each group; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.md").write_text(text(found))
    rankings = [(each.group.title, ranking) for each in found for ranking in each.rankings]
    ranked = [
        [title, ranking.metric, place, row.label, row.mean, row.spread, len(row.values)]
        for title, ranking in rankings
        for place, row in enumerate(ranking.rows, 1)
    ]
    _csv(folder / "ranking.csv", ["group", "metric", "rank", "run", "mean", "spread", "n"], ranked)
    pairs = [[title, ranking.metric, *_cells(pair)] for title, ranking in rankings for pair in ranking.pairs]
    _csv(folder / "differences.csv", PAIRS, pairs)
    drawn = [each for each in found if each.rankings]
    for each in drawn:
        _draw(each, folder)
    names = ["comparison.md", "ranking.csv", "differences.csv", *(name for each in drawn for name in each.pictures)]
    return [folder / name for name in names]


def _draw(compared: Compared, folder: Path) -> None:
    wishes = [f" ({ranking.which} is better)" if ranking.which else "" for ranking in compared.rankings]
    titles = [compared.name(ranking) + wish for ranking, wish in zip(compared.rankings, wishes, strict=True)]
    files = [folder / name for name in compared.pictures]
    pictures.ranked(files[0], compared.rankings, titles)
    for file in files[1:]:
        pictures.against(file, compared.group, compared.rankings, titles, compared.over)


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

"""What stands where in the report: its contents, and the figures and tables of the five reports."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pipeline.report.reported import Item
from pipeline.runtime.plan import Plan

FIGURE = re.compile(r"^!\[(?P<title>[^]\n]*)\]\((?P<path>[^)\n]+)\)\n\n\*(?P<caption>[^\n]*)\*$", re.MULTILINE)
HEADING = re.compile(r"^#+ (?P<heading>.+)$", re.MULTILINE)
NAME = re.compile(r"\b[FTA]\d\d\b")
SHOWN = 5  # places of one item that the index links


def index(
    items: Mapping[str, Item], text: str, sources: Mapping[str, Sequence[Plan]], finished: Collection[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return a row per item: its name, the item, the places that are linked, how many more there are, and lacking runs.

    A figure that names an item and shows none of the runs that the item is about is no place of it.

    Args:
        items: The figures and tables, by name.
        text: The report in Markdown; captions and headings name the items.
        sources: The plans that each figure shows, by its path.
        finished: Stage and run of all that has finished, which is what tables show.
    """
    places: dict[str, list[tuple[str, str]]] = {}
    shown: dict[str, set[tuple[str, str]]] = {}
    for name, title, link in _places(text):
        asked = items[name].runs if name in items else set()
        there = {(plan.stage, plan.run) for plan in sources.get(link, ())} if link in sources else set(finished)
        if not asked or asked & there:
            places.setdefault(name, []).append((title, link))
            shown[name] = shown.get(name, set()) | there
    return [
        {
            "name": name,
            "item": item,
            "places": places.get(name, [])[:SHOWN],
            "more": len(places.get(name, [])[SHOWN:]),
            "lacks": sorted({run for _, run in item.runs - shown.get(name, set())}) if name in places else [],
        }
        for name, item in items.items()
    ]


def _places(text: str) -> Iterator[tuple[str, str, str]]:
    for found in HEADING.finditer(text):
        for name in NAME.findall(found["heading"]):
            yield name, "table", f"#{anchor(found['heading'])}"
    for found in FIGURE.finditer(text):
        for name in dict.fromkeys(NAME.findall(found["caption"])):
            yield name, found["path"].removeprefix("figures/").removesuffix(".png"), found["path"]


def contents(text: str) -> list[tuple[str, str]]:
    """Return the headings of the report's parts, each with its anchor."""
    return [(heading, anchor(heading)) for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)]


def anchor(heading: str) -> str:
    """Return the name by which forges link to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")

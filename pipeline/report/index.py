"""What stands where in the report: its contents, and the figures and tables of the five reports."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.reported import Item

FIGURE = re.compile(r"^!\[(?P<title>[^]\n]*)\]\((?P<path>[^)\n]+)\)\n\n\*(?P<caption>[^\n]*)\*$", re.MULTILINE)
HEADING = re.compile(r"^#+ (?P<heading>.+)$", re.MULTILINE)
NAME = re.compile(r"\b[FTA]\d\d\b")
SHOWN = 5  # places of one item that the index links


def index(items: Mapping[str, Item], text: str) -> list[dict[str, Any]]:
    """Return a row per item: its name, the item, the places that are linked, and how many more there are.

    Args:
        items: the figures and tables, by name.
        text: the report in Markdown; captions and headings name the items.
    """
    places: dict[str, list[tuple[str, str]]] = {}
    for name, title, link in _places(text):
        places.setdefault(name, []).append((title, link))
    return [
        {"name": name, "item": item, "places": places.get(name, [])[:SHOWN], "more": len(places.get(name, [])[SHOWN:])}
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

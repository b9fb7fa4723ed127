"""README and the pages under docs/: README is short, and what the pages name is there."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.report.index import anchor

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "cluster/dask.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
WORDS = 900
FOLDERS = ("pipeline", "stages", "tests", "tools", "benchmarks", "cluster", "docs", ".github", ".devcontainer")
MAKEFILE = (ROOT / "Makefile").read_text()


def tokens(page: Path) -> list[Token]:
    """Return the tokens of a page, those inside of paragraphs and cells included."""
    parsed = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    return [token for outer in parsed for token in (outer, *(outer.children or []))]


def code(page: Path) -> list[str]:
    """Return what a page sets as code."""
    return [token.content for token in tokens(page) if token.type in ("code_inline", "fence")]


def headings(page: Path) -> set[str]:
    """Return the names by which forges link to a page's headings."""
    every = tokens(page)
    return {anchor(every[number + 1].content) for number, token in enumerate(every) if token.type == "heading_open"}


def test_readme_is_short_and_shows_the_two_commands_first():
    text = (ROOT / "README.md").read_text()
    assert len(text.split()) < WORDS
    assert re.findall(r"(?m)^make \S+", code(ROOT / "README.md")[0]) == ["make repro", "make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_its_heading(page):
    attributes = [token.attrGet("href") or token.attrGet("src") for token in tokens(page)]
    for link in filter(None, map(str, filter(None, attributes))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not heading or heading in headings(target), f"{page.name}: no such heading: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_that_a_page_names_exists(page):
    named = {target for text in code(page) for target in re.findall(r"\bmake ([a-z.][\w./-]*)", text)}
    assert [target for target in sorted(named) if not re.search(rf"(?m)^{re.escape(target)}:", MAKEFILE)] == []


def test_every_target_is_named_on_a_page():
    public = re.findall(r"(?m)^([a-z-]+):.*##", MAKEFILE)
    text = " ".join(part for page in PAGES for part in code(page))
    assert len(public) > 10
    assert [target for target in public if not re.search(rf"\bmake {target}\b", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_module_that_a_page_names_exists(page):
    for text in code(page):
        for path in re.findall(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, FOLDERS))})/[^\s`,;:()\"]*", text):
            assert "<" in path or (ROOT / path).exists(), f"{page.name}: {path}"
        for module in re.findall(r"python -m ((?:pipeline|stages|tools|benchmarks)[\w.]*)", text):
            assert importlib.util.find_spec(module), f"{page.name}: {module}"


def test_the_tour_names_every_stage():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    text = " ".join(code(ROOT / "docs/tour.md"))
    assert [stage for stage in stages if not re.search(rf"\b{stage}\b", text)] == []

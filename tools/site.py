"""Hooks of MkDocs for `make docs`: pages that lie outside docs/, links to the repository, formulas without a script."""

import html
import logging
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPORT = "reports/overnight"
"""Folder of the report on real data, which the site shows."""

ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "cluster/dask.md": "machines.md",
}
"""Pages that lie outside docs/, by their path in the repository, and their place on the site."""

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\[\]]*)\]\((?P<path>[^)\s:#]+)(?P<heading>#[^)\s]*)?\)")
SPACE = re.compile(r"(?<=[a-z]{2}</mi>)(?=<m(?!o))|(?<=</mi>)(?=<mi>[a-z]{2,}</mi>)")
"""Where MathML lacks the space around a function such as log that has no parentheses."""

FORMULA = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL)


logging.getLogger("mkdocs.plugins.api-autonav").setLevel(logging.WARNING)  # it names every module otherwise


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and the report with its figures."""
    for path, place in _places(Path(config.config_file_path).parent).items():
        files.append(File.generated(config, place, abs_src_path=path))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to the site where it has what they name, and else to the repository."""
    root = Path(config.config_file_path).parent
    places = {str(Path(path).relative_to(root)): place for path, place in _places(root).items()}
    places |= {f"docs/{file.src_uri}": file.src_uri for file in files if not file.generated_by}
    here = {place: path for path, place in places.items()}.get(page.file.src_uri)
    if here is None:  # page of the API
        return markdown

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), found["path"]))
        if target in places:
            path = posixpath.relpath(places[target], posixpath.dirname(page.file.src_uri))
        elif found["image"]:
            return found[0]  # which MkDocs then reports as missing
        elif config.repo_url:
            path = f"{config.repo_url}/blob/main/{target}"
        else:
            return found["text"]
        return f"{found['image']}[{found['text']}]({path}{found['heading'] or ''})"

    return LINK.sub(link, markdown).replace("<details>", "<details markdown>")


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write formulas as MathML."""

    def formula(found: re.Match[str]) -> str:
        written = convert(html.unescape(found["tex"]), display="inline" if found["tag"] == "span" else "block")
        spaced = SPACE.sub('<mspace width="0.17em"/>', written)
        return f'<{found["tag"]} class="formula">{spaced}</{found["tag"]}>'

    return FORMULA.sub(formula, content)


def _places(root: Path) -> dict[str, str]:
    """Return the absolute paths of what lies outside docs/, each with its place on the site."""
    report = root / REPORT
    figures = (path for path in sorted(report.glob("figures/**/*")) if path.is_file())
    return {
        **{str(root / path): place for path, place in ELSEWHERE.items()},
        str(report / "report.md"): "report/index.md",
        **{str(path): f"report/{path.relative_to(report)}" for path in figures},
    }

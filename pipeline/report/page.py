"""The report as one HTML file that needs no other: pictures inside, links to them within the page."""

import base64
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from jinja2 import Environment
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.report.index import anchor


def page(markdown: str, folder: Path, environment: Environment) -> str:
    """Return the report as HTML.

    Args:
        markdown: the report.
        folder: where its pictures lie.
        environment: of the templates.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    children = [child for token in tokens for child in token.children or []]
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(tokens[number + 1].content))
        if token.type == "table_open":
            token.attrSet("class", " ".join(map(anchor, _headers(tokens[number:]))))
    for child in children:
        _inline(child, folder)
    body = parser.renderer.render(tokens, parser.options, {})
    body = body.replace("<table", '<div class="wide"><table').replace("</table>", "</table></div>")
    title = next(token.content for token in tokens if token.type == "inline")
    return environment.get_template("page.html.j2").render(title=title, body=body)


def _headers(tokens: list[Token]) -> Iterator[str]:
    """Yield the headers of the table that the tokens begin with: the style sheet knows its columns by them."""
    for token in takewhile(lambda token: token.type != "thead_close", tokens):
        if token.type == "inline":
            yield token.content.split(" ")[0]


def _inline(token: Token, folder: Path) -> None:
    """Put a picture into the page, and let a link to a picture lead to where it is shown."""
    if token.type == "image":
        path = str(token.attrGet("src"))
        content = base64.b64encode((folder / path).read_bytes()).decode()
        token.attrSet("src", f"data:image/{Path(path).suffix[1:]};base64,{content}")
        token.attrSet("id", path)
    elif token.type == "link_open" and str(token.attrGet("href")).startswith("figures/"):
        token.attrSet("href", f"#{token.attrGet('href')}")

"""The report as one HTML file that needs no other: pictures inside, links to them within the page."""

import base64
import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path

from jinja2 import Environment
from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image

from pipeline.report.index import anchor

EFFORT = {"method": 2, "quality": 30}  # of WebP: a third smaller than PNG; more of either takes time and saves little


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
    paths = list(dict.fromkeys(str(child.attrGet("src")) for child in children if child.type == "image"))
    with ThreadPoolExecutor() as threads:
        pictures = dict(zip(paths, threads.map(lambda path: _smaller(folder / path), paths), strict=True))
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(tokens[number + 1].content))
        if token.type == "table_open":
            token.attrSet("class", " ".join(map(anchor, _headers(tokens[number:]))))
    for child in children:
        _inline(child, pictures)
    body = parser.renderer.render(tokens, parser.options, {})
    body = body.replace("<table", '<div class="wide"><table').replace("</table>", "</table></div>")
    title = next(token.content for token in tokens if token.type == "inline")
    return environment.get_template("page.html.j2").render(title=title, body=body)


def _headers(tokens: list[Token]) -> Iterator[str]:
    """Yield the headers of the table that the tokens begin with: the style sheet knows its columns by them."""
    for token in takewhile(lambda token: token.type != "thead_close", tokens):
        if token.type == "inline":
            yield token.content.split(" ")[0]


def _inline(token: Token, pictures: Mapping[str, tuple[str, bytes]]) -> None:
    """Put a picture into the page, and let a link to a picture lead to where it is shown."""
    if token.type == "image":
        path = str(token.attrGet("src"))
        kind, content = pictures[path]
        token.attrSet("src", f"data:image/{kind};base64,{base64.b64encode(content).decode()}")
        token.attrSet("id", path)
    elif token.type == "link_open" and str(token.attrGet("href")).startswith("figures/"):
        token.attrSet("href", f"#{token.attrGet('href')}")


def _smaller(file: Path) -> tuple[str, bytes]:
    """Return the format and the bytes of a picture for the page: WebP with the same pixels, of an animation its own."""
    if file.suffix == ".gif":
        return "gif", file.read_bytes()
    content = io.BytesIO()
    with Image.open(file) as picture:
        # charts have a channel for transparency, and use none
        picture.convert("RGB").save(content, "WEBP", lossless=True, **EFFORT)
    return "webp", content.getvalue()

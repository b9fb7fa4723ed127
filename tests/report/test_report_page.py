"""The report as one HTML file."""

import base64
import re

import numpy as np
from jinja2 import DictLoader, Environment
from PIL import Image

from pipeline.report import figures
from pipeline.report.page import page


def test_pictures_are_in_the_page_byte_by_byte(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 3, 16, 16), np.uint8)
    figures.sheet(tmp_path / "sheet.png", noise, columns=10, scale=2)
    figures.sheet(tmp_path / "grey.png", noise[:, :1], columns=10, scale=2)
    Image.fromarray(noise[0, 0]).save(tmp_path / "moving.gif")
    names = ["sheet.png", "grey.png", "moving.gif"]
    text = "# Report\n\n" + "\n\n".join(f"![{name}]({name})" for name in names)
    html = page(text, tmp_path, Environment(loader=DictLoader({"page.html.j2": "{{ body }}"})))
    embedded = re.findall(r'src="data:image/(png|gif);base64,([^"]+)"', html)
    assert [kind for kind, _ in embedded] == ["png", "png", "gif"]
    for name, (_, content) in zip(names, embedded, strict=True):
        assert base64.b64decode(content) == (tmp_path / name).read_bytes()

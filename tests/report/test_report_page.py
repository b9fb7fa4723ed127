"""The report as one HTML file."""

import base64
import io
import re

import numpy as np
from jinja2 import DictLoader, Environment
from PIL import Image

from pipeline.report import figures, style
from pipeline.report.page import page


def test_pictures_are_in_the_page_pixel_by_pixel_and_charts_are_smaller(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 3, 16, 16), np.uint8)
    figures.sheet(tmp_path / "sheet.png", noise, columns=10, scale=2)
    figures.sheet(tmp_path / "grey.png", noise[:, :1], columns=10, scale=2)
    with style.chart(tmp_path / "chart.png") as axes:
        axes.plot([0, 1, 3], label="a line")
        axes.legend()
    names = ["sheet.png", "grey.png", "chart.png"]
    text = "# Report\n\n" + "\n\n".join(f"![{name}]({name})" for name in names)
    html = page(text, tmp_path, Environment(loader=DictLoader({"page.html.j2": "{{ body }}"})))
    embedded = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    assert len(embedded) == len(names)
    for name, content in zip(names, map(base64.b64decode, embedded), strict=True):
        with Image.open(tmp_path / name) as written, Image.open(io.BytesIO(content)) as shown:
            assert np.asarray(written.convert("RGBA"))[..., 3].min() == 255
            np.testing.assert_array_equal(np.asarray(written.convert("RGB")), np.asarray(shown.convert("RGB")))
    assert len(base64.b64decode(embedded[-1])) < 0.7 * (tmp_path / "chart.png").stat().st_size

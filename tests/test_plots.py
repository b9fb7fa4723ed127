"""The page of `dvc plots`, which needs no network."""

import configparser
import re

import pytest
import yaml
from checkout import ROOT
from dvc_render.html import render_html
from dvc_render.vega import VegaRenderer

from tools import plots_page

PAGE = ROOT / ".dvc/plots/page.html"


def test_dvc_takes_the_page_that_holds_vega():
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc/config")
    assert ROOT / ".dvc" / config["plots"]["html_template"] == PAGE
    page = PAGE.read_text()
    assert all(f"/* {name} {version} */" in page for name, version in plots_page.PACKAGES)


def test_a_page_of_plots_loads_nothing(tmp_path):
    rows = [{"epoch": "0", "elbo": "-3.5", "run": "a", "rev": "main"}, {"epoch": "0", "elbo": "", "run": "b"}]
    plot = VegaRenderer(rows, "elbo", x="epoch", y="elbo", template="runs", template_dir=str(ROOT / ".dvc/plots"))
    render_html([plot], tmp_path / "index.html", PAGE)
    written = (tmp_path / "index.html").read_text()
    assert "-3.5" in written and "vegaEmbed('#" in written
    outside = re.sub(r"<script>.*?</script>", "", written, flags=re.DOTALL)  # Vega's own source has such words in texts
    assert not re.search(r" (src|href)=", outside)


@pytest.mark.parametrize(
    "title", [title for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"] for title in plot]
)
def test_titles_of_plots_can_stand_in_quotes(title):
    """DVC writes them into its page between single quotes: with an apostrophe the plot stays empty."""
    assert "'" not in title


def test_a_package_with_another_checksum_is_refused(monkeypatch, tmp_path):
    folder = tmp_path / "vega/-"
    folder.mkdir(parents=True)
    (folder / "vega-1.tgz").write_bytes(b"other")
    monkeypatch.setattr(plots_page, "REGISTRY", tmp_path.as_uri())
    with pytest.raises(SystemExit, match="vega 1: the checksum"):
        plots_page.fetch("vega", "1", "")

"""The report as a whole: complete, honest about what is missing, the same bytes each time."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.report.render import render
from pipeline.runtime.errors import UserError
from pipeline.runtime.sources import ROOT

Project = Callable[..., Path]


def table_row(text: str, quantity: str) -> list[str]:
    """Return the cells, but the experiment, of the last table row about `quantity`: that of T03, not of the summary."""
    report, _, *cells = [line for line in text.splitlines() if quantity in line and line.count(" | ") == 8][-1].split(
        " | "
    )
    return [cell.strip() for cell in (report, *cells)]


def test_every_figure_is_shown_and_none_is_blank(project: Project, tmp_path: Path) -> None:
    render(project(), tmp_path / "out", allow_missing=False)
    linked = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (tmp_path / "out/report.md").read_text())
    drawn = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out/figures").rglob("*.png")]
    assert sorted(linked) == sorted(drawn)
    assert len(linked) == 4 + 1 + 2 * 2  # comparisons, one data set, reconstructions and samples of two runs
    for path in linked:
        pixels = np.asarray(Image.open(tmp_path / "out" / path).convert("L"))
        if "samples" in path or "reconstructions" in path:
            pixels = pixels[2:58, 2:58]  # the first image: the lines between images are no content
        assert pixels.std() > 5, path


@pytest.mark.slow
def test_numbers_on_other_data_are_shown_but_not_compared(project: Project, tmp_path: Path) -> None:
    render(project(), tmp_path / "out", allow_missing=False)
    text = (tmp_path / "out/report.md").read_text()
    cells = table_row(text, "trained with the analytic KL")
    assert cells[2] == "-95.29"
    assert cells[3].startswith("-95.")
    assert cells[6] == "other data" and "sd" not in cells[4]
    assert "| A, Bernoulli VAE on binarised MNIST | data binarized_mnist → binarized_digits28" in text
    assert table_row(text, "importance samples per image")[6] == "matches"
    assert "| 20 | 100.94 |" in text


@pytest.mark.slow
def test_numbers_on_the_same_data_are_compared_and_the_printed_curve_is_plotted(
    project: Project, tmp_path: Path
) -> None:
    render(project("other"), tmp_path / "other_out", allow_missing=False)
    render(project("same", data="binarized_mnist", images=10000), tmp_path / "out", allow_missing=False)
    text = (tmp_path / "out/report.md").read_text()
    assert table_row(text, "trained with the analytic KL")[6] == "within band"
    assert table_row(text, "range of the -ELBO")[6] == "matches"
    difference = table_row(text, "trained with the analytic KL")[4]
    assert re.fullmatch(r"[+-][\d.]+ \([+-][\d.]+ sd\)", difference)
    assert re.search(r"± [\d.]+ \(n = 2\)", table_row(text, "trained with the analytic KL")[3])
    assert "not plotted" not in text

    def black(folder: str) -> int:
        pixels = np.asarray(Image.open(tmp_path / folder / "figures/vae/printed_elbo.png").convert("RGB"))
        return int((pixels.max(axis=2) < 40).sum())

    assert black("out") > black("other_out") + 200  # twenty dots


@pytest.mark.slow
def test_other_settings_are_named(project: Project, tmp_path: Path) -> None:
    root = project(data="binarized_mnist", images=10000, latent=2)
    render(root, tmp_path / "out", allow_missing=False)
    text = (tmp_path / "out/report.md").read_text()
    assert table_row(text, "trained with the analytic KL")[6] == "other settings"
    assert "| A, Bernoulli VAE on binarised MNIST | latent 100 → 2 |" in text  # once for all rows


@pytest.mark.slow
def test_one_seed_has_no_spread_and_one_epoch_is_enough(project: Project, tmp_path: Path) -> None:
    render(project(seeds=[3], epochs=1), tmp_path / "out", allow_missing=False)
    text = (tmp_path / "out/report.md").read_text()
    assert "seed 3." in text
    assert not re.search(r"\d ± \d", text)


@pytest.mark.slow
def test_a_run_has_the_same_colour_when_an_earlier_one_is_not_scored(project: Project, tmp_path: Path) -> None:
    root = project()
    shutil.rmtree(root / "scores/likelihood/bernoulli")
    render(root, tmp_path / "out", allow_missing=True)
    pixels = np.asarray(Image.open(tmp_path / "out/figures/vae/log_likelihood.png").convert("RGB")).reshape(-1, 3)
    blue, vermilion = ((pixels == colour).all(axis=1).sum() for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)))
    assert vermilion > 100
    assert blue == 0


def test_missing_outputs_are_an_error_that_names_them_all(project: Project, tmp_path: Path) -> None:
    root = project()
    shutil.rmtree(root / "scores/likelihood/bernoulli")
    (root / "models/vae/bernoulli_mc/history.csv").unlink()
    with pytest.raises(UserError) as error:
        render(root, tmp_path / "out", allow_missing=False)
    assert "`dvc repro likelihood@bernoulli` makes it" in str(error.value)
    assert "`dvc repro train_vae@bernoulli_mc` makes it" in str(error.value)
    assert "train_vae@bernoulli`" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_missing_outputs_are_named_in_the_report(project: Project, tmp_path: Path) -> None:
    root = project()
    shutil.rmtree(root / "scores/likelihood/bernoulli")
    shutil.rmtree(root / "data")
    render(root, tmp_path / "out", allow_missing=True)
    text = (tmp_path / "out/report.md").read_text()
    assert "- `scores/likelihood/bernoulli`: `dvc repro likelihood@bernoulli` makes it" in text
    assert "No data set is there." in text
    assert table_row(text, "trained with the analytic KL")[6] == "not run"
    assert table_row(text, "trained with the Monte-Carlo KL")[6] == "other data"
    assert list(json.loads((tmp_path / "out/summary.json").read_text())) == [
        "vae.bernoulli_mc.log_likelihood_1000", "vae.bernoulli_mc.test_elbo", "vae.bernoulli_mc.valid_elbo",
    ]  # fmt: skip


def test_an_empty_checkout_still_renders(tmp_path: Path) -> None:
    render(tmp_path, tmp_path / "out", allow_missing=True)
    assert "Nothing is planned" in (tmp_path / "out/report.md").read_text()
    with pytest.raises(UserError, match="dvc repro plan"):
        render(tmp_path, tmp_path / "out", allow_missing=False)


@pytest.mark.slow
def test_two_renderings_have_the_same_bytes_and_replace_what_was_there(project: Project, tmp_path: Path) -> None:
    root, first, second = project(), tmp_path / "first", tmp_path / "second"
    stale = second / "figures/vae/removed_run/samples.png"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"old")
    (second / ".partial").mkdir()  # of a killed rendering
    (second / ".partial/report.md").write_text("half")
    for out in (first, second):
        render(root, out, allow_missing=False)
    contents = [{p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} for out in (first, second)]
    assert contents[0] == contents[1]
    assert str(root) not in (first / "report.md").read_text()


@pytest.mark.slow
def test_a_card_cannot_break_its_table(project: Project, tmp_path: Path) -> None:
    root = project()
    path = root / "data/binarized_digits28/card.json"
    card = {**json.loads(path.read_text()), "source": "a | b\n<script>", "url": "https://example.org/x"}
    path.write_text(json.dumps(card))
    render(root, tmp_path / "out", allow_missing=False)
    assert "| source | a \\| b &lt;script>, <https://example.org/x> |" in (tmp_path / "out/report.md").read_text()


@pytest.mark.slow
def test_the_stage_prints_a_missing_input_without_a_traceback(project: Project, tmp_path: Path) -> None:
    root = project()
    shutil.rmtree(root / "scores")
    command = [sys.executable, "-m", "stages.report", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    failed = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: the report needs outputs that are not there:")
    assert "Traceback" not in failed.stderr
    subprocess.run([*command, "--allow-missing"], cwd=root, env=environment, check=True)
    assert (tmp_path / "out/report.md").is_file()

"""Charts: their colours, and how they are saved in forks of the process."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.report import style


def plotted(folder: Path, count: int = 5) -> list[Path]:
    """Plot so many charts of different heights."""
    paths = [folder / str(number) / "chart.png" for number in range(count)]
    for number, path in enumerate(paths):
        with style.chart(path) as axes:
            axes.plot([0, 1], [0, number], label="line")
            axes.set_title("a title")
            axes.legend()
    return paths


def test_a_palette_makes_charts_small_and_shows_them_as_matplotlib_does(tmp_path: Path) -> None:
    row = np.arange(200)
    with style.chart(tmp_path / "chart.png") as axes:
        axes.imshow(np.minimum.outer(row, row), cmap="Blues")
        for number in range(6):
            axes.plot(row, number * np.sqrt(row), label=f"line {number}", **style.line(number))
        axes.legend()
        axes.figure.savefig(tmp_path / "every colour.png", dpi=120)
    with Image.open(tmp_path / "chart.png") as few, Image.open(tmp_path / "every colour.png") as every:
        assert few.mode == "P"
        shown, true = (np.asarray(picture.convert("RGB"), int) for picture in (few, every))
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert np.abs(shown - true).max() < 24
    assert np.abs(shown - true).mean() < 1
    assert (tmp_path / "chart.png").stat().st_size < 0.5 * (tmp_path / "every colour.png").stat().st_size


def test_forks_save_the_same_bytes(tmp_path: Path) -> None:
    at_once = [path.read_bytes() for path in plotted(tmp_path / "at once")]
    with style.saved_in_forks():
        paths = plotted(tmp_path / "in forks")
    assert [path.read_bytes() for path in paths] == at_once
    assert len(set(at_once)) == 5
    assert not multiprocessing.active_children()


def test_a_figure_that_cannot_be_saved_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"gone/chart\.png was not saved"), style.saved_in_forks():
        plotted(tmp_path, 1)
        with style.chart(tmp_path / "gone" / "chart.png") as axes:
            axes.set_title("$\\unknown{}$")  # no such command: found out when the text is laid out
    assert not multiprocessing.active_children()


def test_a_disk_that_takes_no_more_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"0/chart\.png"), style.saved_in_forks():
        (tmp_path / "0" / "chart.png").mkdir(parents=True)
        plotted(tmp_path, 1)
    assert not multiprocessing.active_children()


def test_an_error_elsewhere_ends_the_forks(tmp_path: Path) -> None:
    with pytest.raises(KeyError), style.saved_in_forks():
        plotted(tmp_path, 8)
        raise KeyError("in a chapter")
    assert not multiprocessing.active_children()


def test_outside_the_block_figures_are_saved_at_once(tmp_path: Path) -> None:
    with style.saved_in_forks():
        pass
    assert plotted(tmp_path, 1)[0].exists()

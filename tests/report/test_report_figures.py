"""Picture sheets hold every image where it belongs, and nothing unexplained."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.report import figures


def test_a_sheet_shows_each_image_once_in_reading_order(tmp_path: Path) -> None:
    images = np.arange(1, 7, dtype=np.uint8)[:, None, None, None] * np.ones((6, 3, 4, 5), np.uint8)
    figures.sheet(tmp_path / "a" / "s.png", images, columns=3, scale=2)
    pixels = np.asarray(Image.open(tmp_path / "a" / "s.png"))
    assert pixels.shape == (2 + 2 * (8 + 2), 2 + 3 * (10 + 2), 3)
    shown = [[pixels[2 + r * 10 : 10 + r * 10, 2 + c * 12 : 12 + c * 12] for c in range(3)] for r in range(2)]
    assert [[set(np.unique(cell)) for cell in row] for row in shown] == [[{1}, {2}, {3}], [{4}, {5}, {6}]]
    assert (pixels == figures.GROUND).all(axis=2).sum() == pixels[..., 0].size - 6 * 8 * 10


def test_a_sheet_refuses_an_empty_cell(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="5 images do not fill rows of 3"):
        figures.sheet(tmp_path / "s.png", np.zeros((5, 1, 2, 2), np.uint8), columns=3, scale=1)


def test_grouped_rows_stand_closer_within_a_pair(tmp_path: Path) -> None:
    figures.sheet(tmp_path / "s.png", np.zeros((4, 1, 6, 6), np.uint8), columns=1, scale=1, group=2)
    column = np.asarray(Image.open(tmp_path / "s.png"))[:, 4] == 0
    starts = np.flatnonzero(column[1:] & ~column[:-1]) + 1
    within, between = starts[1] - starts[0], starts[2] - starts[1]
    assert within == starts[3] - starts[2] < between


def test_grey() -> None:
    assert figures.grey(np.array([0, 1], np.uint8), 2).tolist() == [0, 255]
    assert figures.grey(np.arange(256, dtype=np.uint8), 256).tolist() == list(range(256))
    assert figures.grey(np.array([-0.1, 0.0, 0.5, 1.0, 1.2], np.float32), 2).tolist() == [0, 0, 128, 255, 255]


def test_whole_rows_and_interleaving() -> None:
    assert figures.whole_rows(35, 16) == (32, 16)
    assert figures.whole_rows(5, 16) == (5, 5)
    above, below = np.array([1, 2, 3, 4]), np.array([5, 6, 7, 8])
    assert figures.interleave(above, below, 2).tolist() == [1, 2, 5, 6, 3, 4, 7, 8]

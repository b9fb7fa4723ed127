"""The data sets: where each comes from, what it holds, and what it looks like."""

import json
from pathlib import Path

import numpy as np

from pipeline.report import figures
from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results

SHOWN = 64  # images of a picture
COLUMNS = 16
WIDTH = 56  # pixels of the picture that one image is wide, about


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every planned data set that is there."""
    sets = []
    for step in results.steps("data"):
        card = json.loads((results.folder(step) / "card.json").read_text())
        images = results.array(step, "train_images")
        count, columns = figures.whole_rows(min(SHOWN, len(images)), COLUMNS)
        pixels = figures.grey(np.asarray(images[:count]), card["levels"])
        path = f"figures/data/{step.run}/samples.png"
        figures.sheet(out / path, pixels, columns, scale=max(1, round(WIDTH / pixels.shape[-1])))
        caption = f"{step.run}: the first {count} training images."
        sets.append({"name": step.run, "card": card, "picture": Picture(path, f"images of {step.run}", caption)})
    return Content({"sets": sets}, {})


CHAPTER = Chapter("data.md.j2", {"data": ("card.json", "train_images.npy")}, (), write, provenance=True)

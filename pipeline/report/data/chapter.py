"""The data sets: where each comes from, what it holds, and what it looks like."""

import json
from pathlib import Path

import numpy as np

from pipeline.report import figures
from pipeline.report.chapter import Chapter, Content
from pipeline.report.reported import Reported
from pipeline.report.results import Results

SHOWN = 64  # images of a picture
COLUMNS = 16
WIDTH = 56  # approximate width of one image in the picture, in pixels


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every planned data set that is there."""
    sets = []
    for plan in results.plans("data"):
        card = json.loads((results.folder(plan) / "card.json").read_text())
        images = results.array(plan, "train_images")
        count, columns = figures.whole_rows(min(SHOWN, len(images)), COLUMNS)
        pixels = figures.grey(np.asarray(images[:count]), card["levels"])
        path = f"figures/data/{plan.run}/samples.png"
        figures.sheet(out / path, pixels, columns, scale=max(1, round(WIDTH / pixels.shape[-1])))
        sets.append({"name": plan.run, "card": card, "path": path, "count": count})
    sources = {f"figures/data/{plan.run}/samples.png": [plan] for plan in results.plans("data")}
    return Content({"sets": sets}, {}, sources=sources)


CHAPTER = Chapter("data", {"data": ("card.json", "train_images.npy")}, (), write)

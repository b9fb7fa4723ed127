"""The Dirac games: verdicts by rule beside the report's words, and the drawings that a stage of their own has made."""

import shutil
from pathlib import Path
from typing import Any

from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import dirac as verdicts

DRAWINGS = {
    "trajectories.png": (
        "F15",
        "F15 (figures 3 to 22 of report 001). psi0, psi1 and the shown theta (the running average where EMA is on)"
        " after each of {steps} steps, first starting point (black dot). The critic is blind on the dashed line; the"
        " star is where it is also indifferent, in the games of JSD: W1 does not feel psi1.",
    ),
    "portraits.png": (
        "phase portraits",
        "Phase portraits: psi0 to the right, the shown theta upwards, the same starting point; arrows are the direction"
        " of both gradient steps at psi1 = 0.",
    ),
    "games.gif": ("A01", "A01. The same games as they are played, from the first step to the last."),
}
"""Title and caption of each drawing."""


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show the games if they have been played."""
    played, drawn = results.steps("dirac"), results.steps("animate")
    if not played:
        nothing: dict[str, Any] = {"games": {}, "pictures": [], "protocol": {}, "settings": {}}
        return Content(nothing, {}, verdicts.claims({}, {}, 0.0))
    step = played[0]
    metrics = results.metrics(step)
    games = metrics["games"]
    theirs = {
        row.id.removeprefix("001-dirac-").replace("-", "_"): row for row in reported.rows if row.experiment == "D"
    }
    rows = {name: {**game, "theirs": theirs[name].value if name in theirs else ""} for name, game in games.items()}
    words = {name: str(row.means) for name, row in theirs.items()}
    pictures = [
        _picture(name, results.folder(there), step.settings["steps"], out) for there in drawn for name in DRAWINGS
    ]
    values = {"games": rows, "pictures": pictures, "protocol": metrics["protocol"], "settings": step.settings}
    kinds = {
        f"dirac.{word}": float(sum(game["verdict"] == word for game in games.values()))
        for word in ("converged", "cycle")
    }
    return Content(values, kinds, verdicts.claims(games, words, step.settings["learning_rate"]))


def _picture(name: str, folder: Path, steps: int, out: Path) -> Picture:
    """Take a drawing over from the folder in which it lies."""
    path = f"figures/dirac/{name}"
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / name, out / path)
    title, caption = DRAWINGS[name]
    return Picture(path, title, caption.format(steps=steps))


CHAPTER = Chapter(
    "dirac.md.j2",
    {"dirac": ("metrics.json",), "animate": tuple(DRAWINGS)},
    ("D",),
    write,
)

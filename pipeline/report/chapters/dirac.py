"""The Dirac games: verdicts by rule beside the report's words, trajectories, phase portraits, the animation."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report import dirac, style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import dirac as verdicts

COLUMNS = 5
SIZE = 1.8  # inches of a panel


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show the games if they have been played."""
    played, drawn = results.steps("dirac"), results.steps("animate")
    if not played:
        nothing: dict[str, Any] = {"games": {}, "pictures": [], "protocol": {}, "settings": {}}
        return Content(nothing, {}, verdicts.claims({}, {}, 0.0))
    step = played[0]
    metrics, paths = results.metrics(step), np.asarray(results.array(step, "paths"))
    games = metrics["games"]
    theirs = {
        row.id.removeprefix("001-dirac-").replace("-", "_"): row for row in reported.rows if row.experiment == "D"
    }
    rows = {name: {**game, "theirs": theirs[name].value if name in theirs else ""} for name, game in games.items()}
    words = {name: str(row.means) for name, row in theirs.items()}
    pictures = [_spaces(games, paths, out), _portraits(games, paths, out)]
    if drawn:
        pictures.append(_animation(results.folder(drawn[0]), out))
    values = {"games": rows, "pictures": pictures, "protocol": metrics["protocol"], "settings": step.settings}
    kinds = {
        f"dirac.{word}": float(sum(game["verdict"] == word for game in games.values()))
        for word in ("converged", "cycle")
    }
    return Content(values, kinds, verdicts.claims(games, words, step.settings["learning_rate"]))


def _spaces(games: dict[str, Any], paths: np.ndarray, out: Path) -> Picture:
    path = "figures/dirac/trajectories.png"
    with style.cells(out / path, len(games), COLUMNS, SIZE, 1.9, projection="3d") as panels:
        for axes, (name, game), course in zip(panels, games.items(), paths, strict=True):
            dirac.space(axes, name, game, course)
            axes.plot(*course.T, color=dirac.colour(game), linewidth=0.6)
    caption = (
        "F15 (figures 3 to 22 of report 001). psi0, psi1 and the shown theta (the running average where EMA is on)"
        " after each"
        f" of {paths.shape[1] - 1} steps, first starting point (black dot). The critic is blind on the dashed line;"
        " the star is where it is also indifferent."
    )
    return Picture(path, "F15", caption)


def _portraits(games: dict[str, Any], paths: np.ndarray, out: Path) -> Picture:
    path = "figures/dirac/portraits.png"
    with style.cells(out / path, len(games), COLUMNS, SIZE, 1.9) as panels:
        for axes, (name, game), course in zip(panels, games.items(), paths, strict=True):
            dirac.portrait(axes, name, game, course)
    caption = (
        "Phase portraits: psi0 to the right, the shown theta upwards, the same starting point; arrows are the"
        " direction of both gradient steps at psi1 = 0."
    )
    return Picture(path, "phase portraits", caption)


def _animation(folder: Path, out: Path) -> Picture:
    path = "figures/dirac/games.gif"
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "dirac.gif", out / path)
    return Picture(path, "A01", "A01. The same 20 games as they are played, from the first step to the last.")


CHAPTER = Chapter("dirac.md.j2", {"dirac": ("metrics.json", "paths.npy"), "animate": ("dirac.gif",)}, ("D",), write)

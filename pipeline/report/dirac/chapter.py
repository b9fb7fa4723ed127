"""The Dirac games: verdicts by rule beside the report's words, and the plots that a stage of their own has made."""

import shutil
from functools import partial
from pathlib import Path

from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import assess
from pipeline.report.dirac import rules
from pipeline.report.figures import Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results

PLOTS = {
    "trajectories.png": (
        "F15",
        "F15 (figures 3 to 22 of report 001). psi0, psi1 and the shown theta (the running average where EMA is on)"
        " after each of {steps} steps, first initial point (black dot). The critic is constant on the dashed line; the"
        " star marks where the generator's gradient vanishes as well, in the games of JSD: W1 does not depend on psi1.",
    ),
    "portraits.png": (
        "phase portraits",
        "Phase portraits: psi0 to the right, the shown theta upwards, the same initial point; arrows are the direction"
        " of both gradient steps at psi1 = 0.",
    ),
    "games.gif": ("A01", "A01. The same games as they are played, from the first step to the last."),
}
"""Title and caption of each plot."""


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show the games if they have been played."""
    played = next(iter(results.plans("dirac")), None)
    metrics = results.metrics(played) if played else {"games": {}, "protocol": {}}
    settings, games = played.settings if played else {}, metrics["games"]
    rows = {row.id.removeprefix("001-dirac-").replace("-", "_"): row for row in reported.rows if row.experiment == "D"}
    values = {
        "games": {name: {**game, "theirs": rows[name].value if name in rows else ""} for name, game in games.items()},
        "pictures": [
            _picture(results.folder(plan) / name, settings["steps"], out)
            for plan in results.plans("animate")
            for name in PLOTS
            if played
        ],
        "protocol": metrics["protocol"],
        "settings": settings,
    }
    kinds = [game["verdict"] for game in games.values()]
    headlines = {f"dirac.{kind}": float(kinds.count(kind)) for kind in ("converged", "cycle") if games}
    every = {"": {"games": games}} if games else {}
    meanings = {name: str(row.means) for name, row in rows.items()}
    test = partial(assess, reported)
    claims = [
        test("C30", rules.words, {seed: {**each, "meanings": meanings} for seed, each in every.items()}),
        test("C31", rules.decay, {seed: {**each, "rate": settings["learning_rate"]} for seed, each in every.items()}),
        test("C32", rules.cycle, every),
        test("C33", rules.average, every),
        test("C34", rules.equilibrium, every),
    ]
    return Content(values, headlines, claims)


def _picture(file: Path, steps: int, out: Path) -> Picture:
    """Take over a plot that a stage of its own has made."""
    path = f"figures/dirac/{file.name}"
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, out / path)
    title, caption = PLOTS[file.name]
    return Picture(path, title, caption.format(steps=steps))


CHAPTER = Chapter("dirac", {"dirac": ("metrics.json",), "animate": tuple(PLOTS)}, ("D",), write)

"""The Dirac games: verdicts by rule beside the report's words, and the plots that a stage of their own has made."""

import shutil
from pathlib import Path
from typing import Any

from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, Rule, assess
from pipeline.report.dirac import rules
from pipeline.report.reported import Reported
from pipeline.report.results import Results

PLOTS = ("trajectories.png", "portraits.png", "games.gif")


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show the games if they have been played."""
    played = next(iter(results.plans("dirac")), None)
    metrics = results.metrics(played) if played else {"games": {}, "protocol": {}}
    plotted = results.plans("animate") if played else []
    settings, games = played.settings if played else {}, metrics["games"]
    rows = {row.id.removeprefix("001-dirac-").replace("-", "_"): row for row in reported.rows if row.experiment == "D"}
    values = {
        "games": {
            name: {
                **game,
                "theirs": rows[name].value if name in rows else "",
                "kind": rules.kind(game, settings["steps"]),
            }
            for name, game in games.items()
        },
        "plotted": bool(plotted),
        "protocol": metrics["protocol"],
        "settings": settings,
    }
    for plan in plotted:
        for name in PLOTS:
            (out / "figures/dirac").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(results.folder(plan) / name, out / "figures/dirac" / name)
    kinds = [game["verdict"] for game in games.values()]
    headlines = {f"dirac.{kind}": float(kinds.count(kind)) for kind in ("converged", "cycle") if games}
    meanings = {name: str(row.means) for name, row in rows.items()}

    def test(name: str, rule: Rule, **more: Any) -> Claim:
        return assess(reported, name, rule, {"": {"games": games, **more}} if games else {})

    claims = [
        test("C30", rules.words, meanings=meanings, steps=settings.get("steps")),
        test("C31", rules.decay, rate=settings.get("learning_rate")),
        test("C32", rules.cycle, steps=settings.get("steps")),
        test("C33", rules.average),
        test("C34", rules.equilibrium),
    ]
    shown = [plan for plan in (played, *plotted) if plan]
    return Content(values, headlines, claims, {f"figures/dirac/{name}": shown for name in PLOTS})


CHAPTER = Chapter("dirac", {"dirac": ("metrics.json",), "animate": PLOTS}, ("D",), write)

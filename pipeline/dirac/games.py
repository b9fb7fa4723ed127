"""All Dirac games together: they are played, and what becomes of them is written down."""

import json
from pathlib import Path

import numpy as np

from pipeline.dirac.game import play
from pipeline.dirac.outcome import CONVERGED, STEADY, WINDOW, bounded, measure
from pipeline.dirac.settings import Games


def play_and_measure(output: Path, settings: Games) -> None:
    """Play all games and write what became of them.

    Writes `trajectories.npy`, float32 `(games, steps + 1, 3)`: psi0, psi1 and the shown theta from the first initial
    point, within `outcome.FAR` of 0, and `metrics.json`.

    Args:
        output: Folder to write into.
        settings: The games and what they share.
    """
    trajectories = play(settings)
    np.save(output / "trajectories.npy", bounded(trajectories.paths).astype(np.float32))
    metrics = {
        "protocol": {
            "data": "one point at 0",
            "critic": "psi0 x + psi1",
            "order": "a critic step, then a generator step that sees the new critic",
            "initial_points": settings.initial_points,
            "rule": f"converged: radius below {CONVERGED} over the last {WINDOW} steps; spirals in or diverges:"
            f" the radius changes by more than {STEADY:.0%} over the last third; cycle: neither",
        },
        "initial_radius": float(bounded(np.median(trajectories.radii[0, 0]))),
        "games": {
            name: measure(game, radii, distances)
            for (name, game), radii, distances in zip(
                settings.games.items(), trajectories.radii, trajectories.distances, strict=True
            )
        },
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")

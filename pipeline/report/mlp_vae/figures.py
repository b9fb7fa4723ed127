"""Charts and pictures of the small autoencoder."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from pipeline.report import autoencoders, figures, style
from pipeline.report.autoencoders import NATS
from pipeline.report.figures import Curve
from pipeline.report.results import Results, about
from pipeline.runtime.plan import Plan


def loss(results: Results, plan: Plan, out: Path) -> str:
    """Plot the training loss and that on held-out images (F29); say what is shown."""
    held_out = "valid" if "valid_loss" in results.columns(plan) else "test"
    curves = [
        Curve("training", results.curve(plan, "train_loss"), style.line(0)),
        Curve(f"{held_out} split", results.curve(plan, f"{held_out}_loss"), style.line(1)),
    ]
    figures.curves(out / f"figures/vae/{plan.run}/loss.png", curves, f"loss ({NATS})")
    return about([plan])


def pictures(results: Results, plan: Plan, metrics: dict[str, Any], out: Path) -> dict[str, Any]:
    """Show reconstructions over training (F30), the map (F31), an interpolation (F34), and what all autoencoders show."""
    folder = out / f"figures/vae/{plan.run}"
    if metrics["mean"].get("snapshots"):
        decoded = autoencoders.grey(results, plan, "snapshots")
        originals = autoencoders.grey(results, plan, "originals")[: decoded.shape[1]]
        rows = np.concatenate([originals, *decoded])
        figures.sheet(folder / "epochs.png", rows, decoded.shape[1], autoencoders.SCALE)
    if "latent_map" in metrics:
        _map(results, plan, folder / "map.png")
    walk = autoencoders.grey(results, plan, "interpolation")
    figures.sheet(folder / "interpolation.png", walk, len(walk), 2 * autoencoders.SCALE)
    return {**autoencoders.decoded(results, plan, out), "steps": len(walk) - 1}


def _map(results: Results, plan: Plan, path: Path) -> None:
    points, labels = results.array(plan, "map"), np.asarray(results.array(plan, "map_labels"))
    card = results.card(plan)
    names = (card or {}).get("classes") or [str(label) for label in range(labels.max() + 1)]
    tab10 = colormaps["tab10"]
    with style.chart(path, width=6.4, height=5.2) as axes:
        for label in np.unique(labels):
            colour = tab10(int(label) % 10)  # ten hues: more than the palette of the charts has
            chosen = points[labels == label]
            size = 9 if len(points) < 2000 else 2
            axes.scatter(chosen[:, 0], chosen[:, 1], s=size, color=colour, linewidths=0, label=names[label])
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xlabel="first map dimension", ylabel="second map dimension")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)

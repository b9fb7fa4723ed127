"""Charts and pictures of the small autoencoder."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from pipeline.report import autoencoders, figures, style
from pipeline.report.autoencoders import NATS, about
from pipeline.report.figures import Curve, Picture
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan


def loss(results: Results, plan: Plan, out: Path) -> Picture:
    """Plot the training loss and that on held-out images (F29)."""
    path = f"figures/vae/{plan.run}/loss.png"
    held_out = "valid" if "valid_loss" in results.columns(plan) else "test"
    curves = [
        Curve("training", results.curve(plan, "train_loss"), style.line(0)),
        Curve(f"{held_out} split", results.curve(plan, f"{held_out}_loss"), style.line(1)),
    ]  # fmt: skip
    figures.curves(out / path, curves, f"loss ({NATS})")
    caption = f"F29 (figure 1 of report 004), run {plan.run}: the trained loss after each epoch. {about([plan])}"
    return Picture(path, f"loss of {plan.run}", caption)


def pictures(results: Results, plan: Plan, metrics: dict[str, Any], out: Path) -> list[Picture]:
    """Show reconstructions over training (F30), the map (F31), an interpolation (F34), and what all autoencoders show."""
    folder, shown = f"figures/vae/{plan.run}", autoencoders.where(results, plan, metrics)
    pictures = []
    if taken := list(metrics["mean"].get("snapshots", {})):
        decoded = autoencoders.grey(results, plan, "snapshots")
        originals = autoencoders.grey(results, plan, "originals")[: decoded.shape[1]]
        rows = np.concatenate([originals, *decoded])
        figures.sheet(out / folder / "epochs.png", rows, decoded.shape[1], autoencoders.SCALE)
        caption = (
            f"F30 (figures 2 to 6 of report 004), run {plan.run}, data {metrics['protocol']['data']}, seed"
            f" {next(iter(metrics['seeds']))}: test images in the first row; below, what their posterior means decode"
            f" to after epochs {', '.join(taken)}, from top to bottom."
        )
        pictures.append(Picture(f"{folder}/epochs.png", f"reconstructions of {plan.run} over training", caption))
    if "latent_map" in metrics:
        _map(results, plan, out / folder / "map.png")
        caption = (
            f"F31 (figure 7 of report 004), {shown}: t-SNE of the posterior means of the"
            f" {metrics['protocol']['images']} test images, coloured by class; perplexity"
            f" {metrics['latent_map']['perplexity']:g}, no units."
        )
        pictures.append(Picture(f"{folder}/map.png", f"t-SNE of {plan.run}", caption))
    walk = autoencoders.grey(results, plan, "interpolation")
    figures.sheet(out / folder / "interpolation.png", walk, len(walk), 2 * autoencoders.SCALE)
    caption = (
        f"F34, row of the VAE, {shown}: decoded latent codes on the line between two samples of N(0, I), alpha = 0,"
        f" 1/{len(walk) - 1}, ..., 1."
    )
    pictures.append(Picture(f"{folder}/interpolation.png", f"interpolation of {plan.run}", caption))
    return pictures + autoencoders.pictures(results, plan, out)


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
        axes.set_xlabel("first map dimension")
        axes.set_ylabel("second map dimension")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)

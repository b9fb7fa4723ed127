"""The small autoencoder of report 004 under three losses: curves, pictures over training, codes and interpolation."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from pipeline.report import autoencoders, figures, style
from pipeline.report.autoencoders import NATS, about
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, short
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import mlp_vae as rules
from pipeline.runtime.plan import Plan

NETWORKS = ("mlp_shallow",)
OWN, GAN = "mlp_standardised", "mlp"  # report 004's autoencoder, and its GAN
STEPS = 50 * -(-55_000 // 64)  # of the report's training


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of this network."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    metrics = {step.run: results.metrics(step) for step in scored}
    judged = autoencoders.judged(results, NETWORKS)
    values = {
        "settings": autoencoders.settings(trained),
        "scores": metrics,
        "judged": judged,
        "epochs": sorted({int(e) for found in metrics.values() for e in found["mean"].get("snapshots", {})}),
        "losses": [_loss(results, step, out) for step in trained],
        "runs": {step.run: _pictures(results, step, metrics[step.run], out) for step in scored},
    }
    headlines = {f"vae.{run}.squared_error": found["mean"]["squared_error"] for run, found in metrics.items()}
    return Content(values, headlines, _claims(results, metrics, judged))


def _claims(results: Results, metrics: dict[str, Any], judged: dict[str, Any]) -> list[Claim]:
    """Test C80 to C82 and C87 on the runs that have finished."""
    trained = results.finished.get(("train_vae", OWN))
    own = metrics.get(OWN, {})
    limit = short(autoencoders.steps(results, trained), STEPS) if trained else ""
    errors = {
        seed: (scores["snapshots"]["1"]["squared_error"], scores["squared_error"])
        for seed, scores in own.get("seeds", {}).items()
        if "1" in scores.get("snapshots", {})
    }
    losses = {
        results.settings(step)["likelihood"]: {
            seed: curve[-1] for seed, curve in autoencoders.by_seed(results, step, "train_loss").items()
        }
        for step in autoencoders.of(results, "train_vae", NETWORKS)
    }
    codes = {place: own["codes"][place] for place in ("code", "map")} if "codes" in own else {}
    samples = {
        run: {seed: scores["samples"] for seed, scores in found["seeds"].items()} for run, found in judged.items()
    }
    scored = results.finished.get(("score_gan", GAN))
    adversarial = {s: at["final"] for s, at in results.metrics(scored)["seeds"].items()} if scored else {}
    folder = f"figures/vae/{OWN}"
    return [
        rules.early(errors, f"{folder}/epochs.png", limit),
        rules.negative(losses, f"{folder}/loss.png"),
        rules.clusters(
            {place: found["knn_accuracy"] for place, found in codes.items()},
            {place: found["silhouette"] for place, found in codes.items()},
            f"{folder}/map.png", limit,
        ),
        rules.models(samples, adversarial, OWN, f"{folder}/samples.png", limit),
    ]  # fmt: skip


def _loss(results: Results, step: Plan, out: Path) -> Picture:
    path = f"figures/vae/{step.run}/loss.png"
    held_out = "valid" if "valid_loss" in results.columns(step) else "test"
    curves = [
        Curve("training", results.curve(step, "train_loss"), style.line(0)),
        Curve(f"{held_out} split", results.curve(step, f"{held_out}_loss"), style.line(1)),
    ]  # fmt: skip
    figures.curves(out / path, curves, f"loss ({NATS})")
    caption = f"F29 (figure 1 of report 004), run {step.run}: the trained loss after each epoch. {about([step])}"
    return Picture(path, f"loss of {step.run}", caption)


def _pictures(results: Results, step: Plan, metrics: dict[str, Any], out: Path) -> list[Picture]:
    folder, shown = f"figures/vae/{step.run}", autoencoders.where(results, step, metrics)
    pictures = []
    if taken := list(metrics["mean"].get("snapshots", {})):
        decoded = autoencoders.grey(results, step, "snapshots")
        originals = autoencoders.grey(results, step, "originals")[: decoded.shape[1]]
        rows = np.concatenate([originals, *decoded])
        figures.sheet(out / folder / "epochs.png", rows, decoded.shape[1], autoencoders.SCALE)
        caption = (
            f"F30 (figures 2 to 6 of report 004), run {step.run}, data {metrics['protocol']['data']}, seed"
            f" {next(iter(metrics['seeds']))}: test images in the first row; below, what their posterior means decode"
            f" to after epochs {', '.join(taken)}, from top to bottom."
        )
        pictures.append(Picture(f"{folder}/epochs.png", f"reconstructions of {step.run} over training", caption))
    if "codes" in metrics:
        _map(results, step, out / folder / "map.png")
        caption = (
            f"F31 (figure 7 of report 004), {shown}: t-SNE of the posterior means of the"
            f" {metrics['protocol']['images']} test images, coloured by class; perplexity"
            f" {metrics['codes']['perplexity']:g}, no units."
        )
        pictures.append(Picture(f"{folder}/map.png", f"t-SNE of {step.run}", caption))
    walk = autoencoders.grey(results, step, "interpolation")
    figures.sheet(out / folder / "interpolation.png", walk, len(walk), 2 * autoencoders.SCALE)
    caption = (
        f"F34, row of the VAE, {shown}: decoded codes on the line between two draws of N(0, I), alpha = 0,"
        f" 1/{len(walk) - 1}, ..., 1."
    )
    pictures.append(Picture(f"{folder}/interpolation.png", f"interpolation of {step.run}", caption))
    return pictures + autoencoders.pictures(results, step, out)


def _map(results: Results, step: Plan, path: Path) -> None:
    points, labels = results.array(step, "map"), np.asarray(results.array(step, "map_labels"))
    card = results.card(step)
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


CHAPTER = Chapter("mlp_vae.md.j2", {**autoencoders.READS, "score_gan": ("metrics.json",)}, ("I",), write)

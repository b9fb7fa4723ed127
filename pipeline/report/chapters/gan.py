"""Generative adversarial networks: scores with their protocols, metric against distance, samples, latent studies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from pipeline.gan.losses import generator_loss
from pipeline.report import figures, style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

SCALE = 2  # pixels of a picture per pixel of an image
ROW = 16  # images of a row
STRIPS = 4  # interpolations shown
SATURATED = 0.65  # nats of the JSD estimate, whose largest value is log 2 = 0.693


@dataclass(frozen=True)
class Run:
    """One trained and scored run.

    Args:
        train, score: its two steps.
        metrics: what the second one measured.
    """

    train: Plan
    score: Plan
    metrics: dict[str, Any]

    @property
    def name(self) -> str:
        return self.train.run

    @property
    def measure(self) -> str:
        """The distance that the run's loss estimates: `w1` for losses linear in the critic's output, else `jsd`."""
        return "w1" if self.train.settings["objective"]["loss"] in ("w1", "hinge") else "jsd"

    @property
    def steps(self) -> list[int]:
        return [int(step) for step in self.metrics["mean"]["snapshots"]]

    def distances(self) -> pd.DataFrame:
        """Return the Fréchet distance: a row per stored generator, a column per seed."""
        seeds = self.metrics["seeds"].items()
        table = {seed: [at["frechet_distance"] for at in values["snapshots"].values()] for seed, values in seeds}
        return pd.DataFrame(table, index=self.steps)

    def about(self) -> str:
        return f"run {self.name}, data {self.metrics['protocol']['data']}, seed {next(iter(self.metrics['seeds']))}"


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of the family."""
    scored = {step.run: step for step in results.steps("score_gan")}
    runs = [
        Run(step, scored[step.run], results.metrics(scored[step.run]))
        for step in results.steps("train_gan")
        if step.run in scored
    ]
    evaluators = {step.run: results.metrics(step) for step in results.steps("features")}
    settings = {run.name: _flat({"data": run.metrics["protocol"]["data"], **run.train.settings}) for run in runs}
    values = {
        "settings": settings,
        "keys": list(dict.fromkeys(key for run in settings.values() for key in run)),
        "scores": {run.name: run.metrics for run in runs},
        "evaluators": evaluators,
        "judges": {run.name: Path(run.score.inputs["features"]).name for run in runs},
        "relations": {run.name: _relation(results, run) for run in runs},
        "charts": _charts(results, runs, out) if runs else [],
        "pictures": {run.name: _pictures(results, run, out) for run in runs},
    }
    headlines = {
        f"gan.{run.name}.{key}": run.metrics["mean"]["final"][key]
        for run in runs
        for key in ("frechet_distance", "inception_score")
    }
    return Content(values, headlines)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Return nested settings with their names joined by spaces."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            prefix = "" if key in ("network", "objective") else f"{key} "
            flat |= {f"{prefix}{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _relation(results: Results, run: Run) -> dict[str, Any]:
    """Return how the run's own estimate moved with the Fréchet distance over its stored generators."""
    metric = results.curve(run.train, f"test_{run.measure}")
    logged = metric.index.to_numpy()
    steps = [step for step in run.steps if step >= logged[0]]
    nearest = [int(np.abs(logged - step).argmin()) for step in steps]
    distances, found = run.distances().loc[steps], []
    for column, seed in enumerate(distances.columns):
        pair = metric[int(str(seed))].iloc[nearest], distances.iloc[:, column]
        found.append(float(spearmanr(*pair).statistic) if len(steps) > 2 else float("nan"))
    jsd = results.curve(run.train, "jsd")
    slopes = results.curve(run.train, "slope"), results.curve(run.train, "slope_spread")
    return {
        "measure": run.measure,
        "points": len(steps),
        "correlation": float(np.mean(found)),
        "saturated": float((jsd > SATURATED).to_numpy().mean()),
        "slope": [float(curve.iloc[-1].mean()) for curve in slopes],
    }


def _charts(results: Results, runs: Sequence[Run], out: Path) -> list[Picture]:
    return [
        _distance_chart(runs, out),
        _metric_chart(results, runs, out),
        _loss_chart(results, runs, out),
        _gradient_chart(out),
        _interpolation_chart(runs, out),
        _slope_chart(results, runs, out),
    ]


def _distance_chart(runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/distance.png"
    lines = [
        Curve(run.name, run.distances(), {**style.line(n), "marker": "o", "markersize": 3})
        for n, run in enumerate(runs)
    ]
    figures.curves(out / path, lines, "Fréchet distance", "generator steps", log=True)
    caption = (
        "F22 (and F17). Fréchet distance of the stored generators against generator steps, in each run's own"
        " feature network: compare only runs that share it. Number of images as in the protocols below."
    )
    return Picture(path, "F22", caption)


def _metric_chart(results: Results, runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/metrics.png"
    with style.cells(out / path, len(runs), 4, 2.4, 1.9) as panels:
        for axes, run in zip(panels, runs, strict=True):
            for column, look in ((f"test_{run.measure}", "-"), (run.measure, (0, (1, 1.5)))):
                curve = results.curve(run.train, column).mean(axis=1)
                axes.plot(curve.index, curve, color=style.PALETTE[0], linestyle=look, linewidth=1.1)
            other = axes.twinx()
            distances = run.distances().mean(axis=1)
            other.plot(distances.index, distances, color=style.PALETTE[1], marker="o", markersize=3, linewidth=1.1)
            other.grid(visible=False)
            axes.set_title(f"{run.name}: {run.measure.upper()}", fontsize=8)
            axes.tick_params(labelsize=6, axis="both", labelcolor=style.PALETTE[0])
            axes.tick_params(axis="x", labelcolor="black")
            other.tick_params(labelsize=6, labelcolor=style.PALETTE[1])
    caption = (
        "F17 (figures 28 to 39 of report 001, with jsd_1). The distance that the run's loss estimates (blue, left"
        " scale: JSD in"
        " nats or W1 up to the critic's Lipschitz constant; solid on test images, dotted on training batches) and the"
        " Fréchet distance (orange, right scale) against generator steps."
    )
    return Picture(path, "F17", caption)


def _loss_chart(results: Results, runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/losses.png"
    names = {"loss_real": "critic, real", "loss_fake": "critic, fake", "loss_generator": "generator"}
    with style.cells(out / path, len(runs), 4, 2.4, 1.9) as panels:
        for axes, run in zip(panels, runs, strict=True):
            for number, (column, label) in enumerate(names.items()):
                curve = results.curve(run.train, column).mean(axis=1)
                axes.plot(curve.index, curve, linewidth=1.0, label=label, color=style.PALETTE[number])
            axes.set_title(run.name, fontsize=8)
            axes.tick_params(labelsize=6)
        panels[0].legend(fontsize=6)
    caption = "F32 (figure 8 of report 004), every run: the critic's loss on real and on fake images, the generator's."
    return Picture(path, "F32", caption)


def _gradient_chart(out: Path) -> Picture:
    path = "figures/gan/gradients.png"
    outputs = torch.linspace(-6, 6, 241, requires_grad=True)
    with style.chart(out / path, height=2.8) as axes:
        for number, name in enumerate(("jsd", "ns", "lsgan", "w1")):
            (slope,) = torch.autograd.grad(generator_loss(name, outputs) * len(outputs), outputs)
            axes.plot(outputs.detach().numpy(), slope.abs().numpy(), label=name, **style.line(number))
        axes.set(
            xlabel="critic's output on a fake image (rejected left, accepted right)",
            ylabel="|d loss / d output|",
            ylim=(0, 3),
        )
        axes.legend()
    caption = (
        "The size of the generator's gradient through the critic's output. It vanishes on rejected fakes for the"
        " saturating loss"
        " (jsd) only; the non-saturating one (ns) vanishes on accepted fakes, and least squares (lsgan) on those"
        " at its target 1."
    )
    return Picture(path, "gradients of the generator's losses", caption)


def _interpolation_chart(runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/interpolations.png"
    shown = {"frechet_distance": "Fréchet distance", "confidence": "confidence", "sharpness": "sharpness"}
    with style.cells(out / path, 2 * len(shown), len(shown), 2.8, 2.2) as panels:
        for number, (key, label) in enumerate(shown.items()):
            pair = panels[number], panels[number + len(shown)]
            for axes, way in zip(pair, ("latent", "pixel"), strict=True):
                for place, run in enumerate(runs):
                    values = run.metrics["mean"]["interpolations"][way][key]
                    axes.plot(
                        np.linspace(0, 1, len(values)), values, label=run.name, **style.line(place) | {"linewidth": 1.0}
                    )
                axes.set_title(f"{label}, {way} space", fontsize=8)
                axes.tick_params(labelsize=6)
                if key == "frechet_distance":
                    axes.set_yscale("log")
            pair[0].sharey(pair[1])
        panels[0].legend(fontsize=4.5, ncols=2)
    caption = (
        "Images between pairs of samples, mixed as codes (above) or as pixels (below), against the weight of the"
        " first: Fréchet"
        " distance to real images, mean confidence of the classifier, mean variance of the Laplacian of images in"
        " [0, 1]."
    )
    return Picture(path, "interpolations", caption)


def _slope_chart(results: Results, runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/slopes.png"
    with style.cells(out / path, len(runs), 4, 2.4, 1.7) as panels:
        for axes, run in zip(panels, runs, strict=True):
            axes.hist(np.asarray(results.array(run.score, "slopes")), bins=40, color=style.PALETTE[0])
            axes.axvline(1, color=style.REPORTED, linewidth=0.8)
            axes.set_title(run.name, fontsize=8)
            axes.tick_params(labelsize=6)
            axes.set_yticks([])
    caption = "Norm of the last critic's gradient at points between real and generated images; the line marks 1."
    return Picture(path, "slopes of the critics", caption)


def _pictures(results: Results, run: Run, out: Path) -> list[Picture]:
    """Draw what one run's generators make."""
    folder = f"figures/gan/{run.name}"

    def array(name: str) -> np.ndarray:
        return np.asarray(results.array(run.score, name))

    def picture(name: str, title: str, images: np.ndarray, columns: int, caption: str, group: int = 1) -> Picture:
        path = f"{folder}/{name}.png"
        figures.sheet(out / path, images.reshape(-1, *images.shape[-3:]), columns, SCALE, group)
        return Picture(path, f"{title} of {run.name}", f"{caption} {run.about().capitalize()}.")

    draw: Callable[..., Picture] = picture
    samples, shifted, mixed = array("samples"), array("perturbed"), (array("latent"), array("pixel"))
    steps, settings = ", ".join(map(str, run.steps)), run.score.settings
    side = 10
    grid = draw("samples", "samples", samples[-1], side, f"Samples after {run.steps[-1]} generator steps (F16, F23).")
    progress = draw(
        "progress", "progress", samples[:, :ROW], ROW,
        f"The same {ROW} codes after {steps} generator steps, from top to bottom (F04, F05, F33).",
    )  # fmt: skip
    rows = np.concatenate([samples[-1][None, :ROW], shifted.reshape(-1, *shifted.shape[2:])[:, :ROW]])
    moved = draw(
        "perturbed", "perturbations", rows, ROW,
        f"Top row: samples. Below, for each of the dimensions {', '.join(map(str, settings['perturbed']))} in turn,"
        f" the same codes with {', '.join(f'{scale:g}' for scale in settings['scales'])} added to it (F06, F07).",
    )  # fmt: skip
    strips = np.stack([part[:, :STRIPS].swapaxes(0, 1) for part in mixed], axis=1)  # (strip, way, weight, ...)
    between = draw(
        "interpolations", "interpolations", strips, strips.shape[2],
        f"{STRIPS} pairs of samples and the images between them: above mixed as codes, below as pixels"
        " (F08, F09, F10, F34).", group=2,
    )  # fmt: skip
    square = draw(
        "traversal", "traversal", array("traversal"), side,
        "One code whose first two dimensions take ten values each from -1 to 1 (F24).",
    )  # fmt: skip
    return [grid, progress, moved, between, square]


CHAPTER = Chapter(
    "gan.md.j2",
    {
        "features": ("metrics.json",),
        "train_gan": ("history.csv",),
        "score_gan": (
            "metrics.json", "samples.npy", "perturbed.npy", "latent.npy", "pixel.npy", "traversal.npy", "slopes.npy",
        ),
    },
    ("B", "E", "G", "I"),
    write,
)  # fmt: skip

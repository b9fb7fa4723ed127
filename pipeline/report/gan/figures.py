"""Charts of the GANs, and sheets of what their generators make."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor

from pipeline.gan.losses import generator_loss
from pipeline.report import figures, style
from pipeline.report.figures import Curve
from pipeline.report.gan import rules
from pipeline.report.marks import marks
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

SCALE = 2  # pixels of a picture per pixel of an image
COLUMNS, WIDTH, HEIGHT = 2, 3.2, 2.5  # of charts with a panel for each run; inches of one
SIDE, ROW = 10, 16  # images of a row of a square, and of another sheet
STRIPS = 4  # interpolations shown
WHOLE, GRID = "wgan_lp", 64  # the run of report 000, which shows grids of so many images where a row does for others
WEIGHTS = (0.1, 0.5, 0.8, 1.0)  # of its grids of mixed images
WAYS = {"latent": "latent codes", "pixel": "pixels"}
SHEETS = ("samples", "best", "progress", "perturbed", "interpolations", "mixed", "traversal")
LOSSES = ("jsd", "ns", "lsgan", "w1")  # whose gradients are compared
ARRAYS = ("samples", "perturbed", "latent", "pixel", "traversal")  # of images, stored by `score_gan`
FIDS = {
    **{run: f"001-cifar10-{run.replace('_', '-')}-fid" for run in rules.GRID},
    **{run: f"003-cub-{run.replace('_', '-')}-fid" for run in rules.CUB},
}
"""Rows with the reports' distance of the last generator, by run."""
ITEMS: Mapping[str, Mapping[str, str]] = {
    **{run: {"samples": "F16"} for run in rules.GRID},
    **{run: {"samples": "F23", "best": "F23", "traversal": "F24"} for run in rules.CUB},
    "wgan_lp": {
        "progress": "F04, F05", "perturbed": "F06, F07", "interpolations": "F08, F09, F10", "mixed": "F08, F09",
    },
    "mlp": {"progress": "F33"},
}  # fmt: skip
"""The reports' figures that the pictures of a run answer; a run that is in no report has the same pictures."""


@dataclass(frozen=True)
class Scored:
    """One trained and scored run.

    Args:
        train: The plan of its training.
        score: The plan of its scores.
        metrics: What scoring has measured.
        look: Colour, dash and marker of its line among those of all runs.
    """

    train: Plan
    score: Plan
    metrics: dict[str, Any]
    look: dict[str, Any]

    @property
    def name(self) -> str:
        return self.train.run

    @property
    def data(self) -> str:
        return str(self.metrics["protocol"]["data"])

    @property
    def evaluator(self) -> str:
        """The feature network that scores it."""
        return Path(self.score.inputs["features"]).name

    @property
    def game(self) -> str:
        """The loss, and what holds the critic back."""
        loss, penalty, spectral = (self.train.settings[name] for name in ("loss", "penalty", "spectral_norm"))
        return ", ".join([loss, *["spectral norm"] * spectral, *[penalty] * (penalty != "none")])

    @property
    def measure(self) -> str:
        """The estimate that suits the run's loss: `w1` for losses linear in the critic's output, else `jsd`."""
        return "w1" if self.train.settings["loss"] in ("w1", "hinge") else "jsd"

    @property
    def estimates(self) -> bool:
        """Whether the critic's outputs are logits or a potential, from which `measure` is estimated."""
        return bool(self.train.settings["loss"] != "lsgan")

    @property
    def steps(self) -> list[int]:
        return [int(step) for step in self.metrics["mean"]["snapshots"]]

    def distances(self) -> pd.DataFrame:
        """Return the Fréchet distance: a row per stored generator, a column per seed."""
        seeds = self.metrics["seeds"].items()
        table = {seed: [at["frechet_distance"] for at in values["snapshots"].values()] for seed, values in seeds}
        return pd.DataFrame(table, index=self.steps)


def charts(results: Results, reported: Reported, runs: Sequence[Scored], out: Path) -> None:
    """Plot what all runs have in common, a panel for each."""
    folder = out / "figures/gan"
    _distances(results, reported, runs, folder / "distance.png")
    _metrics(results, runs, folder / "metrics.png")
    _losses(results, runs, folder / "losses.png")
    _gradients(folder / "gradients.png")
    _interpolations(runs, folder / "interpolations.png")
    _norms(results, runs, folder / "gradient_norms.png")


def gradient(loss: str, outputs: Tensor) -> np.ndarray:
    """Return |d loss / d output| of a generator's loss on each of the critic's `outputs` for fake images."""
    (found,) = torch.autograd.grad(generator_loss(loss, outputs) * len(outputs), outputs)
    return np.asarray(found.abs())


@contextmanager
def _panels(path: Path, runs: Sequence[Scored], xlabel: str) -> Iterator[Iterator[tuple[Axes, Scored]]]:
    """Yield each run with the axes of its panel."""
    with style.panels(path, len(runs), COLUMNS, WIDTH, HEIGHT) as panels:
        for axes, run in zip(panels, runs, strict=True):
            axes.locator_params(nbins=style.TICKS)
            axes.set(title=f"{run.name} ({run.game})", xlabel=xlabel)
        yield zip(panels, runs, strict=True)


def _two_scales(axes: Axes, left: str, right: str) -> tuple[Axes, Axes]:
    """Label a left and a right scale of one panel in the first two colours, and return their axes."""
    other = axes.twinx()
    other.grid(visible=False)
    other.spines["right"].set_visible(True)
    for side, label, colour in zip((axes, other), (left, right), style.PALETTE, strict=False):
        side.set_ylabel(label, color=colour)
        side.tick_params(axis="y", labelcolor=colour)
    return axes, other


def sources(runs: Sequence[Scored]) -> dict[str, list[Plan]]:
    """Return what the charts and the sheets of all runs show."""
    scored, trained = [run.score for run in runs], [run.train for run in runs]
    return {
        "figures/gan/distance.png": scored,
        "figures/gan/metrics.png": [*trained, *scored],
        "figures/gan/losses.png": trained,
        "figures/gan/gradients.png": [],
        "figures/gan/interpolations.png": scored,
        "figures/gan/gradient_norms.png": scored,
        **{f"figures/gan/{run.name}/{name}.png": [run.score] for run in runs for name in SHEETS},
    }


def _distances(results: Results, reported: Reported, runs: Sequence[Scored], path: Path) -> None:
    groups: dict[str, list[Scored]] = {}  # distances by two feature networks have no common scale
    for run in runs:
        groups.setdefault(run.evaluator, []).append(run)
    with style.panels(path, len(groups), 1, COLUMNS * WIDTH, 3.2) as panels:
        for axes, (evaluator, group) in zip(panels, groups.items(), strict=True):
            axes.locator_params(nbins=style.TICKS)
            lines = [Curve(run.name, run.distances(), run.look) for run in group]
            for run in group:  # a report's number in the colour of our run
                theirs = marks(results, reported, [FIDS[run.name]] if run.name in FIDS else [], "steps")
                look = {**style.DOTS, "color": run.look["color"], "marker": "*", "markersize": 8}
                lines += [replace(mark, label=f"{run.name}, {mark.label}", look=look) for mark in theirs]
            figures.plot(axes, lines, group[0].metrics["protocol"]["names"]["frechet_distance"], "generator steps")
            axes.set_title(f"evaluator {evaluator}")
            style.logarithmic(axes)
            axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _metrics(results: Results, runs: Sequence[Scored], path: Path) -> None:
    with _panels(path, runs, "generator steps") as panels:
        for axes, run in panels:
            estimate = "W1 estimate" if run.measure == "w1" else "bound on JSD (nats)"
            left, right = _two_scales(axes, estimate if run.estimates else "no estimate", "Fréchet distance")
            if run.estimates:
                for column, dash, label in (
                    (f"test_{run.measure}", "-", "held-out images"), (run.measure, style.DOTTED, "training batches")
                ):  # fmt: skip
                    curve = results.curve(run.train, column).mean(axis=1)
                    left.plot(curve.index, curve, color=style.PALETTE[0], linestyle=dash, linewidth=1.3, label=label)
            else:
                left.set_yticks([])
            if run is next((each for each in runs if each.estimates), None):
                style.legend_above(left, 2)
            distances = run.distances().mean(axis=1)
            right.plot(distances.index, distances, color=style.PALETTE[1], marker="o", markersize=3, linewidth=1.3)


def _losses(results: Results, runs: Sequence[Scored], path: Path) -> None:
    names = {"loss_real": "critic, real", "loss_fake": "critic, fake", "loss_generator": "generator"}
    with _panels(path, runs, "generator steps") as panels:
        for axes, run in panels:
            for number, (column, label) in enumerate(names.items()):
                curve = results.curve(run.train, column).mean(axis=1)
                axes.plot(curve.index, curve, linewidth=1.3, label=label, **style.line(number))
            axes.set_ylabel("loss")
            if run is runs[0]:
                style.legend_above(axes, 3)


def _gradients(path: Path) -> None:
    outputs = torch.linspace(-6, 6, 241, requires_grad=True)
    with style.chart(path, height=2.8) as axes:
        for number, name in enumerate(LOSSES):
            axes.plot(outputs.detach().numpy(), gradient(name, outputs), label=name, **style.line(number))
        axes.set_xlabel("critic's output on a fake image (rejected left, accepted right)")
        axes.set(ylabel="|d loss / d output|", ylim=(0, 3))
        axes.legend()


def _interpolations(runs: Sequence[Scored], path: Path) -> None:
    with _panels(path, runs, "weight of the first") as panels:
        for axes, run in panels:
            sides = _two_scales(axes, "Fréchet distance", "sharpness")
            for side, colour, key in zip(sides, style.PALETTE, ("frechet_distance", "sharpness"), strict=False):
                for way, dash in (("latent", "-"), ("pixel", style.DOTTED)):
                    values = run.metrics["mean"]["interpolations"][way][key]
                    look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 1.3}
                    side.plot(run.metrics["alphas"], values, label=f"mixed as {WAYS[way]}", **look)
            if run is runs[0]:
                style.legend_above(sides[0], 2)


def _norms(results: Results, runs: Sequence[Scored], path: Path) -> None:
    with _panels(path, runs, "norm of the gradient") as panels:
        for axes, run in panels:
            norms = np.asarray(results.array(run.score, "gradient_norms"))
            axes.hist(norms, bins=40, color=style.PALETTE[0], histtype="stepfilled")  # one shape, not 40
            axes.axvline(1, color=style.REPORTED, linewidth=1, label="bound")
            if run is runs[0]:
                style.legend_above(axes, 3)
            axes.set_ylabel("points")


def sheets(results: Results, run: Scored, out: Path) -> dict[str, Any]:
    """Show what one run's generators make; say what is on each sheet."""
    samples, perturbed, latent, pixel, traversal = (np.asarray(results.array(run.score, name)) for name in ARRAYS)
    count = GRID if run.name == WHOLE else ROW
    best = run.steps.index(next(iter(run.metrics["seeds"].values()))["best_step"])
    moved = np.concatenate([samples[-1][None, :count], perturbed.reshape(-1, *perturbed.shape[2:])[:, :count]])
    strips = np.stack([part[:, :STRIPS].swapaxes(0, 1) for part in (latent, pixel)], axis=1)  # (pair, way, weight, ...)
    dimensions, scales = run.score.settings["shown_dimensions"], run.score.settings["perturbation_scales"]
    shifts = [f"z{dimension} + {scale:g}" for dimension in dimensions for scale in scales]
    # images, how many stand in a row, how many rows stand closer together, and a label for each such group
    shown: dict[str, tuple[np.ndarray, int, int, list[str]]] = {
        "samples": (samples[-1], SIDE, 1, []),
        "best": (samples[best], SIDE, 1, []),
        "progress": (samples[:, :count], ROW, count // ROW, [f"step {step:,}" for step in run.steps]),
        "perturbed": (moved, ROW, count // ROW, ["samples", *shifts]),
        "interpolations": (strips, strips.shape[2], 2, ["latent", "pixels"] * STRIPS),
    }
    if best == len(run.steps) - 1:
        del shown["best"]
    if run.name == WHOLE:
        at = [run.metrics["alphas"].index(weight) for weight in WEIGHTS]
        grids = np.stack([part[at, :GRID] for part in (latent, pixel)], axis=1)  # (weight, way, pair, ...)
        ways = [f"{weight:g}, {way}" for weight in WEIGHTS for way in ("latent", "pixels")]
        shown["mixed"] = (grids, ROW, GRID // ROW, ways)
    shown["traversal"] = (traversal, SIDE, 1, [f"z0 = {value:+.2f}" for value in np.linspace(-1, 1, SIDE)])
    for name, (images, columns, group, labels) in shown.items():
        flat = images.reshape(-1, *images.shape[-3:])
        between = [""] * (len(flat) // columns // max(1, len(labels)) - 1)  # one label for the rows of a group
        beside = [word for label in labels for word in (label, *between)]
        figures.sheet(out / f"figures/gan/{run.name}/{name}.png", flat, columns, SCALE, group, beside)
    return {
        "names": list(shown),
        "items": {name: f"{item}. " for name, item in ITEMS.get(run.name, {}).items()},
        "best": run.steps[best],
        "steps": run.steps,
    }

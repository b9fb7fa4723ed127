"""Charts of the GANs, and sheets of what their generators make."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor

from pipeline.gan.losses import generator_loss
from pipeline.report import figures, style
from pipeline.report.figures import Curve, Picture
from pipeline.report.gan import rules
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

SCALE = 2  # pixels of a picture per pixel of an image
COLUMNS, WIDTH, HEIGHT = 3, 3.2, 2.5  # of charts with a panel for each run; inches of one
SIDE, ROW = 10, 16  # images of a row of a square, and of another sheet
DOTTED = (0, (1, 1.5))
STRIPS = 4  # interpolations shown
WHOLE, GRID = "wgan_lp", 64  # the run of report 000, which shows grids of so many images where a row does for others
WEIGHTS = (0.1, 0.5, 0.8, 1.0)  # of its grids of mixed images
LOSSES = ("jsd", "ns", "lsgan", "w1")  # whose gradients are compared
ARRAYS = ("samples", "perturbed", "latent", "pixel", "traversal")  # of images, stored by `score_gan`
ITEMS: Mapping[str, Mapping[str, str]] = {
    **{run: {"samples": "F16"} for run in rules.GRID},
    **{run: {"samples": "F23", "best": "F23", "traversal": "F24"} for run in rules.CUB},
    "wgan_lp": {
        "progress": "F04, F05",
        "perturbed": "F06, F07",
        "interpolations": "F08, F09, F10",
        "mixed": "F08, F09",
    },
    "mlp": {"progress": "F33", "interpolations": "F34, row of the GAN"},
}
"""The reports' figures that the pictures of a run answer; a run that is in no report has the same pictures."""


@dataclass(frozen=True)
class Scored:
    """One trained and scored run.

    Args:
        train, score: Its two plans.
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
    def steps(self) -> list[int]:
        return [int(step) for step in self.metrics["mean"]["snapshots"]]

    def distances(self) -> pd.DataFrame:
        """Return the Fréchet distance: a row per stored generator, a column per seed."""
        seeds = self.metrics["seeds"].items()
        table = {seed: [at["frechet_distance"] for at in values["snapshots"].values()] for seed, values in seeds}
        return pd.DataFrame(table, index=self.steps)

    def about(self) -> str:
        return f"run {self.name}, data {self.data}, seed {next(iter(self.metrics['seeds']))}"


def charts(results: Results, runs: Sequence[Scored], out: Path) -> list[Picture]:
    """Plot what all runs have in common, a panel for each."""
    return [
        _distance_chart(runs, out),
        _metric_chart(results, runs, out),
        _loss_chart(results, runs, out),
        _gradient_chart(out),
        _interpolation_chart(runs, out),
        _norm_chart(results, runs, out),
    ]


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


def _distance_chart(runs: Sequence[Scored], out: Path) -> Picture:
    path = "figures/gan/distance.png"
    groups: dict[str, list[Scored]] = {}  # distances by two feature networks have no common scale
    for run in runs:
        groups.setdefault(run.evaluator, []).append(run)
    with style.panels(out / path, len(groups), min(len(groups), COLUMNS), WIDTH, 3.2) as panels:
        for axes, (evaluator, group) in zip(panels, groups.items(), strict=True):
            axes.locator_params(nbins=style.TICKS)
            lines = [Curve(run.name, run.distances(), run.look) for run in group]
            figures.plot(axes, lines, group[0].metrics["protocol"]["names"]["frechet_distance"], "generator steps")
            axes.set_title(f"evaluator {evaluator}")
            style.logarithmic(axes)
            axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)
    caption = (
        "F22 (and F17). Fréchet distance of the stored generators to the reference images, against generator steps; a"
        " panel for each feature network, whose scales have nothing in common. Protocols are above."
    )
    return Picture(path, "F22", caption)


def _metric_chart(results: Results, runs: Sequence[Scored], out: Path) -> Picture:
    path = "figures/gan/metrics.png"
    with _panels(out / path, runs, "generator steps") as panels:
        for axes, run in panels:
            estimate = "W1 estimate" if run.measure == "w1" else "bound on JSD (nats)"
            left, right = _two_scales(axes, estimate, "Fréchet distance")
            for column, dash in ((f"test_{run.measure}", "-"), (run.measure, DOTTED)):
                curve = results.curve(run.train, column).mean(axis=1)
                left.plot(curve.index, curve, color=style.PALETTE[0], linestyle=dash, linewidth=1.3)
            distances = run.distances().mean(axis=1)
            right.plot(distances.index, distances, color=style.PALETTE[1], marker="o", markersize=3, linewidth=1.3)
    caption = (
        "F17 (figures 28 to 39 of report 001, with jsd_1). Blue, left scale: what the critic's outputs say of the"
        " distance between real and generated images, W1 up to the critic's Lipschitz constant, or a lower bound on the"
        " JSD, negative for a poor critic; solid on images of the protocol's split, dotted on training batches."
        " Orange, right scale: the Fréchet distance in the run's feature network. Means over seeds."
    )
    return Picture(path, "F17", caption)


def _loss_chart(results: Results, runs: Sequence[Scored], out: Path) -> Picture:
    path = "figures/gan/losses.png"
    names = {"loss_real": "critic, real", "loss_fake": "critic, fake", "loss_generator": "generator"}
    with _panels(out / path, runs, "generator steps") as panels:
        for axes, run in panels:
            for number, (column, label) in enumerate(names.items()):
                curve = results.curve(run.train, column).mean(axis=1)
                axes.plot(curve.index, curve, linewidth=1.3, label=label, **style.line(number))
            axes.set_ylabel("loss")
            if run is runs[0]:
                axes.legend(fontsize=7)
    caption = (
        "F32 (figure 8 of report 004), for every run: the critic's loss on real and on fake images and the generator's,"
        " means over the training batches since the row before and over seeds. The unit is that of each run's loss."
    )
    return Picture(path, "F32", caption)


def _gradient_chart(out: Path) -> Picture:
    path = "figures/gan/gradients.png"
    outputs = torch.linspace(-6, 6, 241, requires_grad=True)
    with style.chart(out / path, height=2.8) as axes:
        for number, name in enumerate(LOSSES):
            axes.plot(outputs.detach().numpy(), gradient(name, outputs), label=name, **style.line(number))
        axes.set_xlabel("critic's output on a fake image (rejected left, accepted right)")
        axes.set(ylabel="|d loss / d output|", ylim=(0, 3))
        axes.legend()
    caption = (
        "The size of the generator's gradient through the critic's output. It vanishes on rejected fakes for the"
        " saturating loss (jsd) only; the non-saturating one (ns) vanishes on accepted fakes, and least squares (lsgan)"
        " on those at its target 1 (claims C63 and C64)."
    )
    return Picture(path, "gradients of the generator's losses", caption)


def _interpolation_chart(runs: Sequence[Scored], out: Path) -> Picture:
    path = "figures/gan/interpolations.png"
    with _panels(out / path, runs, "weight of the first") as panels:
        for axes, run in panels:
            sides = _two_scales(axes, "Fréchet distance", "sharpness")
            for side, colour, key in zip(sides, style.PALETTE, ("frechet_distance", "sharpness"), strict=False):
                for way, dash in (("latent", "-"), ("pixel", DOTTED)):
                    values = run.metrics["mean"]["interpolations"][way][key]
                    side.plot(run.metrics["alphas"], values, color=colour, linestyle=dash, linewidth=1.3)
    caption = (
        "Images between pairs of samples, against the weight of the first: solid lines mixed as latent codes, dotted"
        " ones as pixels (claims C15 and C16). Blue, left scale: Fréchet distance to the reference images in the run's"
        " feature network. Orange, right scale: sharpness, the mean variance of the Laplacian of images in [0, 1]."
        " Means over seeds."
    )
    return Picture(path, "interpolations", caption)


def _norm_chart(results: Results, runs: Sequence[Scored], out: Path) -> Picture:
    path = "figures/gan/gradient_norms.png"
    with _panels(out / path, runs, "norm of the gradient") as panels:
        for axes, run in panels:
            axes.hist(np.asarray(results.array(run.score, "gradient_norms")), bins=40, color=style.PALETTE[0])
            axes.axvline(1, color=style.REPORTED, linewidth=1)
            axes.set_ylabel("points")
    caption = (
        "Norm of the last critic's gradient at points between real images and generated ones, first seed; the line"
        " marks 1, the bound that W1 asks for."
    )
    return Picture(path, "gradient norms of the critics", caption)


def pictures(results: Results, run: Scored, out: Path) -> list[Picture]:
    """Show what one run's generators make."""
    show = partial(_show, out, run)
    arrays = {name: np.asarray(results.array(run.score, name)) for name in ARRAYS}
    samples, shifted = arrays["samples"], arrays["perturbed"]
    settings, count = run.score.settings, GRID if run.name == WHOLE else ROW
    whole = {"columns": ROW, "group": count // ROW}
    moved = np.concatenate([samples[-1][None, :count], shifted.reshape(-1, *shifted.shape[2:])[:, :count]])
    return [
        *_samples(run, samples, show),
        show(
            "progress", "progress", samples[:, :count],
            f"The same {count} latent codes after {', '.join(map(str, run.steps))} generator steps, from top to bottom.",
            **whole,
        ),
        show(
            "perturbed", "perturbations", moved,
            "At the top: samples. Below, for each of the dimensions"
            f" {', '.join(map(str, settings['shown_dimensions']))} in turn, the same latent codes with"
            f" {', '.join(f'{scale:g}' for scale in settings['perturbation_scales'])} added to it.",
            **whole,
        ),
        *_mixtures(run, arrays["latent"], arrays["pixel"], show),
        show(
            "traversal", "traversal", arrays["traversal"],
            "One latent code whose first two dimensions take ten values each from -1 to 1.", columns=SIDE,
        ),
    ]  # fmt: skip


def _samples(run: Scored, samples: np.ndarray, show: Callable[..., Picture]) -> list[Picture]:
    """Show samples of the last generator, and of the best one if that is another."""
    caption = f"Samples after {run.steps[-1]} generator steps."
    shown = [show("samples", "samples", samples[-1], caption, columns=SIDE)]
    best = run.steps.index(next(iter(run.metrics["seeds"].values()))["best_step"])
    if best < len(run.steps) - 1:
        caption = f"Samples after {run.steps[best]} generator steps, when the Fréchet distance was smallest."
        shown.append(show("best", "best samples", samples[best], caption, columns=SIDE))
    return shown


def _mixtures(run: Scored, latent: np.ndarray, pixel: np.ndarray, show: Callable[..., Picture]) -> list[Picture]:
    """Show what lies between samples, `(weight, pair, c, h, w)` mixed as latent codes and as pixels."""
    strips = np.stack([part[:, :STRIPS].swapaxes(0, 1) for part in (latent, pixel)], axis=1)  # (pair, way, weight, ...)
    caption = f"{STRIPS} pairs of samples and the images between them: above mixed as latent codes, below as pixels."
    shown = [show("interpolations", "interpolations", strips, caption, columns=strips.shape[2], group=2)]
    if run.name == WHOLE:
        at = [run.metrics["alphas"].index(weight) for weight in WEIGHTS]
        grids = np.stack([part[at, :GRID] for part in (latent, pixel)], axis=1)  # (weight, way, pair, ...)
        caption = (
            f"{GRID} pairs of samples with the weights {', '.join(f'{weight:g}' for weight in WEIGHTS)} of the first:"
            " of each, mixed as latent codes, then as pixels."
        )
        shown.append(show("mixed", "mixed samples", grids, caption, columns=ROW, group=GRID // ROW))
    return shown


def _show(
    out: Path, run: Scored, name: str, title: str, images: np.ndarray, caption: str, *, columns: int, group: int = 1
) -> Picture:
    """Write one sheet of a run's images; for `columns` and `group` see `figures.sheet`."""
    path = f"figures/gan/{run.name}/{name}.png"
    figures.sheet(out / path, images.reshape(-1, *images.shape[-3:]), columns, SCALE, group)
    items = ITEMS.get(run.name, {}).get(name)
    caption = f"{items}. {caption}" if items else caption
    return Picture(path, f"{title} of {run.name}", f"{caption} {run.about().capitalize()}.")

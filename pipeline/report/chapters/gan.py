"""Generative adversarial networks: scores with their protocols, metric against distance, samples, latent studies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.gan import operations
from pipeline.gan.losses import generator_loss
from pipeline.report import figures, style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.figures import Curve, Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import gan as verdicts
from pipeline.report.verdicts.gan import Seed
from pipeline.runtime.plan import Plan

SCALE = 2  # pixels of a picture per pixel of an image
COLUMNS, WIDTH, HEIGHT = 3, 3.2, 2.5  # of charts with a panel for each run; inches of one
SIDE, ROW = 10, 16  # images of a row of a square, and of another sheet
STRIPS = 4  # interpolations shown
WHOLE, GRID = "wgan_lp", 64  # the run of report 000, which shows grids of so many images where a row does for others
WEIGHTS = (0.1, 0.5, 0.8, 1.0)  # of its grids of mixed images
ARRAYS = ("samples", "perturbed", "latent", "pixel", "traversal")  # of images, stored by `score_gan`
ITEMS: Mapping[str, Mapping[str, str]] = {
    **{run: {"samples": "F16"} for run in verdicts.GRID},
    **{run: {"samples": "F23", "best": "F23", "traversal": "F24"} for run in verdicts.CUB},
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
class Run:
    """One trained and scored run.

    Args:
        train, score: its two steps.
        metrics: what the second one measured.
        look: colour, dash and marker of its line among those of all runs.
    """

    train: Plan
    score: Plan
    metrics: dict[str, Any]
    look: dict[str, Any]

    @property
    def name(self) -> str:
        return self.train.run

    @property
    def judge(self) -> str:
        """The feature network that scores it."""
        return Path(self.score.inputs["features"]).name

    @property
    def game(self) -> str:
        """The loss, and what holds the critic back."""
        objective, spectral = self.train.settings["objective"], self.train.settings["network"]["spectral"]
        controls = ["spectral norm"] * spectral + [objective["penalty"]] * (objective["penalty"] != "none")
        return ", ".join([objective["loss"], *controls])

    @property
    def measure(self) -> str:
        """The estimate that suits the run's loss: `w1` for losses linear in the critic's output, else `jsd`."""
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
        Run(step, scored[step.run], results.metrics(scored[step.run]), style.marked(number))
        for number, step in enumerate(step for step in results.steps("train_gan") if step.run in scored)
    ]
    judges = {run.name: run.judge for run in runs}
    seeds = {run.name: _seeds(results, run) for run in runs}
    settings = {run.name: _flat({"data": run.metrics["protocol"]["data"], **run.train.settings}) for run in runs}
    values = {
        "settings": settings,
        "scores": {run.name: run.metrics for run in runs},
        "evaluators": {
            step.run: results.metrics(step) for step in results.steps("features") if step.run in judges.values()
        },
        "judges": judges,
        "game": {run.name: run.game for run in runs},
        "relations": {run.name: _relation(run, seeds[run.name]) for run in runs},
        "saturated": verdicts.SATURATED,
        "charts": _charts(results, runs, out) if runs else [],
        "pictures": {run.name: _pictures(results, run, out) for run in runs},
    }
    headlines = {
        f"gan.{run.name}.{key}": run.metrics["mean"]["final"][key]
        for run in runs
        for key in ("frechet_distance", "inception_score")
    }
    tried = {
        run.name: verdicts.Run(
            seeds[run.name],
            run.metrics["protocol"]["data"],
            run.train.settings["steps"],
            run.train.settings["ema"],
        )
        for run in runs
    }
    operations = {
        step.run: operations.critic_step(*(step.settings[key] for key in ("network", "objective", "batch")))
        for step in results.plans
        if step.stage == "train_gan" and step.run in verdicts.GRID[:3]
    }
    return Content(values, headlines, verdicts.claims(tried, operations))


def _seeds(results: Results, run: Run) -> dict[str, Seed]:
    """Return what the run measured, seed by seed."""
    columns = {
        name: results.curve(run.train, name) for name in results.columns(run.train) if name not in ("seed", "epoch")
    }
    epochs = {"epoch": next(iter(columns.values())).index.tolist()}
    return {
        seed: Seed(
            scores,
            run.metrics["real"],
            {**epochs, **{name: curve[int(seed)].tolist() for name, curve in columns.items()}},
        )
        for seed, scores in run.metrics["seeds"].items()
    }


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


def _relation(run: Run, seeds: Mapping[str, Seed]) -> dict[str, Any]:
    """Return how the run's own estimate moved with the distance of its stored generators, means over seeds."""
    each = list(seeds.values())
    logged = each[0].curves["epoch"]
    return {
        "measure": run.measure,
        "points": sum(step >= logged[0] for step in run.steps),
        "correlation": float(np.mean([verdicts.agreement(seed, f"test_{run.measure}") for seed in each])),
        "saturated": float(np.mean([verdicts.saturated(seed) for seed in each])),
        "slope": [float(np.mean([seed.curves[key][-1] for seed in each])) for key in ("slope", "slope_spread")],
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


def _by_judge(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs by the feature network that scores them: distances in two of them have no common scale."""
    judged: dict[str, list[Run]] = {}
    for run in runs:
        judged.setdefault(run.judge, []).append(run)
    return judged


def _distance_chart(runs: Sequence[Run], out: Path) -> Picture:
    path, judged = "figures/gan/distance.png", _by_judge(runs)
    with style.cells(out / path, len(judged), min(len(judged), COLUMNS), WIDTH, 3.2) as panels:
        for axes, (judge, group) in zip(panels, judged.items(), strict=True):
            lines = [Curve(run.name, run.distances(), run.look) for run in group]
            figures.plot(axes, lines, group[0].metrics["protocol"]["names"]["frechet_distance"])
            axes.set(title=f"judged by {judge}", xlabel="generator steps")
            style.logarithmic(axes)
            axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)
    caption = (
        "F22 (and F17). Fréchet distance of the stored generators to the reference images, against generator steps; a"
        " panel for each feature network, whose scales have nothing in common. Protocols are above."
    )
    return Picture(path, "F22", caption)


def _metric_chart(results: Results, runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/metrics.png"
    with style.cells(out / path, len(runs), COLUMNS, WIDTH, HEIGHT) as panels:
        for axes, run in zip(panels, runs, strict=True):
            for column, look in ((f"test_{run.measure}", "-"), (run.measure, (0, (1, 1.5)))):
                curve = results.curve(run.train, column).mean(axis=1)
                axes.plot(curve.index, curve, color=style.PALETTE[0], linestyle=look, linewidth=1.3)
            other = axes.twinx()
            distances = run.distances().mean(axis=1)
            other.plot(distances.index, distances, color=style.PALETTE[1], marker="o", markersize=3, linewidth=1.3)
            other.grid(visible=False)
            other.spines["right"].set_visible(True)
            axes.set(title=f"{run.name} ({run.game})", xlabel="generator steps")
            axes.set_ylabel("W1 estimate" if run.measure == "w1" else "bound on JSD (nats)", color=style.PALETTE[0])
            other.set_ylabel("Fréchet distance", color=style.PALETTE[1])
            axes.tick_params(axis="y", labelcolor=style.PALETTE[0])
            other.tick_params(axis="y", labelcolor=style.PALETTE[1])
    caption = (
        "F17 (figures 28 to 39 of report 001, with jsd_1). Blue, left scale: what the critic's outputs say of the"
        " distance between real and generated images, W1 up to the critic's Lipschitz constant, or a lower bound on the"
        " JSD, negative for a poor critic; solid on images of the protocol's split, dotted on training batches."
        " Orange, right scale: the Fréchet distance in the run's feature network. Means over seeds."
    )
    return Picture(path, "F17", caption)


def _loss_chart(results: Results, runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/losses.png"
    names = {"loss_real": "critic, real", "loss_fake": "critic, fake", "loss_generator": "generator"}
    with style.cells(out / path, len(runs), COLUMNS, WIDTH, HEIGHT) as panels:
        for axes, run in zip(panels, runs, strict=True):
            for number, (column, label) in enumerate(names.items()):
                curve = results.curve(run.train, column).mean(axis=1)
                axes.plot(curve.index, curve, linewidth=1.3, label=label, **style.line(number))
            axes.set(title=f"{run.name} ({run.game})", xlabel="generator steps", ylabel="loss")
        panels[0].legend(fontsize=7)
    caption = (
        "F32 (figure 8 of report 004), for every run: the critic's loss on real and on fake images and the generator's,"
        " means over the training batches since the row before and over seeds. The unit is that of each run's loss."
    )
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
        " saturating loss (jsd) only; the non-saturating one (ns) vanishes on accepted fakes, and least squares (lsgan)"
        " on those at its target 1 (claims C63 and C64)."
    )
    return Picture(path, "gradients of the generator's losses", caption)


def _interpolation_chart(runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/interpolations.png"
    shown = {"frechet_distance": "Fréchet distance", "sharpness": "sharpness"}
    with style.cells(out / path, len(runs), COLUMNS, WIDTH, HEIGHT) as panels:
        for axes, run in zip(panels, runs, strict=True):
            other = axes.twinx()
            other.grid(visible=False)
            other.spines["right"].set_visible(True)
            for side, colour, (key, label) in zip((axes, other), style.PALETTE, shown.items(), strict=False):
                for way, dash in (("latent", "-"), ("pixel", (0, (1, 1.5)))):
                    values = run.metrics["mean"]["interpolations"][way][key]
                    side.plot(run.metrics["alphas"], values, color=colour, linestyle=dash, linewidth=1.3)
                side.set_ylabel(label, color=colour)
                side.tick_params(axis="y", labelcolor=colour)
            axes.set(title=f"{run.name} ({run.game})", xlabel="weight of the first")
    caption = (
        "Images between pairs of samples, against the weight of the first: solid lines mixed as codes, dotted ones as"
        " pixels (claims C15 and C16). Blue, left scale: Fréchet distance to the reference images in the run's feature"
        " network. Orange, right scale: sharpness, the mean variance of the Laplacian of images in [0, 1]. Means over"
        " seeds."
    )
    return Picture(path, "interpolations", caption)


def _slope_chart(results: Results, runs: Sequence[Run], out: Path) -> Picture:
    path = "figures/gan/slopes.png"
    with style.cells(out / path, len(runs), COLUMNS, WIDTH, HEIGHT) as panels:
        for axes, run in zip(panels, runs, strict=True):
            slopes = np.asarray(results.array(run.score, "slopes"))
            axes.hist(slopes, bins=40, color=style.PALETTE[0])
            axes.axvline(1, color=style.REPORTED, linewidth=1)
            axes.set(title=f"{run.name} ({run.game})", xlabel="norm of the gradient", ylabel="points")
    caption = (
        "Norm of the last critic's gradient at points between real images and generated ones, first seed; the line"
        " marks 1, the bound that W1 asks for."
    )
    return Picture(path, "slopes of the critics", caption)


def _pictures(results: Results, run: Run, out: Path) -> list[Picture]:
    """Draw what one run's generators make."""
    draw = partial(_draw, out, run)
    arrays = {name: np.asarray(results.array(run.score, name)) for name in ARRAYS}
    samples, shifted = arrays["samples"], arrays["perturbed"]
    settings, codes = run.score.settings, GRID if run.name == WHOLE else ROW
    progress = draw(
        "progress", "progress", samples[:, :codes], ROW,
        f"The same {codes} codes after {', '.join(map(str, run.steps))} generator steps, from top to bottom.",
        group=codes // ROW,
    )  # fmt: skip
    moved = draw(
        "perturbed", "perturbations",
        np.concatenate([samples[-1][None, :codes], shifted.reshape(-1, *shifted.shape[2:])[:, :codes]]), ROW,
        f"At the top: samples. Below, for each of the dimensions {', '.join(map(str, settings['perturbed']))} in turn,"
        f" the same codes with {', '.join(f'{scale:g}' for scale in settings['scales'])} added to it.",
        group=codes // ROW,
    )  # fmt: skip
    square = draw(
        "traversal", "traversal", arrays["traversal"], SIDE,
        "One code whose first two dimensions take ten values each from -1 to 1.",
    )  # fmt: skip
    return [
        *_samples(run, samples, draw), progress, moved, *_mixtures(run, arrays["latent"], arrays["pixel"], draw), square
    ]  # fmt: skip


def _samples(run: Run, samples: np.ndarray, draw: Callable[..., Picture]) -> list[Picture]:
    """Draw samples of the last generator, and of the best one if that is another."""
    pictures = [draw("samples", "samples", samples[-1], SIDE, f"Samples after {run.steps[-1]} generator steps.")]
    best = run.steps.index(next(iter(run.metrics["seeds"].values()))["best_step"])
    if best < len(run.steps) - 1:
        caption = f"Samples after {run.steps[best]} generator steps, when the Fréchet distance was smallest."
        pictures.append(draw("best", "best samples", samples[best], SIDE, caption))
    return pictures


def _mixtures(run: Run, latent: np.ndarray, pixel: np.ndarray, draw: Callable[..., Picture]) -> list[Picture]:
    """Draw what lies between samples, `(weight, pair, c, h, w)` mixed as codes and as pixels."""
    strips = np.stack([part[:, :STRIPS].swapaxes(0, 1) for part in (latent, pixel)], axis=1)  # (pair, way, weight, ...)
    caption = f"{STRIPS} pairs of samples and the images between them: above mixed as codes, below as pixels."
    pictures = [draw("interpolations", "interpolations", strips, strips.shape[2], caption, group=2)]
    if run.name == WHOLE:
        at = [run.metrics["alphas"].index(weight) for weight in WEIGHTS]
        grids = np.stack([part[at, :GRID] for part in (latent, pixel)], axis=1)  # (weight, way, pair, ...)
        caption = (
            f"{GRID} pairs of samples with the weights {', '.join(f'{weight:g}' for weight in WEIGHTS)} of the first:"
            " of each, mixed as codes, then as pixels."
        )
        pictures.append(draw("mixed", "mixed samples", grids, ROW, caption, group=GRID // ROW))
    return pictures


def _draw(
    out: Path, run: Run, name: str, title: str, images: np.ndarray, columns: int, caption: str, group: int = 1
) -> Picture:
    """Draw one sheet of a run's images; for `columns` and `group` see `figures.sheet`."""
    path = f"figures/gan/{run.name}/{name}.png"
    figures.sheet(out / path, images.reshape(-1, *images.shape[-3:]), columns, SCALE, group)
    items = ITEMS.get(run.name, {}).get(name)
    caption = f"{items}. {caption}" if items else caption
    return Picture(path, f"{title} of {run.name}", f"{caption} {run.about().capitalize()}.")


CHAPTER = Chapter(
    "gan.md.j2",
    {
        "features": ("metrics.json",),
        "train_gan": ("history.csv",),
        "score_gan": ("metrics.json", "slopes.npy", *(f"{name}.npy" for name in ARRAYS)),
    },
    ("B", "E", "G", "I"),
    write,
)  # fmt: skip

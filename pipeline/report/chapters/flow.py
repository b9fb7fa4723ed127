"""Planar flows: likelihoods beside the reports', learned densities, samples, both constraints, and single layers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipeline.report import style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, short
from pipeline.report.figures import Picture
from pipeline.report.reported import Number, Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import flow as rules
from pipeline.runtime.plan import Plan

WORDS = {"smooth": "smooth", "in_place": "in place"}
ITERATIONS = 20_000  # of the report's training
SHALLOW = 2  # layers of the report's shallowest flow
DEFAULT = 0.01  # standard deviation of default parameters
EPOCH = 200  # iterations that a row of `history.csv` is the mean of
EXTENT = (-5.0, 5.0, -5.0, 5.0)
SIDE = 1.75  # inches of a panel


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of the family, the shallowest first."""
    scored = sorted(results.steps("score_flow"), key=lambda step: _depth(results, step))
    trained = sorted(results.steps("train_flow"), key=lambda step: _depth(results, step))
    metrics = {_depth(results, step): results.metrics(step) for step in scored}
    first = next(iter(metrics.values()), None)
    densities = first["protocol"]["densities"] if first else []
    values: dict[str, Any] = {
        "settings": trained[0].settings if trained else None,
        "scores": metrics,
        "densities": densities,
        "words": WORDS,
        "printed": {step.settings["depth"]: _last(results, step) for step in trained},
        "theirs": {
            density: {k: row.value for k in metrics if (row := _reported(reported, density, k))}
            for density in densities
        },
        "curves": [_curves(results, reported, step, out) for step in trained[:1]],
        "learned": [_learned(results, scored, number, name, out) for number, name in enumerate(densities)],
        "samples": [_samples(results, scored, number, name, out) for number, name in enumerate(densities)],
        "layers": [_layers(results, step, out) for step in results.steps("planar")],
    }
    headlines = {
        f"flow.k{depth}.{constraint}.{mode}.{density}.{key}": score["mean"][constraint][mode][density][key]
        for depth, score in metrics.items()
        for constraint in score["mean"]
        for mode, key in (("samples", "nll"), ("density", "loss"))
        for density in densities
    }
    return Content(values, headlines, _claims(results, scored, metrics))


def _claims(results: Results, scored: Sequence[Plan], metrics: dict[int, Any]) -> list[Claim]:
    """Test C50 to C56 and C58 on the runs that have finished."""
    layers = next((results.metrics(step) for step in results.steps("planar")), {})
    planar = next((f"figures/flow/{step.run}" for step in results.steps("planar")), "")
    drawn = {layer["drawn"][1]: layer for layer in layers.get("layers", {}).values()}
    iterations = min((results.settings(step)["iterations"] for step in scored), default=0)
    limit = short(iterations, ITERATIONS)
    densities = next(iter(metrics.values()))["protocol"]["densities"] if metrics else []

    def numbers(mode: str, key: str, constraint: str = "in_place") -> rules.ByDensity:
        """Return one score of the flows under the constraint that the reports used."""
        return {
            density: {
                depth: {s: at[constraint][mode][density][key] for s, at in score["seeds"].items() if constraint in at}
                for depth, score in metrics.items()
            }
            for density in densities
        }

    shallow = scored[0].run if scored else ""
    fewest = {
        name: numbers("samples", "test_nll", name).get("arcs", {}).get(SHALLOW, {}) for name in ("smooth", "in_place")
    }
    integrals: dict[str, list[float]] = {}
    for score in metrics.values():
        for seed, constraints in score["seeds"].items():
            found = [at["integral"] for modes in constraints.values() for at in modes["samples"].values()]
            integrals.setdefault(seed, []).extend(found)
    return [
        rules.determinant(layers.get("jacobian", {})),
        rules.operations(layers.get("slope", {}), f"{planar}/operations.png"),
        rules.groups(
            [(layer["drawn"][1], layer["silhouette"]) for layer in layers.get("layers", {}).values()],
            f"{planar}/transforms.png",
        ),
        rules.default(drawn[DEFAULT]["displacement"] if DEFAULT in drawn else None, f"{planar}/transforms.png"),
        rules.deeper(numbers("samples", "test_nll"), "figures/flow/densities_arcs.png", limit),
        rules.nearer(
            numbers("density", "loss"), numbers("density", "energy_distance"), "figures/flow/samples_arcs.png", limit
        ),
        rules.integral(integrals, "figures/flow/densities_arcs.png"),
        rules.constraint(fewest["smooth"], fewest["in_place"], f"figures/flow/{shallow}/constraints.png", limit),
    ]


def _depth(results: Results, step: Plan) -> int:
    return int(results.settings(step)["depth"])


def _reported(reported: Reported, density: str, depth: int) -> Any:
    return next((row for row in reported.rows if row.id == f"001-flow-{density}-{depth}"), None)


def _last(results: Results, step: Plan) -> dict[str, tuple[float, float | None]]:
    """Return mean and spread over seeds of the last epoch's training loss of every flow of a run."""
    last = {}
    for density in step.settings["densities"]:
        for constraint in step.settings["constraints"]:
            name = f"{density}_samples_{constraint}"
            row = results.curve(step, name).iloc[-1]
            last[name] = (float(row.mean()), float(row.std()) if len(row) > 1 else None)
    return last


def _curves(results: Results, reported: Reported, step: Plan, out: Path) -> Picture:
    """Draw the training NLL of both constraints over iterations (claim C58)."""
    densities, constraints = step.settings["densities"], step.settings["constraints"]
    depth = step.settings["depth"]
    path = f"figures/flow/{step.run}/constraints.png"
    with style.panels(out / path, 1, len(densities), 3.4 * len(densities), 3.2) as grid:
        for axes, density in zip(grid[0], densities, strict=True):
            for number, constraint in enumerate(constraints):
                curve = results.curve(step, f"{density}_samples_{constraint}")
                x, look = EPOCH * curve.index.to_numpy(), style.line(number)
                axes.plot(x, curve.mean(axis=1), label=WORDS[constraint], **look)
                axes.fill_between(x, curve.min(axis=1), curve.max(axis=1), color=look["color"], alpha=0.2, linewidth=0)
            row = _reported(reported, density, depth)
            if row is not None and isinstance(row.value, Number):
                axes.plot(x[-1], row.value, "o", color=style.REPORTED, markersize=4, label="report 001", clip_on=False)
            lowest = min(results.curve(step, f"{density}_samples_{name}").to_numpy().min() for name in constraints)
            shown = [lowest, *([row.value] if row is not None and isinstance(row.value, Number) else [])]
            axes.set_ylim(min(shown) - 0.08, max(lowest + 1.1, *shown) + 0.02)
            axes.set_title(density, fontsize=9)
            axes.set_xlabel("iteration")
        grid[0, 0].set_ylabel("NLL (nats per point)")
        grid[0, -1].legend()
    caption = (
        f"C58. NLL of the training batches over iterations, {depth} layers, with the smooth constraint and with the"
        f" reports' in-place correction of u; mean and range over seeds {', '.join(map(str, step.settings['seeds']))}."
        f" Each point of the curve is the mean of {EPOCH} batches."
    )
    return Picture(path, "C58", caption)


def _learned(results: Results, steps: Sequence[Plan], number: int, density: str, out: Path) -> Picture:
    """Draw the densities of the flows that were fitted to points, beside the density that the points follow."""
    path = f"figures/flow/densities_{density}.png"
    target = results.array(steps[0], "targets")[number]
    with _grid(out / path, *_names(results, steps)) as grid:
        for row in range(len(grid)):
            _image(grid[row, 0], target)
            for column, step in enumerate(steps, 1):
                _image(grid[row, column], results.array(step, "densities")[row, 0, number])
    caption = (
        f"F19 and F20. {density}: the target density, and what flows fitted to points of it have learned;"
        f" {_when(results, steps)}. Every panel shows [-5, 5]² with a scale of its own, palest at 0."
    )
    return Picture(path, f"F19, F20: {density}", caption)


def _samples(results: Results, steps: Sequence[Plan], number: int, density: str, out: Path) -> Picture:
    """Draw samples of the flows that were fitted to a potential, over their own density."""
    path = f"figures/flow/samples_{density}.png"
    with _grid(out / path, *_names(results, steps)) as grid:
        for row in range(len(grid)):
            _image(grid[row, 0], results.array(steps[0], "targets")[number])
            for column, step in enumerate(steps, 1):
                _image(grid[row, column], results.array(step, "densities")[row, 1, number])
                drawn = results.array(step, "samples")[row, number]
                grid[row, column].plot(*drawn.T, ".", color=style.PALETTE[1], markersize=1)
    count = results.array(steps[0], "samples").shape[2]
    caption = (
        f"F21. {density}: {count} samples of flows fitted to the potential by reverse KL, over the density that the"
        f" same flow gives to every point, by inverting it; the target on the left; {_when(results, steps)}; [-5, 5]²."
    )
    return Picture(path, f"F21: {density}", caption)


def _when(results: Results, steps: Sequence[Plan]) -> str:
    seed = next(iter(results.metrics(steps[0])["seeds"]))
    return f"seed {seed}, after {results.settings(steps[0])['iterations']:,} iterations"


@contextmanager
def _grid(path: Path, rows: Sequence[str], columns: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield square panels of the box [-5, 5]² without ticks, their columns and rows named."""
    with style.panels(path, len(rows), len(columns), SIDE * len(columns), SIDE * len(rows) + 0.2) as grid:
        for axes, title in zip(grid[0], columns, strict=True):
            axes.set_title(title, fontsize=9)
        for axes, title in zip(grid[:, 0], rows, strict=True):
            axes.set_ylabel(title)
        yield grid
        for axes in grid.flat:  # last, since drawing moves the limits
            axes.set(xticks=[], yticks=[], xlim=EXTENT[:2], ylim=EXTENT[2:], aspect="equal")


def _names(results: Results, steps: Sequence[Plan]) -> tuple[list[str], list[str]]:
    """Return the names of rows and columns of `_grid`: a row per constraint, the target, then a column per depth."""
    constraints = results.metrics(steps[0])["protocol"]["constraints"]
    return [WORDS[name] for name in constraints], ["target", *(f"k = {_depth(results, step)}" for step in steps)]


def _image(axes: Axes, density: np.ndarray) -> None:
    axes.imshow(density, origin="lower", extent=EXTENT, cmap="Blues", vmin=0, interpolation="bilinear")


def _layers(results: Results, step: Plan, out: Path) -> dict[str, Any]:
    """Draw what single layers do to points (F18) and what log-determinants cost (claim C51)."""
    metrics = results.metrics(step)
    folder = f"figures/flow/{step.run}"
    points, moved = results.array(step, "points"), results.array(step, "moved")
    titles = [_drawn(layer) for layer in metrics["layers"].values()]
    panels = [("N(0, I)", points), *zip(titles, moved, strict=True)]
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    with style.panels(out / folder / "transforms.png", rows, columns, 2.2 * columns, 2.2 * rows) as grid:
        for axes, panel in zip_longest(grid.flat, panels):
            if panel is None:
                axes.remove()
                continue
            axes.plot(*panel[1].T, ".", markersize=2)
            axes.set_title(panel[0], fontsize=8)
            axes.tick_params(labelsize=7)
            axes.locator_params(nbins=4)
    operations = metrics["operations"]
    with style.chart(out / folder / "operations.png", height=3.0) as axes:
        for number, (name, label) in enumerate((("planar", "planar layer"), ("dense", "dense determinant"))):
            counts = {int(size): count for size, count in operations[name].items()}
            label = f"{label}, slope {metrics['slope'][name]:.2f}"
            axes.loglog(
                list(counts), list(counts.values()), marker="o", markersize=3, label=label, **style.line(number)
            )
        axes.set_xlabel("dimension d")
        axes.set_ylabel("operations per point")
        axes.legend()
    return {
        "metrics": metrics,
        "titles": dict(zip(metrics["layers"], titles, strict=True)),
        "transforms": Picture(
            f"{folder}/transforms.png",
            "F18",
            f"F18 (figures 40 to 43 of report 001). {len(points):,} points of N(0, I), and where one planar layer moves"
            f" them, for u and w drawn from normal distributions N(mean, standard deviation²) and several b; seed"
            f" {step.settings['seed']}. Axes differ.",
        ),
        "operations": Picture(
            f"{folder}/operations.png",
            "C51",
            "C51. Arithmetic operations, counted, that one point's log-determinant takes in one layer: by the"
            " determinant lemma, map included, and by LU factorisation of the Jacobian.",
        ),
    }


def _drawn(layer: dict[str, Any]) -> str:
    mean, deviation = layer["drawn"]
    return f"N({mean:g}, {deviation:g}²), b = {layer['bias']:g}"


CHAPTER = Chapter(
    "flow.md.j2",
    {
        "train_flow": ("history.csv",),
        "score_flow": ("metrics.json", "targets.npy", "densities.npy", "samples.npy"),
        "planar": ("metrics.json", "points.npy", "moved.npy"),
    },
    ("F",),
    write,
)

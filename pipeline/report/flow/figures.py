"""Charts of planar flows: training curves, learned densities, samples, single layers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipeline.report import style
from pipeline.report.figures import Picture
from pipeline.report.reported import Number, Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

WORDS = {"smooth": "smooth", "in_place": "in place"}
EPOCH = 200  # iterations that a row of `history.csv` is the mean of
EXTENT = (-5.0, 5.0, -5.0, 5.0)
SIDE = 1.75  # inches of a panel


def depth(results: Results, plan: Plan) -> int:
    return int(results.settings(plan)["depth"])


def printed(reported: Reported, density: str, depth: int) -> Any:
    return next((row for row in reported.rows if row.id == f"001-flow-{density}-{depth}"), None)


def curves(results: Results, reported: Reported, plan: Plan, out: Path) -> Picture:
    """Draw the training NLL of both constraints over iterations (claim C58)."""
    densities, constraints = plan.settings["densities"], plan.settings["constraints"]
    depth = plan.settings["depth"]
    path = f"figures/flow/{plan.run}/constraints.png"
    with style.panels(out / path, 1, len(densities), 3.4 * len(densities), 3.2) as grid:
        for axes, density in zip(grid[0], densities, strict=True):
            for number, constraint in enumerate(constraints):
                curve = results.curve(plan, f"{density}_samples_{constraint}")
                x, look = EPOCH * curve.index.to_numpy(), style.line(number)
                axes.plot(x, curve.mean(axis=1), label=WORDS[constraint], **look)
                axes.fill_between(x, curve.min(axis=1), curve.max(axis=1), color=look["color"], alpha=0.2, linewidth=0)
            row = printed(reported, density, depth)
            if row is not None and isinstance(row.value, Number):
                axes.plot(x[-1], row.value, "o", color=style.REPORTED, markersize=4, label="report 001", clip_on=False)
            lowest = min(results.curve(plan, f"{density}_samples_{name}").to_numpy().min() for name in constraints)
            shown = [lowest, *([row.value] if row is not None and isinstance(row.value, Number) else [])]
            axes.set_ylim(min(shown) - 0.08, max(lowest + 1.1, *shown) + 0.02)
            axes.set_title(density, fontsize=9)
            axes.set_xlabel("iteration")
        grid[0, 0].set_ylabel("NLL (nats per point)")
        grid[0, -1].legend()
    caption = (
        f"C58. NLL of the training batches over iterations, {depth} layers, with the smooth constraint and with the"
        f" reports' in-place correction of u; mean and range over seeds {', '.join(map(str, plan.settings['seeds']))}."
        f" Each point of the curve is the mean of {EPOCH} batches."
    )
    return Picture(path, "C58", caption)


def learned(results: Results, plans: Sequence[Plan], number: int, density: str, out: Path) -> Picture:
    """Draw the densities of the flows that were fitted to points, beside the density that the points follow."""
    path = f"figures/flow/densities_{density}.png"
    target = results.array(plans[0], "targets")[number]
    with _grid(out / path, *_names(results, plans)) as grid:
        for row in range(len(grid)):
            _image(grid[row, 0], target)
            for column, plan in enumerate(plans, 1):
                _image(grid[row, column], results.array(plan, "densities")[row, 0, number])
    caption = (
        f"F19 and F20. {density}: the target density, and what flows fitted to points of it have learned;"
        f" {_when(results, plans)}. Every panel shows [-5, 5]² with a scale of its own, palest at 0."
    )
    return Picture(path, f"F19, F20: {density}", caption)


def samples(results: Results, plans: Sequence[Plan], number: int, density: str, out: Path) -> Picture:
    """Draw samples of the flows that were fitted to a potential, over their own density."""
    path = f"figures/flow/samples_{density}.png"
    with _grid(out / path, *_names(results, plans)) as grid:
        for row in range(len(grid)):
            _image(grid[row, 0], results.array(plans[0], "targets")[number])
            for column, plan in enumerate(plans, 1):
                _image(grid[row, column], results.array(plan, "densities")[row, 1, number])
                drawn = results.array(plan, "samples")[row, number]
                grid[row, column].plot(*drawn.T, ".", color=style.PALETTE[1], markersize=1)
    count = results.array(plans[0], "samples").shape[2]
    caption = (
        f"F21. {density}: {count} samples of flows fitted to the potential by reverse KL, over the density that the"
        f" same flow gives to every point, by inverting it; the target on the left; {_when(results, plans)}; [-5, 5]²."
    )
    return Picture(path, f"F21: {density}", caption)


def _when(results: Results, plans: Sequence[Plan]) -> str:
    seed = next(iter(results.metrics(plans[0])["seeds"]))
    return f"seed {seed}, after {results.settings(plans[0])['iterations']:,} iterations"


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


def _names(results: Results, plans: Sequence[Plan]) -> tuple[list[str], list[str]]:
    """Return the names of rows and columns of `_grid`: a row per constraint, the target, then a column per depth."""
    constraints = results.metrics(plans[0])["protocol"]["constraints"]
    return [WORDS[name] for name in constraints], ["target", *(f"k = {depth(results, plan)}" for plan in plans)]


def _image(axes: Axes, density: np.ndarray) -> None:
    axes.imshow(density, origin="lower", extent=EXTENT, cmap="Blues", vmin=0, interpolation="bilinear")


def layers(results: Results, plan: Plan, out: Path) -> dict[str, Any]:
    """Draw what single layers do to points (F18) and what log-determinants cost (claim C51)."""
    metrics = results.metrics(plan)
    folder = f"figures/flow/{plan.run}"
    points, moved = results.array(plan, "points"), results.array(plan, "moved")
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
            f" {plan.settings['seed']}. Axes differ.",
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

"""Charts of planar flows: training curves, learned densities, samples, single layers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipeline.report import style
from pipeline.report.figures import Curve, plot
from pipeline.report.marks import marks
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

WORDS = {"smooth": "smooth", "in_place": "in place"}
EXTENT = (-5.0, 5.0, -5.0, 5.0)
SIDE = 1.75  # inches of a panel


def depth(results: Results, plan: Plan) -> int:
    """Return the number of layers of a run's flows."""
    return int(results.settings(plan)["depth"])


def printed(reported: Reported, density: str, k: int) -> Any:
    """Return the row of the NLL that report 001 prints, nothing for a depth that it has not trained."""
    return next((row for row in reported.rows if row.id == f"001-flow-{density}-{k}"), None)


def curves(results: Results, reported: Reported, plan: Plan, out: Path) -> dict[str, Any]:
    """Plot the training NLL under both constraints (claim C58); say what is shown."""
    densities, constraints = plan.settings["densities"], plan.settings["constraints"]
    k, path = plan.settings["depth"], f"figures/flow/{plan.run}/constraints.png"
    with style.panels(out / path, len(densities), len(densities), 3.4, 3.2) as panels:
        for axes, density in zip(panels, densities, strict=True):
            found = {name: results.curve(plan, f"{density}_samples_{name}") for name in constraints}
            lines = [Curve(WORDS[name], curve, style.line(n)) for n, (name, curve) in enumerate(found.items())]
            plot(axes, lines, "NLL (nats per point)" if density == densities[0] else "", "step")
            lowest = min(curve.to_numpy().min() for curve in found.values())
            row = printed(reported, density, k)
            theirs = marks(results, reported, [row.id], "steps") if row is not None else []
            for mark in theirs:
                axes.plot(mark.values.index, mark.values.iloc[:, 0], label=mark.label, **mark.look, clip_on=False)
            heights = [height for mark in theirs for height in mark.values.to_numpy().flat]
            axes.set_ylim(min([lowest, *heights]) - 0.08, max([lowest + 1.1, *heights]) + 0.02)
            axes.set_title(density, fontsize=9)
        panels[-1].legend()
    return {"path": path, "k": k, "seeds": plan.settings["seeds"], "steps": lines[0].values.index[0]}


def learned(results: Results, plans: Sequence[Plan], number: int, path: Path) -> None:
    """Show the densities of the flows that were fitted to points, beside the density that the points follow."""
    with _grid(results, plans, number, path) as grid:
        for row, column in np.ndindex(grid.shape):
            _image(grid[row, column], results.array(plans[column], "densities")[row, 0, number])


def samples(results: Results, plans: Sequence[Plan], number: int, path: Path) -> None:
    """Show samples of the flows that were fitted to a potential, over their own density."""
    with _grid(results, plans, number, path) as grid:
        for row, column in np.ndindex(grid.shape):
            points = results.array(plans[column], "samples")[row, number]
            _image(grid[row, column], results.array(plans[column], "densities")[row, 1, number])
            grid[row, column].plot(*points.T, ".", color=style.PALETTE[1], markersize=1)


@contextmanager
def _grid(results: Results, plans: Sequence[Plan], number: int, path: Path) -> Iterator[Any]:
    """Yield square panels of the box [-5, 5]², a row per constraint and a column per depth, right of the target."""
    rows = [WORDS[name] for name in results.metrics(plans[0])["protocol"]["constraints"]]
    columns = ["target", *(f"k = {depth(results, plan)}" for plan in plans)]
    with style.panels(path, len(rows) * len(columns), len(columns), SIDE, SIDE + 0.1) as panels:
        grid = np.reshape(panels, (len(rows), len(columns)))
        for axes, title in zip(grid[0], columns, strict=True):
            axes.set_title(title, fontsize=9)
        for axes, title in zip(grid[:, 0], rows, strict=True):
            axes.set_ylabel(title)
            _image(axes, results.array(plans[0], "targets")[number])
        yield grid[:, 1:]
        for axes in grid.flat:  # last, since plotting moves the limits
            axes.set(xticks=[], yticks=[], xlim=EXTENT[:2], ylim=EXTENT[2:], aspect="equal")


def _image(axes: Axes, density: np.ndarray) -> None:
    axes.imshow(density, origin="lower", extent=EXTENT, cmap="Blues", vmin=0, interpolation="bilinear")


def layers(results: Results, plan: Plan, out: Path) -> dict[str, Any]:
    """Plot what single layers do to points (F18), and the operations that log-determinants take (claim C51)."""
    metrics, folder = results.metrics(plan), f"figures/flow/{plan.run}"
    points, moved = results.array(plan, "points"), results.array(plan, "moved")
    titles = [
        "N({:g}, {:g}²), b = {:g}".format(*layer["distribution"], layer["bias"]) for layer in metrics["layers"].values()
    ]
    shown = [("N(0, I)", points), *zip(titles, moved, strict=True)]
    with style.panels(out / folder / "transforms.png", len(shown), min(3, len(shown)), 2.2, 2.2) as panels:
        for axes, (title, places) in zip(panels, shown, strict=True):
            axes.plot(*places.T, ".", markersize=2)
            axes.set_title(title, fontsize=8)
            axes.tick_params(labelsize=7)
            axes.locator_params(nbins=style.TICKS)
    with style.chart(out / folder / "operations.png", height=3.0) as axes:
        for number, (name, label) in enumerate((("planar", "planar layer"), ("dense", "dense determinant"))):
            counts = {int(size): count for size, count in metrics["operations"][name].items()}
            look = {"marker": "o", "markersize": 3, **style.line(number)}
            label = f"{label}, exponent {metrics['exponents'][name]:.2f}"
            axes.loglog(list(counts), list(counts.values()), label=label, **look)
        axes.set(xlabel="dimension d", ylabel="operations per point")
        axes.legend()
    return {
        "metrics": metrics,
        "titles": dict(zip(metrics["layers"], titles, strict=True)),
        "folder": folder,
        "run": plan.run,
        "points": len(points),
        "seed": plan.settings["seed"],
    }

"""The reports' own numbers as black dots in charts of ours."""

from collections.abc import Sequence

import pandas as pd

from pipeline.report import style
from pipeline.report.figures import Curve
from pipeline.report.reported import Number, Reported, deviations
from pipeline.report.results import Results

UNLIKE = ("data", "feature_network")
"""Conditions without which a number has no place on our scale."""


def marks(results: Results, reported: Reported, rows: Sequence[str], unit: str, sign: int = 1) -> list[Curve]:
    """Return dots for each row that a finished run of ours answers on the same data and by the same evaluator.

    A number of a row is one of the end of the report's training, two are of its first epoch and of its end.

    Args:
        results: What is finished.
        reported: The reports.
        rows: Names of rows.
        unit: Condition of the rows that says how long the report has trained, such as `epochs`.
        sign: -1 where the chart shows the negative of what the report prints.
    """
    found: list[Curve] = []
    for row in map(reported.row, rows):
        ours, conditions = results.find(row.ours), reported.conditions(row)
        ranged = row.ours is not None and row.ours.reduce == "range"  # which has no place along an axis
        if ours is None or ranged or set(UNLIKE) & deviations(conditions, ours.facts).keys():
            continue
        numbers = [value for value in _listed(row.value) if isinstance(value, Number)]
        negated = -1 if row.ours is not None and row.ours.negate else 1
        places = [1, conditions[unit]][-len(numbers) :]
        points = dict(zip(places, (sign * negated * value for value in numbers), strict=True))
        label = f"report {row.report}"
        seen = any(curve.label == label for curve in found)  # an underscore keeps a second one out of the legend
        found.append(Curve("_" * seen + label, pd.DataFrame({row.id: points}), style.DOTS))
    return found


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]

"""Mean and spread over seeds of equally nested results."""

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any


def mean(results: Mapping[str, Any]) -> Any:
    """Return the mean over seeds of every number.

    Args:
        results: for each seed nested dictionaries and lists of numbers, all of one shape.
    """
    return _over(list(results.values()), fmean)


def spread(results: Mapping[str, Any]) -> Any:
    """Return the standard deviation over seeds of every number, `None` where there is but one seed."""
    return _over(list(results.values()), lambda values: stdev(values) if len(values) > 1 else None)


def _over(trees: list[Any], summary: Any) -> Any:
    if isinstance(trees[0], dict):
        return {key: _over([tree[key] for tree in trees], summary) for key in trees[0]}
    if isinstance(trees[0], list):
        return [_over(list(parts), summary) for parts in zip(*trees, strict=True)]
    return summary(trees)

"""Numbers of several seeds: their mean and their standard deviation."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def mean(seeds: Mapping[str, Any]) -> Any:
    """Return the mean over seeds of every number of equally nested dictionaries and lists."""
    return _over(list(seeds.values()), lambda values: float(np.mean(values)))


def spread(seeds: Mapping[str, Any]) -> Any:
    """Return the standard deviation over seeds of every number, `None` where there is one seed."""
    return _over(list(seeds.values()), lambda values: float(np.std(values, ddof=1)) if len(values) > 1 else None)


def _over(values: list[Any], summary: Any) -> Any:
    match values[0]:
        case dict():
            return {key: _over([value[key] for value in values], summary) for key in values[0]}
        case list():
            return [_over(list(parts), summary) for parts in zip(*values, strict=True)]
        case _:
            return summary(values)

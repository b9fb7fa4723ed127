"""The file `metrics.json` of a scored run: its protocol, the numbers of each seed, their mean and their spread."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from pipeline.runtime.errors import UserError


def write(output: Path, protocol: Mapping[str, Any], seeds: Mapping[str, Any], **more: Any) -> None:
    """Write `metrics.json` into `output`.

    Args:
        output: Folder to write into.
        protocol: What was measured, on what and how, in words and numbers.
        seeds: For each seed nested dictionaries and lists of numbers, all of one shape.
        more: What is true of the run as a whole.

    Raises:
        UserError: If a number is not finite.
    """
    if odd := next(_odd(seeds, "seed"), None):
        raise UserError(
            f"{odd} is not a finite number: training has diverged, or the images leave nothing to measure it by."
        )
    metrics = {"protocol": protocol, **more, "seeds": seeds, "mean": mean(seeds), "spread": spread(seeds)}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def _odd(tree: Any, place: str) -> Iterator[str]:
    """Find the places of numbers that are not finite."""
    parts = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in parts:
        yield from _odd(part, f"{place} {key}")
    if isinstance(tree, float) and not math.isfinite(tree):
        yield place


def mean(seeds: Mapping[str, Any]) -> Any:
    """Return the mean over seeds of every number."""
    return _over(list(seeds.values()), fmean)


def spread(seeds: Mapping[str, Any]) -> Any:
    """Return the standard deviation over seeds of every number, `None` where there is only one seed."""
    return _over(list(seeds.values()), lambda values: stdev(values) if len(values) > 1 else None)


def _over(trees: list[Any], summary: Callable[[Any], Any]) -> Any:
    if isinstance(trees[0], dict):
        return {key: _over([tree[key] for tree in trees], summary) for key in trees[0]}
    if isinstance(trees[0], list):
        return [_over(list(parts), summary) for parts in zip(*trees, strict=True)]
    return summary(trees)

"""What stages wrote: whether it is the same, and whether its numbers are finite."""

import json
import math


class DifferentError(AssertionError):
    """Two ways of running a stage wrote different bytes."""


def must_equal(folder, other):
    """Compare all bytes of two folders."""
    found, wanted = ({file.name: file.read_bytes() for file in each.iterdir()} for each in (folder, other))
    odd = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
    if odd:
        raise DifferentError(f"{folder.parent.name} and {other.parent.name} differ in {', '.join(odd)}")


def must_be_finite(folder):
    """Look at every number of `metrics.json`."""
    metrics = json.loads((folder / "metrics.json").read_text())
    found = list(numbers(metrics))
    assert found
    assert all(map(math.isfinite, found))


def numbers(tree):
    """Yield every number of nested dictionaries and lists."""
    for value in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(value, dict | list):
            yield from numbers(value)
        elif isinstance(value, int | float):
            yield value

"""All pairs of two sets of points, a tile at a time, so that memory does not grow with the number of pairs."""

from collections.abc import Iterator

from torch import Tensor

SIDE = 4096  # points along each side of a tile; one float64 for each pair takes 128 MiB


def tiles(x: Tensor, y: Tensor) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Cut the pairs of points into tiles.

    Args:
        x: Points, `(n, d)`.
        y: Points, `(m, d)`.

    Yields:
        For each tile the rows of `x` and of `y` that it pairs, and these rows in float64.
    """
    for start in range(0, len(x), SIDE):
        rows = slice(start, start + SIDE)
        points = x[rows].double()
        for other in range(0, len(y), SIDE):
            columns = slice(other, other + SIDE)
            yield rows, columns, points, y[columns].double()

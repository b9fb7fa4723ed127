"""Rules of claims C50 to C56 and C58: planar flows and single planar layers."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipeline.report.claims import Finding, finding

EXACT = 1e-6  # relative error of a log-determinant, far above rounding and far below an error of the formula
NEAR = 0.1  # of an exponent: small sizes have constant terms
LARGE = 100.0  # standard deviation of u and w from which on parameters are large: the least of report 001's
PARTED = 0.9  # silhouette of two groups, of at most 1; points of one normal distribution, cut in half, have 0.3
STILL = 0.01  # mean displacement that counts as none beside points of deviation 1
GAIN, BACK = 0.1, 0.03  # nats: a gain, and what two trainings of one flow differ by
WHOLE = 0.01  # by which an integral may miss 1: the grid's own error is smaller
NEARER = 0.005  # of an energy distance, several times what two sets of 2,000 points of one distribution differ by
HURT = 0.1  # nats, several times the spread over seeds
BOUNDLESS = ("sine",)  # densities whose exp(-U) has no integral: reverse KL rewards a flow for leaving the box

ByDepth = Mapping[str, Sequence[float]]
"""One number by density, from the shallowest flow to the deepest."""


def determinant(errors: Mapping[str, float]) -> Finding:
    """Test C50 on relative errors of the formula against automatic differentiation, by dimension."""
    return finding(EXACT - max(errors.values()))


def operations(planar: float, dense: float, depth: float) -> Finding:
    """Test C51 on the exponents of counted operations in dimensions, planar and dense, and in depth."""
    return finding((NEAR - abs(planar - 1), NEAR - abs(depth - 1)))


def groups(layers: Sequence[tuple[float, float | None]]) -> Finding | None:
    """Test C52 on layers: deviation of u and w, and silhouette of the two sides, `None` where all are on one side."""
    large = [silhouette or 0.0 for deviation, silhouette in layers if deviation >= LARGE]
    return finding(min(large) - PARTED, count=len(large), least=min(large)) if large else None


def default(displacement: float) -> Finding:
    """Test C53 on the mean displacement of points by a layer with parameters of N(0, 0.01²)."""
    return finding(STILL - displacement)


def deeper(nll: ByDepth, depths: str) -> Finding | None:
    """Test C54 on the NLL of new points: a part for each density."""
    if not _several(nll):
        return None
    return finding(
        *((curve[0] - curve[1] - GAIN, *(BACK + a - b for a, b in pairwise(curve[1:]))) for curve in nll.values())
    )


def nearer(loss: ByDepth, energy: ByDepth, depths: str) -> Finding | None:
    """Test C55 on the reverse KL (minus log Z) and on the energy distance of samples to exact points, by density."""
    if not _several(loss) or not _several(energy):
        return None
    return finding(
        *(
            (curve[0] - curve[-1] - NEARER, *(a - b - BACK for a, b in pairwise(loss[name]) if name not in BOUNDLESS))
            for name, curve in energy.items()
        )
    )


def integral(integrals: Sequence[float]) -> Finding:
    """Test C56 on the integrals of the densities that were fitted to points."""
    error = max(abs(value - 1) for value in integrals)
    return finding(WHOLE - error, count=len(integrals), error=error)


def constraint(smooth: float, in_place: float) -> Finding:
    """Test C58 on the NLL of new points of arcs with the fewest layers, under either constraint."""
    return finding(in_place - smooth - HURT)


def _several(values: ByDepth) -> bool:
    return all(len(curve) > 1 for curve in values.values())

"""Claims C50 to C56 and C58: planar flows and single planar layers; numbers of flows are by depth, then by seed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipeline.report.claims import Claim, Seeds, each, shared

EXACT = 1e-6  # relative error of a log-determinant
NEAR = 0.1  # of an exponent
LARGE = 100.0  # standard deviation of u and w from which on parameters are large
PARTED = 0.9  # silhouette of two groups
STILL = 0.01  # mean displacement that counts as none
GAIN, BACK = 0.1, 0.03  # nats of NLL: the least gain of the first deepening, the most that a later one may lose
WHOLE = 0.01  # by which an integral may miss 1
HURT = 0.1  # nats

ByDensity = Mapping[str, Mapping[int, Seeds]]
"""Numbers by density, depth and seed."""


def determinant(errors: Mapping[int, float]) -> Claim:
    """Test C50 on relative errors of the formula against automatic differentiation, by dimension."""
    return Claim(
        "C50",
        "001",
        "log |det| of a planar layer is log |1 + h'(w·z + b) u·w|.",
        f"it is that of the Jacobian by automatic differentiation within {EXACT:g}, relative",
        ", ".join(f"d = {dimension}: {error:.1e}" for dimension, error in errors.items()),
        [max(errors.values()) < EXACT] if errors else [],
        counted=True,
    )


def operations(slopes: Mapping[str, float], figure: str = "") -> Claim:
    """Test C51 on the exponents of counted operations in `planar` and `dense` dimensions, and in `depth`."""
    return Claim(
        "C51",
        "001",
        "A layer's log-determinant costs O(d), a flow's O(k d).",
        f"the exponents of counted operations in d and in k are 1 within {NEAR:g}",
        f"d^{slopes['planar']:.2f} and k^{slopes['depth']:.2f}; a dense determinant d^{slopes['dense']:.2f}"
        if slopes
        else "",
        [abs(slopes["planar"] - 1) <= NEAR and abs(slopes["depth"] - 1) <= NEAR] if slopes else [],
        figure,
        counted=True,
    )


def groups(layers: Sequence[tuple[float, float | None]], figure: str = "") -> Claim:
    """Test C52 on layers: standard deviation of u and w, and silhouette of the two sides, `None` for one side."""
    large = [silhouette or 0.0 for deviation, silhouette in layers if deviation >= LARGE]
    return Claim(
        "C52",
        "001",
        "Large u, w and b part the points into two groups.",
        f"the silhouette of the two sides of w·z + b = 0 is at least {PARTED:g} for deviations of {LARGE:g} and more",
        f"least silhouette of {len(large)} layers {min(large):.3f}" if large else "",
        [min(large) >= PARTED] if large else [],
        figure,
    )


def default(displacement: float | None, figure: str = "") -> Claim:
    """Test C53 on the mean displacement of points by a layer with parameters of N(0, 0.01²)."""
    return Claim(
        "C53",
        "001",
        "Default parameters change almost nothing.",
        f"the mean displacement of a point is below {STILL:g}",
        f"{displacement:.1e}" if displacement is not None else "",
        [displacement < STILL] if displacement is not None else [],
        figure,
    )


def deeper(nll: ByDensity, figure: str = "", limit: str = "") -> Claim:
    """Test C54 on the NLL of new points."""
    seeds = _seeds(nll)
    return Claim(
        "C54",
        "001",
        "NLL falls, and the density gets better, with the number k of layers.",
        f"on each density the first deepening gains at least {GAIN:g} nats and no later one loses more than {BACK:g}",
        _by_depth(nll, seeds),
        [all(_falls([at[seed] for at in _ordered(depths)]) for depths in nll.values()) for seed in seeds],
        figure,
        limit,
    )


def _falls(curve: list[float]) -> bool:
    return curve[0] - curve[1] >= GAIN and all(b - a <= BACK for a, b in pairwise(curve[1:]))


def nearer(loss: ByDensity, energy: ByDensity, figure: str = "", limit: str = "") -> Claim:
    """Test C55 on the reverse KL (less log Z) and on the energy distance of draws to exact points."""
    seeds = [seed for seed in _seeds(loss) if seed in _seeds(energy)]

    def holds(seed: str) -> bool:
        losses = [[at[seed] for at in _ordered(depths)] for depths in loss.values()]
        ends = [(_ordered(depths)[0][seed], _ordered(depths)[-1][seed]) for depths in energy.values()]
        return all(a > b for curve in losses for a, b in pairwise(curve)) and all(a > b for a, b in ends)

    return Claim(
        "C55",
        "001",
        "Samples of flows fitted to a density come nearer to it with the number k of layers.",
        "on each density reverse KL falls with every k, and the energy distance from the least k to the largest",
        f"loss: {_by_depth(loss, seeds)}; energy distance: {_by_depth(energy, seeds, 3)}" if seeds else "",
        [holds(seed) for seed in seeds],
        figure,
        limit,
    )


def integral(values: Mapping[str, list[float]], figure: str = "") -> Claim:
    """Test C56 on the integrals of all learned densities, by seed."""
    errors = {seed: max(abs(value - 1) for value in found) for seed, found in values.items()}
    return Claim(
        "C56",
        "001",
        "The change of variables through all layers gives a density.",
        f"the integral of every learned density over [-10, 10]² is 1 within {WHOLE:g}",
        f"largest error of {sum(map(len, values.values()))} integrals {max(errors.values()):.1e}" if errors else "",
        [error <= WHOLE for error in errors.values()],
        figure,
    )


def constraint(smooth: Seeds, in_place: Seeds, figure: str = "", limit: str = "") -> Claim:
    """Test C58 on the NLL of new points of arcs with the fewest layers, under either constraint."""
    seeds = shared(smooth, in_place)
    return Claim(
        "C58",
        "new",
        "The in-place correction of u hurts flows of few layers.",
        f"with two layers on arcs the smooth constraint, from a start of its own, gains at least {HURT:g} nats",
        f"smooth {each(smooth[s] for s in seeds)}, in place {each(in_place[s] for s in seeds)}" if seeds else "",
        [in_place[s] - smooth[s] >= HURT for s in seeds],
        figure,
        limit,
    )


def _ordered(depths: Mapping[int, Seeds]) -> list[Seeds]:
    return [depths[depth] for depth in sorted(depths)]


def _seeds(values: ByDensity) -> list[str]:
    """Return the seeds that every flow has; none where there are not two depths of each density to compare."""
    flows = [at for depths in values.values() for at in depths.values()]
    return shared(*flows) if flows and all(len(depths) > 1 for depths in values.values()) else []


def _by_depth(values: ByDensity, seeds: list[str], digits: int = 2) -> str:
    """Say the means over seeds from the least depth to the largest."""
    if not seeds:
        return ""
    words = [
        f"{density} {' → '.join(f'{sum(at[s] for s in seeds) / len(seeds):.{digits}f}' for at in _ordered(depths))}"
        for density, depths in values.items()
    ]
    return ", ".join(words) + f" (k = {', '.join(map(str, sorted(next(iter(values.values())))))}; mean over seeds)"

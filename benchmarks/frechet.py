"""Fréchet distance at 2048 dimensions against the matrix square root: `python -m benchmarks.frechet [--rounds N]`.

What is timed is one distance once both Gaussians are fitted, as the stage `score_gan` computes it for each snapshot:
the stage `features` has decomposed the reference beforehand, which the other routes have no use for. All of them use
the same number of threads.
"""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy
import torch
from scipy import linalg
from threadpoolctl import threadpool_limits
from torch import Tensor

from benchmarks.machine import alternate, describe, verdict
from pipeline.metrics.frechet import Gaussian, Reference
from pipeline.runtime.device import prepare

SQUARE_ROOT, EIGENVALUES = "scipy.linalg.sqrtm, as pytorch-fid", "numpy.linalg.eigvals, as torch-fidelity"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="rounds in which all take turns (default: 3)"
    )
    options = parser.parse_args()
    prepare(cpu=True)
    torch.set_num_threads(options.threads)
    real, fake = (Gaussian.fit(features) for features in samples(options.images, options.dimensions))
    reference = Reference.of(real)
    routes: dict[str, Callable[[], float]] = {
        "ours": partial(reference.distance, fake),
        "ours, decomposition included": lambda: Reference.of(real).distance(fake),
        SQUARE_ROOT: partial(by_square_root, real, fake),
        EIGENVALUES: partial(by_eigenvalues, real, fake),
    }
    distances: dict[str, float] = {}

    def timed(name: str) -> None:
        distances[name] = routes[name]()

    with threadpool_limits(options.threads):
        seconds = alternate({name: partial(timed, name) for name in routes}, options.rounds)
    print(f"{describe()}, SciPy {scipy.__version__}; {options.images} images of {options.dimensions} features\n")
    print("| route | seconds | distance |\n|---|---:|---:|")
    for name, value in seconds.items():
        print(f"| {name} | {value:.3f} | {distances[name]:.9g} |")
    print()
    for name in (SQUARE_ROOT, EIGENVALUES):
        print(verdict("Fréchet distance", name, seconds[name] / seconds["ours"], options.rounds))


def samples(images: int, dimensions: int) -> tuple[Tensor, Tensor]:
    """Return two sets of correlated features whose spectrum falls by a power law."""
    random = torch.Generator().manual_seed(0)
    scale = torch.arange(1, dimensions + 1, dtype=torch.float64) ** -0.5
    sets = []
    for shift in (0.0, 0.1):
        mixing = torch.randn(dimensions, dimensions, dtype=torch.float64, generator=random) * scale[:, None]
        noise = torch.randn(images, dimensions, dtype=torch.float64, generator=random)
        sets.append(noise @ mixing / dimensions**0.5 + shift)
    return sets[0], sets[1]


def by_square_root(x: Gaussian, y: Gaussian) -> float:
    """Return the distance as pytorch-fid and its descendants compute it."""
    root = linalg.sqrtm(x.covariance.numpy() @ y.covariance.numpy())
    return _distance(x, y, np.trace(root).real)


def by_eigenvalues(x: Gaussian, y: Gaussian) -> float:
    """Return the distance as torch-fidelity computes it."""
    values = np.linalg.eigvals(x.covariance.numpy() @ y.covariance.numpy())
    return _distance(x, y, np.sqrt(values.astype(complex)).real.sum())


def _distance(x: Gaussian, y: Gaussian, cross: float) -> float:
    return ((x.mean - y.mean).square().sum() + x.covariance.trace() + y.covariance.trace() - 2 * cross).item()


if __name__ == "__main__":
    main()

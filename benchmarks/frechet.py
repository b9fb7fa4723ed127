"""Fréchet distance at 2048 dimensions against SciPy's matrix square root: `python -m benchmarks.frechet`.

What is timed is one distance once both Gaussians are fitted, as for each snapshot of a GAN: the reference is
decomposed beforehand, which SciPy's route has no use for. All routes use the same number of threads. Run it on an idle
machine; on a busy one compare the processor seconds of one thread.
"""

import argparse
import platform
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import scipy
import torch
from scipy import linalg
from threadpoolctl import threadpool_limits
from torch import Tensor

from pipeline.metrics.frechet import Gaussian, Reference

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many runs counts")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    real, fake = (Gaussian.fit(features) for features in samples(options.images, options.dimensions))
    with threadpool_limits(options.threads):
        decompose, reference = fastest(lambda: Reference.of(real), options.repeats)
        ours, distance = fastest(lambda: reference.distance(fake), options.repeats)
        root, expected = fastest(lambda: by_square_root(real, fake), options.repeats)
        eigen, eigenvalues = fastest(lambda: by_eigenvalues(real, fake), options.repeats)
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {options.threads} thread(s), torch {torch.__version__}, SciPy {scipy.__version__}")
    print(f"{options.images} images of {options.dimensions} features\n")
    print("| route | seconds | times ours | processor seconds | times ours | distance |\n|---|---|---|---|---|---|")
    for route, (wall, processor), value in (
        ("ours, reference decomposed", ours, distance),
        ("ours, decomposition included", (ours[0] + decompose[0], ours[1] + decompose[1]), distance),
        ("scipy.linalg.sqrtm of the product", root, expected),
        ("numpy eigvals of the product (torch-fidelity)", eigen, eigenvalues),
    ):
        ratios = wall / ours[0], processor / ours[1]
        print(f"| {route} | {wall:.3f} | {ratios[0]:.1f} | {processor:.3f} | {ratios[1]:.1f} | {value:.9g} |")


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


def fastest(work: Callable[[], Result], repeats: int) -> tuple[tuple[float, float], Result]:
    """Return the least time and the least processor time of several runs, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start, processor = time.perf_counter(), time.process_time()
        result = work()
        seconds.append((time.perf_counter() - start, time.process_time() - processor))
    wall, busy = zip(*seconds, strict=True)
    return (min(wall), min(busy)), result


if __name__ == "__main__":
    main()

"""Rules of claims C70 to C76: convolutional autoencoders, the weight of KL and its schedule, on test images."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from pipeline.report.claims import Finding, finding

# by which two trainings differ that are alike, relative: another student's two runs print 137.70 and 139.46. Weights
# perturbed by 1e-7 move the errors of the default profile's short trainings by up to 8 % (`tools.perturb`)
ALIKE = 0.02
SAME = 0.1  # by which two reconstructions may differ that count as one, relative, of unlike networks
FAR = 2.0  # how many times worse the samples of the plain autoencoder must be

Terms = Mapping[str, float]
"""Scores of one run by name."""


def _falls(values: Mapping[float, float]) -> Iterator[float]:
    """Yield by how much more than `ALIKE` the values fall from each key to the next larger one, relative."""
    for a, b in pairwise(sorted(values)):
        yield 1 - ALIKE - values[b] / values[a] if values[a] else -ALIKE


def sizes(error: Mapping[float, float]) -> Finding:
    """Test C70 on the reconstruction error of autoencoders by their latent size."""
    return finding(tuple(_falls(error)))


def weights(reconstruction: Mapping[float, float], kl: Mapping[float, float]) -> Finding:
    """Test C71 on both terms by beta; each is a part."""
    rises = tuple(1 - ALIKE - reconstruction[a] / reconstruction[b] for a, b in pairwise(sorted(reconstruction)))
    return finding(rises, tuple(_falls(kl)))


def sharper(low: Terms, high: Terms) -> Finding:
    """Test C72 on `frechet_distance` and `sharpness` of samples with the lowest and the highest beta."""
    sharp, far = (
        1 - ALIKE - a / b
        for a, b in ((high["sharpness"], low["sharpness"]), (low["frechet_distance"], high["frechet_distance"]))
    )
    return finding((sharp, far))


def weightless(autoencoder: float, mean: float, sample: float) -> Finding:
    """Test C73 on reconstruction errors at beta = 0: with the mean of q as latent code, and with a sample of q."""
    more = sample / max(mean, autoencoder) - 1 - ALIKE
    return finding(more, SAME - abs(mean / autoencoder - 1))


def schedule(constant: Terms, linear: Terms) -> Finding:
    """Test C74 on `reconstruction` and `kl` of a constant beta = 1 and of one that rises to it; each is a part."""
    return finding(
        1 - ALIKE - linear["reconstruction"] / constant["reconstruction"], 1 - ALIKE - constant["kl"] / linear["kl"]
    )


def unsampled(autoencoder: float, variational: float) -> Finding:
    """Test C75 on the Fréchet distance of what samples of N(0, I) decode to."""
    return finding(autoencoder / variational - FAR)


def units(active: Mapping[float, float]) -> Finding:
    """Test C76 on the number of active latent dimensions by beta."""
    return finding(tuple(_falls(active)))

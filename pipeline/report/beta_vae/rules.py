"""Rules of claims C70 to C76: convolutional autoencoders, the weight of KL and its schedule, on test images."""

from collections.abc import Mapping
from itertools import pairwise

from pipeline.report.claims import Finding, finding

SAME = 0.1  # by which two reconstructions may differ that count as one, relative: more than seeds differ
FAR = 2.0  # how many times worse the samples of the plain autoencoder must be

Terms = Mapping[str, float]
"""Scores of one run by name."""


def _falls(values: Mapping[float, float]) -> bool:
    """Whether the values fall from each key to the next larger one."""
    return all(values[a] > values[b] for a, b in pairwise(sorted(values)))


def sizes(error: Mapping[float, float]) -> Finding:
    """Test C70 on the reconstruction error of autoencoders by their latent size."""
    return finding(_falls(error))


def weights(reconstruction: Mapping[float, float], kl: Mapping[float, float]) -> Finding:
    """Test C71 on both terms by beta."""
    return finding(_falls({beta: -error for beta, error in reconstruction.items()}) and _falls(kl))


def sharper(low: Terms, high: Terms) -> Finding:
    """Test C72 on `frechet_distance` and `sharpness` of samples with the lowest and the highest beta."""
    return finding(low["sharpness"] > high["sharpness"] and low["frechet_distance"] < high["frechet_distance"])


def weightless(autoencoder: float, mean: float, sample: float) -> Finding:
    """Test C73 on reconstruction errors at beta = 0: with the mean of q as latent code, and with a sample of q."""
    return finding(abs(mean / autoencoder - 1) <= SAME and sample > max(mean, autoencoder))


def schedule(constant: Terms, linear: Terms) -> Finding:
    """Test C74 on `reconstruction` and `kl` of a constant beta = 1 and of one that rises to it."""
    return finding(linear["reconstruction"] < constant["reconstruction"] and linear["kl"] > constant["kl"])


def unsampled(autoencoder: float, variational: float) -> Finding:
    """Test C75 on the Fréchet distance of what samples of N(0, I) decode to."""
    return finding(autoencoder >= FAR * variational)


def units(active: Mapping[float, float]) -> Finding:
    """Test C76 on the number of latent dimensions with a share in KL, by beta."""
    return finding(_falls(active))

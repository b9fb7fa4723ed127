r"""Fréchet distance between two Gaussians fitted to features.

$$d^2 = \|\mu_1 - \mu_2\|^2 + \mathrm{tr}(\Sigma_1 + \Sigma_2) - 2\,\mathrm{tr}\,(\Sigma_1 \Sigma_2)^{1/2}$$

With $\Sigma_1 = R^T R$ the product $\Sigma_1 \Sigma_2$ and the symmetric matrix $R \Sigma_2 R^T$ share their non-zero
eigenvalues, so the last trace is the sum of the square roots of the latter's. R is computed once per reference; after
that a distance costs two products and the eigenvalues of one symmetric matrix, and no square root of a matrix.

References: Dowson & Landau, The Fréchet Distance between Multivariate Normal Distributions, J. Multivariate Analysis,
1982; Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, NeurIPS 2017.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance, both float64.

    Args:
        mean: `(d,)`.
        covariance: `(d, d)`, symmetric.
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, features: Tensor) -> "Gaussian":
        """Fit to features `(n, d)`: mean, and the unbiased covariance (divisor n - 1).

        Raises:
            ValueError: if there are fewer than two rows.
        """
        if len(features) < 2:
            raise ValueError(f"{len(features)} image has no covariance")
        features = features.double()
        mean = features.mean(0)
        centred = features - mean
        return cls(mean, centred.T @ centred / (len(features) - 1))


@dataclass(frozen=True)
class Reference:
    """A Gaussian decomposed so that distances to it are quick.

    Args:
        mean: float64 `(d,)`.
        root: R with R^T R the covariance, float64 `(r, d)`; one row per positive eigenvalue of the covariance.
    """

    mean: Tensor
    root: Tensor

    @classmethod
    def of(cls, gaussian: Gaussian) -> "Reference":
        """Decompose `gaussian`; eigenvalues that rounding made negative are left out."""
        values, vectors = torch.linalg.eigh(gaussian.covariance)
        positive = values > 0
        return cls(gaussian.mean, values[positive].sqrt()[:, None] * vectors.T[positive])

    def distance(self, other: Gaussian) -> float:
        """Return the squared Fréchet distance to `other`; not below 0 but for rounding."""
        # negative eigenvalues are rounding: the product of two positive semi-definite matrices has none
        cross = torch.linalg.eigvalsh(self.root @ other.covariance @ self.root.T).clamp_min(0).sqrt().sum()
        shift = (self.mean - other.mean).square().sum()
        return float(shift + self.root.square().sum() + other.covariance.trace() - 2 * cross)

r"""Fréchet distance between two Gaussians fitted to features.

$$d^2 = \|\mu_1 - \mu_2\|^2 + \mathrm{tr}(\Sigma_1 + \Sigma_2) - 2\,\mathrm{tr}\,(\Sigma_1 \Sigma_2)^{1/2}$$

With a triangular $L$, $\Sigma_1 = L L^T$, the product $\Sigma_1 \Sigma_2$ and the symmetric matrix $L^T \Sigma_2 L$
have the same eigenvalues, so the last trace is the sum of the square roots of the latter's. L is computed once per
reference; after that a distance takes one triangular congruence and the eigenvalues of one symmetric matrix, and no
square root of a matrix.

References: Dowson & Landau, The Fréchet Distance between Multivariate Normal Distributions, J. Multivariate Analysis,
1982; Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, NeurIPS 2017.
"""

from dataclasses import dataclass

import torch
from scipy import linalg
from threadpoolctl import threadpool_limits
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of features.

    Args:
        mean: Mean, float64 `(d,)`.
        covariance: Symmetric covariance, float64 `(d, d)`.
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, features: Tensor) -> "Gaussian":
        """Return the mean of features `(n, d)` and their unbiased covariance, with divisor n - 1.

        Raises:
            ValueError: If there are fewer than two rows.
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
        mean: Mean, float64 `(d,)`.
        factor: The lower triangular L whose product L L^T is the covariance, float64 `(d, d)`.
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def of(cls, gaussian: Gaussian) -> "Reference":
        """Decompose `gaussian`, also a singular one; eigenvalues that rounding made negative are set to 0."""
        values, vectors = torch.linalg.eigh(gaussian.covariance)
        root = values.clamp_min(0).sqrt()[:, None] * vectors.T
        return cls(gaussian.mean, torch.linalg.qr(root, mode="r").R.T.contiguous())

    def distance(self, other: Gaussian) -> float:
        """Return the squared Fréchet distance to `other`; rounding may put it slightly below 0."""
        factor, covariance = (matrix.cpu().numpy() for matrix in (self.factor, other.covariance))
        with threadpool_limits(torch.get_num_threads(), user_api="blas"):  # SciPy's BLAS has a thread count of its own
            # transposed: Fortran's order of entries
            congruent, _ = linalg.lapack.dsygst(covariance.T, factor.T, itype=2)
        # a tenth faster than SciPy's, and the longest part by far
        eigenvalues = torch.linalg.eigvalsh(torch.from_numpy(congruent.T), UPLO="L")
        # negative eigenvalues are rounding: the product of two positive semi-definite matrices has none
        cross = eigenvalues.clamp_min(0).sqrt().sum().item()
        shift = (self.mean - other.mean).square().sum()
        return float(shift + self.factor.square().sum() + other.covariance.trace() - 2 * cross)

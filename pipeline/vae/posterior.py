"""The approximate posterior that an encoder predicts: a Gaussian, or one that planar layers have transformed."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.flow import planar
from pipeline.vae.objective import sample_gaussian


@dataclass(frozen=True)
class Posterior:
    r"""$q(z|x)$ of n images: $N(\mu, \mathrm{diag}\,\sigma^2)$, transformed by planar layers where there are any.

    Args:
        mean: Means, `(n, latent)`.
        logvar: Log variances, `(n, latent)`; `None` for an autoencoder without variance.
        layers: Effective u and w `(n, k, latent)` and b `(n, k)` of each image's own planar layers, or `None`.
    """

    mean: Tensor
    logvar: Tensor | None = None
    layers: tuple[Tensor, Tensor, Tensor] | None = None

    def latent(self) -> Tensor:
        """Return one latent per image, `(n, latent)`: the mean, transformed by the layers."""
        return self._transformed(self.mean)[0]

    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return samples z and their $\log q(z|x) - \log p(z)$.

        Through the layers, $\log q(z_k|x) = \log q(z_0|x) - \sum_k \log |\det J_k|$ (Rezende & Mohamed 2015).

        Args:
            noise: Standard normal, `(..., n, latent)`.

        Returns:
            Samples `(..., n, latent)` and log-ratios `(..., n)`.
        """
        assert self.logvar is not None
        z, determinant = self._transformed(sample_gaussian(self.mean, self.logvar, noise))
        ratio = 0.5 * (z**2 - noise**2 - self.logvar).sum(-1)  # the normalising constants cancel
        return z, ratio if determinant is None else ratio - determinant

    def _transformed(self, z: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.layers is None:
            return z, None
        points = z.reshape(-1, *z.shape[-2:]).transpose(0, 1)  # the layers of an image transform all of its samples
        moved, determinant = planar.forward(points, *self.layers)
        return moved.transpose(0, 1).reshape(z.shape), determinant.T.reshape(z.shape[:-1])

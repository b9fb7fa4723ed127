"""Images from a trained generator, with batch normalisation by standing statistics or by those of each batch."""

import torch
from torch import Tensor, nn

from pipeline.gan.model import Scale
from pipeline.gan.settings import Sampling
from pipeline.runtime import seeding
from pipeline.runtime.precision import arithmetic
from pipeline.runtime.progress import bar

BATCH = 64  # latents at once: with statistics of the batch, part of what is measured


class Sampler:
    """A trained generator that makes images.

    Args:
        generator: Maps latents to images as the networks see them; its normalisation is set up here.
        scale: Scale of its pixels.
        settings: Its arithmetic, and its normalisation: `standing`, by statistics computed again over a number of
            batches of 64 fresh latents, or `batch`, by those of each batch that is generated.
        latent: Number of latent dimensions.
        random: Source of the latents for the standing statistics.
    """

    def __init__(
        self, generator: nn.Module, scale: Scale, settings: Sampling, latent: int, random: torch.Generator
    ) -> None:
        self._generator, self.scale, self._precision = generator.train(), scale, settings.precision
        if settings.normalisation == "standing":
            layers = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)]
            for layer in layers:
                layer.reset_running_stats()
                layer.momentum = None  # the plain mean over all batches
            for _ in range(settings.normalisation_batches if layers else 0):
                self._generate(torch.randn((BATCH, latent), generator=random, device=random.device))
            generator.eval()

    @torch.no_grad()
    def _generate(self, latents: Tensor) -> Tensor:
        with arithmetic(latents.device, self._precision):
            images: Tensor = self._generator(latents)
            return images.float()

    def raw(self, latents: Tensor) -> Tensor:
        """Return the images of latents `(n, latent)` as the networks see them, `(n, c, h, w)`."""
        made = []
        with bar(len(latents), "generated", "image", part=True) as progress:
            for part in latents.split(BATCH):
                made.append(self._generate(part))
                progress.update(len(part))
        return torch.cat(made)

    def images(self, latents: Tensor) -> Tensor:
        """Return the images of latents `(n, latent)` as bytes, `(n, c, h, w)`."""
        return self.scale.decode(self.raw(latents))


def sample_latents(count: int, latent: int, key: tuple[int | str, ...], device: torch.device) -> Tensor:
    """Return standard normal latents `(count, latent)` that are a function of `key`."""
    return torch.randn((count, latent), generator=seeding.generator(*key, device=device), device=device)

"""Images from a trained generator, with batch normalisation by standing statistics or by those of each batch."""

import torch
from torch import Tensor, nn

from pipeline.gan.model import Scale
from pipeline.runtime import seeding
from pipeline.runtime.progress import bar

BATCH = 64  # codes at once: with statistics of the batch, part of what is measured


class Sampler:
    """A generator at work.

    Args:
        generator: maps codes to images as the networks see them; its normalisation is set up here.
        scale: of its pixels.
        normalisation: `standing`, statistics taken anew over `batches` batches of fresh codes, or `batch`, those of
            each batch that is generated.
        batches: of 64 codes.
        random: source of the codes for the standing statistics.
        latent: dimensions of a code.
    """

    def __init__(
        self,
        generator: nn.Module,
        scale: Scale,
        *,
        normalisation: str,
        batches: int,
        random: torch.Generator,
        latent: int,
    ) -> None:
        self._generator, self.scale = generator.train(), scale
        if normalisation == "standing":
            norms = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)]
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # the plain mean over all batches
            with torch.no_grad():
                for _ in range(batches if norms else 0):
                    generator(torch.randn((BATCH, latent), generator=random, device=random.device))
            generator.eval()

    @torch.no_grad()
    def raw(self, codes: Tensor) -> Tensor:
        """Return the images of codes `(n, latent)` as the networks see them, `(n, c, h, w)`."""
        made = []
        with bar(len(codes), "generated", "image", part=True) as progress:
            for part in codes.split(BATCH):
                made.append(self._generator(part))
                progress.update(len(part))
        return torch.cat(made)

    def images(self, codes: Tensor) -> Tensor:
        """Return the images of codes `(n, latent)` as bytes, `(n, c, h, w)`."""
        return self.scale.decode(self.raw(codes))


def draw(count: int, latent: int, key: tuple[int | str, ...], device: torch.device) -> Tensor:
    """Draw standard normal codes `(count, latent)` that are a function of `key`."""
    return torch.randn((count, latent), generator=seeding.generator(*key, device=device), device=device)

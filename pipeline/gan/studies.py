"""What directions of the latent space do: perturbations, a traversal, interpolations, and the critic between images.

All features, labels and confidences are those of the feature network that also scores the run. Features have no natural
unit, so their distances are divided by the mean distance between two samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.features.evaluator import Evaluator
from pipeline.gan.penalties import gradient_norms, gradients, interpolate
from pipeline.gan.sample import Sampler
from pipeline.metrics.pictures import colour, entropy, shares, sharpness

ALPHAS = tuple(n / 10 for n in range(11))
SHOWN = 64  # images of a grid
SIDE = 10  # of the traversal's square
TINY = 1e-12  # instead of a mean distance of 0, where a generator has collapsed to one image
TOP = 10  # dimensions compared between two rankings


@dataclass(frozen=True)
class Space:
    """The latent space of a generator, as an evaluator sees its images.

    Args:
        sampler: The generator.
        evaluator: The feature network with its reference statistics.
        unit: Mean distance between the features of two samples.
    """

    sampler: Sampler
    evaluator: Evaluator
    unit: float

    def generate(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return images, features in units, and logits of latents `(n, latent)`."""
        images = self.sampler.images(latents)
        return images, *self.extract(images)

    def classify(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return features in units, and logits, of the images of latents `(n, latent)`."""
        return self.extract(self.sampler.images(latents))

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features in units and logits of uint8 images `(n, c, h, w)`."""
        features, logits = self.evaluator.network.extract(images)
        return features.double() / self.unit, logits


def perturbations(space: Space, latents: Tensor, dimensions: int, scales: Sequence[float]) -> dict[str, Any]:
    """Measure what adding to one latent dimension changes, for the first `dimensions` ones and every scale.

    Args:
        space: The latent space.
        latents: Latents that are perturbed, `(n, latent)`.
        dimensions: Number of dimensions that are measured.
        scales: What is added.

    Returns:
        Per scale, lists over dimensions: `flips`, the share of images whose label changes; `colour`, the mean distance
        of the mean colour, in grey levels; `distance` of features in units; `entropy` in nats of the labels of all
        perturbed images; and `overlap`, the share of dimensions common to the ten that change colours and labels most.
    """
    images, features, logits = space.generate(latents)
    labels, tints, classes = logits.argmax(1), colour(images), logits.shape[1]
    result: dict[str, Any] = {}
    for scale in scales:
        moved = [space.sampler.images(_shifted(latents, dimension, scale)) for dimension in range(dimensions)]
        new_features, new_logits = space.extract(torch.cat(moved))
        rows = [
            [
                (new_labels != labels).double().mean().item(),
                (colour(new_images) - tints).norm(dim=1).mean().item(),
                (there - features).norm(dim=1).mean().item(),
                entropy(shares(new_labels, classes)).item(),
            ]
            for new_images, there, new_labels in zip(
                moved, new_features.split(len(latents)), new_logits.argmax(1).split(len(latents)), strict=True
            )
        ]
        table = dict(zip(("flips", "colour", "distance", "entropy"), map(list, zip(*rows, strict=True)), strict=True))
        leaders = [
            set(torch.tensor(table[key]).topk(min(TOP, dimensions)).indices.tolist()) for key in ("flips", "colour")
        ]
        result[f"{scale:g}"] = {**table, "overlap": len(leaders[0] & leaders[1]) / len(leaders[0])}
    return result


def perturbed(sampler: Sampler, latents: Tensor, dimensions: Sequence[int], scales: Sequence[float]) -> Tensor:
    """Return images of latents `(n, latent)` that are shifted in each of `dimensions` by each of `scales`.

    They are uint8 `(dimensions, scales, n, c, h, w)`.
    """
    grids = [sampler.images(_shifted(latents, dimension, scale)) for dimension in dimensions for scale in scales]
    return torch.stack(grids).view(len(dimensions), len(scales), *grids[0].shape)


def _shifted(latents: Tensor, dimension: int, scale: float) -> Tensor:
    shifted = latents.clone()
    shifted[:, dimension] += scale
    return shifted


def square(latent: Tensor) -> Tensor:
    """Return latents `(100, d)`: `latent` `(d,)` with its first two dimensions on a 10 x 10 grid over [-1, 1]."""
    axis = torch.linspace(-1, 1, SIDE, device=latent.device)
    latents = latent.repeat(SIDE * SIDE, 1)
    latents[:, 0], latents[:, 1] = axis.repeat_interleave(SIDE), axis.repeat(SIDE)
    return latents


def traversal(space: Space, latents: Tensor) -> dict[str, float]:
    """Measure how evenly features change over the squares around latents `(n, d)`.

    Returns:
        `path`, the mean over rows and columns of the summed steps from end to end; `largest_step`; both in units; and
        `unevenness`, the largest step divided by the mean step.
    """
    steps = []
    for latent in latents:
        _, features, _ = space.generate(square(latent))
        table = features.view(SIDE, SIDE, -1)
        steps.append(torch.stack([(table[1:] - table[:-1]).norm(dim=2).T, (table[:, 1:] - table[:, :-1]).norm(dim=2)]))
    every = torch.stack(steps)  # (n, direction, line, step)
    return {
        "path": every.sum(-1).mean().item(),
        "largest_step": every.amax((1, 2, 3)).mean().item(),
        "unevenness": (every.amax((1, 2, 3)) / every.mean((1, 2, 3)).clamp_min(TINY)).mean().item(),
    }


def mixtures(sampler: Sampler, first: Tensor, second: Tensor) -> dict[str, Tensor]:
    """Mix two sets of samples, alpha first + (1 - alpha) second, as latents and as pixels.

    Args:
        sampler: The generator.
        first: Latents `(n, latent)`.
        second: As many others.

    Returns:
        `latent` and `pixel`, each uint8 `(11, n, c, h, w)`, alpha = 0, 0.1, ..., 1; the two agree at both ends.
    """
    a, b = sampler.raw(first), sampler.raw(second)
    return {
        "latent": torch.stack([sampler.images(torch.lerp(second, first, alpha)) for alpha in ALPHAS]),
        "pixel": torch.stack([sampler.scale.decode(torch.lerp(b, a, alpha)) for alpha in ALPHAS]),
    }


def interpolations(space: Space, critic: nn.Module, first: Tensor, second: Tensor) -> dict[str, dict[str, Any]]:
    """Measure images between those of two sets of latents `(n, latent)`, mixed in latent and in pixel space.

    Returns:
        For `latent` and `pixel`, lists over the eleven weights: `frechet_distance`, `critic` output, `confidence` and
        `entropy` (nats) of the classifier, `sharpness`, each a mean over pairs; and `step`, the mean distance of
        features in units from each weight to the next.
    """
    mixed = mixtures(space.sampler, first, second)
    between = {way: [_between(space, critic, images) for images in stack[1:-1]] for way, stack in mixed.items()}
    start, end = (_between(space, critic, mixed["latent"][weight]) for weight in (0, -1))
    found: dict[str, dict[str, Any]] = {}
    for way, middle in between.items():
        values, features = zip(start, *middle, end, strict=True)
        path = torch.stack(features)
        found[way] = {
            **{key: [value[key] for value in values] for key in values[0]},
            "step": (path[1:] - path[:-1]).norm(dim=2).mean(1).tolist(),
        }
    return found


def _between(space: Space, critic: nn.Module, images: Tensor) -> tuple[dict[str, float], Tensor]:
    """Return what is measured of mixed images at one weight, and their features in units."""
    features, logits = space.evaluator.network.extract(images)
    likely = logits.double().softmax(1)
    with torch.no_grad():
        outputs = torch.cat([critic(space.sampler.scale.encode(part)) for part in images.split(256)])
    values = {
        "frechet_distance": space.evaluator.distance(features),
        "critic": outputs.mean().item(),
        "confidence": likely.amax(1).mean().item(),
        "entropy": entropy(likely).mean().item(),
        "sharpness": sharpness(images / 255).mean().item(),
    }
    return values, features.double() / space.unit


def norms_between(critic: nn.Module, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """Return the norm of the critic's gradient at one point between each real and fake image `(n, c, h, w)`, `(n,)`."""
    share = torch.rand(len(real), generator=random, device=real.device)
    found = []
    for part in interpolate(real, fake, share).split(256):
        points = part.detach().requires_grad_()
        found.append(gradient_norms(gradients(critic(points), points).detach()))
    return torch.cat(found)


def summary_of_norms(norms: Tensor) -> dict[str, float]:
    """Return mean, standard deviation, 99th percentile and the share above 1.1 of gradient norms `(n,)`."""
    return {
        "mean": norms.mean().item(),
        "spread": norms.std().item(),
        "percentile_99": norms.quantile(0.99).item(),
        "above_1.1": (norms > 1.1).double().mean().item(),
    }

"""Scoring of one run: its stored generators by distances to real images, the last one also by latent studies."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import store
from pipeline.features import evaluator as evaluators
from pipeline.features.evaluator import Evaluator
from pipeline.gan import model as models
from pipeline.gan import studies
from pipeline.gan.images import judged
from pipeline.gan.model import Model
from pipeline.gan.sample import Sampler, draw
from pipeline.metrics import seeds as over
from pipeline.metrics.pictures import entropy, mean_distance, shares, sharpness, total_variation
from pipeline.runtime import seeding
from pipeline.runtime.progress import bar

GRID = 100  # samples shown of every stored generator, from the same codes
COMPARED = 500  # samples between which the mean distance is taken
SQUARES = 5  # traversals measured
POINTS = 1000  # at which the critic's slope is measured


def score(
    data: Path,
    model: Path,
    features: Path,
    output: Path,
    *,
    samples: int,
    final_samples: int,
    normalisation: str,
    normalisation_batches: int,
    dimensions: int,
    perturbed: list[int],
    scales: list[float],
    codes: int,
    pairs: int,
    device: torch.device,
) -> None:
    """Score every stored generator of every seed; write `metrics.json`, and pictures of the first seed as arrays.

    Args:
        data: folder of the data set.
        model: folder of the trained networks.
        features: folder of the evaluator.
        output: folder to write into.
        samples, final_samples: images generated for the scores along the way, and for those of the last generator.
        normalisation, normalisation_batches: see `Sampler`.
        dimensions: of the code, the first ones, whose perturbation is measured.
        perturbed: dimensions whose perturbation is drawn.
        scales: sizes of the perturbations.
        codes: that are perturbed.
        pairs: of codes that are interpolated.
        device: where to compute.
    """
    trained, judge = models.load(model), evaluators.load(features, device)
    images = store.load(data, device)
    split, test = judged(images)
    real = Looks.of(judge, test)
    seeds: dict[str, Any] = {}
    with bar(len(trained.seeds) * (len(trained.snapshots) + 2), output.name.strip("."), "generator") as progress:
        for seed in trained.seeds:
            latents = draw(final_samples, trained.latent, (seed, "score"), device)
            grid = draw(GRID, trained.latent, (seed, "grid"), device)
            scored: dict[str, Any] = {"snapshots": {}}
            grids = []
            for step in trained.snapshots:
                sampler = _sampler(trained, seed, step, normalisation, normalisation_batches, device)
                last = step == trained.snapshots[-1]
                seen = Seen.of(judge, sampler.images(latents[: final_samples if last else samples]))
                scored["snapshots"][str(step)] = measure(judge, seen.first(samples), real)
                grids.append(sampler.images(grid))
                progress.update()
            raw = _sampler(trained, seed, None, normalisation, normalisation_batches, device)
            distances = {step: at["frechet_distance"] for step, at in scored["snapshots"].items()}
            scored["best_step"] = int(min(distances, key=distances.__getitem__))
            scored["final"] = measure(judge, seen, real)
            scored["raw"] = measure(judge, Seen.of(judge, raw.images(latents)), real)
            progress.update()
            space = studies.Space(sampler, judge, mean_distance(seen.features[:COMPARED]))
            critic = trained.critic(seed, device)
            moved = draw(codes, trained.latent, (seed, "perturbed"), device)
            ends = draw(2 * pairs, trained.latent, (seed, "pairs"), device).chunk(2)
            between = min(POINTS, len(test), len(latents))
            slopes = studies.critic_slopes(
                critic, trained.scale.encode(test[:between]), trained.scale.encode(seen.images[:between]),
                seeding.generator(seed, "slopes", device=device),
            )  # fmt: skip
            scored |= {
                "perturbations": studies.perturbations(space, moved, min(dimensions, trained.latent), scales),
                "traversal": studies.traversal(space, grid[:SQUARES]),
                "interpolations": studies.interpolations(space, critic, *ends),
                "slopes": studies.slope_summary(slopes),
            }
            if seed == trained.seeds[0]:
                shown = grid[: studies.SHOWN]
                pictures = {
                    "samples": torch.stack(grids),
                    "perturbed": studies.perturbed(sampler, shown, perturbed, scales),
                    "traversal": sampler.images(studies.square(grid[0])),
                    **studies.mixtures(sampler, shown, draw(len(shown), trained.latent, (seed, "ends"), device)),
                }
                commonest = _commonest(judge, pictures["perturbed"][:, -1], images.card["classes"])
                for name, pixels in pictures.items():
                    np.save(output / f"{name}.npy", pixels.cpu().numpy())
                np.save(output / "slopes.npy", slopes.cpu().numpy())
            seeds[str(seed)] = scored
            progress.update()
    protocol = {
        **judge.protocol(final_samples),
        "data": images.card["name"],
        "split": split,
        "snapshot_images": samples,
        "generator": "running average of the weights; raw: the last weights themselves",
        "normalisation": "statistics of each batch of 64"
        if normalisation == "batch"
        else f"standing statistics, mean over {normalisation_batches} batches of 64",
    }
    metrics = {
        "protocol": protocol,
        "real": real.summary(),
        "classes": images.card["classes"],
        "grid": GRID,
        "alphas": list(studies.ALPHAS),
        "perturbed": dict(zip(map(str, perturbed), commonest, strict=True)),
        "seeds": seeds,
        "mean": over.mean(seeds),
        "spread": over.spread(seeds),
    }
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


@dataclass(frozen=True)
class Seen:
    """Generated images with what the feature network makes of them.

    Args:
        images: uint8 `(n, c, h, w)`.
        features: `(n, d)`.
        logits: `(n, classes)`.
    """

    images: Tensor
    features: Tensor
    logits: Tensor

    @classmethod
    def of(cls, judge: Evaluator, images: Tensor) -> "Seen":
        """Show uint8 images `(n, c, h, w)` to the feature network."""
        return cls(images, *judge.network.extract(images))

    def first(self, count: int) -> "Seen":
        """Return the first `count` images alone."""
        return Seen(self.images[:count], self.features[:count], self.logits[:count])


@dataclass(frozen=True)
class Looks:
    """What real images look like to the feature network and by themselves.

    Args:
        shares: of the labels that the network gives them, `(classes,)`.
        distance: mean between the features of two images.
        sharpness: mean variance of the Laplacian.
    """

    shares: Tensor
    distance: float
    sharpness: float

    @classmethod
    def of(cls, judge: Evaluator, images: Tensor) -> "Looks":
        """Look at uint8 images `(n, c, h, w)`."""
        features, logits = judge.network.extract(images)
        labels = shares(logits.argmax(1), logits.shape[1])
        return cls(labels, mean_distance(features[:COMPARED]), sharpness(images / 255).mean().item())

    def summary(self) -> dict[str, Any]:
        return {"shares": self.shares.tolist(), "distance": self.distance, "sharpness": self.sharpness}


def measure(judge: Evaluator, seen: Seen, real: Looks) -> dict[str, Any]:
    """Score generated images.

    Args:
        judge: the feature network with its reference.
        seen: the images.
        real: the looks of real images.

    Returns:
        The scores of `Evaluator.rate`; the classifier's mean `confidence`; `shares` of its labels, their entropy
        `label_entropy` in nats, their total variation distance `label_distance` from those of real images, and the
        number of `missing_classes`; `diversity`, the mean distance of two images' features as a multiple of that of
        real ones; and `sharpness` as a multiple of that of real ones.
    """
    labels = shares(seen.logits.argmax(1), seen.logits.shape[1])
    return {
        **judge.rate(seen.features, seen.logits),
        "confidence": seen.logits.double().softmax(1).amax(1).mean().item(),
        "shares": labels.tolist(),
        "label_entropy": entropy(labels).item(),
        "label_distance": total_variation(labels, real.shares),
        "missing_classes": int((labels == 0).sum()),
        "diversity": mean_distance(seen.features[:COMPARED]) / real.distance,
        "sharpness": sharpness(seen.images / 255).mean().item() / real.sharpness,
    }


def _commonest(judge: Evaluator, grids: Tensor, classes: list[str] | None) -> list[str]:
    """Return the label that the most images of each grid get, by its name; `grids` are uint8 `(k, n, c, h, w)`."""
    numbers = [judge.network.extract(grid)[1].argmax(1).mode().values.item() for grid in grids]
    return [classes[int(number)] if classes else str(number) for number in numbers]


def _sampler(
    trained: Model, seed: int, step: int | None, normalisation: str, batches: int, device: torch.device
) -> Sampler:
    """Return a sampler of the generator after `step` updates, or of the last one itself, not its average."""
    net = trained.raw_generator(seed, device) if step is None else trained.generator(seed, step, device)
    random = seeding.generator(seed, "normalisation", device=device)
    return Sampler(
        net, trained.scale, normalisation=normalisation, batches=batches, random=random, latent=trained.latent
    )

"""Scoring of one run: its stored generators by distances to real images, the last one also by latent studies."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import store
from pipeline.features import complete
from pipeline.features.evaluator import Evaluator
from pipeline.gan import best, studies
from pipeline.gan.evaluate import COMPARED, Generated, RealStatistics, evaluate
from pipeline.gan.images import evaluation_split
from pipeline.gan.model import TrainedGan
from pipeline.gan.sample import Sampler, sample_latents
from pipeline.gan.settings import Sampling, Scoring
from pipeline.metrics import paths, summary
from pipeline.metrics.pictures import mean_distance
from pipeline.runtime import seeding
from pipeline.runtime.context import Context
from pipeline.runtime.progress import bar

GRID = 100  # samples shown of every stored generator, from the same latents
SQUARES = 5  # traversals that are measured
POINTS = 1000  # points at which the norm of the critic's gradient is measured


def score(data: Path, model: Path, features: Path, output: Path, settings: Scoring, context: Context) -> None:
    """Score every stored generator of every seed.

    Writes `metrics.json`, the generators that scored best, and images of the first seed as arrays.

    Args:
        data: Folder of the data set.
        model: Folder of the trained networks.
        features: Folder of the evaluator.
        output: Folder to write into.
        settings: All hyperparameters of the scoring.
        context: Where to compute.
    """
    device, images = context.device, store.load(data, context.device)
    trained, evaluator = TrainedGan.load(model), complete.load(features, device, images.card["shape"])
    split, real = evaluation_split(images)
    scorer = Scorer(model, trained, evaluator, real, settings, device)
    seeds, more = {}, dict[str, Any]()
    with bar(len(trained.seeds), output.name.strip("."), "seed") as progress:
        for seed in trained.seeds:
            samplers = {step: scorer.sampler(seed, step) for step in trained.snapshots}
            scores, final = scorer.snapshots(seed, samplers)
            last = samplers[trained.snapshots[-1]]
            norms = scorer.gradient_norms(seed, final)
            seeds[str(seed)] = {
                **scores,
                "best": scorer.best(seed, samplers[scores["best_step"]]),
                "raw": scorer.raw(seed),
                **scorer.studies(seed, last, final),
                "gradient_norms": studies.summary_of_norms(norms),
            }
            if seed == trained.seeds[0]:
                shown = scorer.shown(seed, samplers)
                more["perturbed"] = scorer.commonest(shown["perturbed"][:, -1])
                for name, array in {**shown, "gradient_norms": norms}.items():
                    np.save(output / f"{name}.npy", array.cpu().numpy())
            progress.update()
    facts = {"real": scorer.real.summary(), "classes": list(evaluator.classes), "grid": GRID}
    protocol = {
        **evaluator.protocol(settings.final_samples),
        "data": images.card["name"],
        "split": split,
        "snapshot_images": settings.samples,
        **_protocol(settings.sampling),
    }
    best.keep(model, trained, output, seeds, settings)
    summary.write(output, protocol, seeds, **facts, alphas=studies.ALPHAS, **more)


def _protocol(sampling: Sampling) -> dict[str, Any]:
    standing = f"standing statistics, mean over {sampling.normalisation_batches} batches of 64"
    return {
        "best": "the stored generator with the smallest Fréchet distance, scored on other samples",
        "generator": "running average of the weights; raw: the last weights themselves",
        "normalisation": standing if sampling.normalisation == "standing" else "statistics of each batch of 64",
        "generator_precision": sampling.precision,
    }


class Scorer:
    """Everything that is measured of one trained run; all randomness is a function of the seed and its purpose.

    Args:
        folder: Folder of the trained networks.
        trained: What they are.
        evaluator: The feature network with its reference statistics.
        images: Images of the evaluation split, uint8 `(n, c, h, w)`.
        settings: All hyperparameters of the scoring.
        device: Where to compute.
    """

    def __init__(
        self,
        folder: Path,
        trained: TrainedGan,
        evaluator: Evaluator,
        images: Tensor,
        settings: Scoring,
        device: torch.device,
    ) -> None:
        self.folder, self.trained, self.evaluator, self.images = folder, trained, evaluator, images
        self.settings, self.device = settings, device
        self.real = RealStatistics.of(evaluator, images)

    def latents(self, count: int, seed: int, purpose: str) -> Tensor:
        """Return latents `(count, latent)` that are a function of seed and purpose."""
        return sample_latents(count, self.trained.network.latent, (seed, purpose), self.device)

    def sampler(self, seed: int, step: int | None) -> Sampler:
        """Return a sampler of the generator after `step` steps; of the last one itself, not its average, for `None`."""
        trained, device = self.trained, self.device
        if step is None:
            generator = trained.raw_generator(self.folder, seed, device)
        else:
            generator = trained.generator(self.folder, seed, step, device)
        random = seeding.generator(seed, "normalisation", device=device)
        return Sampler(generator, trained.scale, self.settings.sampling, trained.network.latent, random)

    def snapshots(self, seed: int, samplers: dict[int, Sampler]) -> tuple[dict[str, Any], Generated]:
        """Evaluate the averaged generators of one seed.

        Args:
            seed: Seed of the training.
            samplers: The generators by step, the last one last.

        Returns:
            Scores of all `snapshots` on equally many images; the `best_step`, which has the smallest Fréchet distance;
            scores of the `final` generator on more images; and these images.
        """
        latents = self.latents(self.settings.final_samples, seed, "score")
        count, last = self.settings.samples, list(samplers)[-1]
        scores = {}
        for step, sampler in samplers.items():
            images = sampler.images(latents if step == last else latents[:count])
            generated = Generated.of(self.evaluator, images)
            scores[str(step)] = evaluate(self.evaluator, generated.first(count), self.real)
        best_step = int(min(scores, key=lambda step: scores[step]["frechet_distance"]))
        final = evaluate(self.evaluator, generated, self.real)
        return {"snapshots": scores, "best_step": best_step, "final": final}, generated

    def best(self, seed: int, sampler: Sampler) -> dict[str, Any]:
        """Evaluate the generator that was chosen by its distance, on as many images as the final one.

        The images are others than those that it was chosen by; `distance_again` is the Fréchet distance of as many of
        them as there were when it was chosen.
        """
        images = sampler.images(self.latents(self.settings.final_samples, seed, "best"))
        generated = Generated.of(self.evaluator, images)
        again = self.evaluator.distance(generated.first(self.settings.samples).features)
        return {**evaluate(self.evaluator, generated, self.real), "distance_again": again}

    def raw(self, seed: int) -> dict[str, Any]:
        """Evaluate the last generator itself, not its average, on as many images as the final one."""
        images = self.sampler(seed, None).images(self.latents(self.settings.final_samples, seed, "score"))
        return evaluate(self.evaluator, Generated.of(self.evaluator, images), self.real)

    def studies(self, seed: int, sampler: Sampler, final: Generated) -> dict[str, Any]:
        """Return what `studies` and `paths` measure of the latent space of the last averaged generator."""
        wanted, latent = self.settings.studies, self.trained.network.latent
        unit = max(mean_distance(final.features[:COMPARED]), studies.TINY)
        space = studies.Space(sampler, self.evaluator, unit)
        moved = self.latents(wanted.perturbed_latents, seed, "perturbed")
        dimensions = min(wanted.perturbed_dimensions, latent)
        ends = self.latents(2 * wanted.interpolation_pairs, seed, "pairs").chunk(2)
        critic = self.trained.critic(self.folder, seed, self.device)
        return {
            "perturbations": studies.perturbations(space, moved, dimensions, wanted.perturbation_scales),
            "traversal": studies.traversal(space, self.latents(GRID, seed, "grid")[:SQUARES]),
            "interpolations": studies.interpolations(space, critic, *ends),
            "paths": paths.measure(
                space.classify,
                self.latents(self.settings.final_samples, seed, "score"),
                final.logits.argmax(1),
                self.evaluator.classes,
            ),
        }

    def gradient_norms(self, seed: int, final: Generated) -> Tensor:
        """Return norms of the last critic's gradient between real images and those of the last generator, `(n,)`."""
        count = min(POINTS, len(self.images), len(final.images))
        critic, scale = self.trained.critic(self.folder, seed, self.device), self.trained.scale
        random = seeding.generator(seed, "slopes", device=self.device)
        real, fake = scale.encode(self.images[:count]), scale.encode(final.images[:count])
        return studies.norms_between(critic, real, fake, random)

    def shown(self, seed: int, samplers: dict[int, Sampler]) -> dict[str, Tensor]:
        """Return the images of one seed that the report shows, uint8 `(..., c, h, w)`, by the name of their array."""
        wanted, sampler, grid = self.settings.studies, list(samplers.values())[-1], self.latents(GRID, seed, "grid")
        first = grid[: studies.SHOWN]
        second = self.latents(len(first), seed, "ends")
        return {
            "samples": torch.stack([each.images(grid) for each in samplers.values()]),
            "perturbed": studies.perturbed(sampler, first, wanted.shown_dimensions, wanted.perturbation_scales),
            "traversal": sampler.images(studies.square(grid[0])),
            **studies.mixtures(sampler, first, second),
            "walk": sampler.images(paths.walk(torch.stack([first[0], second[0]]))),
        }

    def commonest(self, grids: Tensor) -> dict[str, str]:
        """Return for each shown dimension the name of the label that most images of its grid get.

        Args:
            grids: Images with one dimension perturbed, uint8 `(dimensions, n, c, h, w)`.
        """
        labels = [int(self.evaluator.network.extract(grid)[1].argmax(1).mode().values) for grid in grids]
        names = [self.evaluator.classes[label] if self.evaluator.classes else str(label) for label in labels]
        return dict(zip(map(str, self.settings.studies.shown_dimensions), names, strict=True))

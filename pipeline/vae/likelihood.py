"""Scores of trained autoencoders on the test images: ELBO, importance-sampled log p(x), errors and pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.store import DataSet
from pipeline.metrics import summary as metrics
from pipeline.metrics.likelihood import effective_sample_size, log_weights, mean_and_error, nested_estimates
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.context import Context
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator
from pipeline.vae import model as models
from pipeline.vae import pictures
from pipeline.vae.evaluate import summary, terms
from pipeline.vae.model import Vae
from pipeline.vae.settings import Scoring

WEIGHTS = 20_000
"""Importance weights that are computed between two checkpoints."""


def score(data: Path, model: Path, output: Path, settings: Scoring, context: Context) -> None:
    """Score every seed of a model; write `metrics.json`, log p(x) of each image and seed, and pictures as arrays.

    Args:
        data: Folder of the data set.
        model: Folder of the trained autoencoders.
        output: Folder to write into.
        settings: What is computed, and with how many samples.
        context: Where to compute.

    Raises:
        DataError: If a map is asked for and the set has no labels, or too few images.
    """
    images, trained = store.load(data, context.device), models.load(model, context.device)
    first, shown = next(iter(trained.items()))
    more: dict[str, Any] = {"layers": shown.layers()}
    if settings.tsne:
        more["latent_map"] = pictures.save_map(shown, images, first, output)
    pictures.save(shown, images, output)
    scored = bool(settings.importance_samples) * len(trained) * len(images.split("test"))
    seeds, of_images = {}, []
    with bar(scored, output.name, "image") as progress:
        for seed, each in trained.items():
            checkpoint = Checkpoint(context.scratch, f"seed_{seed}", context.device)
            seeds[str(seed)] = _scores(each, images, seed, settings)
            if counts := settings.importance_samples:
                estimates = _estimates(each, images.split("test"), counts, seed, checkpoint, progress)
                found = _log_likelihood(estimates, counts)
                seeds[str(seed)]["log_likelihood"] = found
                of_images.append(estimates[:, 0, counts.index(max(counts))].cpu())
                most = found[str(max(counts))]["value"]
                seeds[str(seed)]["bits_per_dimension"]["log_likelihood"] = each.observation.bits(most)
    if of_images:  # `(seeds, n)`: comparisons of two runs take their differences image by image
        np.save(output / "log_likelihood.npy", torch.stack(of_images).numpy())
    reconstructed = []
    for epoch in models.snapshots(model):
        earlier = models.load(model, context.device, epoch)
        for seed, each in earlier.items():
            error = {"squared_error": pictures.squared_error(each, images)}
            seeds[str(seed)].setdefault("snapshots", {})[str(epoch)] = error
        reconstructed.append(pictures.reconstructions(earlier[first], images, pictures.COMPARED))
    if reconstructed:
        np.save(output / "snapshots.npy", np.stack(reconstructed))
    metrics.write(output, _protocol(shown, images, settings), seeds, **more)


def _protocol(model: Vae, images: DataSet, settings: Scoring) -> dict[str, Any]:
    """Say what was measured on what, and where there is no likelihood, why."""
    protocol = {
        "data": images.card["name"],
        "split": "test",
        "precision": model.precision,
        "images": len(images.split("test")),
        **model.observation.words(),
        "reconstruction": "what training minimises beside KL, summed over pixels, mean over images",
        "squared_error": "of images decoded from latents, grey values in [0, 1], mean over pixels and images",
    }
    if not model.sampled:
        return protocol | {"elbo": "none: the decoder is given the latent itself and not samples of a posterior"}
    if not model.has_elbo:
        return protocol | {"elbo": "none: the trained loss is no log-likelihood; nor are there bits per dimension"}
    form = "over the same samples" if model.network.flow_layers else "in closed form"
    return protocol | {
        "elbo": f"{settings.elbo_samples} samples of z per image, KL {form}, at beta = 1 whatever was trained",
        "estimator": "mean over images of log-mean-exp over K samples of q(z|x), float64;"
        f" {max(settings.importance_samples or [0])} samples per image, cut into disjoint groups of K",
        "bits_per_dimension": _bits(model),
    }


def _bits(model: Vae) -> str:
    """Say what bits per dimension are those of."""
    if model.observation.likelihood == "bernoulli":
        return "of the binary pixels"
    return "of the stored grey levels, noise within a level in closed form: an upper limit"


def _scores(model: Vae, images: DataSet, seed: int, settings: Scoring) -> dict[str, Any]:
    """Return the terms of the objective, the ELBO where there is one, and errors of one autoencoder."""
    test = images.split("test")
    found = {
        split: terms(
            model,
            images.split(split),
            generator(seed, "score", split, device=test.device),
            settings.elbo_samples or 1,
        )
        for split in images.held_out
    }
    means = {split: summary(model, values, None) for split, values in found.items()}
    scores: dict[str, Any] = {key: means["test"][key] for key in ("reconstruction", "kl") if key in means["test"]}
    scores["over_batches"] = {
        key: torch.stack([part.mean() for part in values.split(settings.batch)]).mean().item()
        for key, values in found["test"].items()
    }
    scores["squared_error"] = pictures.squared_error(model, images)
    if model.sampled:
        scores["active_units"] = pictures.active_units(model, test)
    if model.has_elbo:
        scores["elbo"] = {split: values["elbo"] for split, values in means.items()}
        scores["bits_per_dimension"] = {"elbo": model.observation.bits(means["test"]["elbo"])}
    return scores


def importance_sampled(model: Vae, images: Tensor, samples: Sequence[int], random: torch.Generator) -> Tensor:
    """Return for each image and each K the estimate L_K of log p(x) and the effective sample size.

    Args:
        model: The autoencoder.
        images: Images, uint8 `(n, c, h, w)`.
        samples: Values of K, each a divisor of the largest.
        random: Source of the samples.

    Returns:
        float64 `(n, 2, len(samples))`.
    """
    weights = log_weights(model, model.observation.scale(images), max(samples), random)
    sizes = torch.stack([effective_sample_size(weights, k) for k in samples], 1)
    return torch.stack([nested_estimates(weights, samples), sizes], 1)


def _estimates(
    model: Vae, images: Tensor, samples: Sequence[int], seed: int, checkpoint: Checkpoint, progress: Any
) -> Tensor:
    """Return what `importance_sampled` returns, for the images of a whole split."""
    done: list[Tensor] = checkpoint.load() or []
    progress.update(sum(len(part) for part in done))
    parts = images.split(max(1, WEIGHTS // max(samples)))
    for number, part in enumerate(parts[len(done) :], len(done)):
        random = generator(seed, "importance", number, device=images.device)
        done.append(importance_sampled(model, part, samples, random))
        checkpoint.save(done)
        progress.update(len(part))
    return torch.cat(done)


def _log_likelihood(found: Tensor, samples: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return value, standard error over images and effective sample size for each K."""
    estimates, sizes = found.unbind(1)
    result = {}
    for column, k in enumerate(samples):
        value, error = mean_and_error(estimates[:, column])
        size = sizes[:, column].mean().item()
        result[str(k)] = {"value": value, "standard_error": error, "effective_sample_size": size}
    return result

"""Scoring of trained autoencoders on the test split: ELBO, importance-sampled log p(x), reconstructions and samples."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import store
from pipeline.metrics import seeds as over_seeds
from pipeline.metrics.likelihood import effective_sample_size, log_weights, mean_and_error, nested_estimates
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.device import autocast, precision
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator
from pipeline.vae.evaluate import elbo
from pipeline.vae.network import Vae, load

ELBO_DRAWS = 20  # of z per image: a single one leaves 0.3 nats of noise on a few hundred images
PICTURES = 64  # samples, and reconstructed images, that the report may show


def score(
    data: Path,
    model: Path,
    output: Path,
    *,
    importance_samples: list[int],
    device: torch.device,
    scratch: Path,
) -> None:
    """Score every seed of a model on the test split; write `metrics.json` and pictures as arrays.

    Args:
        data: folder of the data set.
        model: folder of the trained autoencoders.
        output: folder to write into.
        importance_samples: sample counts K of the importance-sampled log-likelihood.
        device: where to compute.
        scratch: folder of checkpoints.
    """
    images = store.load(data, device)
    models = load(model, device)
    with bar(len(models) * len(images.binary("test")), output.name, "image") as progress:
        seeds = {}
        for seed, net in models.items():
            valid, test = (
                elbo(net, images.binary(split), generator(seed, "score", split, device=device), ELBO_DRAWS)
                for split in ("valid", "test")
            )
            checkpoint = Checkpoint(scratch, f"seed_{seed}", device)
            seeds[str(seed)] = {
                "elbo": {"valid": valid["elbo"], "test": test["elbo"]},
                "reconstruction": test["reconstruction"],
                "kl": test["kl"],
                "log_likelihood": _log_likelihood(
                    net, images.binary("test"), importance_samples, seed, checkpoint, progress
                ),
            }
    protocol = {
        "data": images.card["name"],
        "split": "test",
        "images": len(images.binary("test")),
        "likelihood": "Bernoulli",
        "elbo": f"{ELBO_DRAWS} draws of z per image, KL in closed form",
        "precision": precision(),
        "estimator": "mean over images of log-mean-exp over K draws from q(z|x), float64;"
        f" {max(importance_samples)} draws per image, cut into disjoint groups of K",
    }
    metrics = {"protocol": protocol, "seeds": seeds, "mean": over_seeds.mean(seeds), "spread": over_seeds.spread(seeds)}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    _pictures(next(iter(models.values())), images.binary("test")[:PICTURES], output, device)


def _log_likelihood(
    net: Vae, pixels: Tensor, samples: list[int], seed: int, checkpoint: Checkpoint, progress: Any
) -> dict[str, dict[str, float]]:
    """Return value, standard error over images and effective sample size for each K."""
    done: list[Tensor] = checkpoint.load() or []
    progress.update(sum(len(part) for part in done))
    chunk = max(1, 20_000 // max(samples))
    for number, part in enumerate(pixels.split(chunk)):
        if number < len(done):
            continue
        with autocast(pixels.device):
            random = generator(seed, "importance", number, device=pixels.device)
            weights = log_weights(net, part.float(), max(samples), random)
        sizes = torch.stack([effective_sample_size(weights, k) for k in samples], 1)
        done.append(torch.stack([nested_estimates(weights, samples), sizes]).transpose(0, 1))
        checkpoint.save(done)
        progress.update(len(part))
    estimates, sizes = torch.cat(done).unbind(1)
    result = {}
    for column, k in enumerate(samples):
        value, error = mean_and_error(estimates[:, column])
        size = sizes[:, column].mean().item()
        result[str(k)] = {"value": value, "standard_error": error, "effective_sample_size": size}
    return result


@torch.no_grad()
def _pictures(net: Vae, originals: Tensor, output: Path, device: torch.device) -> None:
    """Store the first test images, the decoded means of their posteriors, and decoded draws from the prior."""
    shape = originals.shape[1:]
    codes = torch.randn((PICTURES, net.latent), generator=generator("prior samples", device=device), device=device)
    mean, _ = net.posterior(originals.float())
    np.save(output / "originals.npy", originals.cpu().numpy())
    for name, z in (("reconstructions", mean), ("samples", codes)):
        np.save(output / f"{name}.npy", torch.sigmoid(net.decode(z)).view(-1, *shape).cpu().numpy())

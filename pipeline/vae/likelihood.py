"""Scoring of trained autoencoders on the test split: ELBO, importance-sampled log p(x), codes and pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data import store
from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.metrics import seeds as over_seeds
from pipeline.metrics.likelihood import effective_sample_size, log_weights, mean_and_error, nested_estimates
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.device import autocast, precision
from pipeline.runtime.progress import bar
from pipeline.runtime.seeding import generator
from pipeline.vae import network as networks
from pipeline.vae.evaluate import ROWS, summary, terms
from pipeline.vae.network import Vae
from pipeline.vae.objective import kl_analytic

PICTURES = 64  # samples, and reconstructed images, that the report may show
COMPARED = 8  # images that are decoded after earlier epochs
STEPS = 12  # of an interpolation: alpha = 0, 1/11, ..., 1
ACTIVE = 0.01  # a unit is active if its mean varies, or its KL is, by more than this


def score(
    data: Path,
    model: Path,
    output: Path,
    *,
    importance_samples: list[int] | None,
    elbo_draws: int | None,
    batch: int,
    tsne: bool,
    device: torch.device,
    scratch: Path,
) -> None:
    """Score every seed of a model; write `metrics.json` and pictures as arrays.

    Args:
        data: folder of the data set.
        model: folder of the trained autoencoders.
        output: folder to write into.
        importance_samples: sample counts K of the importance-sampled log p(x); `None` where there is no likelihood.
        elbo_draws: of z per image, for the ELBO and its terms; `None` where the decoder is given the code itself.
        batch: images of one batch, for the mean of batch means that the code of report 003 prints.
        tsne: whether to draw a map of the test codes of the first seed.
        device: where to compute.
        scratch: folder of checkpoints.

    Raises:
        DataError: if a map is asked for and the set has no labels.
    """
    images = store.load(data, device)
    models = networks.load(model, device)
    first, net = next(iter(models.items()))
    counts, draws = importance_samples or [], elbo_draws or 1
    with bar(len(models) * len(images.split("test")) * bool(counts), output.name, "image") as progress:
        seeds = {}
        for seed, each in models.items():
            seeds[str(seed)] = _scores(each, images, seed, draws, batch)
            if counts:
                checkpoint = Checkpoint(scratch, f"seed_{seed}", device)
                found = _log_likelihood(each, images.split("test"), counts, seed, checkpoint, progress)
                seeds[str(seed)]["log_likelihood"] = found
                most = found[str(max(counts))]["value"]
                seeds[str(seed)]["bits_per_dimension"]["log_likelihood"] = each.observation.bits(most)
    taken = networks.snapshots(model)
    compared = {}
    for epoch in taken:
        for seed, each in networks.load(model, device, epoch).items():
            error = {"squared_error": _squared_error(each, images)}
            seeds[str(seed)].setdefault("snapshots", {})[str(epoch)] = error
            if seed == first:
                compared[epoch] = _reconstructed(each, images.split("test")[:COMPARED], images.levels)
    metrics = {
        "protocol": _protocol(net, images, counts, draws),
        "layers": networks.parameters(net),
        "seeds": seeds,
        "mean": over_seeds.mean(seeds),
        "spread": over_seeds.spread(seeds),
    }
    if tsne:
        metrics["codes"] = _map(net, images, first, output)
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    _pictures(net, images, output)
    if taken:
        np.save(output / "snapshots.npy", np.stack([compared[epoch] for epoch in taken]))


def _protocol(net: Vae, images: DataSet, counts: list[int], draws: int) -> dict[str, Any]:
    """Say what was measured on what, and where there is no likelihood, why."""
    protocol = {
        "data": images.card["name"],
        "split": "test",
        "precision": precision(),
        "images": len(images.split("test")),
        **net.observation.said(),
        "reconstruction": "what training minimises beside KL, summed over pixels, mean over images",
        "squared_error": "of images decoded from codes, grey values in [0, 1], mean over pixels and images",
    }
    if not net.bounded:
        no_posterior = "the decoder is given the code itself, not draws from a posterior: there is no ELBO"
        no_density = "the trained loss is no log-likelihood: there is no ELBO, nor are there bits per dimension"
        return protocol | {"elbo": no_posterior if net.kind != "gaussian" else no_density}
    form = "over the same draws" if net.flow_layers else "in closed form"
    return protocol | {
        "elbo": f"{draws} draws of z per image, KL {form}, at beta = 1 whatever was trained",
        "estimator": "mean over images of log-mean-exp over K draws from q(z|x), float64;"
        f" {max(counts)} draws per image, cut into disjoint groups of K",
        "bits_per_dimension": "of the stored grey levels, noise within a level in closed form: an upper limit",
    }


def _scores(net: Vae, images: DataSet, seed: int, draws: int, batch: int) -> dict[str, Any]:
    """Return the ELBO and its terms for one network."""
    device = images.split("test").device
    found = {
        split: terms(net, images.split(split), generator(seed, "score", split, device=device), draws)
        for split in images.held_out
    }
    means = {split: summary(net, values, None) for split, values in found.items()}
    scores: dict[str, Any] = {key: means["test"][key] for key in ("reconstruction", "kl") if key in means["test"]}
    scores["over_batches"] = {
        key: torch.stack([part.mean() for part in values.split(batch)]).mean().item()
        for key, values in found["test"].items()
    }
    scores["squared_error"] = _squared_error(net, images)
    if net.kind == "gaussian":
        scores["active_units"] = _active_units(net, images.split("test"))
    if net.bounded:
        scores["elbo"] = {split: values["elbo"] for split, values in means.items()}
        scores["bits_per_dimension"] = {"elbo": net.observation.bits(means["test"]["elbo"])}
    return scores


def _log_likelihood(
    net: Vae, images: Tensor, samples: list[int], seed: int, checkpoint: Checkpoint, progress: Any
) -> dict[str, dict[str, float]]:
    """Return value, standard error over images and effective sample size for each K."""
    done: list[Tensor] = checkpoint.load() or []
    progress.update(sum(len(part) for part in done))
    chunk = max(1, 20_000 // max(samples))
    for number, part in enumerate(images.split(chunk)):
        if number < len(done):
            continue
        random = generator(seed, "importance", number, device=images.device)
        with autocast(images.device):
            weights = log_weights(net, net.observation.scale(part), max(samples), random)
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
def _codes(net: Vae, images: Tensor) -> Tensor:
    return torch.cat([net.posterior(net.observation.scale(part)).code() for part in images.split(ROWS)])


@torch.no_grad()
def _squared_error(net: Vae, images: DataSet) -> float:
    """Return the mean squared error of decoded codes, grey values in [0, 1]."""
    total = 0.0
    for part in images.split("test").split(ROWS):
        decoded = net.observation.picture(net.decode(_codes(net, part)), images.levels)
        total += (decoded - images.unit(part).flatten(1)).square().double().sum().item()
    return total / images.split("test").numel()


@torch.no_grad()
def _active_units(net: Vae, images: Tensor) -> dict[str, int]:
    """Count latent dimensions whose code varies over images, and, without layers, those with a share in KL.

    Reference for the first: Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, ICLR 2016.
    """
    units = {"variance": int((_codes(net, images).double().var(0) > ACTIVE).sum())}
    if not net.flow_layers:
        total = torch.zeros(net.latent, dtype=torch.float64, device=images.device)
        for part in images.split(ROWS):
            q = net.posterior(net.observation.scale(part))
            assert q.logvar is not None
            total += kl_analytic(q.mean[..., None], q.logvar[..., None]).double().sum(0)
        units["kl"] = int((total / len(images) > ACTIVE).sum())
    return units


def _map(net: Vae, images: DataSet, seed: int, output: Path) -> dict[str, Any]:
    """Store the t-SNE map of the test codes with their labels; return how well the classes stand apart."""
    from pipeline.metrics import latent_map  # scikit-learn takes a second to import, and few runs need it

    if "test" not in images.labels:
        raise DataError(f"data set {images.card['name']} has no labels, which tsne needs to judge the map.")
    codes, labels = _codes(net, images.split("test")).cpu().numpy(), images.labels["test"].cpu().numpy()
    points = latent_map.tsne(codes, seed)
    np.save(output / "map.npy", points)
    np.save(output / "map_labels.npy", labels)
    return {
        "neighbours": latent_map.NEIGHBOURS,
        "perplexity": latent_map.PERPLEXITY,
        "code": latent_map.separation(codes, labels, seed),
        "map": latent_map.separation(points, labels, seed),
    }


@torch.no_grad()
def _reconstructed(net: Vae, originals: Tensor, levels: int) -> np.ndarray:
    return _decoded(net, _codes(net, originals), originals.shape[1:], levels)


def _decoded(net: Vae, codes: Tensor, shape: torch.Size, levels: int) -> np.ndarray:
    """Return the pictures of codes as float32 `(n, c, h, w)`, grey values in [0, 1]."""
    pictures: np.ndarray = net.observation.picture(net.decode(codes), levels).view(-1, *shape).cpu().numpy()
    return pictures


@torch.no_grad()
def _pictures(net: Vae, images: DataSet, output: Path) -> None:
    """Store the first test images, what their codes decode to, decoded draws from the prior, and a walk in it."""
    originals, device = images.split("test")[:PICTURES], images.split("test").device
    drawn = torch.randn((PICTURES, net.latent), generator=generator("prior samples", device=device), device=device)
    ends = torch.randn((2, net.latent), generator=generator("interpolation", device=device), device=device)
    alpha = torch.linspace(0, 1, STEPS, device=device)[:, None]
    np.save(output / "originals.npy", originals.cpu().numpy())
    np.save(output / "reconstructions.npy", _reconstructed(net, originals, images.levels))
    for name, codes in (("samples", drawn), ("interpolation", (1 - alpha) * ends[0] + alpha * ends[1])):
        np.save(output / f"{name}.npy", _decoded(net, codes, originals.shape[1:], images.levels))

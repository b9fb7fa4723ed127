"""The small autoencoder of report 004 under three losses: curves, pictures over training, latent space, interpolation."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.report import autoencoders
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, per_seed
from pipeline.report.mlp_vae import figures, rules
from pipeline.report.reported import Reported
from pipeline.report.results import Results

NETWORKS = ("mlp_shallow",)
OWN, GAN = "mlp_standardised", "mlp"  # report 004's autoencoder, and its GAN


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of this network."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    metrics = {plan.run: results.metrics(plan) for plan in scored}
    samples = autoencoders.scored_samples(results, NETWORKS)
    values = {
        "settings": autoencoders.settings(trained),
        "scores": metrics,
        "samples": samples,
        "epochs": sorted({int(e) for found in metrics.values() for e in found["mean"].get("snapshots", {})}),
        "losses": {plan.run: figures.loss(results, plan, out) for plan in trained},
        "runs": {plan.run: figures.pictures(results, plan, metrics[plan.run], out) for plan in scored},
    }
    headlines = {f"vae.{run}.squared_error": found["mean"]["squared_error"] for run, found in metrics.items()}
    return Content(values, headlines, _claims(results, reported, metrics.get(OWN, {}), samples))


def _claims(results: Results, reported: Reported, own: dict[str, Any], samples: dict[str, Any]) -> list[Claim]:
    """Test C80 to C82 and C87 on the runs that have finished."""
    trained = results.finished.get(("train_vae", OWN))
    test = partial(assess, reported, facts=[autoencoders.length(results, trained)] if trained else [])
    errors = {
        seed: {"first": scores["snapshots"]["1"]["squared_error"], "last": scores["squared_error"]}
        for seed, scores in own.get("seeds", {}).items()
        if "1" in scores.get("snapshots", {})
    }
    losses = {
        results.settings(plan)["likelihood"]: {
            seed: curve[-1] for seed, curve in autoencoders.by_seed(results, plan, "train_loss").items()
        }
        for plan in autoencoders.of(results, "train_vae", NETWORKS)
    }
    maps = (
        {"0": {"latent": own["latent_map"]["latent"], "tsne": own["latent_map"]["map"]}} if "latent_map" in own else {}
    )
    gan = results.finished.get(("score_gan", GAN))
    scored = {
        "GAN": {seed: at["final"] for seed, at in results.metrics(gan)["seeds"].items()} if gan else {},
        OWN: {},
        **{run: {seed: at["samples"] for seed, at in found["seeds"].items()} for run, found in samples.items()},
    }
    both = per_seed({name: scored[name] for name in ("GAN", OWN)})
    complete = {name: at for name, at in scored.items() if both.keys() <= at.keys()}
    models = {
        seed: {
            "own": OWN,
            "distance": {name: at[seed]["frechet_distance"] for name, at in complete.items()},
            "score": {name: at[seed]["inception_score"] for name, at in complete.items()},
        }
        for seed in both
    }
    return [
        test("C80", rules.early, errors),
        test("C81", rules.negative, per_seed({"losses": per_seed(losses)})),
        test("C82", rules.clusters, maps),
        test("C87", rules.models, models),
    ]


CHAPTER = Chapter("mlp_vae", {**autoencoders.READS, "score_gan": ("metrics.json",)}, ("I",), write)

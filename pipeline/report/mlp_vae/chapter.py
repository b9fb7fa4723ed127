"""The small autoencoder of report 004 under three losses: curves, pictures over training, latent space."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from pipeline.report import autoencoders, figures, style
from pipeline.report.autoencoders import NATS
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, per_seed
from pipeline.report.evaluators import COVERED, covered
from pipeline.report.figures import Curve
from pipeline.report.mlp_vae import rules
from pipeline.report.reported import Reported
from pipeline.report.results import Results, about, data, settings
from pipeline.runtime.plan import Plan

NETWORKS = ("mlp_shallow",)
OWN, GAN = rules.RUN, "mlp"  # report 004's autoencoder, and its GAN


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of this network."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    metrics = {plan.run: results.metrics(plan) for plan in scored}
    samples = autoencoders.scored_samples(results, NETWORKS)
    walks = _walks(results, scored, out)
    values = {
        "settings": settings(trained),
        "scores": metrics,
        "bits": autoencoders.bits(metrics),
        "samples": samples,
        "epochs": sorted({int(e) for found in metrics.values() for e in found["mean"].get("snapshots", {})}),
        "losses": {plan.run: _loss(results, plan, metrics.get(plan.run), out) for plan in trained},
        "hardly_nearer": autoencoders.hardly_nearer(results, reported, NETWORKS),
        "own": OWN,
        "walks": walks,
        "runs": {plan.run: _pictures(results, plan, metrics[plan.run], out) for plan in scored},
    }
    headlines = {f"vae.{run}.squared_error": found["mean"]["squared_error"] for run, found in metrics.items()}
    sources = {
        **{f"figures/vae/{plan.run}/loss.png": [plan] for plan in trained},
        **{f"figures/vae/{plan.run}/{name}.png": [plan] for plan in scored for name in ("epochs", "map")},
        **autoencoders.sources(scored),
        **({walks["path"]: walks["plans"]} if walks else {}),
    }
    return Content(values, headlines, _claims(results, reported, metrics.get(OWN, {}), samples), sources)


def _claims(results: Results, reported: Reported, own: dict[str, Any], samples: dict[str, Any]) -> list[Claim]:
    """Test C80 to C82, C86 and C87 on the runs that have finished."""
    trained = results.finished.get(("train_vae", OWN))
    length = [{"data": data(trained), **autoencoders.length(results, trained)}] if trained else []
    test = partial(assess, reported, facts=length)
    first = list(own["seeds"])[:1] if "latent_map" in own else []  # the seed whose latents are mapped
    errors = {
        seed: {"first": scores["snapshots"]["1"]["squared_error"], "last": scores["squared_error"]}
        for seed, scores in own.get("seeds", {}).items()
        if "1" in scores.get("snapshots", {})
    }
    curves = {
        plan.run: results.by_seed(plan, "train_loss")
        for plan in autoencoders.of(results, "train_vae", NETWORKS)
        if trained and data(plan) == data(trained)
    }
    maps = {seed: {"latent": own["latent_map"]["latent"], "tsne": own["latent_map"]["map"]} for seed in first}
    gan, sampled = (results.finished.get(run) for run in (("score_gan", GAN), ("score_samples", OWN)))
    made = results.metrics(gan) if gan else {"seeds": {}, "protocol": {}}
    scored, images = _scored(made, samples)
    both = per_seed({name: scored[name] for name in ("GAN", OWN)})
    complete = {name: at for name, at in scored.items() if both and both.keys() <= at.keys()}
    walked = {"VAE": samples.get(OWN, {"seeds": {}})["seeds"], "GAN": made["seeds"]}
    paths = per_seed({name: {seed: at["paths"] for seed, at in seeds.items()} for name, seeds in walked.items()})
    learned = [
        {"data": data(trained), COVERED: covered(results, Path(plan.inputs["features"]).name, distances)}
        for plan, kind, metrics in ((sampled, "samples", samples.get(OWN)), (gan, "final", made))
        if trained and plan and metrics
        for distances in [[at[kind]["frechet_distance"] for at in metrics["seeds"].values()]]
    ]
    return [
        test("C80", rules.early, errors),
        test("C81", rules.negative, per_seed({"curves": per_seed(curves)})),
        test("C82", rules.clusters, maps),
        assess(reported, "C86", rules.between, per_seed({"paths": paths}), learned),
        test("C87", rules.models, per_seed({
            "scores": per_seed(complete), "images": dict.fromkeys(both, images),
        })),
    ]  # fmt: skip


def _scored(made: dict[str, Any], samples: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Return scores by seed of the GAN and of the autoencoders that the same evaluator scores, and numbers of images.

    A Fréchet distance is the larger, the fewer images it is taken over: where the GAN's last generator was scored over
    as many images as the autoencoder, too, these scores count.
    """
    alike = {
        run: found
        for run, found in samples.items()
        if found["protocol"]["feature_network"] == made["protocol"].get("feature_network")
    }
    images = {run: found["protocol"]["images"] for run, found in alike.items()}
    fewer = made["protocol"].get("snapshot_images")
    as_many = fewer is not None and fewer == images.get(OWN)
    scored = {run: {seed: at["samples"] for seed, at in found["seeds"].items()} for run, found in alike.items()}
    scored.setdefault(OWN, {})
    scored["GAN"] = {
        seed: list(at["snapshots"].values())[-1] if as_many else at["final"] for seed, at in made["seeds"].items()
    }
    return scored, {"GAN": fewer if as_many else made["protocol"].get("images", 0), **images}


def _loss(results: Results, plan: Plan, metrics: dict[str, Any] | None, out: Path) -> str:
    """Plot the training loss and that on held-out images (F29); say what is shown.

    A loss is in nats where it is a likelihood, which has an ELBO.
    """
    held_out = "valid" if "valid_loss" in results.columns(plan) else "test"
    curves = [
        Curve("training", results.curve(plan, "train_loss"), style.line(0)),
        Curve(f"{held_out} split", results.curve(plan, f"{held_out}_loss"), style.line(1)),
    ]
    unit = NATS if metrics and "elbo" in metrics["mean"] else "per image; no likelihood"
    figures.curves(out / f"figures/vae/{plan.run}/loss.png", curves, f"loss ({unit})")
    return about([plan])


def _walks(results: Results, scored: Sequence[Plan], out: Path) -> dict[str, Any] | None:
    """Show interpolations by report 004's autoencoder and, below, by its GAN (F34); say what is shown."""
    found = [plan for plan in scored if plan.run == OWN]
    gan = results.finished.get(("score_gan", GAN))
    if not found:
        return None
    rows = [autoencoders.grey(results, found[0], "interpolation")]
    if gan and data(gan) == data(found[0]):
        rows.append(np.asarray(results.array(gan, "walk")))
    labels, path = ["VAE", "GAN"][: len(rows)], f"figures/vae/{OWN}/interpolation.png"
    figures.sheet(out / path, np.concatenate(rows), len(rows[0]), 2 * autoencoders.SCALE, labels=labels)
    plans = [*found, *([gan] if gan and len(rows) > 1 else [])]
    return {"path": path, "plans": plans, "steps": len(rows[0]) - 1, "data": data(found[0])}


def _pictures(results: Results, plan: Plan, metrics: dict[str, Any], out: Path) -> dict[str, Any]:
    """Show reconstructions over training (F30), the map (F31), and what all runs show."""
    folder = out / f"figures/vae/{plan.run}"
    if metrics["mean"].get("snapshots"):
        decoded = autoencoders.grey(results, plan, "snapshots")
        originals = autoencoders.grey(results, plan, "originals")[: decoded.shape[1]]
        rows = np.concatenate([originals, *decoded])
        labels = ["original", *(f"epoch {epoch}" for epoch in metrics["mean"]["snapshots"])]
        figures.sheet(folder / "epochs.png", rows, decoded.shape[1], autoencoders.SCALE, labels=labels)
    if "latent_map" in metrics:
        _map(results, plan, folder / "map.png")
    return autoencoders.decoded(results, plan, out)


def _map(results: Results, plan: Plan, path: Path) -> None:
    points, labels = results.array(plan, "map"), np.asarray(results.array(plan, "map_labels"))
    card = results.card(plan)
    names = (card or {}).get("classes") or [str(label) for label in range(labels.max() + 1)]
    tab10 = colormaps["tab10"]
    with style.chart(path, width=6.4, height=5.2) as axes:
        for label in np.unique(labels):
            colour = tab10(int(label) % 10)  # ten hues: more than the palette of the charts has
            chosen = points[labels == label]
            size = 9 if len(points) < 2000 else 2
            axes.scatter(chosen[:, 0], chosen[:, 1], s=size, color=colour, linewidths=0, label=names[label])
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xlabel="first map dimension", ylabel="second map dimension")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)


CHAPTER = Chapter("mlp_vae", {**autoencoders.READS, "score_gan": ("metrics.json", "walk.npy")}, ("I",), write)

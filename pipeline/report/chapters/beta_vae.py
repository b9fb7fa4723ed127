"""The convolutional autoencoders: plain ones of three sizes, variational ones, the weight of KL and its schedule."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.report import autoencoders, figures
from pipeline.report.autoencoders import NATS, about, lines
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, short
from pipeline.report.figures import Picture
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.verdicts import beta_vae as rules
from pipeline.runtime.plan import Plan

NETWORKS = ("conv32",)
SIZES = {16: "ae_16", 128: "ae_128", 1024: "ae_1024"}  # the runs that claims compare, as in reported.yaml
BETAS = {0.8: "beta_0_8", 1.0: "beta_1", 1.2: "beta_1_2"}
STEPS = 20 * -(-50_000 // 256)  # of the report's training
TABLE = {
    "beta 0.8": "003-beta-0.8",
    "beta 1": "003-vae",
    "beta 1.2": "003-beta-1.2",
    "linear beta": "003-linear-beta",
}
"""Columns of report 003's two tables, and how its rows in reported.yaml begin."""


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of these networks, each data set by itself."""
    trained, scored = (autoencoders.of(results, stage, NETWORKS) for stage in ("train_vae", "likelihood"))
    metrics = {step.run: results.metrics(step) for step in scored}
    judged = autoencoders.judged(results, NETWORKS)
    sets = dict.fromkeys(map(autoencoders.data, trained))
    values = {
        "settings": autoencoders.settings(trained),
        "scores": metrics,
        "judged": judged,
        "table": [_row(results, reported, name, row) for name, row in TABLE.items()],
        "charts": [
            picture
            for name in sets
            for picture in _charts(results, name, [step for step in trained if autoencoders.data(step) == name], out)
        ],
        "pictures": [
            picture
            for step in scored
            for picture in autoencoders.pictures(results, step, out, _item(results.settings(step)))
        ],
    }
    headlines: dict[str, float] = {}
    for run, found in metrics.items():
        headlines |= {
            f"vae.{run}.{key}": found["mean"][key] for key in ("reconstruction", "kl") if key in found["mean"]
        }
    return Content(values, headlines, _claims(results, trained, metrics, judged))


def _claims(results: Results, trained: Sequence[Plan], metrics: dict[str, Any], judged: dict[str, Any]) -> list[Claim]:
    """Test C70 to C76 on the runs that have finished."""
    limit = short(min(autoencoders.steps(results, step) for step in trained), STEPS) if trained else ""
    name = next(iter(map(autoencoders.data, trained)), "")
    path = f"figures/vae/{{}}_{name}.png"

    def scores(run: str, where: dict[str, Any] = metrics) -> dict[str, Any]:
        seeds: dict[str, Any] = where[run]["seeds"] if run in where else {}
        return seeds

    def of(run: str, *keys: str, where: dict[str, Any] = metrics) -> dict[str, Any]:
        """Return one entry of the scores of a run by seed, where it was measured."""
        found = scores(run, where)
        for key in keys:
            found = {seed: at[key] for seed, at in found.items() if key in at}
        return found

    samples = {beta: of(run, "samples", where=judged) for beta, run in BETAS.items()}
    wide = SIZES[1024]
    plain, variational = (of(run, "samples", "frechet_distance", where=judged) for run in (wide, BETAS[1.0]))
    return [
        rules.sizes({size: of(run, "reconstruction") for size, run in SIZES.items()},
                    path.format("ae_reconstruction"), limit),
        rules.weights({beta: scores(run) for beta, run in BETAS.items()}, path.format("beta_reconstruction"), limit),
        rules.sharper(samples, f"figures/vae/{BETAS[0.8]}/samples.png", limit),
        rules.weightless(of(wide, "reconstruction"), of("beta_0_mean", "reconstruction"),
                         of("beta_0", "reconstruction"), path.format("zero_reconstruction"), limit),
        rules.schedule(scores(BETAS[1.0]), scores("beta_linear"), path.format("linear_reconstruction"), limit),
        rules.unsampled(plain, variational, f"figures/vae/{wide}/samples.png", limit),
        rules.units({beta: of(run, "active_units", "kl") for beta, run in BETAS.items()},
                    path.format("beta_kl"), limit),
    ]  # fmt: skip


def _row(results: Results, reported: Reported, name: str, row: str) -> dict[str, Any]:
    rows = {term: reported.row(f"{row}-{term}") for term in ("reconstruction", "kl")}
    return {"name": name, **{key: (line.value, results.find(line.ours)) for key, line in rows.items()}}


def _item(settings: dict[str, Any]) -> str:
    """Return the figure of report 003 that shows reconstructions and samples of such a run, nothing if none does."""
    if settings["posterior"] == "deterministic":
        return "F25"
    if settings["beta_schedule"] == "linear":
        return "F28"
    return {1.0: "F26", 0.0: ""}.get(settings["beta"], "F27")


def _charts(results: Results, data: str, steps: Sequence[Plan], out: Path) -> list[Picture]:
    """Draw the learning curves of the runs on one data set, grouped as report 003 groups them."""
    plain = [step for step in steps if step.settings["posterior"] == "deterministic"]
    drawn = [step for step in steps if step.settings["posterior"] == "gaussian"]
    fixed = [step for step in drawn if step.settings["beta_schedule"] == "constant" and step.settings["beta"]]
    linear = [step for step in drawn if step.settings["beta_schedule"] == "linear"]
    one = [step for step in fixed if step.settings["beta"] == 1]
    none = [step for step in steps if step.settings["beta"] == 0]
    widest = [step for step in plain if none and step.settings["latent"] == none[0].settings["latent"]]
    term = "squared error, sum over pixels in [-1, 1]"
    charts = [
        ("F25", "ae_reconstruction", plain, "test_reconstruction", term, "autoencoders of several latent sizes"),
        ("F26 and F27", "beta_reconstruction", fixed, "test_reconstruction", term, "constant weights of KL"),
        ("F26 and F27", "beta_kl", fixed, "test_kl", f"KL ({NATS})", "constant weights of KL"),
        ("F28", "linear_reconstruction", [*one, *linear] if linear else [], "test_reconstruction", term,
         "a weight of KL that rises from 0, beside a constant one"),
        ("F28", "linear_kl", [*one, *linear] if linear else [], "test_kl", f"KL ({NATS})",
         "a weight of KL that rises from 0, beside a constant one"),
        ("beta = 0", "zero_reconstruction", [*none, *widest] if none else [], "test_reconstruction", term,
         "no weight on KL, with a drawn code and with the mean as code, beside the autoencoder of the same size"),
    ]  # fmt: skip
    pictures = []
    for title, name, shown, column, label, what in charts:
        if shown:
            path = f"figures/vae/{name}_{data}.png"
            log = name == "linear_kl"
            figures.curves(out / path, lines(results, shown, column), label, log=log)
            caption = (
                f"{title} ({data}): {what}; {label}{', logarithmic scale' if log else ''}. Mean over the images of the"
                f" test split after each epoch, z drawn where there is a posterior. {about(shown)}"
            )
            pictures.append(Picture(path, title, caption))
    return pictures


CHAPTER = Chapter("beta_vae.md.j2", autoencoders.READS, ("H",), write)

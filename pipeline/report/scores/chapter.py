"""What scores mean, beside those of images that everybody knows, and which of the runs differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.compare.render import interval, notes, number
from pipeline.compare.scored import Group
from pipeline.compare.tables import METHOD
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import three
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.scores.compared import compare
from pipeline.runtime.plan import Plan

DAMAGE = {
    "blurred": "the same, blurred over 3x3 pixels",
    "tenth_noise": "the same, every tenth replaced by noise",
    "class_missing": "the same, without the first class",
}
"""What `pipeline.features.damage` does to real images, in words."""
STAGES = (
    "score_real", "score_theirs", "score_gan", "score_samples", "likelihood", "score_flow", "score_simsiam",
)  # fmt: skip
GENERATED = {"score_gan": ("final", "GAN"), "score_samples": ("samples", "autoencoder")}
"""Stages that score generated images: place of the scores among the numbers of a seed, and what generates."""
TITLES = {
    "score_gan": "GANs", "likelihood": "Likelihood of autoencoders", "score_samples": "Images of autoencoders",
    "score_flow": "Planar flows", "score_simsiam": "SimSiam",
}  # fmt: skip
"""Groups of runs that are compared, by the stage that measures them."""


@dataclass(frozen=True)
class Scores:
    """A row of a table of scores.

    Args:
        of: What was scored.
        images: How many.
        mean: The scores; means over seeds.
        spread: Their standard deviations over seeds, `None` for a single seed; empty for what has no seeds.
        seeds: Number of seeds; 0 for what has none.
    """

    of: str
    images: int
    mean: dict[str, Any]
    spread: dict[str, Any]
    seeds: int = 0

    def cell(self, score: str) -> str:
        """Return one score as a table's cell shows it."""
        deviation = self.spread.get(score)
        return three(self.mean[score]) + (f" ± {three(deviation)}" if deviation is not None else "")


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show all scores by evaluator, and compare the runs."""
    known = {plan.run: results.metrics(plan) for plan in results.plans("score_real")}
    theirs = {plan.run: results.metrics(plan) for plan in results.plans("score_theirs")}
    compared = compare(results)
    values = {
        "evaluators": {
            name: {
                "protocol": metrics["protocol"],
                "balls": _balls(metrics),
                "accuracy": metrics.get("accuracy", {}),
                "real": list(_real(metrics)),
                "generated": sorted(_generated(results, name), key=lambda row: row.mean["frechet_distance"]),
                "moved": _moved(metrics),
            }
            for name, metrics in known.items()
        },
        "balls": list(dict.fromkeys(_balls(metrics) for metrics in known.values())),
        "theirs": theirs,
        "compared": [(_title(each.group), each) for each in compared.groups],
        "single": [(_title(group), list(group.members)) for group in compared.single],
        "told_apart": compared.told_apart,
        "method": " ".join(METHOD.split()),
        "notes": notes,
        "number": number,
        "interval": interval,
    }
    return Content(values, {})


def _balls(metrics: dict[str, Any]) -> str:
    """Return how an evaluator measures precision, recall, density and coverage."""
    protocol = metrics["protocol"]
    return (
        f"Precision and recall: {protocol['precision_recall']}; density and coverage: {protocol['density_coverage']}."
    )


def _real(metrics: dict[str, Any]) -> Iterator[Scores]:
    if "floor" in metrics:
        floor = metrics["floor"]
        yield Scores(f"real images ({floor['source']})", floor["images"], floor, {})
    for kind, scores in metrics.get("damaged", {}).items():
        yield Scores(DAMAGE[kind], scores["images"], scores, {})
    noise = metrics["noise"]
    yield Scores(noise["source"], noise["images"], noise, {})


def _generated(results: Results, evaluator: str) -> Iterator[Scores]:
    """Yield the scores of all generated images that one evaluator has scored."""
    for stage, (place, kind) in GENERATED.items():
        for plan in _by(results, stage, evaluator):
            metrics = results.metrics(plan)
            mean, spread, images = metrics["mean"][place], metrics["spread"][place], metrics["protocol"]["images"]
            yield Scores(f"{kind} {plan.run}", images, mean, spread, len(metrics["seeds"]))
    for plan in _by(results, "score_theirs", evaluator):
        samples = results.metrics(plan)["samples"]
        yield Scores(f"theirs: {plan.run}", samples["images"], samples, {})


def _by(results: Results, stage: str, evaluator: str) -> list[Plan]:
    return [plan for plan in results.plans(stage) if Path(plan.inputs["features"]).name == evaluator]


def _title(group: Group) -> str:
    data = next(iter(group.members.values())).protocol.get("data")
    return TITLES[group.stage] + (f" on {data}" if data else "")


def _moved(metrics: dict[str, Any]) -> dict[str, float]:
    """Return by how much each damage moves the Fréchet distance of real images."""
    floor = metrics.get("floor", {}).get("frechet_distance", 0.0)
    return {kind: each["frechet_distance"] - floor for kind, each in metrics.get("damaged", {}).items()}


CHAPTER = Chapter("scores", dict.fromkeys(STAGES, ("metrics.json",)), (), write)

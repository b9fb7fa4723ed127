"""Whether every score gets the images and classes that it needs: what no section of params.yaml knows by itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.config.data import SCHEMAS, Labelled
from pipeline.data.registry import EMBEDDED, OFFICIAL
from pipeline.features.settings import Scoring
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import build

COUNTED = {
    "features": ("features", ("samples",)),
    "score_gan": ("gan", ("samples", "final_samples")),
    "score_samples": ("samples", ("count",)),
}
"""Stages that score images by an evaluator: their sections, and the hyperparameters that say how many images."""


def check(plans: Sequence[Plan], params: Mapping[str, Any]) -> list[str]:
    """Return a sentence for every hyperparameter that asks for images or classes which there are not.

    What a family's top level says is named once, whatever number of runs inherit it.

    Args:
        plans: All plans.
        params: What they were expanded from.
    """
    evaluators = {plan.run: build(Scoring, plan.settings["scoring"]) for plan in plans if plan.stage == "features"}
    sentences = [
        sentence for plan in plans if plan.stage in COUNTED for sentence in _sentences(plan, evaluators, params)
    ]
    sets = {plan.output: plan for plan in plans if plan.stage == "data"}
    more = [*_unmappable(plans, sets, params), *_without_class(plans, sets)]
    return list(dict.fromkeys([*sentences, *more]))


def _without_class(plans: Sequence[Plan], sets: Mapping[str, Plan]) -> Iterator[str]:
    """Yield a sentence for every evaluator whose reference asks for classes that a set of the registry lacks."""
    for plan in plans:
        data = sets.get(plan.inputs.get("data", ""))
        if plan.stage == "features" and data and (wanted := plan.settings["reference_classes"]):
            place = f"features.runs.{plan.run}.reference_classes"
            origin = {**OFFICIAL, **EMBEDDED}.get(data.settings["source"])
            known = data.settings["classes"] or (origin.classes if origin else ())  # others stand in their files
            if not _labelled(data):
                yield f"{place}: {data.run} has no labels"
            elif known and (missing := [name for name in wanted if name not in known]):
                yield f"{place}: {data.run} has no class {', '.join(missing)}; it has {', '.join(known)}"


def _labelled(data: Plan) -> bool:
    """Return whether a data set may have labels."""
    return issubclass(SCHEMAS[data.settings["source"]], Labelled)


def _unmappable(plans: Sequence[Plan], sets: Mapping[str, Plan], params: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for every t-SNE map of a set that is known to have no labels or one class."""
    for plan in plans:
        if plan.stage == "likelihood" and plan.settings["tsne"] and (data := sets.get(plan.inputs["data"])):
            chosen = data.settings["classes"]
            if not _labelled(data) or (chosen and len(chosen) == 1):
                found = "one class" if _labelled(data) else "no labels"
                place = f"vae.runs.{plan.run}.tsne" if "tsne" in params["vae"]["runs"][plan.run] else "vae.tsne"
                yield f"{place}: true, but a map needs several classes, and {data.run} has {found}"


def passed_on(plans: Sequence[Plan]) -> list[Plan]:
    """Tell the stages that first see a user's own images which autoencoders make a t-SNE map of them.

    Whether such images suffice for a map shows before anything is trained on them, not after.
    """
    maps: dict[str, list[str]] = {}
    for plan in plans:
        if plan.stage == "likelihood" and plan.settings["tsne"]:
            maps.setdefault(plan.inputs["data"], []).append(f"vae.runs.{plan.run}")
    return [
        _mapped(plan, maps[plan.output]) if plan.output in maps and plan.settings["own"] else plan for plan in plans
    ]


def _mapped(plan: Plan, runs: list[str]) -> Plan:
    return replace(plan, settings={**plan.settings, "own": {**plan.settings["own"], "mapped": runs}})


def _sentences(plan: Plan, evaluators: Mapping[str, Scoring], params: Mapping[str, Any]) -> Iterator[str]:
    section, keys = COUNTED[plan.stage]
    evaluator = plan.run if plan.stage == "features" else plan.inputs["features"].rpartition("/")[2]
    least, reason = evaluators[evaluator].least
    counts = {key: plan.settings[key] for key in keys}
    for key, count in counts.items():
        inherited = params[section].get(key) == count and key not in params[section]["runs"][plan.run]
        place = f"{section}.{key}" if inherited else f"{section}.runs.{plan.run}.{key}"
        if count < least:
            yield f"{place}: {count:,} images; the evaluator {evaluator} needs at least {least:,} (features.{reason})"
        elif key == "final_samples" and count < counts["samples"]:
            yield f"{place}: {count:,} images; at least the {counts['samples']:,} of samples are needed"

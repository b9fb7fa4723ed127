"""Runs with their scores, each with all that it was computed with, and which of them can be compared."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from pipeline.compare.metrics import flat as flat_numbers
from pipeline.runtime import lineage
from pipeline.runtime.plan import Plan

SAME = ("data", "split", "feature_network", "reference", "likelihood")
"""Entries of a protocol without which two scores of different runs are of different things."""

ABSENT = "-"


class Computed(Protocol):
    """What was computed in one state of the repository; `pipeline.compare.revisions.Revision` asks DVC for it."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def plans(self) -> dict[str, Plan]:
        """The plan of each stage, by its address."""

    @property
    def stale(self) -> Callable[[str], str]:
        """Of the address of a stage: why its outputs do not belong to the rest; nothing if they do."""

    def output(self, stage: str) -> str:
        """Return what tells the output of a stage from any other one."""

    def metrics(self, plan: Plan) -> dict[str, Any] | None:
        """Return `metrics.json` of a stage, `None` if it writes none or it is not there."""

    def array(self, plan: Plan, name: str) -> NDArray[Any] | None:
        """Return `<name>.npy` of a stage, `None` if it writes none or it is not there."""

    def sources(self, plan: Plan) -> dict[str, str]:
        """Return the checksums of the modules and the versions of the packages that a stage ran with."""


@dataclass(frozen=True)
class ScoredRun:
    """The scores of one run in one revision.

    Args:
        revision: Name of the revision.
        plan: Plan of the stage that scored it.
        output: Checksum of what that stage wrote.
        protocol: What was measured, and how.
        values: Each number by seed; those that are not finite are left out.
        settings: All hyperparameters that it depends on, those of its training and its data included.
        sources: Checksums of modules and versions of packages, of the same stages.
        images: Values per image, `(n,)`, by the name of the number that is their mean, and by seed.
        lost: Sentences about what was left out.
    """

    revision: str
    plan: Plan
    output: str
    protocol: dict[str, Any]
    values: dict[str, dict[str, float]]
    settings: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    images: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Runs that are compared with each other.

    Args:
        title: What they are.
        members: By the label of each.
        notes: What has to be said of them.
    """

    title: str
    members: dict[str, ScoredRun]
    notes: list[str] = field(default_factory=list)

    @property
    def stage(self) -> str:
        return next(iter(self.members.values())).plan.stage

    def differing(self, what: str) -> dict[str, list[Any]]:
        """Return what is not the same for all members, as a value per member.

        Args:
            what: `settings`, `sources` or `protocol`.
        """
        all_of = [getattr(member, what) for member in self.members.values()]
        names = dict.fromkeys(name for each in all_of for name in each)
        columns = {name: [each.get(name, ABSENT) for each in all_of] for name in names}
        return {name: values for name, values in columns.items() if any(value != values[0] for value in values)}


def find(revision: Computed) -> tuple[dict[str, ScoredRun], dict[str, str]]:
    """Return the scored runs of a revision by address, `score_gan@main`, and why others were left out."""
    found: dict[str, ScoredRun] = {}
    left_out: dict[str, str] = {}
    for address, plan in revision.plans.items():
        metrics = revision.metrics(plan) if plan.output.startswith("scores/") else None
        if metrics is None or "seeds" not in metrics:
            continue
        if why := revision.stale(address):
            left_out[address] = f"its scores are stale: {why}"
            continue
        values, lost = _values(metrics["seeds"])
        plans = revision.plans.values()
        before = lineage.upstream(plan, plans)
        sources = {name: version for each in (plan, *before) for name, version in revision.sources(each).items()}
        protocol, images = metrics["protocol"], _images(revision, plan, metrics["seeds"])
        settings = lineage.hyperparameters(plan, plans)
        output = revision.output(address)
        found[address] = ScoredRun(
            revision.name, plan, output, protocol, values, settings, sources, images, tuple(lost)
        )
    return found, left_out


def _values(seeds: Mapping[str, Any]) -> tuple[dict[str, dict[str, float]], list[str]]:
    values: dict[str, dict[str, float]] = {}
    lost = []
    for seed, tree in seeds.items():
        numbers = flat_numbers(tree)
        values |= {name: {**values.get(name, {}), seed: n} for name, n in numbers.items() if math.isfinite(n)}
        lost += [f"{name} of seed {seed} is {n}" for name, n in numbers.items() if not math.isfinite(n)]
    return values, lost


def _images(revision: Computed, plan: Plan, seeds: Mapping[str, Any]) -> dict[str, dict[str, NDArray[Any]]]:
    """Return log p(x) of each image, from the most samples, where the stage has stored it."""
    samples = [int(count) for tree in seeds.values() for count in tree.get("log_likelihood", {})]
    stored = revision.array(plan, "log_likelihood") if samples else None
    name = f"log_likelihood.{max(samples, default=0)}.value"
    return {} if stored is None else {name: dict(zip(seeds, stored, strict=True))}


def groups(revisions: Sequence[Computed], runs: Sequence[str] = ()) -> list[Group]:
    """Return what to compare: one run in several revisions, or several runs of the same data in one or more.

    Args:
        revisions: The revisions.
        runs: Runs to compare with each other; without any, all of a single revision, and of several each by itself,
            where not all have the same scores.
    """
    found = {revision.name: find(revision) for revision in revisions}
    across = bool(runs) or len(revisions) == 1
    stale = [set(left_out) for _, left_out in found.values()]
    nowhere = set() if across else set.intersection(*stale)  # left out of all revisions: said once
    members: dict[tuple[str, ...], dict[str, ScoredRun]] = {}
    notes: dict[tuple[str, ...], list[str]] = {}
    for name, (scored, left_out) in found.items():
        for address, each in scored.items():
            if not runs or each.plan.run in runs:
                measured = tuple(str(each.protocol.get(key, "")) for key in SAME)
                key = (each.plan.stage, *measured) if across else (address,)
                members.setdefault(key, {})[_label(name, each.plan.run, len(revisions), across)] = each
        for address, why in left_out.items():
            stage, _, run = address.partition("@")
            if address not in nowhere and (not runs or run in runs):
                key = (stage,) if across else (address,)
                notes.setdefault(key, []).append(f"{_label(name, run, len(revisions), across)} is left out: {why}.")
    made = []
    for key, compared in members.items():
        if len({each.output for each in compared.values()}) > 1:
            said = notes.get(key[:1], [])
            if not across:
                said += [f"{name} is left out: {key[0]} has not run there." for name in _lacking(found, key[0])]
            made.append(Group(_title(key, compared), compared, said))
    shown = {group.stage if across else group.title for group in made}
    alone = [note for key, said in notes.items() if key[0] not in shown for note in said]
    if nowhere:
        alone.append(f"The scores of {', '.join(sorted(nowhere))} are stale in all of them.")
    return made + ([Group("", {}, alone)] if alone else [])


def _label(revision: str, run: str, revisions: int, across: bool) -> str:
    if not across:
        return revision
    return run if revisions == 1 else f"{revision}: {run}"


def _lacking(found: Mapping[str, tuple[dict[str, ScoredRun], dict[str, str]]], address: str) -> list[str]:
    return [name for name, (scored, left_out) in found.items() if address not in scored and address not in left_out]


def _title(key: tuple[str, ...], members: Mapping[str, ScoredRun]) -> str:
    first = next(iter(members.values()))
    on = first.protocol.get("data") or "no data set"
    return key[0] if len(key) == 1 else f"{key[0]} on {on}"

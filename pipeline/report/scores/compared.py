"""The runs of the report compared as `python -m pipeline.compare` compares them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from pipeline.compare import render, scored
from pipeline.compare.render import Compared
from pipeline.compare.scored import Group, ScoredRun
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan


@dataclass(frozen=True)
class ShownRuns:
    """What lies in the checkout that the report is of; DVC has made sure that nothing of it is stale."""

    results: Results
    name: str = "workspace"

    @property
    def plans(self) -> dict[str, Plan]:
        return {plan.address: plan for plan in self.results.planned}

    @property
    def stale(self) -> Callable[[str], str]:
        return lambda stage: ""

    def output(self, stage: str) -> str:
        return self.plans[stage].output

    def metrics(self, plan: Plan) -> dict[str, Any] | None:
        return self.results.metrics(plan) if (plan.stage, plan.run) in self.results.finished else None

    def array(self, plan: Plan, name: str) -> NDArray[Any] | None:
        file = self.results.folder(plan) / f"{name}.npy"
        return self.results.array(plan, name) if file.is_file() else None

    def sources(self, plan: Plan) -> dict[str, str]:
        return {}  # runs of one checkout have the same


@dataclass(frozen=True)
class Comparisons:
    """Which runs are compared, and which are only named.

    Args:
        groups: Runs of several seeds, with their rankings.
        single: Groups of runs that have one seed each.
    """

    groups: list[Compared]
    single: list[Group]

    @property
    def told_apart(self) -> tuple[int, int]:
        """How many pairs of runs are told apart by a score, and how many pairs there are, each score counted."""
        pairs = [pair for each in self.groups for ranking in each.rankings for pair in ranking.pairs]
        return sum(pair.told_apart for pair in pairs), len(pairs)


def compare(results: Results) -> Comparisons:
    """Compare all finished runs that are scored alike; a run with one seed has no part in it."""
    groups, single = [], []
    for group in scored.groups([ShownRuns(results)]):
        several = {label: run for label, run in group.members.items() if _seeds(run) > 1}
        alone = {label: run for label, run in group.members.items() if label not in several}
        if len(several) > 1:
            groups.append(render.compared(replace(group, members=several)))
        if alone:
            single.append(replace(group, members=alone))
    return Comparisons([each for each in groups if each.rankings], single)


def _seeds(run: ScoredRun) -> int:
    return max(map(len, run.values.values()), default=0)

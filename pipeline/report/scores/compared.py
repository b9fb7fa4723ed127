"""The runs of the report compared as `python -m pipeline.compare` compares them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pipeline.compare import render, scored
from pipeline.compare.render import Compared
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


def compare(results: Results) -> list[Compared]:
    """Return the rankings of all finished runs that can be compared with each other."""
    found = [render.compared(group) for group in scored.groups([ShownRuns(results)])]
    return [each for each in found if each.rankings]

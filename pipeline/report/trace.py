"""Where a figure or table comes from, in a small line under each, after the margin links of showyourwork."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.report.index import FIGURE
from pipeline.report.results import Results
from pipeline.runtime.plan import Plan

MEASURED = ("metrics.json", "history.csv", "card.json")  # files that hold what a stage has measured, by its kind
NAMED = 3  # runs of one stage whose files a line links; of more it links the folders
SELF = "dvc repro report"


class Trace:
    """Writes the lines of one report.

    Args:
        results: What is planned and finished.
        up: Path from the folder of the report to the root of the checkout.
    """

    def __init__(self, results: Results, up: str) -> None:
        self._results, self._up = results, up

    def __call__(self, stages: Mapping[str, Iterable[str]]) -> str:
        """Return the line of a table, by the runs that it shows of each stage."""
        found = [
            plan for stage, runs in stages.items() for run in runs if (plan := self._results.finished.get((stage, run)))
        ]
        return self.line(found)

    def figures(self, text: str, sources: Mapping[str, Sequence[Plan]]) -> str:
        """Put its line under the caption of each figure of a report in Markdown, by the plans that it shows."""
        return FIGURE.sub(lambda found: f"{found[0]}\n\n{self.line(sources[found['path']])}", text)

    def line(self, plans: Iterable[Plan]) -> str:
        """Return the line of what shows these plans; without any it is computed as the report is written."""
        stages: dict[str, list[Plan]] = {}
        for plan in plans:
            if plan not in (group := stages.setdefault(plan.stage, [])):
                group.append(plan)
        parts = [self._part(stage, group) for stage, group in stages.items()] or [f"`{SELF}`"]
        return f"<sub>Source: {'; '.join(parts)}</sub>"

    def _part(self, stage: str, plans: list[Plan]) -> str:
        every = len(plans) > NAMED and len(plans) == len(self._results.plans(stage))
        command = f"`dvc repro {' '.join([stage] if every else [plan.address for plan in plans])}`"
        if len(plans) > NAMED:
            folders = self._link("plans", plans[0].path.parent), self._link("measured", Path(plans[0].output).parent)
            return f"{command} ({', '.join(folders)})"
        names = [f"{plan.run}: " * (len(plans) > 1) for plan in plans]
        return f"{command} ({'; '.join(name + self._links(plan) for name, plan in zip(names, plans, strict=True))})"

    def _links(self, plan: Plan) -> str:
        there = [name for name in MEASURED if (self._results.folder(plan) / name).is_file()]
        measured = [self._link(Path(name).stem, Path(plan.output) / name) for name in there[:1]]
        return ", ".join([self._link("plan", plan.path), *measured])

    def _link(self, word: str, path: Path) -> str:
        return f"[{word}]({self._up}/{path.as_posix()})"

"""What the pipeline has measured: outputs of finished plans, read from the files that their stages wrote."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from pipeline.report.origin import outdated
from pipeline.report.reported import Found, Place, Value
from pipeline.runtime import history
from pipeline.runtime.plan import Plan, read_all
from pipeline.runtime.settings import flat

APART = ("data", "features", "score_real")
"""Stages whose settings describe no run that is compared: a data set, and an evaluator."""
REDRAWN = ("random", "rendered", "seeded")
"""Words in a card's description of the split that tell that chance has a part in which images are trained on."""


class Results:
    """The finished part of what is planned; settings have the names that they have in params.yaml.

    Args:
        root: Root of the checkout.
        reads: Files that the report reads from the output of each stage, by stage.

    Attributes:
        planned: Every plan.
        finished: Plan of each stage and run, where all files that the report reads are there.
        missing: Plans whose output, or a file in it, is not there, or was made by another plan.
    """

    def __init__(self, root: Path, reads: Mapping[str, Sequence[str]]) -> None:
        self.root = root
        self.planned = [replace(plan, settings=flat(plan.settings)) for plan in read_all(root)]
        wanted = [plan for plan in self.planned if plan.stage in reads]
        old = outdated(root, self.planned)
        done = [
            plan.output not in old and all((self.folder(plan) / name).is_file() for name in reads[plan.stage])
            for plan in wanted
        ]
        self.finished = {(plan.stage, plan.run): plan for plan, there in zip(wanted, done, strict=True) if there}
        self.missing = [plan for plan, there in zip(wanted, done, strict=True) if not there]
        self._history = cache(self._read_history)
        self._by_seed = cache(self._pivoted)

    def folder(self, plan: Plan) -> Path:
        """Return the folder that the stage of a plan writes."""
        return self.root / plan.output

    def plans(self, stage: str) -> list[Plan]:
        """Return the finished plans of `stage`, in the order of their names."""
        return [plan for (name, _), plan in self.finished.items() if name == stage]

    def metrics(self, plan: Plan) -> dict[str, Any]:
        """Return `metrics.json` of a finished plan."""
        metrics: dict[str, Any] = json.loads((self.folder(plan) / "metrics.json").read_text())
        return metrics

    def array(self, plan: Plan, name: str) -> np.ndarray:
        """Return `<name>.npy` of a finished plan, mapped into memory."""
        array: np.ndarray = np.load(self.folder(plan) / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array

    def curve(self, plan: Plan, column: str) -> pd.DataFrame:
        """Return one column of `history.csv`: a row per epoch or step, a column per seed."""
        return cast(pd.DataFrame, self._by_seed(self.folder(plan))[column])

    def by_seed(self, plan: Plan, column: str) -> dict[str, list[float]]:
        """Return one column of `history.csv` by seed, nothing where the run does not measure it."""
        if column not in self.columns(plan):
            return {}
        return {str(seed): curve.tolist() for seed, curve in self.curve(plan, column).items()}

    def curves(self) -> dict[str, pd.DataFrame]:
        """Return the curves of each family for `dvc plots`: a row per run and epoch or step, means over seeds."""
        families: dict[str, list[pd.DataFrame]] = {}
        for plan in self.finished.values():
            if (self.folder(plan) / "history.csv").is_file():
                rows = self._history(self.folder(plan))
                means = rows.drop(columns="seed").groupby(_counter(rows), as_index=False).mean()
                families.setdefault(Path(plan.output).parent.name, []).append(means.assign(run=plan.run))
        return {family: pd.concat(frames) for family, frames in families.items()}

    def columns(self, plan: Plan) -> list[str]:
        """Return the names of the columns of `history.csv`."""
        return [str(name) for name in self._history(self.folder(plan)).columns]

    def card(self, plan: Plan) -> dict[str, Any] | None:
        """Return the card of the data set that a stage reads, `None` if that set is not there."""
        path = self.root / plan.inputs.get("data", "") / "card.json"
        return json.loads(path.read_text()) if path.is_file() else None

    def settings(self, plan: Plan) -> dict[str, Any]:
        """Return the settings of a plan and of those whose outputs its stage reads."""
        upstream = [
            other for other in self.planned if other.output in plan.inputs.values() and other.stage not in APART
        ]
        merged: dict[str, Any] = {}
        for own in [*map(self.settings, upstream), plan.settings]:
            merged |= own
        return merged

    def find(self, ours: Place | None) -> Found | None:
        """Return our number, or `None` if the run is not planned, not finished or does not measure it."""
        if ours is not None and ours.where:
            return self._of_several(ours)
        plan = self.finished.get((ours.stage, ours.run)) if ours else None
        if ours is None or plan is None:
            return None
        facts = self.facts(plan)
        spread: float | list[float] | None = None
        count = 0
        if ours.setting is not None:
            value = _at(facts, ours.setting)
        elif ours.card is not None:
            value = (self.card(plan) or {}).get(ours.card)
        elif ours.metric is not None:
            metrics = self.metrics(plan)
            facts |= metrics["protocol"]
            value = _at(metrics, ours.metric)
            if ours.metric.startswith("mean."):
                spread, count = _at(metrics, ours.metric.replace("mean.", "spread.", 1)), len(metrics["seeds"])
        elif ours.curve not in self.columns(plan):
            return None
        else:
            curve = self.curve(plan, str(ours.curve))
            facts |= self._split(plan, str(ours.curve))
            value, count = curve.mean(axis=1).tolist(), curve.shape[1]
            spread = _spread([_reduced(curve[seed].tolist(), ours) for seed in curve])
        if value is None:
            return None
        if ours.times:
            value *= facts[ours.times]
            spread = spread * facts[ours.times] if isinstance(spread, float) else spread
        if ours.reduce == "epochs":
            per_epoch = (self.card(plan) or {})["counts"]["train"] // facts["batch"]
            value = [count / per_epoch for count in value]
        return Found(_reduced(value, ours), facts, spread, count)

    def facts(self, plan: Plan) -> dict[str, Any]:
        """Return what is known of a run that a report's number may depend on: settings, data, number of images."""
        known = self.settings(plan)
        if "data" in plan.inputs:
            known["data"] = data(plan)
            if card := self.card(plan):
                known["training images"] = card["counts"]["train"]
                redrawn = any(word in card["split"] for word in REDRAWN)
                known["sample of the data"] = "drawn anew" if redrawn else "as published"
        elif "densities" in known:
            known["sample of the data"] = "drawn anew"
        return known

    def _of_several(self, ours: Place) -> Found | None:
        """Return one setting of all finished runs that have those of `ours.where`."""
        plans = [plan for plan in self.plans(ours.stage) if ours.where.items() <= self.settings(plan).items()]
        values = sorted({_at(self.settings(plan), str(ours.setting)) for plan in plans})
        return Found(values, self.facts(plans[0])) if plans else None

    def _split(self, plan: Plan, column: str) -> dict[str, Any]:
        """Return the split that a column named `<split>_<metric>` was measured on, and its number of images."""
        split = column.split("_")[0]
        counts = (self.card(plan) or {}).get("counts", {})
        return {"split": split, "images": counts[split]} if split in counts else {}

    def _pivoted(self, folder: Path) -> pd.DataFrame:
        rows = self._history(folder)
        return rows.pivot(index=_counter(rows), columns="seed")

    @staticmethod
    def _read_history(folder: Path) -> pd.DataFrame:
        return pd.DataFrame(history.read(folder / "history.csv"))


def data(plan: Plan) -> str:
    """Return the name of the data set that a stage reads."""
    return Path(plan.inputs["data"]).name


def settings(plans: Sequence[Plan]) -> dict[str, dict[str, Any]]:
    """Return the settings of each training, its data set among them, by run."""
    return {plan.run: {"data": data(plan), **plan.settings} for plan in plans}


def about(plans: Sequence[Plan]) -> str:
    """Say what a picture of several trainings shows: data sets, seeds, and what the band means."""
    seeds = sorted({seed for plan in plans for seed in plan.settings["seeds"]})
    several = "; line and band: their mean and range" if len(seeds) > 1 else ""
    sets, numbers = ", ".join(dict.fromkeys(map(data, plans))), ", ".join(map(str, seeds))
    return f"Data {sets}; seed{'s' * bool(several)} {numbers}{several}."


def _counter(rows: pd.DataFrame) -> str:
    """Return the name of the column that counts epochs or steps."""
    return "step" if "step" in rows else "epoch"


def _at(tree: Any, path: str) -> Any:
    """Return what stands at a dotted path of nested dictionaries, `None` if nothing does."""
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _spread(values: Sequence[Value]) -> float | list[float] | None:
    """Return the standard deviation over seeds of a number, or of every number of a list."""
    if len(values) < 2 or any(isinstance(value, str) for value in values):
        return None
    numbers = np.asarray(values, dtype=float).std(axis=0, ddof=1)
    return float(numbers) if numbers.ndim == 0 else [float(number) for number in numbers]


def _reduced(value: Any, ours: Place) -> Value:
    if ours.negate:
        value = [-v for v in value] if isinstance(value, list) else -value
    reduced: Value = REDUCTIONS[ours.reduce](value) if ours.reduce in REDUCTIONS else value
    return reduced


REDUCTIONS: Mapping[Any, Callable[[Any], Value]] = {
    "last": lambda values: values[-1],
    "ends": lambda values: [values[0], values[-1]],
    "range": lambda value: [min(value), max(value)] if isinstance(value, list) else [0, value - 1],
    "sign": lambda values: "negative" if values[-1] < 0 else "positive",
    "trained": lambda counts: [counts["train"] + counts.get("valid", 0), counts["test"]],
    "parts": lambda counts: [counts["train"], counts.get("valid", 0)],
    "product": math.prod,
}
"""What `reduce` in reported.yaml makes of a value."""

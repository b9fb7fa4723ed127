"""What the pipeline has measured: finished steps of planned runs, read from the files they wrote."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.reported import Found, Ours, Value
from pipeline.runtime import history, plan
from pipeline.runtime.plan import Plan


class Results:
    """The finished part of what is planned.

    Args:
        root: root of the checkout.
        reads: the files that the report reads from the output of each stage, by stage.

    Attributes:
        plans: every planned step.
        finished: (stage, run) to step, where all files that the report reads are there.
        missing: planned steps whose output, or a file in it, is not there.
    """

    def __init__(self, root: Path, reads: Mapping[str, Sequence[str]]) -> None:
        self.root = root
        self.plans = plan.read_all(root)
        wanted = [step for step in self.plans if step.stage in reads]
        done = [all((self.folder(step) / name).is_file() for name in reads[step.stage]) for step in wanted]
        self.finished = {(step.stage, step.run): step for step, there in zip(wanted, done, strict=True) if there}
        self.missing = [step for step, there in zip(wanted, done, strict=True) if not there]
        self._history = cache(self._read_history)

    def folder(self, step: Plan) -> Path:
        """Return the folder that `step` writes."""
        return self.root / step.output

    def steps(self, stage: str) -> list[Plan]:
        """Return the finished steps of `stage`, in the order of their names."""
        return [step for (name, _), step in self.finished.items() if name == stage]

    def metrics(self, step: Plan) -> dict[str, Any]:
        """Return `metrics.json` of a finished step."""
        metrics: dict[str, Any] = json.loads((self.folder(step) / "metrics.json").read_text())
        return metrics

    def array(self, step: Plan, name: str) -> np.ndarray:
        """Return `<name>.npy` of a finished step, mapped into memory."""
        array: np.ndarray = np.load(self.folder(step) / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array

    def curve(self, step: Plan, column: str) -> pd.DataFrame:
        """Return one column of `history.csv`: a row per epoch, a column per seed."""
        return self._history(self.folder(step)).pivot(index="epoch", columns="seed", values=column)

    def curves(self) -> dict[str, pd.DataFrame]:
        """Return the curves of each family for `dvc plots`: a row per run and epoch, means over seeds."""
        families: dict[str, list[pd.DataFrame]] = {}
        for step in self.finished.values():
            if (self.folder(step) / "history.csv").is_file():
                means = self._history(self.folder(step)).drop(columns="seed").groupby("epoch", as_index=False).mean()
                families.setdefault(Path(step.output).parent.name, []).append(means.assign(run=step.run))
        return {family: pd.concat(frames) for family, frames in families.items()}

    def columns(self, step: Plan) -> list[str]:
        """Return the names of the columns of `history.csv`."""
        return [str(name) for name in self._history(self.folder(step)).columns]

    def card(self, step: Plan) -> dict[str, Any] | None:
        """Return the card of the data set that `step` reads, `None` if that set is not there."""
        path = self.root / step.inputs.get("data", "") / "card.json"
        return json.loads(path.read_text()) if path.is_file() else None

    def settings(self, step: Plan) -> dict[str, Any]:
        """Return the settings of `step` and of the planned steps whose outputs it reads."""
        upstream = [other for other in self.plans if other.output in step.inputs.values() and other.stage != "data"]
        merged: dict[str, Any] = {}
        for settings in [*map(self.settings, upstream), step.settings]:
            merged |= settings
        return merged

    def find(self, ours: Ours | None) -> Found | None:
        """Return our number, or `None` if the run is not planned, not finished or does not measure it."""
        step = self.finished.get((ours.stage, ours.run)) if ours else None
        if ours is None or step is None:
            return None
        facts = self.settings(step)
        if "data" in step.inputs:
            facts["data"] = Path(step.inputs["data"]).name
        spread = None
        if ours.setting is not None:
            value = _at(facts, ours.setting)
            if ours.others:
                steps = [self.finished.get((ours.stage, run)) for run in ours.others]
                value = [value, *(_at(self.settings(other), ours.setting) for other in steps if other)]
        elif ours.card is not None:
            value = (self.card(step) or {}).get(ours.card)
        elif ours.metric is not None:
            metrics = self.metrics(step)
            facts |= metrics["protocol"]
            value = _at(metrics, ours.metric)
            if ours.metric.startswith("mean."):
                spread = _at(metrics, ours.metric.replace("mean.", "spread.", 1))
        else:
            curve = self.curve(step, str(ours.curve))
            facts |= self._split(step, str(ours.curve))
            value = curve.mean(axis=1).tolist()
            spread = float(curve.iloc[-1].std()) if ours.reduce == "last" and curve.shape[1] > 1 else None
        if value is None:
            return None
        if ours.times:
            value *= facts[ours.times]
        if ours.reduce == "epochs":
            per_epoch = (self.card(step) or {})["counts"]["train"] // facts["batch"]
            value = [count / per_epoch for count in value]
        return Found(_reduced(value, ours), facts, spread)

    def _split(self, step: Plan, column: str) -> dict[str, Any]:
        """Return the split that a column named `<split>_<metric>` was measured on, and its number of images."""
        split = column.split("_")[0]
        counts = (self.card(step) or {}).get("counts", {})
        return {"split": split, "images": counts[split]} if split in counts else {}

    @staticmethod
    def _read_history(folder: Path) -> pd.DataFrame:
        return pd.DataFrame(history.read(folder / "history.csv"))


def _at(tree: Any, path: str) -> Any:
    """Return what stands at a dotted path of nested dictionaries, `None` if nothing does."""
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _reduced(value: Any, ours: Ours) -> Value:
    if ours.negate:
        value = [-v for v in value] if isinstance(value, list) else -value
    reduced: Value
    match ours.reduce:
        case "last":
            reduced = value[-1]
        case "ends":
            reduced = [value[0], value[-1]]
        case "range":
            reduced = [min(value), max(value)] if isinstance(value, list) else [0, value - 1]
        case "sign":
            reduced = "negative" if value[-1] < 0 else "positive"
        case "trained":
            reduced = [value["train"] + value.get("valid", 0), value["test"]]
        case "parts":
            reduced = [value["train"], value.get("valid", 0)]
        case "product":
            reduced = math.prod(value)
        case _:
            reduced = value
    return reduced

"""What is to be recorded of each finished stage, read from files that DVC tracks; MLflow plays no part here."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime import files, history
from pipeline.runtime.plan import Plan, read_all
from pipeline.tracking.store import Points, metric_name

RECORDED = ("models", "scores")
"""Where training and scoring write; other stages prepare or plot, and have no record of their own."""

SNAPSHOTS = "snapshots"
"""What `metrics.json` calls the states of a training that are scored, by step."""


@dataclass(frozen=True)
class Record:
    """One finished stage: its plan, the checksums that identify it, and where its files lie.

    Args:
        plan: Plan of the stage.
        planned: All plans of the checkout.
        root: The checkout that `plan` and its paths belong to.
        digest: MD5 of the plan file.
        inputs: MD5 of every input, by path.
        outputs: MD5 of every output, by path.
        figures: The figures that belong to this run alone.
    """

    plan: Plan
    planned: tuple[Plan, ...]
    root: Path
    digest: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    figures: tuple[Path, ...]

    @property
    def key(self) -> dict[str, str]:
        """The tags that tell this record from every other."""
        return identity(self.plan, self.digest) | {
            "inputs": json.dumps(self.inputs),
            "outputs": json.dumps(self.outputs),
        }

    @property
    def output(self) -> Path:
        """The folder that the stage wrote."""
        return self.root / self.plan.output

    def figures_digest(self) -> str:
        """Return one checksum of all figures and their names."""
        return hashlib.md5(json.dumps([(file.name, md5(file)) for file in self.figures]).encode()).hexdigest()

    def intact(self) -> bool:
        """Return whether the outputs that lie here are those that `dvc.lock` names."""
        return all(
            (self.root / path).exists() and dvc_md5(self.root / path) == value for path, value in self.outputs.items()
        )

    def params(self) -> dict[str, str]:
        """Return all hyperparameters and the protocol of the scores."""
        return parameters(self.plan, self.planned) | {
            f"protocol.{name}": value for name, value in words(self.metrics().get("protocol", {})).items()
        }

    def metrics(self) -> dict[str, Any]:
        """Return what the stage wrote to `metrics.json`, empty where it wrote none."""
        file = self.output / "metrics.json"
        content: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
        return content

    def seeds(self) -> dict[int, Points]:
        """Return what was measured of each seed: its training curves, and what `metrics.json` has below `seeds`."""
        measured = self._curves()
        for seed, values in self.metrics().get("seeds", {}).items():
            measured[int(seed)] = measured.get(int(seed), {}) | numbers(values)
        return measured

    def _curves(self) -> dict[int, Points]:
        file = self.output / "history.csv"
        curves: dict[int, Points] = defaultdict(dict)
        for row in history.read(file) if file.is_file() else []:
            unit = "step" if "step" in row else "epoch"
            for name, value in row.items():
                if name not in history.COUNTERS:
                    curves[int(row["seed"])][metric_name(name), int(row[unit])] = value
        return dict(curves)

    def summary(self) -> Points:
        """Return the curves' mean over seeds, their sample standard deviation as `<metric>_std`, and the scores."""
        together: dict[tuple[str, int], list[float]] = defaultdict(list)
        for curve in self._curves().values():
            for point, value in curve.items():
                together[point].append(value)
        result: Points = {}
        # a diverged seed makes the mean infinite or NaN, and so be it
        with np.errstate(invalid="ignore", over="ignore"):
            for (name, place), values in together.items():
                result[name, place] = float(np.mean(values))
                if len(values) > 1:
                    result[f"{name}_std", place] = float(np.std(values, ddof=1))
        apart = ("protocol", "seeds")
        return result | numbers({name: value for name, value in self.metrics().items() if name not in apart})

    def files(self) -> list[Path]:
        """Return what is kept with the record besides figures: the plan file and the numbers."""
        candidates = [self.root / self.plan.path, self.output / "history.csv", self.output / "metrics.json"]
        return [file for file in candidates if file.is_file()]

    def weights(self) -> dict[str, str]:
        """Return the SHA-256 of every file of weights, by its name without ending."""
        stored = sorted(self.output.glob("*.safetensors"))
        return {f"weights.{file.stem}": f"sha256:{files.digest(file)}" for file in stored}


def finished(root: Path, figures: Path) -> tuple[list[Record], int]:
    """Return the record of every planned training and scoring that is finished, and the number of those that are not.

    A stage is finished when `dvc.lock` holds it with the plan file that lies here and its output exists.

    Args:
        root: Root of the checkout whose `plan/`, `dvc.lock` and outputs are read.
        figures: Folder of the figures, `<family>/<run>/<name>.png` below it.
    """
    entries, planned = locked(root), tuple(read_all(root))
    plans = [plan for plan in planned if is_recorded(plan)]
    records = []
    for plan in plans:
        deps, outs = (_checksums(entries.get(plan.address, {}), side) for side in ("deps", "outs"))
        digest = md5(root / plan.path)
        if deps.get(plan.path.as_posix()) == digest and (root / plan.output).is_dir():
            inputs = {path: value for path, value in deps.items() if _is_input(plan, path)}
            own = tuple(sorted((figures / family(plan) / plan.run).glob("*.png")))
            records.append(Record(plan, planned, root, digest, inputs, outs, own))
    return records, len(plans) - len(records)


def just_finished(plan: Plan, root: Path = Path()) -> Record:
    """Return the record of a stage whose output has just been written, before DVC notes it in `dvc.lock`."""
    written = {path: value for entry in locked(root).values() for path, value in _checksums(entry, "outs").items()}
    inputs = {folder: written[folder] for folder in plan.inputs.values()}
    outputs = {plan.output: dvc_md5(root / plan.output)}
    return Record(plan, tuple(read_all(root)), root, md5(root / plan.path), inputs, outputs, ())


def is_recorded(plan: Plan) -> bool:
    """Return whether a stage is a training or a scoring."""
    return plan.output.split("/")[0] in RECORDED


def locked(root: Path) -> dict[str, Any]:
    """Return the stages of `dvc.lock`, none where there is no such file."""
    lock = root / "dvc.lock"
    if not lock.exists():
        return {}
    stages: dict[str, Any] = files.parsed(lock.read_text())["stages"]
    return stages


def _checksums(entry: Mapping[str, Any], side: str) -> dict[str, str]:
    return {item["path"]: item["md5"] for item in entry.get(side, []) if "md5" in item}


def _is_input(plan: Plan, path: str) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in plan.inputs.values())


def family(plan: Plan) -> str:
    """Return the family that a stage belongs to, `vae`: the folder below `models/` that it writes or reads.

    A stage that has to do with no model is a family of its own, named after the folder below `scores/`.
    """
    places = [Path(place).parts for place in (plan.output, *plan.inputs.values())]
    return next((parts[1] for parts in places if parts[0] == "models"), places[0][1])


def identity(plan: Plan, digest: str) -> dict[str, str]:
    """Return the tags that a record has from its first second on."""
    return {"stage": plan.stage, "run": plan.run, "plan": digest}


def parameters(plan: Plan, planned: Iterable[Plan]) -> dict[str, str]:
    """Return all hyperparameters that a stage depends on as MLflow parameters, by their names in params.yaml."""
    from pipeline.runtime import lineage  # which a stage does not run

    return words(lineage.hyperparameters(plan, planned))


def words(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values as text by names joined by dots; lists and other values as JSON."""
    flat: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= words(value, f"{prefix}{name}.")
        else:
            flat[metric_name(f"{prefix}{name}")] = value if isinstance(value, str) else json.dumps(value)
    return flat


def numbers(tree: Mapping[str, Any], prefix: str = "", step: int | None = None) -> Points:
    """Return the numbers of nested scores as points.

    The entries of a list follow each other on a metric's axis. What is measured of the snapshots of a training,
    `snapshots.<step>.frechet_distance`, is a curve over its steps, `snapshots.frechet_distance`.
    """
    points: Points = {}
    for name, value in tree.items():
        if name == SNAPSHOTS and isinstance(value, Mapping):
            for at, inner in value.items():
                points |= numbers(inner, f"{prefix}{name}.", int(at))
        elif isinstance(value, Mapping):
            points |= numbers(value, f"{prefix}{name}.", step)
        elif isinstance(value, list) and step is None:
            points |= {
                (metric_name(f"{prefix}{name}"), place): float(entry)
                for place, entry in enumerate(value)
                if isinstance(entry, int | float)
            }
        elif isinstance(value, int | float):
            points[metric_name(f"{prefix}{name}"), step or 0] = float(value)
    return points


def md5(file: Path) -> str:
    """Return the MD5 of a file as hexadecimal digits, the one that `dvc.lock` holds."""
    return files.digest(file, "md5")


def dvc_md5(path: Path) -> str:
    """Return the MD5 that DVC 3 gives a file, or a folder: `<MD5 of its sorted list of files>.dir`."""
    if path.is_file():
        return md5(path)
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    listing = [{"md5": md5(file), "relpath": relpath} for relpath, file in sorted(files.items())]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"

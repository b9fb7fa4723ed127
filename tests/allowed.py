"""Random contents of params.yaml that can be planned, all tiny; and their way up to the report, in this process.

They are made from the schemas: a hyperparameter that is added there is changed here without another word.
"""

import contextlib
import copy
import importlib
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from pipeline.config import data, params, profile
from pipeline.config.base import Schema
from pipeline.config.dirac import GameHyperparameters
from pipeline.config.family import Family
from pipeline.data import checksum
from pipeline.data.registry import EMBEDDED
from pipeline.features.classifier import SMALLEST
from pipeline.report.render import render
from pipeline.runtime import history
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan
from stages import job

Params = dict[str, Any]
Place = tuple[str, ...]

TINY: dict[str, Params] = {
    "features": {"width": 2, "dimensions": 4, "epochs": 4, "batch": 16, "samples": 12, "splits": 2, "kid_subsets": 2,
                 "kid_subset_size": 8, "neighbours": 2, "learning_rate": 0.01},
    "vae": {"hidden": 8, "latent": 3, "epochs": 2, "seeds": [0], "importance_samples": [1, 4], "elbo_samples": 1},
    "samples": {"count": 12},
    "flow": {"depth": 2, "points": 50, "steps": 200, "batch": 16, "seeds": [0]},
    "planar": {"points": 20, "dimensions": [4, 16], "depths": [1, 2]},
    "simsiam": {"width": 2, "projector_hidden": 8, "projector_output": 4, "predictor_hidden": 4, "epochs": 2,
                "batch": 16, "knn_neighbours": 5, "learning_rate": 0.05},
    "dirac": {"steps": 1000, "initial_points": 2, "frames": 2},
    "gan": {"width": 4, "latent": 11, "steps": 4, "critic_steps": 1, "batch": 8, "log_every": 2, "snapshots": [2],
            "samples": 12, "final_samples": 14, "normalisation_batches": 1, "perturbed_dimensions": 2,
            "perturbed_latents": 3, "interpolation_pairs": 2, "shown_dimensions": [0]},
}  # fmt: skip
"""What changes start from; all else is the default profile's."""

SHAPES = {"binary": (1, 28, 28), "grey": (1, 28, 28), "small": (1, 16, 16), "colour": (3, 16, 16), "tiny": (3, 8, 8)}
SPLITS = [("train",), ("train", "test"), ("train", "valid", "test")]
CLASSES = ["left", "right|<i>"]  # what a report must not take for the end of a cell, or for HTML
TEXTS = [*CLASSES, "", "ä|`<b>$x_1$", "a\nb", "0"]
SEEDS = [0, 1, 2**31, 2**32, 2**63, 2**64]  # a large one takes no longer than a small one
SIZES = (16, 32, 64)  # of the images that the convolutional GANs make
FAR = [1e-30, 1e-9, 1e9, 1e30]
GIVEN = ("source", "path", "sha256", "splits")  # keys of a data set that its files decide


def values(annotation: Any, usual: Any, key: str) -> st.SearchStrategy[Any]:
    """Return small values of a type; whether they are in range is for the schema to say.

    Args:
        annotation: The type as a schema has it.
        usual: A value that is allowed and small, `None` where none is known.
        key: Name of the hyperparameter.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(arguments[0], usual, key)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of(*(values(each, usual, key) for each in arguments))
    if origin is list:
        known = usual or [None]
        return st.sampled_from([len(known), len(known), 0, 1, 2, 3]).flatmap(
            lambda size: st.tuples(*(values(arguments[0], known[k % len(known)], key) for k in range(size))).map(list)
        )
    if isinstance(annotation, type) and issubclass(annotation, Schema):
        fields = annotation.model_fields.items()
        return st.fixed_dictionaries({n: values(each.annotation, (usual or {}).get(n), n) for n, each in fields})
    number = 1 if usual is None else usual
    options: dict[Any, Any] = {NoneType: lambda: [None], bool: lambda: [False, True], str: lambda: TEXTS}
    options[int] = lambda: SEEDS if key.startswith("seed") else [0, 1, 2, number, number + 1, 2 * number]
    options[float] = lambda: [*(number * factor for factor in (0.1, 0.5, 0.9, 1.0, 2.0, 10.0)), 0.0, 1.0, *FAR]
    return st.sampled_from(options[annotation]())


def choices(content: Params) -> dict[Place, st.SearchStrategy[Any]]:
    """Return what can be written where: hyperparameters at the top of a family and in each run, games, data sets."""
    found: dict[Place, st.SearchStrategy[Any]] = {}
    for section, schema in params.SCHEMAS.items():
        runs = [(section, "runs", run) for run in content[section].get("runs", ())]
        for key, hyperparameter in schema.model_fields.items():
            for place in [(section,), *runs]:
                found[*place, key] = values(hyperparameter.annotation, content[section][key], key)
        for run in runs:
            found[*run, "like"] = st.sampled_from([name for _, _, name in runs])
    for game in content["dirac"]["games"]:
        for key, hyperparameter in GameHyperparameters.model_fields.items():
            found["dirac", "games", game, key] = values(hyperparameter.annotation, None, key)
    for name, entry in content["data"].items():
        for key, choice in data.SCHEMAS[entry["source"]].model_fields.items():
            if key not in GIVEN:
                found["data", name, key] = values(choice.annotation, entry.get(key), key)
    return found


def changed(content: Params, place: Place, value: Any) -> Params:
    """Return the content with another value at a place, or as it was where that could not be planned."""
    other = copy.deepcopy(content)
    section = other
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = value
    try:
        params.expand(other)
    except UserError:
        return content
    return other


@dataclass(frozen=True)
class DataSet:
    """A data set, and what decides which runs can use it."""

    name: str
    entry: Params
    shape: tuple[int, int, int]
    binary: bool
    labelled: bool

    def suits(self, section: str) -> Params | None:
        """Return what a run of a section needs in order to use this set, `None` where it cannot."""
        channels, size, _ = self.shape
        match section:
            case "features":
                return {} if self.labelled and size >= SMALLEST else None
            case "simsiam":
                return {} if self.labelled and channels == 3 else None
            case "vae":
                return {"network": "mlp", "likelihood": "bernoulli" if self.binary else "gaussian"}
            case "gan":
                return {"network": "dcgan" if size in SIZES else "mlp"}
        return {}


@st.composite
def data_sets(draw: st.DrawFn, name: str, folder: Path) -> DataSet:
    """Draw one data set: arrays or pictures of one's own, which are written into the folder, or one of the registry."""
    source = draw(st.sampled_from(["arrays", "arrays", "arrays", "folder", "embedded"]))
    splits = draw(st.sampled_from(SPLITS))
    kind = draw(st.sampled_from(sorted(SHAPES)))
    match source:
        case "arrays":
            labelled = draw(st.sampled_from([True, True, True, False]))
            entry = own_arrays(folder / f"{name}.npz", kind, splits, labelled)
            return DataSet(name, entry, SHAPES[kind], kind == "binary", labelled)
        case "folder":
            channels, size = draw(st.sampled_from([1, 3])), draw(st.sampled_from([16, 20, 32]))
            entry = own_pictures(folder / name, splits) | {"size": size, "channels": channels}
            return DataSet(name, entry, (channels, size, size), False, True)
    of_registry = draw(st.sampled_from(sorted(EMBEDDED)))
    rendered = issubclass(data.SCHEMAS[of_registry], data.RenderedShapes | data.RenderedDigits)
    entry = {"source": of_registry} | ({"train": 40, "test": 40} if rendered else {})
    size = int(of_registry[-2:])
    return DataSet(of_registry, entry, (3 if rendered else 1, size, size), of_registry.startswith("binarized"), True)


def own_arrays(place: Path, kind: str, splits: Sequence[str], labelled: bool) -> Params:
    """Write arrays of two classes that are easily told apart; return their entry in the section `data`."""
    random, arrays = np.random.default_rng(0), dict[str, Any]()
    for split in splits:
        images, labels = _images(random, SHAPES[kind], split, splits)
        arrays[f"{split}_images"] = (images > 40).astype(np.uint8) if kind == "binary" else images
        if labelled:
            arrays[f"{split}_labels"] = np.array(CLASSES)[labels]
    np.savez(place, **arrays)
    return {"source": "arrays", "path": str(place), "sha256": checksum.of(place), "test_share": 0.45}


def own_pictures(place: Path, splits: Sequence[str]) -> Params:
    """Write pictures of the same two classes; return their entry in the section `data`."""
    random = np.random.default_rng(0)
    shutil.rmtree(place, ignore_errors=True)
    for split in splits:
        images, labels = _images(random, (3, 24, 24), split, splits)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            file = place / split / CLASSES[label] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.transpose(1, 2, 0)).save(file)
    return {"source": "folder", "path": str(place), "sha256": checksum.of(place), "test_share": 0.45}


def _images(
    random: np.random.Generator, shape: tuple[int, ...], split: str, splits: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(42 if split == "train" or len(splits) == 1 else 36) % 2
    images = random.integers(0, 60, (len(labels), *shape), dtype=np.uint8)
    images[labels == 1, :, : shape[1] // 2] += 150
    return images, labels


@st.composite
def allowed(draw: st.DrawFn, folder: Path) -> Params:
    """Draw a params.yaml: few runs of each family, on data that suit them, and then any changes that are allowed.

    Args:
        draw: Hypothesis's.
        folder: Takes the data sets.
    """
    usual = profile.load(profile.DEFAULT)
    content: Params = {section: entries | TINY.get(section, {}) for section, entries in usual.items()}
    sets = {each.name: each for each in draw(st.tuples(data_sets("one", folder), data_sets("two", folder)))}
    content["data"] = {name: each.entry for name, each in sets.items()}
    for section, family in params.FAMILIES.items():
        if isinstance(family, Family):
            content[section]["runs"] = {}
            names = draw(st.lists(st.sampled_from([*usual[section]["runs"], "other"]), max_size=2, unique=True))
            for name, run in zip(names, (draw(_run(family, content, sets, folder)) for _ in names), strict=True):
                content[section]["runs"] |= {} if run is None else {name: run}
    games = draw(st.sets(st.sampled_from(sorted(usual["dirac"]["games"])), min_size=1, max_size=3))
    content["dirac"]["games"] = {name: usual["dirac"]["games"][name] for name in sorted(games)}
    possible = choices(content)
    for place in draw(st.lists(st.sampled_from(sorted(possible)), min_size=4, max_size=24)):
        content = changed(content, place, draw(possible[place]))
    return content


@st.composite
def _run(draw: st.DrawFn, family: Family, content: Params, sets: Mapping[str, DataSet], folder: Path) -> Params | None:
    """Draw a run of a family that can be carried out with what there is, `None` where none can."""
    if family.own is not None:
        return draw(_theirs(content, sets, folder))
    if "data" not in family.names:
        return {}
    suited = {name: own for name, each in sets.items() if (own := each.suits(family.name)) is not None}
    others = [key for key in family.names if key != "data"]
    there = {
        name: {key: [run for run, entry in content[key]["runs"].items() if entry["data"] == name] for key in others}
        for name in suited
    }
    possible = [name for name, named in there.items() if all(named.values())]
    if not possible:
        return None
    chosen = draw(st.sampled_from(possible))
    named = {key: draw(st.sampled_from(options)) for key, options in there[chosen].items()}
    return {"data": chosen, **named, **suited[chosen]}


@st.composite
def _theirs(draw: st.DrawFn, content: Params, sets: Mapping[str, DataSet], folder: Path) -> Params | None:
    """Draw other people's samples for one of the evaluators: images of the kind that it knows, in an array."""
    evaluators = content["features"]["runs"]
    if not evaluators:
        return None
    name = draw(st.sampled_from(sorted(evaluators)))
    place = folder / f"theirs_{name}.npz"
    np.savez(place, _images(np.random.default_rng(1), sets[evaluators[name]["data"]].shape, "train", ["train"])[0])
    return {"features": name, "path": str(place), "sha256": checksum.of(place)}


@dataclass
class Outcome:
    """What came of a params.yaml that is allowed.

    Args:
        ran: Stages that ended with an output.
        refused: Stages that did not, with the sentence that they ended with.
        waiting: Stages that were not run, for want of the output of one that was refused.
    """

    ran: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


def run_all(content: Params, root: Path) -> Outcome:
    """Plan, run all stages and render the report, in an empty folder; whatever is no sentence is raised.

    Raises:
        AssertionError: If an output or the report is not what can be told to people.
    """
    outcome, plans = Outcome(), {plan.output: plan for plan in params.expand(content)}
    waits = {output: set(plan.inputs.values()) for output, plan in plans.items()}
    variables = {"PIPELINE_DEVICE": "cpu", "PIPELINE_TRACKING": "off", "DVC_ROOT": str(root), "INCEPTION_WEIGHTS": "-"}
    with contextlib.chdir(root), mock.patch.dict(os.environ, variables):
        params.write(list(plans.values()))
        there: set[str] = set()
        for output in TopologicalSorter(waits).static_order():
            plan = plans[output]
            if waits[output] - there:
                outcome.waiting.append(plan.address)
            elif sentence := _refusal(plan):
                outcome.refused[plan.address] = sentence
            else:
                outcome.ran.append(plan.address)
                there.add(output)
                check_output(Path(output))
        render(Path(), Path("reports"), allow_missing=there != plans.keys())
        for name in ("report.md", "report.html"):
            assert "<i>" not in Path("reports", name).read_text(), name
    return outcome


def _refusal(plan: Plan) -> str | None:
    """Run a stage as its command does; return the sentence that it ends with where it cannot be run."""
    stage = importlib.import_module(f"stages.{plan.stage}")
    with mock.patch.object(sys, "argv", [plan.stage, str(plan.path)]):
        try:
            job.run(stage.main)
        except SystemExit as end:
            assert str(end.code).startswith("error: "), end.code
            return str(end.code)
    return None


def check_output(folder: Path) -> None:
    """Make sure that all that was measured are finite numbers."""
    for file in sorted(folder.glob("*")):
        odd: list[Any] = []
        if file.suffix == ".json":
            json.loads(file.read_text(), parse_constant=odd.append)
        elif file.name == "history.csv":
            odd += [row for row in history.read(file) if not all(map(math.isfinite, row.values()))]
        elif file.suffix == ".npy" and (array := np.load(file)).dtype.kind == "f":
            odd += array[~np.isfinite(array)].tolist()
        assert not odd, (file, odd[:3])

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.data import expand
from pipeline.data.registry import EMBEDDED, OFFICIAL
from pipeline.data.settings import Making, Own, Pictures, Rendered
from pipeline.runtime.settings import build

ROOT = Path(__file__).resolve().parents[2]
OWN = {"source": "arrays", "path": "own", "sha256": "0" * 64}


def test_every_named_set_is_planned_by_its_name():
    names = [*OFFICIAL, *EMBEDDED]
    plans, sets, errors = expand({name: {"source": name} for name in names})
    assert not errors and sets == names and [plan.address for plan in plans] == [f"data@{name}" for name in names]
    assert all(plan.output == f"data/{plan.run}" and not plan.inputs for plan in plans)


def test_settings_are_complete():
    plans, _, errors = expand(
        {"shapes32": {"source": "shapes32", "train": 500}, "mine": {**OWN, "source": "folder", "size": 32}}
    )
    assert not errors
    own = Own("own", "0" * 64, "own data", "the owner's", splits=None, test_share=0.1)
    assert [build(Making, plan.settings) for plan in plans] == [
        Making("shapes32", rendered=Rendered(train=500, test=2000)),
        Making("folder", own=own, pictures=Pictures(size=32, channels=3)),
    ]


def test_classes_may_be_written_as_numbers():
    plans, _, errors = expand({"x": {"source": "digits16", "classes": [3, "5"]}})
    assert not errors and build(Making, plans[0].settings) == Making("digits16", classes=("3", "5"))


@pytest.mark.parametrize(
    ("name", "entry", "error"),
    [
        ("mnist", {"source": "digits28"}, "data.mnist.source: digits28, but a data set is always named for what it is"),
        ("digits28", OWN, "data.digits28.source: arrays, but a data set is always named for what it is"),
        ("x", {"source": "mnits"}, "data.x.source: 'mnits' is not one of mnist,"),
        ("x", {"source": "mnits"}, "did you mean mnist?"),
        ("x", {"source": ["mnist"]}, "data.x.source: ['mnist'] is not one of"),
        ("x", {}, "data.x.source: missing; one of mnist,"),
        ("x", None, "data.x: None is not a mapping"),
        ("a b", {"source": "mnist"}, "'a b' is not a data set name"),
        ("../x", {"source": "mnist"}, "'../x' is not a data set name"),
        (7, {"source": "mnist"}, "7 is not a data set name"),
        ("mnist", {"source": "mnist", "train": 5}, "data.mnist.train: unknown key (allowed here: classes, source)"),
        (
            "birds",
            {"source": "cifar10", "classes": ["bird", "bat"]},
            "data.birds.classes: no class bat; there are airplane, automobile, bird, cat,",
        ),
        ("x", {"source": "cifar10", "classes": "bird"}, "data.x.classes: 'bird' is not a list"),
        ("x", {"source": "cifar10", "classes": [True]}, "data.x.classes[0]: True is not a text"),
        ("x", {"source": "cifar10", "classes": []}, "data.x.classes: empty; at least one value is needed"),
        ("x", {"source": "cifar10", "classes": ["cat", "cat"]}, "data.x.classes: ['cat', 'cat'] holds a value twice"),
        ("x", {"source": "binarized_mnist", "classes": [1]}, "data.x.classes: unknown key (allowed here: source)"),
        ("mnist", {"source": "mnist", "classes": [3]}, "data.mnist.classes: mnist is the name of the whole set; use"),
        ("shapes32", {"source": "shapes32", "train": 15}, "data.shapes32.train: 15 is not a multiple of 10"),
        ("shapes32", {"source": "shapes32", "train": "9"}, "data.shapes32.train: '9' is not a whole number"),
        (
            "x",
            {"source": "arrays", "sha256": "0" * 64},
            "data.x.path: missing (a folder of .npy files or an .npz file)",
        ),
        (
            "x",
            {**OWN, "sha256": "abc"},
            "data.x.sha256: 'abc' is not a sha256; `python -m pipeline.data.checksum PATH`",
        ),
        ("x", {**OWN, "splits": {"test": "val"}}, "data.x.splits: train is missing"),
        ("x", {**OWN, "splits": {"train": "train", "val": "val"}}, "data.x.splits: val: not a split"),
        ("x", {**OWN, "splits": {"train": "a", "test": "a"}}, "uses a split twice"),
        ("x", {**OWN, "test_share": 1.0}, "data.x.test_share: 1.0 is not less than 1"),
        ("x", {**OWN, "source": "folder"}, "data.x.size: missing"),
        ("x", {**OWN, "source": "folder", "size": 32, "channels": 2}, "data.x.channels: 2 is not one of 1, 3"),
    ],
)
def test_what_is_wrong_is_said(name, entry, error):
    plans, sets, errors = expand({name: entry})
    assert not plans and sets == [str(name)] and len(errors) == 1 and error in errors[0]


def test_every_error_is_found_at_once():
    assert len(expand({"a": {"source": "b"}, "shapes32": {"source": "shapes32", "train": 5, "w": 1}, "c": {}})[2]) == 4


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("pipeline.config.data", {"numpy", "torch", "requests", "PIL"}), ("pipeline.data.build", {"torch", "pydantic"})],
)
def test_light_modules_stay_light(module, heavy):
    script = f"import sys, {module}; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr

"""A device, pretended unless `PIPELINE_DEVICE` names a real one, and trainings in three ways on it."""

import json
import math
import os

import pytest
import torch
from gpu import pretend, small

from pipeline.features.build import build
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.context import Context
from pipeline.runtime.device import prepare


class Killed(BaseException):
    """Nothing may catch it."""


@pytest.fixture
def device(monkeypatch):
    """The GPU that `PIPELINE_DEVICE` names, or a pretended one."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    if os.environ["PIPELINE_DEVICE"].startswith("cuda"):
        yield prepare()
    else:
        torch.set_deterministic_debug_mode("error")
        with pretend.gpu(monkeypatch) as pretended:
            yield pretended
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A data set of 16x16 colour images."""
    return small.noise(tmp_path_factory.mktemp("data") / "noise")


@pytest.fixture(scope="session")
def evaluator(tmp_path_factory, data):
    """An evaluator, made on the CPU: what a stage writes serves every device."""
    folder = tmp_path_factory.mktemp("evaluator")
    (folder / "features").mkdir()
    build(data, folder / "features", small.evaluation(), Context(torch.device("cpu"), folder / "scratch"))
    return folder / "features"


@pytest.fixture
def stage(tmp_path, device, monkeypatch):
    """Run a stage on the device: straight, killed after its first checkpoint and resumed, and without recording.

    All three must write the same bytes; the folder of the first is returned.
    """
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    save = Checkpoint.save

    def save_and_die(self, state, *, now=False):
        save(self, state, now=now)
        raise Killed

    def run(work, *inputs):
        def once(name):
            *folders, settings = inputs
            output = tmp_path / name / work.__module__
            output.mkdir(parents=True, exist_ok=True)
            work(*folders, output, settings, Context(device, output.with_suffix(".scratch")))
            return output

        straight = once("straight")
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Checkpoint, "save", save_and_die)
            once("killed")
        must_equal(once("killed"), straight)
        monkeypatch.setenv("PIPELINE_CAPTURE", "off")
        must_equal(once("unrecorded"), straight)
        monkeypatch.delenv("PIPELINE_CAPTURE")
        return straight

    return run


@pytest.fixture
def score(tmp_path, device):
    """Run a stage that keeps no checkpoint; every number of its scores must be finite."""

    def run(work, *inputs):
        *folders, settings = inputs
        output = tmp_path / work.__module__
        output.mkdir()
        work(*folders, output, settings, Context(device, tmp_path / "scratch"))
        must_be_finite(output)

    return run


class Differs(AssertionError):
    """Two ways of running a stage wrote different bytes."""


def must_equal(folder, other):
    """Compare all bytes of two folders."""
    found, wanted = ({file.name: file.read_bytes() for file in each.iterdir()} for each in (folder, other))
    odd = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
    if odd:
        raise Differs(f"{folder.parent.name} and {other.parent.name} differ in {', '.join(odd)}")


def must_be_finite(folder):
    """Look at every number of `metrics.json`."""
    metrics = json.loads((folder / "metrics.json").read_text())
    found = list(numbers(metrics))
    assert found
    assert all(map(math.isfinite, found))


def numbers(tree):
    """Yield every number of nested dictionaries and lists."""
    for value in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(value, dict | list):
            yield from numbers(value)
        elif isinstance(value, int | float):
            yield value

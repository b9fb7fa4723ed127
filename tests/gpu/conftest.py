"""A device, pretended unless `PIPELINE_DEVICE` names a real one, and trainings in three ways on it."""

import os

import pytest
import torch
from gpu import pretend, small
from gpu.compare import must_equal

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
def once(tmp_path, device):
    """Run a stage on the device, with its folders and settings, and return what it wrote; equal names, one folder."""

    def run(work, *inputs, name="once"):
        *folders, settings = inputs
        output = tmp_path / name / work.__module__
        output.mkdir(parents=True, exist_ok=True)
        pretend.PRODUCTS.clear()
        work(*folders, output, settings, Context(device, tmp_path / name / f"scratch of {work.__module__}"))
        assert not pretend.PRODUCTS[pretend.CPU], f"{work.__module__} computes on cpu"
        return output

    return run


@pytest.fixture
def thrice(once, monkeypatch):
    """Run a stage straight; without recording its steps; and killed after its first checkpoint and resumed.

    All three must write the same bytes; the folder of the first is returned.
    """
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    save = Checkpoint.save

    def save_and_die(self, state, *, now=False):
        save(self, state, now=now)
        raise Killed

    def run(*stage):
        straight = once(*stage, name="straight")
        with monkeypatch.context() as patch:
            patch.setenv("PIPELINE_CAPTURE", "off")
            must_equal(once(*stage, name="unrecorded"), straight)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Checkpoint, "save", save_and_die)
            once(*stage, name="killed")
        must_equal(once(*stage, name="killed"), straight)
        return straight

    return run

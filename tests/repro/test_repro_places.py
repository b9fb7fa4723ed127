"""Which places a machine has, and which stages take those on GPUs."""

import ast
import os
from pathlib import Path

import pytest

from pipeline.repro import places
from pipeline.repro.places import CPU, GPU, kind, of_machine

ROOT = Path(__file__).parents[2]


def on(*names: str) -> list[dict[str, str]]:
    return [{"CUDA_VISIBLE_DEVICES": name} for name in names]


@pytest.mark.parametrize(
    ("jobs", "per_gpu", "cores", "gpus"),
    [
        (None, 1, 6, on("GPU-a", "GPU-b")),
        (None, 3, 2, on(*["GPU-a", "GPU-b"] * 3)),
        (None, 9, 1, on(*["GPU-a", "GPU-b"] * 9)),  # one core for stages that need no GPU, whatever happens
        (3, 1, 1, on("GPU-a", "GPU-b")),
        (1, 1, 0, on("GPU-a")),
    ],
)
def test_each_gpu_has_its_places_and_the_cores_that_are_left_are_places_too(
    cards, monkeypatch, jobs, per_gpu, cores, gpus
):
    cards("GPU-a", "GPU-b")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert of_machine(jobs, per_gpu) == {CPU: [{}] * cores, GPU: gpus}


@pytest.mark.parametrize(
    ("device", "gpus"), [("cpu", []), ("cuda", on("GPU-a", "GPU-b")), ("cuda:1", [{}]), ("mps", [{}])]
)
def test_the_device_asked_for_decides(cards, monkeypatch, device, gpus):
    cards("GPU-a", "GPU-b")
    monkeypatch.setenv("PIPELINE_DEVICE", device)
    assert of_machine(8, 1)[GPU] == gpus


def test_without_a_gpu_each_core_is_a_place(monkeypatch):
    monkeypatch.setenv("PIPELINE_DEVICE", "cpu")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert of_machine(None, 1) == {CPU: [{}, {}], GPU: []}
    assert of_machine(1, 1) == places.ONE


def test_the_stages_of_a_gpu_are_those_that_prepare_it(monkeypatch):
    monkeypatch.chdir(ROOT)
    both, none, only = {CPU: [{}], GPU: [{}]}, {CPU: [{}], GPU: []}, {CPU: [], GPU: [{}]}
    for script in (ROOT / "stages").glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Call)]
        prepares = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "prepare"]
        wanted = GPU if any(not call.keywords for call in prepares) else CPU
        assert kind(f"{script.stem}@run", both) == wanted
        assert kind(f"{script.stem}@run", none) == CPU
        assert kind(f"{script.stem}@run", only) == GPU
    assert kind("train_gan@jsd", both) == GPU
    assert all(kind(stage, both) == CPU for stage in ("train_flow@k2", "score_flow@k2", "planar@layers", "animate"))

"""Where stages run on this machine: one at a time on each place of a GPU, the others on the cores."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipeline.runtime import gpus

CPU, GPU = "CPU", "GPU"

Places = Mapping[str, list[dict[str, str]]]
"""For `CPU` and `GPU` the variables of each place that differ from this process's, `{"CUDA_VISIBLE_DEVICES": "1"}`."""

ONE: Places = {CPU: [{}], GPU: []}
"""One place, and nothing else than this process's own variables."""


def of_machine(jobs: int | None, per_gpu: int) -> Places:
    """Return the places of this machine; each holds one stage at a time, so no core starts a CUDA process of its own.

    Args:
        jobs: How many places there are in all; without a number each GPU has its places, and the other cores are the
            rest. Where GPUs leave none for stages that need none, these take turns with the others.
        per_gpu: Number of places on each GPU.
    """
    on_gpus = [variables for _ in range(per_gpu) for variables in _gpus()][:jobs]
    cores = max(1, (os.cpu_count() or 1) - len(on_gpus)) if jobs is None else jobs - len(on_gpus)
    return {CPU: [{} for _ in range(cores)], GPU: on_gpus}


def kind(stage: str, places: Places) -> str:
    """Return of which kind the places are that a stage may take."""
    wanted, other = (GPU, CPU) if _uses_gpu(stage.partition("@")[0]) else (CPU, GPU)
    return wanted if places[wanted] else other


def _gpus() -> list[dict[str, str]]:
    """Return the variables by which a process gets each GPU that `PIPELINE_DEVICE` allows."""
    match os.environ.get("PIPELINE_DEVICE") or "cuda":
        case "cpu":
            return []
        case "cuda":
            return [{"CUDA_VISIBLE_DEVICES": name} for name in gpus.visible()]
        case _:
            return [{}]  # one device, by its name


@cache
def _uses_gpu(script: str) -> bool:
    """Return whether the script of a stage asks for the device, instead of the CPU by `prepare(cpu=True)`."""
    file = Path("stages") / f"{script}.py"
    return file.is_file() and "prepare()" in file.read_text()

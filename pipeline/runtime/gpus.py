"""The GPUs of this machine, asked of the driver: importing torch takes over a second."""

import os
import re
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path

DEVICES = Path("/dev")


def visible() -> list[str]:
    """Return the NVIDIA GPUs that processes started from here may use, each as `CUDA_VISIBLE_DEVICES` names it.

    The names are UUIDs where the driver's `nvidia-smi` tells them, since it counts GPUs in another order than CUDA
    does. Of a GPU that is divided (MIG) these are the parts.
    """
    present = _listed() or [str(number) for number, _ in enumerate(DEVICES.glob("nvidia[0-9]*"))]
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None or not present:
        return present
    names = (name.strip() for name in allowed.split(","))
    return list(takewhile(lambda name: name not in ("", "-1"), names))  # as CUDA reads it: the first odd name ends it


def _listed() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    answer = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout
    found: list[str] = []
    for card in re.split(r"(?m)^(?=GPU )", answer):
        whole, parts = re.findall(r"UUID: (GPU-[^)\s]+)", card), re.findall(r"UUID: (MIG-[^)]+)", card)
        found += parts or whole
    return found

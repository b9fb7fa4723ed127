"""Names of what computes: the processor, and the GPU that a process uses."""

import platform
import sys
from pathlib import Path


def processor() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def used() -> str:
    """Return the name of the GPU on which this process has computed, or of the processor if it has used none."""
    torch = sys.modules.get("torch")  # a stage that has not imported it has used no GPU
    if torch is not None and torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    return processor()

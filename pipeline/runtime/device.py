"""The device, and what decides its bits: thread count, precision and deterministic kernels."""

import ctypes
import os
import platform
import warnings

import torch

from pipeline.runtime import gpus
from pipeline.runtime.errors import UserError
from pipeline.runtime.precision import allow_tf32

ADVICE = "PIPELINE_DEVICE=cpu computes without it."


def prepare(*, cpu: bool = False) -> torch.device:
    """Choose the device of this process, try it, and make its arithmetic repeatable.

    `PIPELINE_DEVICE` names it (`cpu`, `cuda`, `cuda:1`); otherwise the first GPU is taken where there is one.
    `PIPELINE_THREADS` sets the CPU threads (1 by default: several stages share a machine, and the thread count changes
    the last bits of a sum, so equality is promised per device and thread count).

    Args:
        cpu: Compute on the CPU whatever is there: no context is opened on a GPU.

    Raises:
        UserError: If the thread count is not a number, or the device cannot compute in float64; also if there is a GPU
            that torch cannot use, and nobody has asked for the CPU.
    """
    _set_threads(os.environ.get("PIPELINE_THREADS") or "1")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be repeatable
    device = torch.device("cpu") if cpu else _tried(os.environ.get("PIPELINE_DEVICE") or _first())
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms(True) without a second of imports
    # ... which would also write every new tensor twice: no code here reads what it has not written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    allow_tf32(False)
    _keep_freed_memory()
    return device


def _set_threads(number: str) -> None:
    if not number.isdecimal() or int(number) < 1:
        raise UserError(f"PIPELINE_THREADS={number}: a whole number of at least 1 is needed.")
    torch.set_num_threads(int(number))


def _first() -> str:
    """Name a GPU where there is one, whether or not torch can use it: `_tried` says why it cannot."""
    with warnings.catch_warnings(action="ignore"):
        return "cuda" if torch.cuda.is_available() or gpus.visible() else "cpu"


def _tried(name: str) -> torch.device:
    """Return the device called `name`, on which a kernel has run in float64 and whose result has come back."""
    try:
        device = torch.device(name)
        if device.type == "cuda":
            device = torch.device("cuda", device.index or 0)
            torch.cuda.set_device(device)
        total = torch.arange(4, dtype=torch.float64, device=device).square().sum().item()
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        if "no kernel image" in reason:
            reason = _without_kernels(device)
        elif name == "mps":
            reason = "it has no 64-bit floating point numbers, which scores need"
        raise UserError(f"The device {name} cannot be used: {reason}. {ADVICE}") from None
    if total != 14.0:
        raise UserError(f"The device {name} cannot be used: 0 + 1 + 4 + 9 is {total} there. {ADVICE}")
    return device


def _without_kernels(device: torch.device) -> str:
    own = "sm_{}{}".format(*torch.cuda.get_device_capability(device))  # how torch writes compute capability 6.1: sm_61
    known = ", ".join(torch.cuda.get_arch_list())
    return f"{torch.cuda.get_device_name(device)} is {own}, and torch {torch.__version__} has kernels for {known} only"


def _keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones instead of handing it back to the system.

    Otherwise every large temporary costs a page fault per 4 KiB: half the time of a likelihood on one core.
    """
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        libc = ctypes.CDLL(None)
        for option in (mmap_threshold, trim_threshold):
            libc.mallopt(option, 1 << 30)

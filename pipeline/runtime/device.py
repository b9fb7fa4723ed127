"""The device, and what decides its bits: thread count, precision and deterministic kernels."""

import ctypes
import os
import platform

import torch

from pipeline.runtime.errors import UserError


def prepare() -> torch.device:
    """Choose the device of this process and make its arithmetic repeatable.

    `PIPELINE_DEVICE` names it (`cpu`, `cuda`, `cuda:1`); otherwise the first GPU is taken where there is one.
    `PIPELINE_THREADS` sets the CPU threads (1 by default: several stages share a machine, and the thread count changes
    the last bits of a sum, so equality is promised per device and thread count).

    Raises:
        UserError: if the device named is not there, or the thread count is not a number.
    """
    name = os.environ.get("PIPELINE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    threads = os.environ.get("PIPELINE_THREADS") or "1"
    try:
        torch.set_num_threads(int(threads))
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"PIPELINE_DEVICE={name}, PIPELINE_THREADS={threads}: {reason}") from None
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be repeatable
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms(True) without a second of imports
    # ... which would also write every new tensor twice: no code here reads what it has not written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    _keep_freed_memory()
    return device


def _keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones instead of handing it back to the system.

    Otherwise every large temporary costs a page fault per 4 KiB: half the time of a likelihood on one core.
    """
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        libc = ctypes.CDLL(None)
        for option in (mmap_threshold, trim_threshold):
            libc.mallopt(option, 1 << 30)

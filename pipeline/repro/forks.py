"""Stages as forks of a process that has already imported torch.

Importing torch takes about two seconds of CPU time, more than many a stage of the default computes. A worker therefore
keeps a fork server, that of `multiprocessing`, which imports torch once; each stage is a fork of it. Nothing of this
project is imported there: a stage always runs the modules that lie on the disk when it starts.
"""

import contextlib
import multiprocessing
import os
import re
import runpy
import shlex
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

PRELOADED = ["torch"]
CALL = re.compile(r"""python -m (stages\.\w+(?: (?:[\w./@=-]+|"[^"$`\\!]*"))*)""")
"""What can be forked: a stage of this project, with arguments in which a shell finds nothing to do."""


def server() -> ForkServerContext | None:
    """Return what starts forks; nothing on systems on which a process must not fork once it has loaded a framework."""
    if sys.platform != "linux":
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def call_of(command: str) -> list[str]:
    """Return module and arguments of `python -m stages.<name> ...`, of any other shell command nothing."""
    found = CALL.fullmatch(command)
    return shlex.split(found[1]) if found else []


def run(context: ForkServerContext, call: list[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Run a module as `python -m` does, in a fork that writes to this process's standard output.

    Args:
        context: Starts the fork.
        call: Module and arguments.
        folder: Working folder.
        environment: All environment variables.

    Returns:
        The exit status, negative if a signal ended it.
    """
    fork = context.Process(target=_run, args=(call, str(folder), dict(environment), DupFd(1)))
    fork.start()
    fork.join()
    return fork.exitcode or 0


def _run(call: list[str], folder: str, environment: dict[str, str], output: Any) -> None:
    descriptor = output.detach()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, folder)
    sys.argv = call
    with contextlib.suppress(OSError):  # some containers refuse it
        Path("/proc/self/comm").write_text(call[0])  # its name in `ps`, where the command is the server's
    runpy.run_module(call[0], run_name="__main__", alter_sys=True)

"""Stages as forks of a process that has already imported torch.

Importing torch takes about two seconds of CPU time, more than many a stage of the default computes. A worker therefore
keeps a fork server, that of `multiprocessing`, which imports torch once; each stage is a fork of it. Nothing of this
project is imported there: a stage always runs the modules that lie on the disk when it starts. Another torch that is
installed meanwhile counts from the runner's next start.
"""

import contextlib
import multiprocessing
import os
import re
import runpy
import shlex
import signal
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

PRELOADED = ["torch"]
CALL = re.compile(r"""python -m (stages\.\w+(?: (?:[\w./@=-]+|"[^"$`\\!]*"))*)""")
"""What can be forked: a stage of this project, with arguments in which a shell finds nothing to do."""


def server() -> ForkServerContext | None:
    """Start the fork server, and return what starts forks of it.

    Nothing is returned where none can be had: on macOS a process must not fork once it has loaded certain libraries of
    the system, and a socket may be impossible in the folder of temporary files.
    """
    if sys.platform != "linux":
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # or Ctrl-C would end its imports with a traceback
    try:
        forkserver.ensure_running()
    except OSError:
        return None
    finally:
        signal.signal(signal.SIGINT, before)
    return context


def call_of(command: str) -> list[str]:
    """Return module and arguments of `python -m stages.<name> ...`, of any other shell command nothing."""
    found = CALL.fullmatch(command)
    return shlex.split(found[1]) if found else []


def run(
    context: ForkServerContext, call: list[str], folder: str | Path, environment: Mapping[str, str], log: str | Path
) -> int:
    """Run a module as `python -m` does, but that `atexit` calls nothing at its end before Python 3.13.

    Args:
        context: Starts the fork.
        call: Module and arguments.
        folder: Working folder.
        environment: All environment variables.
        log: File to which its standard output and error are added.

    Returns:
        The exit status, negative if a signal ended it.

    Raises:
        EOFError, OSError: If the fork server is gone; nothing has run then.
    """
    fork = context.Process(target=_run, args=(call, str(folder), dict(environment), str(log)))
    fork.start()
    fork.join()
    assert fork.exitcode is not None
    return fork.exitcode


def write_to(log: str) -> None:
    """Let standard output and error of this process, and of those that it starts, be added to a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _run(call: list[str], folder: str, environment: dict[str, str], log: str) -> None:
    write_to(log)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # to which the server was deaf
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, folder)
    sys.argv = call
    with contextlib.suppress(OSError):  # some containers refuse it
        Path("/proc/self/comm").write_text(call[0])  # its name in `ps`, where the command is the server's
    runpy.run_module(call[0], run_name="__main__", alter_sys=True)

"""A process that runs stages through DVC's command line, one after the other, for as long as its master lives.

It saves the start of DVC for every stage but the first, and on Linux the import of torch for the stages of this
project. Orders come as lines of JSON on stdin, `[log, *arguments of dvc]`; DVC's exit status goes back as a line on
stdout. The end of stdin, also by the master's death, ends the stage that runs.
"""

import json
import os
import queue
import signal
import threading
import time
from typing import Any, TextIO

from pipeline.repro import forks

PATIENCE = 20  # seconds that a stage has to end itself


def main() -> None:
    """Follow orders until stdin ends."""
    orders, answers = os.fdopen(_apart(0), "r"), os.fdopen(_apart(1), "w")
    # A function, since SIG_IGN would pass to the stages. DVC itself goes on, lest it leave dvc.lock half-written.
    signal.signal(signal.SIGINT, lambda *_: None)
    dvc = _Dvc()
    waiting: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders, waiting), daemon=True).start()
    while order := waiting.get():
        print(dvc.do(*order), file=answers, flush=True)


class _Dvc:
    """DVC, made faster: a quicker reader for dvc.lock, and stages that are forked."""

    def __init__(self) -> None:
        self._server = forks.server()
        self._log = ""
        from dvc.cli import main
        from dvc.stage import run
        from dvc.utils.serialize import _yaml

        # DVC enters each stage into dvc.lock with a reader that keeps comments, and takes half a second: there are none
        _yaml.parse_yaml_for_update = _yaml.parse_yaml
        self._main, self._in_shell, run._run = main, run._run, self._command

    def do(self, log: str, *arguments: str) -> int:
        """Run a command of DVC, which writes to `log`; return its exit status."""
        self._log = log
        forks.write_to(log)
        status: int = self._main(list(arguments))
        return status

    def _command(self, executable: str, text: str, **options: Any) -> None:
        """Run the command of a stage, as `dvc.stage.run._run` does in a shell."""
        from dvc.stage.exceptions import StageCmdFailedError

        if self._server and (call := forks.call_of(text)):
            try:
                status = forks.run(self._server, call, options["cwd"], options["env"], self._log)
            except (EOFError, OSError) as error:
                print(f"no fork server ({error!r}): the stage starts by itself", flush=True)
            else:
                if status:
                    raise StageCmdFailedError(text, status)
                return
        self._in_shell(executable, text, **options)


def _apart(stream: int) -> int:
    """Return a copy of a standard stream that stages do not inherit, and put the null device in its place."""
    copy = os.dup(stream)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, stream)
    os.close(nothing)
    return copy


def _listen(orders: TextIO, waiting: "queue.SimpleQueue[list[str]]") -> None:
    for line in orders:
        waiting.put(json.loads(line))
    waiting.put([])
    for _ in range(PATIENCE):  # again and again: DVC may be about to start a stage
        os.killpg(0, signal.SIGINT)
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()

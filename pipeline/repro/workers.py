"""Worker processes on this machine."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.repro.worker import PATIENCE
from pipeline.runtime.paths import scratch


class StageError(Exception):
    """A stage that did not run to its end.

    Args:
        stage: its name.
        log: what it and DVC printed.
        reason: how it ended.
    """

    def __init__(self, stage: str, log: Path, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.log = log
        self.reason = reason


def log_of(stage: str) -> Path:
    """Return the file that takes what `stage` and DVC print."""
    return scratch() / "logs" / f"{stage}.log"


class Workers:
    """Processes that run one stage each at a time; leaving the context ends them and the stages at work.

    Args:
        environments: the variables of each worker that differ from this process's, `{"CUDA_VISIBLE_DEVICES": "1"}`.
        lock: descriptor of a file locked by this process; the lock is held until the last worker has ended.
    """

    def __init__(self, environments: Sequence[Mapping[str, str]], lock: int) -> None:
        self._lock = lock
        self._all = [_Worker(variables) for variables in environments]
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()  # a worker that has started goes first
        for worker in reversed(self._all):
            self._idle.put(worker)

    def run(self, stage: str, *commands: Sequence[str]) -> None:
        """Bring one stage up to date.

        Args:
            stage: its name.
            commands: of DVC, one after the other; where there are none, the inputs are taken to be up to date.

        Raises:
            StageError: if DVC says so, or is killed.
        """
        log = log_of(stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        worker = self._idle.get()
        try:
            for command in commands or [["repro", "--single-item", stage]]:
                status = worker.ask([str(log), "--wait-for-lock", *command], self._lock)
                if status != "0":
                    raise StageError(stage, log, f"DVC ended with status {status}" if status else "its DVC was killed")
        finally:
            self._idle.put(worker)

    def dismiss(self) -> None:
        """End the workers and the stages at work, which have a few seconds for it."""
        for worker in self._all:
            worker.dismiss()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()
        for worker in self._all:
            worker.join()


class _Worker:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._process: subprocess.Popen[str] | None = None

    def ask(self, order: list[str], lock: int) -> str:
        """Have an order carried out and return the answer, nothing if the worker dies over it."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.repro.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **self._variables},
                pass_fds=[lock],
                start_new_session=True,  # Ctrl-C reaches the master alone
            )
        assert self._process.stdin and self._process.stdout
        answer = ""
        with contextlib.suppress(BrokenPipeError, ValueError):  # it died, or was dismissed
            print(json.dumps(order), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline().strip()
        if not answer:
            self._kill()
            self._process = None
        return answer

    def dismiss(self) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def join(self) -> None:
        if process := self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE + 5)
            self._kill()

    def _kill(self) -> None:
        """End what is left of the worker's process group: a stage outlives a DVC that is killed."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

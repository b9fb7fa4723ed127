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

from pipeline.repro.places import Places, kind
from pipeline.repro.worker import PATIENCE
from pipeline.runtime.paths import scratch


class StageError(Exception):
    """A stage that did not run to its end.

    Args:
        stage: Its name.
        log: What it and DVC printed.
        reason: How it ended.
    """

    def __init__(self, stage: str, log: Path, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.log = log
        self.reason = reason


def log_of(stage: str) -> Path:
    """Return the file that takes what `stage` and DVC print."""
    return scratch() / "logs" / f"{stage}.log"


class Workers:
    """Processes that run one stage each at a time; leaving the context ends them and their stages.

    Args:
        places: The places of this machine; a worker sits on each.
        lock: Descriptor of a file locked by this process; the lock is held until the last worker has ended.
    """

    def __init__(self, places: Places, lock: int) -> None:
        self._places, self._lock = places, lock
        self._all: list[_Worker] = []
        self._idle: dict[str, queue.LifoQueue[_Worker]] = {}  # the last one first: a worker that has started
        for name, variables in places.items():
            workers = [_Worker(each) for each in variables]
            self._all += workers
            self._idle[name] = queue.LifoQueue()
            for worker in reversed(workers):
                self._idle[name].put(worker)

    @property
    def width(self) -> dict[str, int]:
        """How many stages of each kind may run at once."""
        return {name: len(variables) for name, variables in self._places.items()}

    def kind(self, stage: str) -> str:
        """Return of which kind `stage` is."""
        return kind(stage, self._places)

    def run(self, stage: str, *commands: Sequence[str]) -> None:
        """Bring one stage up to date.

        Args:
            stage: Its name.
            commands: Commands of DVC, one after the other; without any, the inputs are taken to be up to date.

        Raises:
            StageError: If DVC says so, or is killed.
        """
        log = log_of(stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        idle = self._idle[self.kind(stage)]
        worker = idle.get()
        try:
            for command in commands or [["repro", "--single-item", stage]]:
                status = worker.ask([str(log), "--wait-for-lock", *command], self._lock)
                if status != "0":
                    raise StageError(stage, log, f"DVC ended with status {status}" if status else "its DVC was killed")
        finally:
            idle.put(worker)

    def dismiss(self) -> None:
        """End the workers and the stages that run, which have a few seconds for it."""
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
        """Have an order followed and return the answer, nothing if the worker dies over it."""
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

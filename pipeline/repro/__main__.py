"""Run everything that params.yaml asks for and is not done yet, several stages at once.

`python -m pipeline.repro --jobs 4 --gpus 0,1 --per-gpu 2 [target ...]`; the plain `dvc repro` at its end proves it.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from pipeline.config import params
from pipeline.repro import graph
from pipeline.repro.mend import mend
from pipeline.repro.ready import carry_out
from pipeline.repro.watch import Progress, end_of
from pipeline.repro.workers import StageError, Workers
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import scratch
from pipeline.tracking import seconds

LINES = 25  # of a failed stage's log


def main() -> None:
    """Read the command line and carry it out."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        params.write(params.expand(params.read(Path("params.yaml"))))
        with _alone() as lock:
            for sentence in mend():
                print(f"mended: {sentence}", flush=True)
            if len(options.slots) > 1:
                _together(options, lock)
            sys.exit(subprocess.run(["dvc", "--wait-for-lock", "repro", *options.targets], check=False).returncode)
    except UserError as error:
        sys.exit(str(error))
    except StageError as error:
        print(f"error: {error}; the end of {error.log}:", *end_of(error.log, LINES), sep="\n    ", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def _together(options: argparse.Namespace, lock: int) -> None:
    whole, changed = graph.ask()
    todo = graph.work(graph.select(whole, options.targets), changed)
    progress = Progress(len(todo))
    width = len(options.slots)
    with ThreadPoolExecutor(width) as threads, Workers(options.slots, lock) as workers, progress:
        urgency = graph.urgency(todo, seconds.latest())
        failure = carry_out(todo, lambda stage: threads.submit(workers.run, stage), width, urgency, progress)
    if failure is not None:
        raise failure


@contextmanager
def _alone() -> Iterator[int]:
    """Hold the lock of this checkout's runner; workers of one that was killed hold it until they have ended."""
    file = scratch() / "locks" / "repro"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another run is at work in this checkout, or being stopped; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.repro", description=__doc__)
    parser.add_argument("targets", nargs="*", help="stages, train_vae@bernoulli or train_vae; all where none is named")
    parser.add_argument("--jobs", type=_positive, help="stages at once; one for each core, or for each place on a GPU")
    parser.add_argument("--gpus", type=lambda text: text.split(","), default=[], help="numbers of GPUs, 0,1")
    parser.add_argument("--per-gpu", type=_positive, default=1, help="stages at once on each GPU")
    options = parser.parse_args()
    places = [{"CUDA_VISIBLE_DEVICES": gpu} for _ in range(options.per_gpu) for gpu in options.gpus]
    jobs = options.jobs or len(places) or os.cpu_count() or 1
    if places and jobs > len(places):
        parser.error(f"--jobs {jobs}: the GPUs named have {len(places)} places; see --per-gpu")
    options.slots = places[:jobs] or [{} for _ in range(jobs)]
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    main()

"""Run everything that params.yaml asks for and is not done yet, several stages at once.

`python -m pipeline.repro --jobs 4 --per-gpu 2 [target ...]`, or on several machines `--dask tcp://...`, see
cluster/dask.md; the plain `dvc repro` at its end proves it. Each GPU that CUDA_VISIBLE_DEVICES allows takes one stage
at a time, or as many as `--per-gpu` says; stages that need none run on the other cores.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import networkx as nx

from pipeline.config import params
from pipeline.repro import graph, places
from pipeline.repro.alone import alone
from pipeline.repro.objects import drop_damaged
from pipeline.repro.ready import run_all
from pipeline.repro.repair import refuse_conflicts, repair
from pipeline.repro.watch import Progress, end_of
from pipeline.repro.workers import StageError, Workers
from pipeline.runtime.arguments import positive
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan
from pipeline.tracking import usage

if TYPE_CHECKING:
    from pipeline.repro.cluster import Cluster

LINES = 25  # of the logs of failed stages in all, at least `FEW` of each
FEW = 8


def main() -> None:
    """Read the command line and do what it says."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    # `dvc` and the stages that it starts are those of this Python, whether or not its environment is active
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    try:
        refuse_conflicts()
        plans = params.expand(params.read(Path("params.yaml")))  # refused at once, written when no other run reads it
        if options.dask:
            _elsewhere(options, plans)
        with _prepared(plans) as lock:
            here = places.of_machine(options.jobs, options.per_gpu)
            if here != places.ONE and not options.dask:  # one place like this process's own is DVC's
                todo, _ = _ask(options.targets)
                if not todo:
                    print("Data and pipelines are up to date.")
                    return
                _run(todo, Workers(here, lock))
            pull = ["--pull"] if options.dask else []
            repro = ["dvc", "--wait-for-lock", "repro", "--keep-going", *pull, *options.targets]
            sys.exit(1 if subprocess.run(repro, check=False).returncode else 0)
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("interrupted; rerun the same command to continue from here", file=sys.stderr)
        sys.exit(130)


def _elsewhere(options: argparse.Namespace, plans: list[Plan]) -> None:
    """Have everything done by other clones; one of them may be this one, whose lock is left to its worker."""
    from pipeline.repro.cluster import Cluster  # asks git

    with _prepared(plans):
        uncached = graph.uncached()
        cluster = Cluster(options.dask, uncached, options.jobs)
        todo, done = _ask(options.targets)
        if done and subprocess.run(["dvc", "--wait-for-lock", "push", "--run-cache", *done], check=False).returncode:
            raise UserError("DVC cannot push the finished outputs, which the workers would compute again.")
    # Every clone makes the plan itself: DVC's run cache has no place for an output that persists. And none finds in a
    # remote what is left to git, the report's summary: such stages are for the `dvc repro` at the end, here.
    todo = todo.subgraph(set(todo) - {graph.PLAN, *uncached.values()})
    _run(todo, cluster)


@contextmanager
def _prepared(plans: list[Plan]) -> Iterator[int]:
    """Hold the lock of this checkout's runner, with the plan written and what a kill left behind repaired."""
    with alone() as lock:
        params.write(plans)
        for sentence in [*repair(), *drop_damaged(graph.cache())]:
            print(f"repaired: {sentence}", flush=True)
        yield lock


def _ask(targets: list[str]) -> tuple["nx.DiGraph[str]", list[str]]:
    """Return what is to be done, and which stages need not be."""
    whole, changed = graph.ask()
    todo = graph.work(graph.select(whole, targets), changed)
    return todo, sorted(set(whole) - changed)


def _run(todo: "nx.DiGraph[str]", workers: "Workers | Cluster") -> None:
    """Run all of `todo` by `workers`; where stages fail, do what does not need them, then say which and exit."""
    width, progress = workers.width, Progress(len(todo))
    with ThreadPoolExecutor(sum(width.values())) as threads, workers, progress:
        urgency = graph.urgency(todo, usage.latest())
        failed = run_all(todo, lambda stage: threads.submit(workers.run, stage), workers.kind, width, urgency, progress)
    if failed:
        sys.exit("\n".join(_failures(todo, failed)))


def _failures(todo: "nx.DiGraph[str]", failed: Mapping[str, StageError]) -> Iterator[str]:
    """Yield the lines that say what failed and why, and what was not run for that reason."""
    lines = max(FEW, LINES // len(failed))
    for stage, error in failed.items():
        yield f"error: {error}; the end of {error.log}:"
        yield from (f"    {line}" for line in end_of(error.log, lines))
        if waiting := nx.descendants(todo, stage):
            yield f"  not run, since it needs {stage}: {', '.join(sorted(waiting))}"
    done = len(todo) - len(set(failed).union(*(nx.descendants(todo, stage) for stage in failed)))
    names = ", ".join(failed)
    yield (
        f"{len(failed)} of {len(todo)} stages failed: {names}; {done} are done. Rerun the same command to go on;"
        " `make doctor` tells whether anything around the stages is amiss."
    )


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.repro", description=__doc__)
    parser.add_argument("targets", nargs="*", help="stages, train_vae@bernoulli or train_vae; all where none is named")
    parser.add_argument("--jobs", type=positive, help="stages at once; by default one for each core, or worker of Dask")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--dask", metavar="ADDRESS", help="scheduler of workers on other machines, tcp://10.0.0.1:8786")
    where.add_argument("--per-gpu", type=positive, default=1, help="stages at once on each GPU; 1 by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Run one experiment per combination of values, and compare them.

`python -m pipeline.sweep "gan.penalty=none,r1,gp,lp" --seeds 0,1,2 --jobs 2`: all are checked before one is queued,
then run as experiments of DVC, each in a copy of the checkout of its own, and ranked. `dvc exp apply NAME` takes one
over.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from pipeline.config import params
from pipeline.runtime.arguments import positive
from pipeline.runtime.errors import told
from pipeline.sweep import grid, queue
from pipeline.sweep.grid import Sweep


def main() -> None:
    """Read the command line and do what it says."""
    options = _options()
    try:
        with told():
            swept = grid.combinations(" ".join(options.values))
            sweep = grid.plan(params.read(Path("params.yaml")), swept, options.seeds)
            print(f"{len(sweep.experiments)} experiments of {', '.join(sweep.targets)}", flush=True)
            if options.dry_run:
                for name, overrides in sweep.experiments.items():
                    print(f"  {name}: {' '.join(f'{key}={value}' for key, value in overrides.items())}")
                return
            sys.exit(run(sweep, options.jobs))
    except KeyboardInterrupt:
        print("interrupted; queued experiments go on: `dvc queue status` shows them, `dvc queue stop --kill` ends them")
        sys.exit(130)


def run(sweep: Sweep, jobs: int) -> int:
    """Run all experiments and compare those that ended well; return the exit status."""
    if sweep.before:  # once, instead of once per experiment
        queue.dvc("--wait-for-lock", "repro", *sweep.before)
    taken, names = queue.taken(), []
    for wanted, overrides in sweep.experiments.items():
        names.append(_free(wanted, taken))
        queue.put(names[-1], overrides, sweep.targets)
    ended = queue.work(names, jobs)
    failed = [name for name in names if ended.get(name) != queue.SUCCESS]
    if done := [name for name in names if name not in failed]:
        over = [part for name in sweep.swept for part in ("--over", name)]
        subprocess.run([sys.executable, "-m", "pipeline.compare", *done, *over], check=False)
    for name in failed:
        print(f"{name} failed: `dvc queue logs {name}` says why", file=sys.stderr)
    return 1 if failed else 0


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no experiment has, and take it."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.sweep", description=__doc__)
    parser.add_argument("values", nargs="+", help="hyperparameters with their values, gan.penalty=none,r1")
    parser.add_argument("--seeds", type=_numbers, default=[], help="seeds of every training that is reached: 0,1,2")
    parser.add_argument("--jobs", type=positive, default=1, help="experiments at once; 1 by default")
    parser.add_argument("--dry-run", action="store_true", help="check, show the experiments, and run nothing")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()

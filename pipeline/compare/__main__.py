"""Compare experiments, commits and runs: a ranking, differences with intervals, and what was not alike.

`python -m pipeline.compare` takes the workspace and all experiments that start from its commit, `python -m
pipeline.compare r1 main~3 workspace` those that are named, `--runs main,jsd_3` runs with each other.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.compare import render, scored
from pipeline.compare.render import Compared
from pipeline.compare.scored import Group
from pipeline.runtime.errors import UserError, told

FOLDER = Path("reports/compare")


def main() -> None:
    """Read the command line, print the comparison and write it."""
    options = _options()
    with told():
        compared = compare(options.revisions, options.runs, options.metric, options.over)
        print(render.text(compared))
        print(*render.write(compared, options.out), sep="\n")


def compare(names: list[str], runs: list[str], patterns: list[str], over: Sequence[str] = ()) -> list[Compared]:
    """Return the rankings of what is to be compared.

    Args:
        names: Names of revisions, see `pipeline.compare.revisions.read`.
        runs: Runs to compare with each other, see `pipeline.compare.scored.groups`.
        patterns: Names of the numbers to compare, `*` stands for anything; without any, the headlines.
        over: Hyperparameters to plot them against, see `pipeline.compare.pictures.swept`.

    Raises:
        UserError: If there is no such revision, run or number.
    """
    from pipeline.compare import revisions  # DVC takes half a second

    read = revisions.read(names or ([revisions.WORKSPACE] if runs else []))
    known = {plan.run for revision in read for plan in revision.plans.values() if plan.output.startswith("scores/")}
    if missing := set(runs) - known:
        raise UserError(f"{', '.join(sorted(missing))}: no scored run; those are {', '.join(sorted(known))}.")
    groups = scored.groups(read, runs)
    compared = [render.compared(group, patterns, over) for group in groups]
    if patterns and not any(each.rankings for each in compared):
        raise UserError(f"{', '.join(patterns)}: no such metric; compared are {', '.join(_numbers(groups))}.")
    return compared


def _numbers(groups: list[Group]) -> list[str]:
    return sorted({name for group in groups for member in group.members.values() for name in member.values})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.compare", description=__doc__)
    parser.add_argument(
        "revisions", nargs="*", metavar="EXPERIMENT or REVISION", help="names; `workspace` for what lies here"
    )
    parser.add_argument(
        "--runs", type=lambda text: text.split(","), default=[], help="runs to compare with each other: main,jsd_3"
    )
    parser.add_argument(
        "--metric", action="append", default=[], help="number of metrics.json, *.frechet_distance; may be repeated"
    )
    parser.add_argument(
        "--over", action="append", default=[], help="hyperparameter to plot the numbers against; may be given twice"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder to write into; {FOLDER} by default")
    return parser.parse_args()


if __name__ == "__main__":
    main()

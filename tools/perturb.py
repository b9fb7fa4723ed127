"""Which verdicts rounding turns over: `python -m tools.perturb FOLDER --runs k2 mlp vanilla lsgan wgan_gp`.

The runs are trained and scored again, several times, each time with initial weights that differ from theirs by a ten
millionth of their size, which is what another processor's rounding does to them. Everything else is that of this
checkout, whose outputs must be there. Then every claim is tested on each copy. A verdict that the next rounding error
turns over says nothing of the claim: such a rule needs a margin, or its verdict must say that it comes from one seed.
"""

import argparse
import contextlib
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from pipeline.report import reported
from pipeline.report.claims import Claim, Interval
from pipeline.report.render import CHAPTERS, files_read
from pipeline.report.results import Results
from pipeline.runtime import training
from pipeline.runtime.plan import Plan, read_all
from pipeline.runtime.seeding import generator
from pipeline.runtime.training import Trainee
from stages.job import Job

SIZE = 1e-7  # relative to each weight: half of them move by one unit in the last place of float32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder for the copies; what is finished there is not done again")
    parser.add_argument("--runs", nargs="+", required=True, help="names of the runs that are trained again")
    parser.add_argument("--times", type=int, default=2, help="number of copies")
    options = parser.parse_args()
    root = Path.cwd()
    before = verdicts(root)
    copies = []
    for number in range(1, options.times + 1):
        copy = options.folder.resolve() / str(number)
        repeat(root, copy, options.runs, number)
        copies.append(verdicts(copy))
    sys.exit(show(before, copies))


def repeat(root: Path, copy: Path, runs: Collection[str], number: int) -> None:
    """Train and score `runs` in a folder of its own that links everything else.

    Args:
        root: A checkout with all outputs.
        copy: The folder.
        runs: Names of the runs.
        number: Which of the perturbations it is.
    """
    plans = read_all(root)
    again = [plan for plan in plans if plan.run in runs and plan.stage.startswith("train_")]
    trained = {plan.output for plan in again}
    again += [plan for plan in plans if trained & set(plan.inputs.values())]
    kept = [plan.output for plan in plans if plan not in again]
    for output in ("plan", *kept):
        link = copy / output
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to((root / output).resolve(), target_is_directory=True)
    with contextlib.chdir(copy), patch.object(training, "train", partial(_train, training.train, number)):
        for plan in again:
            if not (copy / plan.output).exists():
                _run(plan, copy)


def _run(plan: Plan, copy: Path) -> None:
    """Run one stage; its output appears when it is finished."""
    print(plan.address, file=sys.stderr)
    partial_output = copy / "partial" / Path(plan.output).name
    shutil.rmtree(partial_output, ignore_errors=True)  # of a killed run
    partial_output.mkdir(parents=True)
    with TemporaryDirectory() as scratch:
        job = Job(plan, partial_output, Path(scratch), lambda *_: None)
        importlib.import_module(f"stages.{plan.stage}").main(job)
    (copy / plan.output).parent.mkdir(parents=True, exist_ok=True)
    partial_output.rename(copy / plan.output)


def _train(train: Callable[..., None], number: int, trainees: Mapping[str, Callable[[], Trainee]], *rest: Any) -> None:
    train({name: partial(_nudged, make, f"{name} {number}") for name, make in trainees.items()}, *rest)


def _nudged(make: Callable[[], Trainee], purpose: str) -> Trainee:
    """Return a trainee before its first step, with perturbed weights."""
    trainee = make()
    trainee.resume(nudged(trainee.state(), generator("perturb", purpose)))
    return trainee


def nudged(tree: Any, random: torch.Generator) -> Any:
    """Return nested dictionaries and lists in which every number of a floating tensor is off by about `SIZE`."""
    if isinstance(tree, Mapping):
        return {key: nudged(value, random) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(nudged(value, random) for value in tree)
    if not isinstance(tree, Tensor) or not tree.is_floating_point():
        return tree
    noise = torch.randn(tree.shape, generator=random, dtype=torch.float64)
    return (tree.detach().double().cpu() * (1 + SIZE * noise)).to(tree)


def verdicts(root: Path) -> dict[str, Claim]:
    """Test every claim on the outputs of a checkout."""
    with TemporaryDirectory() as figures:
        known, results = reported.read(), Results(root, files_read(CHAPTERS))
        claims = [claim for chapter in CHAPTERS for claim in chapter.write(results, known, Path(figures)).claims]
    return {claim.name: claim for claim in claims}


def show(before: Mapping[str, Claim], copies: list[dict[str, Claim]]) -> int:
    """Print what moved, verdicts that turned over first; return how many of those do not say that they may."""
    unsaid = 0
    for name, claim in sorted(before.items()):
        words = [each.here or each.outcome for each in (claim, *(copy[name] for copy in copies))]
        margins = [list(_margins(each)) for each in (claim, *(copy[name] for copy in copies))]
        if all(each == margins[0] for each in margins):
            continue
        turned = len(set(words)) > 1
        certain = turned and any("seed" not in word and "undecided" not in word for word in words)
        unsaid += certain
        mark = "TURNED, WITHOUT SAYING THAT IT MAY" if certain else "turned" if turned else "stays"
        print(f"{name} {mark}: {' / '.join(dict.fromkeys(words))}; margins by seed and condition")
        for place in zip(*margins, strict=False):
            print(f"    {' / '.join(f'{value:.3g}' for value in place)}")
    return unsaid


def _margins(claim: Claim) -> Iterator[float]:
    for parts in claim.seeds:
        for part in parts:
            for margin in part:
                yield margin.mean if isinstance(margin, Interval) else float(margin)


if __name__ == "__main__":
    os.environ.setdefault("PIPELINE_DEVICE", "cpu")
    main()

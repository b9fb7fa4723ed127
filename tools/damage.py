"""Damaged files, and what the next runs make of them: `python -m tools.damage`.

In a copy of this checkout with tiny runs, one kind of file after the other is emptied, cut in half or overwritten, and
everything is brought up to date again. That has to end with the undamaged bytes, or with a sentence: the same command
must not crash twice, and what is damaged must not pass for a result.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path

from ruamel.yaml import YAML

from tests.allowed import TINY, own_arrays
from tests.checkout import Checkout
from tools.faults import checksums, runner

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "overwritten": lambda content: random.randbytes(len(content) or 9),
}
OUTPUTS = ("data", "models", "scores", "plots")
CRASH = "Traceback (most recent call last)"
TELLING = ("error: ", "ERROR: ", "repaired: ", "tracking: no", "DVC cannot read")


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Args:
        pattern: Glob pattern of such files, the largest of which is damaged; after `CACHED`, of outputs, whose object
            in DVC's cache is.
        state: The state of the checkout that has them, `done` or `interrupted`.
        without: Folders that are deleted as well, so that the file is needed.
        tracked: Whether it is read only when MLflow is brought level, after the stages.
    """

    pattern: str
    state: str = "done"
    without: tuple[str, ...] = ()
    tracked: bool = False


CACHED = "cache of "
TARGETS = [
    *(Target(pattern, "interrupted") for pattern in (
        ".scratch/stages/train_vae@one/*/seed_*.pt", ".scratch/stages/train_vae@one/*/weights/*.safetensors",
        ".scratch/locks/*",
    )),
    *(Target(pattern) for pattern in (
        "plan/train_vae/one.yaml",
        "plan/likelihood/one.yaml", "sources/train_vae.yaml", "sources/report.yaml", "dvc.lock", ".dvc/tmp/rwlock",
        ".dvc/tmp/btime", ".dvc/tmp/lock", ".dvc/config", "data/mine/card.json",
        "data/mine/train_images.npy", "models/vae/one/history.csv", "models/vae/one/network.json",
        "models/vae/one/seed_0.safetensors", "scores/likelihood/one/metrics.json",
        "scores/likelihood/one/*.npy", "scores/dirac/*.npy", "plots/dirac/*.png",
        "reports/report.md", "reports/summary.json", "reports/curves/vae.csv",
    )),
    *(Target(pattern, tracked=True) for pattern in (
        ".scratch/usage.jsonl", ".scratch/tracking-synced", "mlflow.db", "mlartifacts/**/metrics.json",
    )),
    *(Target(pattern, without=OUTPUTS) for pattern in (
        f"{CACHED}models/vae/one", f"{CACHED}models/vae/one/seed_0.safetensors", f"{CACHED}data/mine/card.json",
        f"{CACHED}scores/likelihood/one/metrics.json", f"{CACHED}plots/dirac", ".dvc/cache/runs/*/*/*",
    )),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[""], help="targets whose pattern holds one of these texts")
    parser.add_argument("--seed", type=int, default=0, help="seed of what files are overwritten with")
    parser.add_argument("--by-turns", action="store_true", help="damage each target in one way instead of all")
    options = parser.parse_args()
    random.seed(options.seed)
    targets = [target for target in TARGETS if any(text in target.pattern for text in options.only)]
    cases = list(zip(targets, cycle(DAMAGES)) if options.by_turns else product(targets, DAMAGES))
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(campaign(Path(folder), cases))


def campaign(folder: Path, cases: list[tuple[Target, str]]) -> int:
    """Damage every target in its ways, print the table of what came of it and return the exit status."""
    checkout = tiny(folder)
    interrupt(checkout)
    shutil.copytree(checkout.folder, folder / "interrupted", symlinks=True)
    checkout.run(*runner(1), PIPELINE_TRACKING="")
    expected = checksums(checkout.folder)
    shutil.copytree(checkout.folder, folder / "done", symlinks=True)
    for target, _ in cases:
        found(folder / target.state, target)  # a target that is not there ends the campaign before anything is damaged
    print("| file | damage | what came of it | said |\n|---|---|---|---|", flush=True)
    outcomes: Counter[str] = Counter()
    for target, damage in cases:
        shutil.rmtree(checkout.folder)
        shutil.copytree(folder / target.state, checkout.folder, symlinks=True)
        file = found(checkout.folder, target)
        file.chmod(0o644)
        file.write_bytes(DAMAGES[damage](file.read_bytes()))
        if target.pattern.startswith((CACHED, ".dvc/cache")):
            file.chmod(0o444)  # as DVC leaves it, and trusts it
        for output in target.without:
            shutil.rmtree(checkout.folder / output)
        outcome, said = attempts(checkout, expected, target)
        outcomes[outcome] += 1
        print(f"| {target.pattern} | {damage} | {outcome} | {said} |", flush=True)
    print("\n" + ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common()))
    return int(any(outcome.endswith(("wrong", "crashed twice")) for outcome in outcomes))


def tiny(folder: Path) -> Checkout:
    """Return a copy of this checkout with tiny runs that take seconds."""
    (folder / "checkout").mkdir()
    checkout = Checkout(folder / "checkout")
    with checkout.params() as params:
        params["data"] = {"mine": own_arrays(folder / "own.npz", "colour", ["train", "test"], labelled=True)}
        for section, values in TINY.items():
            params[section].update(values)
        params["vae"].update(seeds=[0, 1], epochs=100, network="mlp", likelihood="gaussian")
        params["vae"]["runs"] = {"one": {"data": "mine"}}
        params["dirac"]["games"] = {"jsd_1": params["dirac"]["games"]["jsd_1"]}
    checkout.commit("tiny")
    return checkout


def interrupt(checkout: Checkout) -> None:
    """Kill everything when one seed of the autoencoder is trained and the other is not."""
    stage = subprocess.Popen(
        ["dvc", "repro", "train_vae"], cwd=checkout.folder, start_new_session=True, stdout=subprocess.DEVNULL,
        env=checkout.environment(PIPELINE_CHECKPOINT_SECONDS="0", DVC_ROOT=str(checkout.folder)),
    )  # fmt: skip
    while len(list(checkout.folder.glob(".scratch/stages/train_vae@one/*/seed_*.pt"))) < 2:
        assert stage.poll() is None, "the training ended before it could be killed"
        time.sleep(0.005)
    os.killpg(stage.pid, signal.SIGKILL)
    stage.wait()


def found(folder: Path, target: Target) -> Path:
    """Return the file that is to be damaged."""
    if not target.pattern.startswith(CACHED):
        files = list(filter(Path.is_file, folder.glob(target.pattern)))
        assert files, f"no file {target.pattern} where all is {target.state}"
        return max(files, key=lambda file: file.stat().st_size)
    place = Path(target.pattern.removeprefix(CACHED))
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"].values()
    objects = {output["path"]: output["md5"] for stage in stages for output in stage["outs"]}
    if str(place) not in objects:  # a file of an output that is a folder
        listed = json.loads(cached(folder, objects[str(place.parent)]).read_text())
        objects = {f"{place.parent}/{entry['relpath']}": entry["md5"] for entry in listed}
    assert cached(folder, objects[str(place)]).is_file(), f"no object of {place} in DVC's cache"
    return cached(folder, objects[str(place)])


def cached(folder: Path, md5: str) -> Path:
    """Return the object of DVC's cache with this checksum."""
    return folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def attempts(checkout: Checkout, expected: dict[str, str], target: Target) -> tuple[str, str]:
    """Bring everything up to date, if need be a second time; return what came of it, and what was said of it."""
    stages, compared = (["train_vae"], "models/vae/") if target.state == "interrupted" else ([], "")
    commands = [[*runner(1), *stages]] + [[sys.executable, "-m", "pipeline.tracking", "sync"]] * target.tracked
    failures, said = list[str](), ""
    while len(failures) < 2:
        runs = [checkout.run(*command, check=False, PIPELINE_TRACKING="") for command in commands]
        text = "\n".join(run.stdout + run.stderr for run in runs)
        said = said or sentence(text.replace(str(checkout.folder), ""))
        if CRASH in text:
            failures.append("crashed")
        elif runs[0].returncode:
            failures.append("refused")
        else:
            files = checksums(checkout.folder)
            right = all(files.get(name) == expected.get(name) for name in files | expected if name.startswith(compared))
            return ", then ".join([*failures, "recovered" if right else "wrong"]), said
    return f"{failures[1]} twice", said


def sentence(text: str) -> str:
    """Return what a run said of the damage, as a cell of the table."""
    telling = [line for line in text.splitlines() if line.startswith(TELLING) or "is damaged" in line]
    return " ".join(" / ".join(telling[:2]).replace("|", "").split())[:300]


if __name__ == "__main__":
    main()

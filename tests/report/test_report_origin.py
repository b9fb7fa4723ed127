"""An output is shown with the plan that made it, or not at all."""

import hashlib
from pathlib import Path

import pytest
import yaml

from pipeline.report.origin import outdated
from pipeline.report.results import Results
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan

PLANS = {
    plan.address: plan
    for plan in (
        Plan("data", "mine", {}, "data/mine", {"source": "a"}),
        Plan("train_vae", "one", {"data": "data/mine"}, "models/vae/one", {"epochs": 1}),
        Plan("likelihood", "one", {"data": "data/mine", "model": "models/vae/one"}, "scores/likelihood/one", {"k": 1}),
        Plan("train_flow", "k2", {}, "models/flow/k2", {"depth": 2}),
    )
}


def of(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout in which everything is finished."""
    stages = {}
    for plan in PLANS.values():
        for folder in (plan.path.parent, plan.output):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / plan.path).write_text(plan.text())
        (tmp_path / plan.output / "metrics.json").write_text("{}")
        deps = {plan.path.as_posix(): of(plan.text())} | {place: of(place) for place in plan.inputs.values()}
        stages[plan.address] = {
            "cmd": plan.stage,
            "deps": [{"path": path, "md5": md5} for path, md5 in deps.items()],
            "outs": [{"path": plan.output, "md5": of(plan.output)}],
        }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return tmp_path


def replan(root: Path, address: str) -> None:
    plan = PLANS[address]
    (root / plan.path).write_text(Plan(plan.stage, plan.run, plan.inputs, plan.output, {"another": 1}).text())


@pytest.mark.parametrize(
    ("changed", "old"),
    [
        ("data@mine", {"data/mine", "models/vae/one", "scores/likelihood/one"}),
        ("train_vae@one", {"models/vae/one", "scores/likelihood/one"}),
        ("likelihood@one", {"scores/likelihood/one"}),
        ("train_flow@k2", {"models/flow/k2"}),
    ],
)
def test_what_another_plan_made_is_outdated_and_all_that_was_made_from_it(root: Path, changed: str, old: set) -> None:
    assert outdated(root, list(PLANS.values())) == set()
    replan(root, changed)
    assert outdated(root, list(PLANS.values())) == old
    results = Results(root, {plan.stage: ["metrics.json"] for plan in PLANS.values()})
    assert {plan.output for plan in results.missing} == old


def test_what_was_made_again_leaves_what_follows_outdated(root: Path) -> None:
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    lock["stages"]["train_vae@one"]["outs"][0]["md5"] = of("other weights")
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert outdated(root, list(PLANS.values())) == {"scores/likelihood/one"}


@pytest.mark.parametrize("text", ["", "<<<<<<< ours", "stages", "a: [", "\x07"])
def test_a_lock_that_cannot_be_read_is_said_to_be_so(root: Path, text: str) -> None:
    (root / "dvc.lock").write_text(text)
    with pytest.raises(UserError, match=r"dvc\.lock cannot be read: `make repro` repairs it"):
        outdated(root, list(PLANS.values()))


def test_a_stage_that_the_lock_does_not_know_is_outdated_and_without_a_lock_none_is(root: Path) -> None:
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    del lock["stages"]["train_flow@k2"]
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert outdated(root, list(PLANS.values())) == {"models/flow/k2"}
    (root / "dvc.lock").unlink()
    assert outdated(root, list(PLANS.values())) == set()

"""The chapter on SimSiam: verdicts and claims by rule, and its rendering of a project whose numbers are known."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import params

from pipeline.config.params import expand
from pipeline.metrics import summary
from pipeline.report import reported
from pipeline.report.claims import assess, per_seed
from pipeline.report.render import render
from pipeline.report.simsiam import rules
from pipeline.report.simsiam.chapter import variant
from pipeline.report.simsiam.rules import verdict
from pipeline.runtime import history
from pipeline.runtime.plan import Plan
from pipeline.runtime.settings import flat

TEXTS = reported.read()
HEALTHY = {"loss": -0.75, "knn": 45.0, "feature_std": 0.95, "effective_rank": 5.0}
COLLAPSED = {"loss": -0.97, "knn": 25.0, "feature_std": 0.03, "effective_rank": 1.01}
IDLE = {"loss": -0.31, "knn": 24.0, "feature_std": 0.6, "effective_rank": 1.4}
KINDS = {"default": HEALTHY, "no_stop_gradient": COLLAPSED, "no_predictor": COLLAPSED, "fixed_predictor": IDLE}


def score(
    loss: float, knn: float, feature_std: float, effective_rank: float, untrained: float = 20.0
) -> dict[str, Any]:
    layer = {"knn": knn, "feature_std": feature_std, "effective_rank": effective_rank}
    return {
        "loss": {"first": -0.2, "last": loss},
        "knn": {"first": 21.0, "last": knn, "best": knn + 5, "best_epoch": 3, "lowest": 20.5},
        "feature_std": feature_std,
        "effective_rank": effective_rank,
        "probe": knn + 5,
        "layers": {"backbone": layer, "projector": layer},
        "untrained": {"knn": untrained, "feature_std": 0.15, "effective_rank": 1.3},
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (HEALTHY, "healthy"),
        (COLLAPSED, "collapsed"),
        (IDLE, "not learning"),
        (COLLAPSED | {"feature_std": 0.9}, "collapsed"),  # two opposite points
        (COLLAPSED | {"effective_rank": 3.0}, "collapsed"),
        (COLLAPSED | {"feature_std": 0.9, "effective_rank": 9.0}, "undertrained"),
        (COLLAPSED | {"loss": -0.89}, "not learning"),
        (COLLAPSED | {"loss": -0.25, "knn": 31.0}, "not learning"),  # as flat as an untrained network's features
        (HEALTHY | {"loss": -0.95}, "healthy"),
        (HEALTHY | {"knn": 29.9}, "undertrained"),
        (HEALTHY | {"knn": 24.9}, "not learning"),
        (HEALTHY | {"feature_std": 0.1}, "not learning"),
    ],
)
def test_verdicts(change: dict[str, float], expected: str) -> None:
    assert verdict(score(**change)) == expected


def assessed(epochs: int = 8, chance: float = 22.0, own: bool = False, **changes: Any) -> dict[str, str]:
    """Return the verdicts on two trainings of each variant; those that are not given are as the reports say."""
    numbers = {name: [numbers, numbers] for name, numbers in KINDS.items()} | changes
    scores = {name: {str(s): score(**each) for s, each in enumerate(both)} for name, both in numbers.items()}
    known = {"default": scores["default"], "chance": dict.fromkeys("01", chance)}
    spikes = {"score": scores["no_predictor"], "epochs": dict.fromkeys("01", epochs)}
    found = {
        "C20": (rules.learns, {"score": scores["default"], "own": dict.fromkeys("01", own)}),
        "C21": (rules.collapses, {"score": scores["no_stop_gradient"], **known}),
        "C22": (rules.collapses, {"score": scores["no_predictor"], **known}),
        "C22b": (rules.spikes, spikes),
        "C23": (rules.idle, {"score": scores["fixed_predictor"]}),
    }
    return {name: assess(TEXTS, name, rule, per_seed(values)).verdict for name, (rule, values) in found.items()}


def test_claims_hold_where_everything_is_as_the_reports_say() -> None:
    expected = dict.fromkeys(("C20", "C21", "C22", "C23"), "confirmed (2 of 2 seeds)")
    # the spike is as high as the threshold, and no higher
    assert assessed() == expected | {"C22b": "not confirmed (0 of 2 seeds)"}


def test_claims_fail_where_it_is_not() -> None:
    assert assessed(default=[IDLE, IDLE])["C20"] == "not confirmed (0 of 2 seeds)"
    assert assessed(default=[IDLE, HEALTHY])["C20"] == "undecided (1 of 2 seeds)"
    assert assessed(no_stop_gradient=[HEALTHY, IDLE | {"knn": 46.0}])["C21"] == "not confirmed (0 of 2 seeds)"
    # collapsed, but not worse than the default of the same seed by ten points
    close = [COLLAPSED | {"knn": 36.0}, COLLAPSED | {"knn": 36.0}]
    assert assessed(no_predictor=close)["C22"] == "not confirmed (0 of 2 seeds)"
    # collapsed, but far from chance: a part of the claim
    assert assessed(chance=10.0)["C21"] == assessed(chance=10.0)["C22"] == "confirmed in part (0 of 2 seeds)"
    assert assessed(fixed_predictor=[COLLAPSED, HEALTHY])["C23"] == "not confirmed (0 of 2 seeds)"
    assert assessed(fixed_predictor=[IDLE, IDLE | {"loss": -0.7}])["C23"] == "confirmed in part (1 of 2 seeds)"


def test_an_accuracy_that_still_rises_is_undertrained() -> None:
    known = score(**HEALTHY | {"knn": 22.0})
    assert verdict(known) == "not learning"
    known["knn"]["best"] = 22.0
    assert verdict(known) == "undertrained"


def test_a_short_training_is_undertrained_and_carries_no_verdict() -> None:
    begun = HEALTHY | {"knn": 28.0}
    assert assessed(default=[begun, begun])["C20"] == (
        "not testable at this scale: the training is too short: kNN 28.0 %, untrained 20.0 %"
    )


def test_the_accuracy_that_the_reports_name_is_asked_of_their_runs_only() -> None:
    sixty = [HEALTHY | {"knn": 60.0}] * 2
    assert assessed(own=True, default=sixty)["C20"] == "confirmed (2 of 2 seeds)"
    assert assessed(own=True)["C20"] == "confirmed in part (0 of 2 seeds)"


def test_a_spike_is_early_and_high() -> None:
    def verdict(best: float, epochs: int = 8) -> str:
        known = score(**COLLAPSED)
        known["knn"]["best"] = best
        return assess(TEXTS, "C22b", rules.spikes, {"0": {"score": known, "epochs": epochs}}).verdict

    assert verdict(31.0) == "holds (1 seed)"
    assert verdict(29.0) == "does not hold (1 seed)"
    assert verdict(31.0, epochs=7) == "does not hold (1 seed)"  # the best epoch, the third, is too late


LOSS = [-0.2, -0.6, *[-0.6 - 0.005 * epoch for epoch in range(1, 9)]]  # nine tenths fall in the first fifth
RISE = [20.0, 28.0, *[28.0 + 1.5 * epoch for epoch in range(1, 9)]]  # two fifths rise in it


def test_the_accuracy_grows_when_the_loss_has_settled_or_it_does_not() -> None:
    yes, no = rules.late(loss=LOSS, knn=RISE), rules.late(loss=RISE[::-1], knn=RISE)
    assert yes.parts[0][0] > 0 > no.parts[0][0]
    assert yes.numbers == pytest.approx({"loss": 0.04 / 0.44, "knn": 0.6})
    assert rules.late(loss=[1.0] * 10, knn=RISE).numbers["loss"] == 0


def test_claims_about_the_course_of_a_training_need_a_long_one() -> None:
    needs = {name: text.needs for name, text in TEXTS.claims.items() if name in ("C20", "C21", "C22", "C22b", "C23")}
    assert needs == {"C20": {"epochs": 51}, "C21": {}, "C22": {}, "C22b": {"epochs": 51}, "C23": {"epochs": 51}}
    short = [{"epochs": 5, "epochs in the first fifth of the training": 1}]
    claim = assess(TEXTS, "C24", rules.late, {"0": {"loss": LOSS, "knn": RISE}}, short)
    assert claim.verdict == "not tested: 5 epochs, at least 51 needed"
    assert claim.lacks == "1 epochs in the first fifth of the training, at least 2 needed"


@pytest.fixture(scope="module")
def planned() -> list[Plan]:
    """The plans of the default profile's SimSiam runs."""
    return [plan for plan in expand(params()) if plan.stage in ("train_simsiam", "score_simsiam")]


def build(root: Path, plans: list[Plan]) -> Path:
    random = np.random.default_rng(0)
    for plan in plans:
        (root / plan.path).parent.mkdir(parents=True, exist_ok=True)
        (root / plan.path).write_text(plan.text())
        folder = root / plan.output
        folder.mkdir(parents=True)
        numbers = KINDS[plan.run]
        if plan.stage == "train_simsiam":
            rows = [
                {"seed": seed, "epoch": epoch, **{key: value * epoch / 10 for key, value in numbers.items()}}
                for seed in plan.settings["seeds"]
                for epoch in range(1, 11)
            ]
            history.write(folder / "history.csv", rows)
            data = root / plan.inputs["data"]
            data.mkdir(parents=True, exist_ok=True)
            card = {
                "name": data.name,
                "levels": 256,
                "counts": {"train": 4000, "test": 2000},
                "shape": [3, 32, 32],
                "split": "official",
            }
            (data / "card.json").write_text(json.dumps(card))
        else:
            each = {"0": score(**numbers)}
            protocol = {
                "data": Path(plan.inputs["data"]).name, "split": "test", "images": 2000, "knn": "50 neighbours",
                "probe": "linear", "best": "too high",
            }  # fmt: skip
            summary.write(folder, protocol, each)
            np.save(folder / "originals.npy", random.integers(0, 256, (16, 3, 32, 32), dtype=np.uint8))
            np.save(folder / "views.npy", random.random((16, 2, 3, 32, 32), dtype=np.float32))
    return root


def test_the_chapter_shows_each_variant_with_its_verdict(tmp_path: Path, planned: list[Plan]) -> None:
    render(build(tmp_path / "project", planned), tmp_path / "out", allow_missing=True)
    text = (tmp_path / "out/report.md").read_text()
    table = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.count(" | ") == 9}
    assert "| healthy |" in table["default"] and "60" in table["default"] and "-0.750" in table["default"]
    assert (
        "| collapsed |" in table["no_stop_gradient"] and "002: loss of a collapsed run -1" in table["no_stop_gradient"]
    )
    assert "| not learning |" in table["fixed_predictor"]
    held = {"C20": "holds here", "C21": "holds here in part", "C22": "holds here in part", "C23": "holds here"}
    for name, words in held.items():
        end = f"| {words} (1 seed), on shapes32 |"
        assert any(line.startswith(f"| {name} |") and line.endswith(end) for line in text.splitlines())
    point = "not testable at this scale: 1 epochs in the first fifth of the training, at least 2 needed"
    assert any(line.startswith("| C24 |") and point in line for line in text.splitlines())
    figures = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out/figures").rglob("*.png"))
    assert len(figures) == 4 + 2 and all(f"]({path})" in text for path in figures)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["simsiam.default.knn"] == 45.0 and summary["simsiam.no_predictor.loss"] == -0.97


@pytest.mark.slow
def test_other_data_are_not_compared_with_the_reports_numbers(tmp_path: Path, planned: list[Plan]) -> None:
    render(build(tmp_path / "project", planned), tmp_path / "out", allow_missing=True)
    lines = (tmp_path / "out/report.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| 000 |") and "| kNN accuracy with stop-gradient" in line]
    assert len(rows) == 2  # among the headline numbers and in T03
    assert all("| other data |" in row for row in rows)
    assert any(line.startswith("| C, SimSiam") and "data cifar10 → shapes32" in line for line in lines)


@pytest.mark.slow
def test_a_short_training_on_the_reports_data_is_not_treated_as_theirs(tmp_path: Path, planned: list[Plan]) -> None:
    planned = [dataclasses.replace(plan, inputs=plan.inputs | {"data": "data/cifar10"}) for plan in planned]
    render(build(tmp_path / "project", planned), tmp_path / "out", allow_missing=True)
    claims = {line[2:5]: line for line in (tmp_path / "out/report.md").read_text().splitlines() if line[2:4] == "C2"}
    reason = f"not tested: {planned[0].settings['epochs']} epochs, at least 51 needed"
    assert all(reason in claims[name] for name in ("C20", "C24"))
    assert "| holds here (1 seed), on cifar10 |" in claims["C20"]
    assert "| holds in part (1 seed) |" in claims["C21"]


def test_each_variant_is_told_by_its_settings(planned: list[Plan]) -> None:
    trained = [plan for plan in planned if plan.stage == "train_simsiam"]
    assert {plan.run: variant(flat(plan.settings)) for plan in trained} == {name: name for name in KINDS}


def test_the_paper_profile_has_the_settings_of_the_reports_numbers() -> None:
    plans = {plan.address: flat(plan.settings) for plan in expand(params("paper")) if plan.stage == "train_simsiam"}
    settings = plans["train_simsiam@default"]
    assert settings | {"stem": "imagenet", "projector_output": 2048, "width": 64} == settings
    assert (settings["epochs"], settings["batch"], settings["knn_neighbours"]) == (102, 1024, 200)
    assert settings["learning_rate"] * settings["batch"] / 256 == pytest.approx(0.12)
    assert plans["train_simsiam@default_cifar_stem"]["stem"] == "cifar"
    assert settings["rotation"] == 0 and settings["crop"] == [0.08, 1.0]

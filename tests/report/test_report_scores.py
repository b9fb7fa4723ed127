"""The chapter of scores: beside images that everybody knows, other people's samples, and which runs differ."""

import json
import re
from pathlib import Path

import pytest

from pipeline.compare.render import interval, number
from pipeline.compare.statistics import holm, needed, paired
from pipeline.metrics import summary
from pipeline.report.render import render
from pipeline.report.scores import chapter
from pipeline.runtime.plan import Plan

NAMES = {"frechet_distance": "FD (classifier)", "kid": "KD (classifier)", "density": "density", "coverage": "coverage"}
PROTOCOL = {
    "names": NAMES, "feature_network": "a classifier", "reference": "dots, test split", "reference_images": 60,
    "precision_recall": "balls", "density_coverage": "larger balls", "data": "dots", "split": "test", "images": 40,
    "resized_before": "no",
}  # fmt: skip


def scores(distance, **more):
    return {"frechet_distance": distance, "kid": distance / 10, "density": 0.5, "coverage": 0.25, "images": 40, **more}


def planned(root, plan, metrics=None):
    (root / plan.path).parent.mkdir(parents=True, exist_ok=True)
    (root / plan.path).write_text(plan.text())
    (root / plan.output).mkdir(parents=True)
    if metrics is not None:
        (root / plan.output / "metrics.json").write_text(json.dumps(metrics))
    return root / plan.output


def project(root: Path, **gans: list[float]) -> str:
    """Write an evaluator with its scores, GANs with a distance per seed, samples of others; return the chapter."""
    known = {
        "protocol": PROTOCOL, "accuracy": {"train": 0.9, "test": 0.75},
        "floor": scores(2.0, source="dots, train split"),
        "damaged": {"blurred": scores(30.0), "class_missing": scores(7.0)},
        "noise": scores(90.0, source="uniform noise"),
    }  # fmt: skip
    planned(root, Plan("score_real", "dots", {"features": "models/features/dots"}, "scores/real/dots"), known)
    for run, distances in gans.items():
        inputs = {"data": "data/dots", "model": f"models/gan/{run}", "features": "models/features/dots"}
        folder = planned(root, Plan("score_gan", run, inputs, f"scores/gan/{run}"))
        seeds = {str(seed): {"final": scores(distance)} for seed, distance in enumerate(distances)}
        summary.write(folder, PROTOCOL, seeds)
    theirs = {"protocol": PROTOCOL, "samples": scores(20.0, source="other|gan"), "notes": ["3 images are copies."]}
    inputs = {"features": "models/features/dots", "real": "scores/real/dots"}
    planned(root, Plan("score_theirs", "other_gan", inputs, "scores/theirs/other_gan"), theirs)
    render(root, root / "reports", allow_missing=False, chapters=[chapter.CHAPTER])
    return (root / "reports/report.md").read_text().partition("## Scores and comparisons")[2].partition("## Claims")[0]


def test_scores_stand_beside_real_images_damage_and_noise_the_best_first(tmp_path):
    text = project(tmp_path, a=[10.0, 14.0], b=[9.0])
    rows = [line.split(" | ") for line in text.splitlines() if re.search(r"\| 0\.5[^|]*\| 0\.25[^|]*\|$", line)]
    assert [(row[0].strip("| "), row[3]) for row in rows] == [
        ("real images (dots, train split)", "2"), ("the same, blurred over 3x3 pixels", "30"),
        ("the same, without the first class", "7"), ("uniform noise", "90"),
        ("GAN b", "9"), ("GAN a", "12 ± 2.83"), ("theirs: other_gan", "20"),
    ]  # fmt: skip
    assert [row[2].strip() for row in rows] == ["", "", "", "", "1", "2", ""]
    assert "It labels 90.0 % of the train images and 75.0 % of the test images correctly" in text
    assert "Blurring adds 28 and leaving out the first class adds 5 to the FD (classifier) of real images." in text
    assert "- other_gan, other\\|gan: 3 images are copies." in text


def test_runs_are_compared_as_the_command_compares_them(tmp_path):
    a, b, c = [10.0, 11.0, 12.5], [12.0, 14.0, 13.0], [50.0, 51.2, 52.7]
    text = project(tmp_path, a=a, b=b, c=c)
    shown = text[text.index("**FD (classifier), last generator**") :]
    first, second, third = (line.split(" | ") for line in re.findall(r"^\| \d \|.*\|$", shown, re.M)[:3])
    assert first[1:5] == ["a", "11.17", "1.258", "3"]
    close, far = paired(b, a), paired(c, a)
    assert second[5:7] == [number(close.mean), interval(close.interval)]
    assert second[7].startswith(f"cannot be told apart with 3 seeds; about {needed(close.mean, close.spread)} would be")
    assert third[5:7] == [number(far.mean), interval(far.interval)] and third[7].startswith("told apart")
    assert "a has the best mean; it is told apart from c, not from b." in shown
    assert "Student's t for paired values" in text


def test_how_many_pairs_are_told_apart_is_counted(tmp_path):
    a, b, c = [10.0, 11.0, 12.5], [12.0, 14.0, 13.0], [50.0, 51.2, 52.7]
    text = project(tmp_path, a=a, b=b, c=c)
    apart = [p < 0.05 for p in holm([paired(one, other).p for one, other in ((a, b), (a, c), (b, c))])]
    # besides the distance two scores that are the same for all, density and coverage
    assert f"In {sum(apart)} of 9 comparisons of two runs by one score, the two are told apart." in text
    assert sum(apart) == 2


def test_runs_of_one_seed_are_named_and_not_ranked(tmp_path):
    text = project(tmp_path, a=[10.0], b=[12.0])
    assert "These runs have one seed each." in text
    assert re.search(r"^- GANs on dots: a, b\.$", text, re.M)
    assert "verdict" not in text and "are told apart" not in text


def test_a_run_of_one_seed_is_left_out_of_the_comparison_of_others(tmp_path):
    text = project(tmp_path, a=[10.0, 11.0, 12.5], b=[12.0, 14.0, 13.0], c=[9.0])
    assert re.search(r"^- GANs on dots: c\.$", text, re.M)
    ranked = [line.split(" | ")[1] for line in re.findall(r"^\| \d \|.*\|$", text, re.M)]
    assert set(ranked) == {"a", "b"}


def test_a_single_run_of_several_seeds_is_neither_ranked_nor_said_to_have_one(tmp_path):
    text = project(tmp_path, a=[10.0, 11.0, 12.5], c=[9.0])
    assert re.search(r"^- GANs on dots: c\.$", text, re.M) and "verdict" not in text


@pytest.mark.parametrize("gans", [{}, {"a": [10.0, 11.0]}])
def test_nothing_is_compared_with_nothing(tmp_path, gans):
    text = project(tmp_path, **gans)
    assert "### Which runs differ" not in text and "#### Evaluator dots" in text

import json
from pathlib import Path

import pytest
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db import HashFileDB
from dvc_objects.fs.local import LocalFileSystem

from pipeline.runtime.plan import Plan
from pipeline.tracking.records import dvc_md5, family, finished, numbers, parameters, words


def test_md5_of_a_folder_is_the_one_that_dvc_computes(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for name in ("b.txt", "a/z.bin", "a-1/x", "a.txt", "ü/e.npy"):  # '-' and '.' sort before '/'
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    files = LocalFileSystem()
    _, _, tree = build(HashFileDB(files, str(tmp_path / "cache")), str(folder), files, "md5")
    assert dvc_md5(folder) == tree.hash_info.value
    (folder / "b.txt").write_text("other")
    assert dvc_md5(folder) != tree.hash_info.value


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        ({"data": "data/x"}, "models/vae/a", "vae"),
        ({"features": "features/x", "model": "models/gan/a"}, "scores/score_gan/a", "gan"),
        ({}, "scores/dirac/main", "dirac"),
    ],
)
def test_family_is_the_folder_of_the_model(inputs: dict[str, str], output: str, expected: str) -> None:
    assert family(Plan("stage", "a", inputs, output)) == expected


def test_flattening_keeps_numbers_apart_from_words() -> None:
    assert numbers({"a": {"b": 1, "c": [2.0, None, 3]}, "w": "text", "p(x)": 4}) == {
        ("a.b", 0): 1.0,
        ("a.c", 0): 2.0,
        ("a.c", 2): 3.0,
        ("p_x_", 0): 4.0,
    }
    assert words({"a": {"b": "text"}, "c": [1, 2], "d": None, "e": True}) == {
        "a.b": "text",
        "c": "[1, 2]",
        "d": "null",
        "e": "true",
    }


def test_parameters_have_the_names_of_params_yaml() -> None:
    groups = {"generator": {"learning_rate": 1, "penalty": "r1"}, "critic": {"learning_rate": 2}}
    games = {"games": {"jsd": {"loss": "jsd"}}, "steps": 9}
    assert parameters(Plan("train_gan", "a", {"data": "data/x"}, settings=groups), []) == {
        "generator_learning_rate": "1", "critic_learning_rate": "2", "penalty": "r1", "data": "x"
    }  # fmt: skip
    assert parameters(Plan("dirac", "dirac", settings=games), []) == {"games.jsd.loss": "jsd", "steps": "9"}


def test_a_scoring_has_the_hyperparameters_of_all_that_it_reads() -> None:
    data = Plan("data", "x", {}, "data/x", {"train": 9})
    train = Plan("train_gan", "a", {"data": "data/x"}, "models/gan/a", {"batch": 4})
    score = Plan("score_gan", "a", {"model": "models/gan/a", "data": "data/x"}, "scores/gan/a", {"samples": 7})
    other = Plan("train_gan", "b", {"data": "data/x"}, "models/gan/b", {"batch": 8})
    assert parameters(score, [other, score, train, data]) == {
        "data.train": "9", "batch": "4", "data": "x", "samples": "7"
    }  # fmt: skip


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_summary_is_mean_and_sample_deviation_over_seeds(checkout, train, curves, unit) -> None:
    history = curves(epochs=2, unit=unit)
    checkout.finish(train, {"history.csv": history, "metrics.json": json.dumps({"fid": 7}).encode()})
    (record,), unfinished = finished(checkout.root, checkout.root / "reports" / "figures")
    assert unfinished == 0
    # losses 0 and 10, then 1 and 11: the sample deviation of two values is their distance over the square root of two
    assert record.summary() == pytest.approx(
        {("loss", 0): 5.0, ("loss_std", 0): 50**0.5, ("loss", 1): 6.0, ("loss_std", 1): 50**0.5, ("fid", 0): 7.0}
    )


def test_a_stage_is_finished_only_with_this_plan_and_its_output(checkout, train, score, curves) -> None:
    figures = checkout.root / "reports" / "figures"
    checkout.plan(Plan("data", "digits", {}, "data/digits"))
    checkout.plan(score)
    checkout.finish(train, {"history.csv": curves()})
    records, unfinished = finished(checkout.root, figures)
    assert [record.plan for record in records] == [train]
    assert unfinished == 1  # the scoring; preparing data is no run
    checkout.plan(Plan(train.stage, train.run, train.inputs, train.output, {"beta": 4.0}))
    assert finished(checkout.root, figures) == ([], 2)


def test_inputs_are_the_declared_ones_without_sources(checkout, train, curves) -> None:
    checkout.finish(train, {"history.csv": curves()})
    (record,), _ = finished(checkout.root, checkout.root)
    assert set(record.inputs) == {"data/digits"}
    assert set(record.outputs) == {"models/vae/bernoulli"}

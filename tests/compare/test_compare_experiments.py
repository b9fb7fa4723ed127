"""Experiments, commits and the workspace, with DVC itself."""

import csv

import pytest
from checkout import Checkout

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A commit with scores, an experiment that was scored, and one of which only the training was run."""
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    with made.params() as params:
        params["vae"]["seeds"] = [0, 1]
    made.repro("likelihood")
    made.commit("scored")
    made.run("dvc", "exp", "run", "-n", "wide", "-S", "vae.hidden=16", "likelihood@a")
    made.run("dvc", "exp", "run", "-n", "half", "-S", "vae.hidden=12", "train_vae@a")
    return made


def compare(made, *arguments, check=True):
    done = made.run("python", "-m", "pipeline.compare", "--out", "out", *arguments, check=check)
    return done, table(made, "ranking") if done.returncode == 0 else []


def table(made, name):
    return list(csv.DictReader((made.folder / f"out/{name}.csv").read_text().splitlines()))


def test_all_experiments_of_this_commit(made):
    done, rows = compare(made, "--metric", "elbo.test", "workspace", "HEAD", "wide", "half")
    assert {row["group"] for row in rows} == {"likelihood@a"}, "b is the same everywhere"
    assert {row["run"]: row["n"] for row in rows} == {"HEAD": "2", "wide": "2"}
    assert "half is left out: its scores are stale: likelihood@a was last run before models/vae/a" in done.stdout
    assert "workspace is left out: its scores are stale" in done.stdout
    assert "| hidden | 8    | 16   |" in done.stdout
    assert (made.folder / "out/likelihood-a.png").stat().st_size > 0


def test_without_names_the_workspace_stands_for_the_experiment_that_it_holds(made):
    done, rows = compare(made)
    assert rows == [] and "half is left out" in done.stdout and "workspace" not in done.stdout


def test_runs_of_one_commit_with_intervals_over_images(made):
    done, rows = compare(made, "HEAD", "--runs", "a,b", "--metric", "log_likelihood.10.value")
    assert {row["run"] for row in rows} == {"a", "b"}
    (pair,) = table(made, "differences")
    assert pair["seeds"] == "0 1" and float(pair["images_low"]) < float(pair["mean"]) < float(pair["images_high"])
    assert "interval over images" in done.stdout and "| kl " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "error: nobody: no such experiment, branch, tag or commit"),
        (["HEAD", "--runs", "a,c"], "error: c: no scored run; those are a, b"),
        (["HEAD", "--runs", "a,b", "--metric", "fid"], "error: fid: no such metric"),
        (["HEAD~1"], "error: HEAD~1: has no dvc.lock"),
    ],
)
def test_what_cannot_be_compared_is_said(made, arguments, message):
    done, _ = compare(made, *arguments, check=False)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr

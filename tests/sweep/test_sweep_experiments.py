"""A sweep from its command line to the comparison, with DVC's own queue and MLflow."""

import csv
import time

import pytest
from checkout import Checkout
from mlflow import MlflowClient

pytestmark = pytest.mark.slow

NAMES = {"latent-2", "latent-3", "latent-4"}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    made = Checkout(tmp_path_factory.mktemp("swept"))
    command = ["python", "-m", "pipeline.sweep", "vae.runs.a.latent=2,3,4", "--seeds", "0,1", "--jobs", "2"]
    made.output = made.run(*command, PIPELINE_TRACKING="on").stdout
    return made


def test_every_value_is_an_experiment_that_is_ranked_over_its_seeds(swept):
    rows = list(csv.DictReader((swept.folder / "reports/compare/ranking.csv").read_text().splitlines()))
    ranked = [row for row in rows if row["metric"] == "elbo.test"]
    assert {row["run"]: row["n"] for row in ranked} == dict.fromkeys(NAMES, "2")
    values = [float(row["mean"]) for row in ranked]
    assert values == sorted(values, reverse=True) and len(set(values)) == 3
    assert "| latent | 2        | 3        | 4        |" in swept.output
    assert (swept.folder / "reports/compare/likelihood-a-latent.png").stat().st_size > 1000


def test_the_checkout_stays_as_it_was(swept):
    assert swept.run("git", "status", "--short").stdout.split() == ["??", "dvc.lock"]
    assert not (swept.folder / "models").exists(), "networks are trained in copies"


def test_the_queue_ends_its_workers_and_leaves_no_copy(swept):
    until = time.monotonic() + 120
    while "Worker status: 0 active, 0 idle" not in swept.run("dvc", "queue", "status").stdout:
        assert time.monotonic() < until
        time.sleep(2)
    assert not list((swept.folder / ".dvc/tmp/exps").glob("tmp*"))


def test_what_the_queue_ran_is_recorded_with_names_that_tell_it_apart(swept):
    client = MlflowClient(f"sqlite:///{swept.folder / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("vae").experiment_id], "params.latent = '3'")
    scored, trained = "likelihood a latent=3 [latent-3]", "train a latent=3 [latent-3]"
    assert {run.info.run_name for run in runs} == {
        scored, f"seed 0, {scored}", f"seed 1, {scored}", trained, f"seed 0, {trained}", f"seed 1, {trained}"
    }  # fmt: skip
    assert next(run for run in runs if run.info.run_name == scored).data.params["hidden"] == "8"


def test_a_second_sweep_does_not_overwrite_the_first(swept):
    listed = set(swept.run("dvc", "exp", "list", "--name-only").stdout.split())
    assert listed == NAMES
    done = swept.run("python", "-m", "pipeline.sweep", "vae.runs.a.latent=2,0", "--jobs", "2", check=False)
    assert done.returncode == 1 and "vae.runs.a.latent=0" in done.stderr, "refused before anything is queued"
    assert set(swept.run("dvc", "exp", "list", "--name-only").stdout.split()) == NAMES

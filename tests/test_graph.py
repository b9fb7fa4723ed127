"""What one change of params.yaml makes run again, asked of DVC itself on a graph with tiny settings."""

import pytest
from checkout import Checkout, ran

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    copy = Checkout(tmp_path_factory.mktemp("graph"))
    assert copy.repro() == {
        "plan", "data@binarized_digits28", "train_vae@a", "train_vae@b", "likelihood@a", "likelihood@b",
        "dirac", "animate", "report",
    }  # fmt: skip
    assert (copy.folder / "reports/report.md").stat().st_size > 1000
    copy.commit("ran")
    return copy


def test_nothing_changed_runs_nothing_and_leaves_git_clean(checkout):
    assert checkout.repro() == set()
    assert checkout.run("git", "status", "--short").stdout == ""


def change(params, hyperparameter):
    match hyperparameter:
        case "epochs of both runs":
            params["vae"]["epochs"] = 2
        case "epochs of a":
            params["vae"]["runs"]["a"]["epochs"] = 3
        case "samples of the Monte Carlo KL":
            params["vae"]["kl_samples"] = 2
        case "importance samples":
            params["vae"]["importance_samples"] = [1, 5]
        case "importance samples of b":
            params["vae"]["runs"]["b"]["importance_samples"] = [1, 2]
        case "a new run":
            params["vae"]["runs"]["c"] = {"data": "binarized_digits28", "latent": 2}
        case "a run fewer":
            del params["vae"]["runs"]["c"]
        case "a comment":
            params.yaml_set_start_comment("another comment")


@pytest.mark.parametrize(
    ("hyperparameter", "expected"),
    [
        ("epochs of both runs", {"train_vae@a", "likelihood@a", "train_vae@b", "likelihood@b", "report"}),
        ("epochs of a", {"train_vae@a", "likelihood@a", "report"}),
        ("samples of the Monte Carlo KL", {"train_vae@b", "likelihood@b", "report"}),
        ("importance samples", {"likelihood@a", "likelihood@b", "report"}),
        ("importance samples of b", {"likelihood@b", "report"}),
        ("a new run", {"train_vae@c", "likelihood@c", "report"}),
        ("a run fewer", set()),  # back where the pipeline has been: the report comes from the run cache
        ("a comment", None),
    ],
)
def test_a_change_reaches_exactly_what_depends_on_it(checkout, hyperparameter, expected):
    with checkout.params() as params:
        change(params, hyperparameter)
    assert checkout.repro() == (set() if expected is None else {"plan"} | expected)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("pipeline/vae/train.py", {"train_vae@a", "train_vae@b"}),  # the same weights: nothing follows
        ("pipeline/report/dirac/figures.py", {"animate"}),
        ("pipeline/report/page.html.j2", {"report"}),
        ("pipeline/runtime/progress.py", set()),
    ],
)
def test_a_changed_module_reaches_the_stages_that_import_it(checkout, module, expected):
    file = checkout.folder / module
    change = "{# changed #}" if file.suffix == ".j2" else "CHANGED = True\n"
    file.write_text(file.read_text() + change)
    assert checkout.repro() == {"plan"} | expected


def test_another_comment_or_docstring_reaches_no_stage(checkout):
    file = checkout.folder / "pipeline/vae/train.py"
    file.write_text(f'"""Another docstring."""\n# and a comment\n{file.read_text()}')
    assert checkout.repro() == {"plan"}


def test_a_stage_does_not_run_modules_that_the_plan_has_not_seen(checkout):
    file = checkout.folder / "pipeline/vae/objective.py"
    file.write_text(file.read_text() + "CHANGED = True\n")
    refused = checkout.run("dvc", "repro", "--single-item", "--force", "train_vae@a", check=False)
    assert refused.returncode != 0
    assert "pipeline/vae/objective.py has changed since `plan` was run" in refused.stdout + refused.stderr
    assert checkout.repro("train_vae@a") == {"plan", "train_vae@a"}
    assert checkout.repro() == {"train_vae@b", "likelihood@a", "likelihood@b", "report"}


def test_an_experiment_from_the_command_line(checkout):
    checkout.commit("before the experiment")
    done = checkout.run("dvc", "exp", "run", "-S", "++vae.runs.a.epochs=4")
    assert ran(done.stdout) == {"plan", "train_vae@a", "likelihood@a", "report"}
    refused = checkout.run("dvc", "exp", "run", "-S", "vae.kl=exact", check=False)
    assert refused.returncode != 0 and ran(refused.stdout) == {"plan"}
    assert "vae.kl: 'exact' is not one of analytic, monte_carlo" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr

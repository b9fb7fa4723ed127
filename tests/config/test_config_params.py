"""From params.yaml to plans: what is inherited, what is refused and how that is said."""

import subprocess
import sys

import checkout
import pytest
from checkout import ROOT

from pipeline.config import layout
from pipeline.config.params import expand, read, write
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan, read_all
from pipeline.runtime.settings import flat


@pytest.fixture
def params():
    return checkout.params()


def resolved(params) -> dict[str, dict]:
    """Return the settings of every plan under the names of their hyperparameters."""
    return {plan.address: flat(plan.settings) for plan in expand(params)}


def refusal(params) -> str:
    with pytest.raises(UserError) as error:
        expand(params)
    return str(error.value)


def test_every_run_has_its_plans_with_inherited_and_overridden_hyperparameters(params):
    params["vae"]["epochs"] = 77
    params["samples"]["runs"] = {}
    params["vae"]["runs"] = {
        "a": {"data": "binarized_digits28"},
        "b": {"data": "binarized_digits28", "epochs": 5, "kl": "monte_carlo"},
    }
    plans = {plan.address: plan for plan in expand(params)}
    assert {address for address in plans if address.startswith("data@")} == {f"data@{name}" for name in params["data"]}
    assert {address for address in plans if address.startswith(("train_vae@", "likelihood@"))} == {
        "train_vae@a", "train_vae@b", "likelihood@a", "likelihood@b"
    }  # fmt: skip
    settings = resolved(params)
    assert settings["train_vae@a"]["epochs"] == 77
    assert settings["train_vae@b"]["epochs"] == 5
    # a hyperparameter that does nothing in a run does not stand in its plan, so that it cannot make the run run again
    assert settings["train_vae@a"]["kl_samples"] is None
    assert settings["train_vae@b"]["kl_samples"] == params["vae"]["kl_samples"]
    assert plans["likelihood@a"].inputs == {"data": "data/binarized_digits28", "model": plans["train_vae@a"].output}
    assert "importance_samples" in settings["likelihood@a"]
    assert "importance_samples" not in settings["train_vae@a"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kl", "monte_carl", "vae.kl: 'monte_carl' is not one of analytic, monte_carlo; did you mean monte_carlo?"),
        ("epochs", "ten", "vae.epochs: 'ten' is not a whole number"),
        ("epochs", 0, "vae.epochs: 0 is not at least 1"),
        ("epochs", True, "vae.epochs: True is not a whole number"),
        ("learning_rate", -1.0, "vae.learning_rate: -1.0 is not greater than 0"),
        ("learning_rate", float("nan"), "vae.learning_rate: nan is not a finite number"),
        ("seeds", [], "vae.seeds: empty"),
        ("seeds", [0, -1], "vae.seeds[1]: -1 is not at least 0"),
        ("seeds", [1, 1], "vae.seeds: [1, 1] holds a value twice"),
        ("seeds", 3, "vae.seeds: 3 is not a list"),
        ("importance_samples", [10, 15], "vae.importance_samples: 10 does not divide 15"),
        ("latnet", 3, "vae.latnet: unknown key; did you mean latent?"),
    ],
)
def test_a_mistake_is_named_with_its_key_value_and_what_is_allowed(params, key, value, message):
    params["vae"][key] = value
    assert message in refusal(params)
    del params["vae"][key]
    if key == "latnet":
        params["vae"]["runs"]["bernoulli"][key] = value
    else:
        params["vae"][key] = checkout.params()["vae"][key]
        params["vae"]["runs"]["bernoulli"][key] = value
    assert message.replace("vae.", "vae.runs.bernoulli.", 1) in refusal(params)


def test_a_missing_hyperparameter_says_what_is_needed(params):
    del params["vae"]["kl"], params["vae"]["latent"]
    text = refusal(params)
    assert "vae.kl: missing (analytic | monte_carlo: how KL" in text
    assert "vae.latent: missing (number of latent dimensions" in text


@pytest.mark.parametrize("name", ["../x", "a;id", "Bernoulli", "", "é", "a b", 3, "x" * 65])
def test_run_names_that_could_escape_or_confuse_are_refused(params, name):
    params["vae"]["runs"][name] = {"data": "binarized_digits28"}
    assert "is not a run name" in refusal(params)


def test_a_run_needs_a_data_set_that_exists(params):
    params["samples"]["runs"] = {}
    params["vae"]["runs"] = {"a": {"data": "binarized_digits82"}, "b": {}, "c": None, "d": {"data": ["x"]}}
    text = refusal(params)
    assert "vae.runs.a.data: 'binarized_digits82' is not one of the entries under data" in text
    assert "did you mean binarized_digits28?" in text
    assert "vae.runs.b.data: missing" in text
    assert "vae.runs.c: None is not a mapping" in text
    assert "vae.runs.d.data: ['x'] is not one of" in text


def test_all_mistakes_are_listed_at_once_and_an_inherited_one_only_once(params):
    params["vae"]["kl"] = "none"
    params["vae"]["runs"]["bernoulli"]["epochs"] = 0
    params["gam"] = {}
    text = refusal(params)
    assert text.count("'none' is not one of") == 1
    assert "vae.runs.bernoulli.epochs" in text and "gam: unknown key" in text


@pytest.mark.parametrize("root", [None, [], "text", {}, {"vae": None, "data": None}, {"vae": {"runs": []}, "data": []}])
def test_documents_of_another_shape_are_refused(root):
    assert "params.yaml cannot be run" in refusal(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "line 1"), ("a: 1\na: 2", "line 2"), ("\t- x", "not YAML"), (b"\xfa\xfb\xfc", "not YAML")],
)
def test_what_is_not_yaml_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=message):
        read(path)
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "other.yaml")


def test_numbers_are_read_as_dvc_reads_them(tmp_path):
    (tmp_path / "params.yaml").write_text("rate: 3e-4\n")
    assert read(tmp_path / "params.yaml") == {"rate": 0.0003}


def test_writing_touches_only_what_changed_and_prunes_removed_runs(tmp_path):
    keep = Plan("train_vae", "keep", {}, "models/vae/keep", {"epochs": 1})
    gone = Plan("train_vae", "gone", {}, "models/vae/gone", {"epochs": 1})
    write([keep, gone], tmp_path)
    for plan in (keep, gone):
        (tmp_path / plan.output).mkdir(parents=True)
    before = (tmp_path / keep.path).stat().st_mtime_ns
    write([keep], tmp_path)
    assert read_all(tmp_path) == [keep]
    assert (tmp_path / keep.path).stat().st_mtime_ns == before
    assert (tmp_path / keep.output).exists() and not (tmp_path / gone.output).exists()


@pytest.mark.parametrize("damage", [b"", b"x", b"[", b"stage: {", b"{a: 1}", b"\xff\x00" * 50, None])
def test_damaged_files_are_written_anew_and_those_of_removed_runs_deleted(tmp_path, damage):
    keep, gone = (Plan("planar", run, {}, f"scores/planar/{run}", {"seed": 1}) for run in ("keep", "gone"))
    write([keep], tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for file, content in before.items():
        file.write_bytes(content[: len(content) // 2] if damage is None else damage)
    (tmp_path / gone.path).write_bytes(gone.text().encode()[:20] if damage is None else damage)
    write([keep], tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_the_stage_refuses_in_words_writes_nothing_and_is_quick_to_import(tmp_path):
    text = layout.text(checkout.params())
    (tmp_path / "params.yaml").write_text(text.replace("kl: analytic", "kl: exact", 1))
    (tmp_path / "plan/old").mkdir(parents=True)
    (tmp_path / "plan/old/run.yaml").write_text("stage: old\nrun: run\n")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom stages.plan import main\n"
    tail = "finally: assert not {'torch', 'mlflow', 'numpy', 'pandas'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}try: main()\n{tail}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "vae.kl: 'exact' is not one of analytic, monte_carlo" in done.stderr and "Traceback" not in done.stderr
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.yaml")] == [
        "params.yaml",
        "plan/old/run.yaml",
    ]


def test_a_run_like_another_inherits_its_hyperparameters_but_not_its_data(params):
    params["samples"]["runs"] = {}
    params["vae"]["runs"] = {
        "a": {"data": "binarized_digits28", "latent": 7, "beta": 0.5},
        "b": {"data": "binarized_digits28", "like": "a", "beta": 0.8},
    }
    settings = resolved(params)["train_vae@b"]
    assert (settings["latent"], settings["beta"]) == (7, 0.8)
    params["vae"]["runs"]["b"] = {"like": "a"}
    assert "vae.runs.b.data: missing" in refusal(params)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ("bernouli", "vae.runs.x.like: 'bernouli' is not one of the other runs; did you mean bernoulli?"),
        ("beta_1_2", "vae.runs.x.like: beta_1_2 is itself like 'beta_1'; name that run"),
        (["bernoulli"], "is not one of the other runs"),
    ],
)
def test_a_run_that_cannot_be_like_another_says_why(params, like, message):
    params["vae"]["runs"]["x"] = {"data": "binarized_digits28", "like": like}
    assert message in refusal(params)


def test_an_inherited_mistake_is_reported_where_it_stands(params):
    params["vae"]["runs"]["beta_1"]["beta"] = -1.0
    text = refusal(params)
    assert text.count("beta: -1.0 is not at least 0") == 1
    assert "vae.runs.beta_1.beta: -1.0 is not at least 0" in text


@pytest.mark.parametrize(
    ("hyperparameters", "idle"),
    [
        ({}, {"kl_samples"}),
        ({"kl": "monte_carlo"}, set()),
        ({"network": "conv"}, {"hidden", "kl_samples"}),
        ({"flow_layers": 2, "kl": "monte_carlo"}, {"kl", "kl_samples"}),
        ({"posterior": "mean"}, {"kl", "kl_samples", "importance_samples", "elbo_samples"}),
        ({"posterior": "deterministic"}, {"beta", "beta_schedule", "kl", "kl_samples", "importance_samples",
                                          "elbo_samples"}),
        ({"likelihood": "gaussian"}, {"kl_samples"}),
        ({"likelihood": "cross_entropy"}, {"kl_samples", "importance_samples"}),
    ],
)  # fmt: skip
def test_a_hyperparameter_that_does_nothing_does_not_stand_in_the_plan(params, hyperparameters, idle):
    params["samples"]["runs"] = {}
    params["vae"]["runs"] = {"a": {"data": "binarized_digits28", **hyperparameters}}
    settings = resolved(params)
    assert {key for key, value in (settings["train_vae@a"] | settings["likelihood@a"]).items() if value is None} == idle


def test_the_logit_shift_of_a_likelihood_without_logits_reruns_nothing(params):
    params["vae"]["likelihood"] = "gaussian"
    before = expand(params)
    params["vae"]["logit_shift"] = 3.0
    changed = {plan.run for plan, old in zip(expand(params), before, strict=True) if plan != old}
    assert "bernoulli" not in changed


def test_snapshots_after_the_last_epoch_are_not_planned(params):
    params["samples"]["runs"] = {}
    params["vae"]["runs"] = {"a": {"data": "binarized_digits28", "epochs": 10, "snapshots": [1, 10, 20]}}
    assert resolved(params)["train_vae@a"]["snapshots"] == [1, 10]


def test_layers_on_a_posterior_without_samples_are_refused(params):
    params["vae"]["runs"]["x"] = {"data": "binarized_digits28", "posterior": "deterministic", "flow_layers": 4}
    assert "vae.runs.x: flow_layers: 4, but posterior deterministic takes no samples" in refusal(params)


def test_one_weight_of_kl_changes_one_plan(params):
    before = {plan.address: plan for plan in expand(params)}
    params["vae"]["runs"]["beta_1_2"]["beta"] = 1.5
    after = {plan.address: plan for plan in expand(params)}
    assert {address for address, plan in after.items() if before[address] != plan} == {"train_vae@beta_1_2"}

"""The sections `dirac` and `gan` of params.yaml: what a hyperparameter reaches, and what is refused."""

import copy
from pathlib import Path

import pytest

from pipeline.config.params import expand, read
from pipeline.runtime.errors import UserError

PARAMS = read(Path(__file__).parents[2] / "params.yaml")


def changed(section, key, value):
    """Return the addresses of the steps whose plan changes with one hyperparameter at the top of a section."""
    params = copy.deepcopy(PARAMS)
    params[section][key] = value
    before = {plan.address: plan for plan in expand(PARAMS)}
    return {plan.address for plan in expand(params) if before[plan.address] != plan}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("penalty", "r1"), ("loss", "w1"), ("spectral_norm", True), ("network", "resnet"), ("width", 12),
    ],
)  # fmt: skip
def test_the_knobs_of_the_grid_reach_main_alone(key, value):
    assert changed("gan", key, value) == {"train_gan@main"}


@pytest.mark.parametrize(
    ("key", "value"),
    [("penalty_weight", 5.0), ("penalty_interval", 4), ("penalty_points", "fake"), ("r1_axis", "last")],
)
def test_the_form_of_a_penalty_does_not_reach_runs_that_have_none(key, value):
    reached = changed("gan", key, value)
    assert not reached & {"train_gan@main", "train_gan@jsd_1", "train_gan@jsd_2", "train_gan@w1_2", "train_gan@mlp"}
    assert "train_gan@wgan_gp" in reached or key in ("penalty_weight", "r1_axis")
    assert not any(address.startswith("score") for address in reached)


def test_knobs_of_scoring_train_nothing_and_those_of_training_score_nothing_anew():
    assert {address.split("@")[0] for address in changed("gan", "samples", 500)} == {"score_gan"}
    assert {address.split("@")[0] for address in changed("gan", "batch", 32)} == {"train_gan"}
    assert changed("dirac", "frames", 10) == {"animate"}
    assert changed("dirac", "steps", 1000) == {"dirac"}


def test_every_cell_of_the_reports_is_planned():
    objectives = {
        plan.run: (
            plan.settings["objective"]["loss"],
            plan.settings["objective"]["penalty"],
            plan.settings["network"]["spectral"],
        )
        for plan in expand(PARAMS)
        if plan.stage == "train_gan"
    }
    assert objectives == {
        "main": ("jsd", "none", False),
        "jsd_1": ("jsd", "none", False),
        "jsd_2": ("jsd", "none", True),
        "jsd_3": ("jsd", "r1", False),
        "w1_2": ("w1", "none", True),
        "w1_3": ("w1", "r1", False),
        "wgan_lp": ("w1", "lp", False),
        "vanilla": ("ns", "none", False),
        "lsgan": ("lsgan", "none", False),
        "wgan_gp": ("w1", "gp", False),
        "mlp": ("ns", "none", False),
    }


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("gan", "penalty"), "r3", "gan.penalty: 'r3' is not one of none, r1, r2, gp, lp"),
        (("gan", "snapshots"), [301], "snapshots: 301 is beyond the last of"),
        (("gan", "perturbed"), [64], "perturbed: 64 is no dimension of a code with 64"),
        (("gan", "generator_betas"), [0.5], "gan.generator_betas"),
        (("gan", "ema"), 1.0, "gan.ema: 1.0 is not less than 1"),
        (("gan", "runs", "main"), {"data": "shapes32"}, "gan.runs.main.features: missing"),
        (("gan", "runs", "main"), {"data": "shapes32", "features": "shape32"}, "did you mean shapes32?"),
        (("dirac", "games"), {}, "dirac.games: missing or empty"),
        (("dirac", "games", "jsd_1"), {"loss": "js"}, "dirac.games.jsd_1.loss: 'js' is not one of jsd, w1"),
        (("dirac", "stpes"), 3, "dirac.stpes: unknown key; did you mean steps?"),
        (("dirac",), [], "dirac: [] is not a mapping"),
    ],
)
def test_what_cannot_be_run_is_refused(place, value, message):
    params = copy.deepcopy(PARAMS)
    inner = params
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(UserError) as error:
        expand(params)
    assert message in str(error.value)

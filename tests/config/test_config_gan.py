"""The sections `dirac` and `gan` of params.yaml: what a hyperparameter reaches, and what is refused."""

import pytest
from checkout import params

from pipeline.config.params import expand
from pipeline.gan.settings import Scoring, Training
from pipeline.runtime import settings
from pipeline.runtime.errors import UserError


def changed(section, key, value):
    """Return the addresses of the stages whose plan changes with one hyperparameter at the top of a section."""
    content = params()
    before = {plan.address: plan for plan in expand(content)}
    content[section][key] = value
    return {plan.address for plan in expand(content) if before[plan.address] != plan}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("penalty", "r1"), ("loss", "w1"), ("spectral_norm", True), ("network", "resnet"), ("width", 12),
    ],
)  # fmt: skip
def test_the_hyperparameters_of_the_grid_reach_main_alone(key, value):
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


def test_scoring_does_not_reach_training_and_training_does_not_reach_scoring():
    assert {address.split("@")[0] for address in changed("gan", "samples", 1200)} == {"score_gan"}
    assert {address.split("@")[0] for address in changed("gan", "batch", 16)} == {"train_gan"}
    assert changed("dirac", "frames", 10) == {"animate"}
    assert changed("dirac", "steps", 1000) == {"dirac"}
    assert {address.split("@")[0] for address in changed("gan", "precision", "bf16")} == {"train_gan", "score_gan"}


def test_plans_hold_the_settings_under_the_names_of_their_hyperparameters():
    content = params()
    names = set(content["gan"]) - {"runs"}
    found = set()
    for plan in expand(content):
        for stage, kind in (("train_gan", Training), ("score_gan", Scoring)):
            if plan.stage == stage:
                assert settings.plain(settings.build(kind, plan.settings)) == plan.settings
                found |= set(settings.flat(plan.settings))
    assert found == names


def test_every_cell_of_the_reports_is_planned():
    objectives = {
        plan.run: (
            plan.settings["objective"]["loss"],
            plan.settings["objective"]["penalty"],
            plan.settings["network"]["spectral_norm"],
        )
        for plan in expand(params())
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
        (("gan", "snapshots"), [451], "snapshots: 451 is beyond the last of"),
        (("gan", "shown_dimensions"), [32], "shown_dimensions: there is no dimension 32 among 32"),
        (("gan", "generator_betas"), [0.5], "gan.generator_betas"),
        (("gan", "ema_decay"), 1.0, "gan.ema_decay: 1.0 is not less than 1"),
        (("gan", "precision"), "fp16", "gan.precision: 'fp16' is not one of fp32, tf32, bf16"),
        (("gan", "runs", "main"), {"data": "digits16"}, "gan.runs.main.features: missing"),
        (("gan", "runs", "main"), {"data": "digits16", "features": "digit16"}, "did you mean digits16?"),
        (("dirac", "games"), {}, "dirac.games: missing or empty"),
        (("dirac", "games", "jsd_1"), {"loss": "js"}, "dirac.games.jsd_1.loss: 'js' is not one of jsd, w1"),
        (("dirac", "stpes"), 3, "dirac.stpes: unknown key; did you mean steps?"),
        (("dirac",), [], "dirac: [] is not a mapping"),
    ],
)
def test_what_cannot_be_run_is_refused(place, value, message):
    content = params()
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(UserError) as error:
        expand(content)
    assert message in str(error.value)

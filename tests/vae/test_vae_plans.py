"""What of the hyperparameters reaches which stage."""

import pytest

from pipeline.config.vae import VaeHyperparameters, plans
from pipeline.runtime import settings
from pipeline.vae.settings import Scoring, Training

GIVEN = {
    "network": "mlp", "hidden": 300, "latent": 100, "likelihood": "bernoulli", "logit_shift": 5.0,
    "posterior": "gaussian", "flow_layers": 0, "beta": 1.0, "beta_schedule": "constant", "kl": "monte_carlo",
    "kl_samples": 10, "epochs": 20, "batch": 32, "learning_rate": 0.0015, "clip_norm": 0.0, "precision": "fp32",
    "snapshots": [10, 30], "seeds": [0, 1], "importance_samples": [1, 10], "elbo_samples": 20, "tsne": False,
}  # fmt: skip
OTHER = {
    "network": "mlp_shallow", "hidden": 20, "latent": 7, "likelihood": "cross_entropy", "logit_shift": 1.0,
    "posterior": "mean", "flow_layers": 2, "beta": 0.5, "beta_schedule": "linear", "kl": "analytic", "kl_samples": 3,
    "epochs": 4, "batch": 8, "learning_rate": 0.1, "clip_norm": 2.0, "precision": "bf16", "snapshots": [1],
    "seeds": [5], "importance_samples": [4], "elbo_samples": 2, "tsne": True,
}  # fmt: skip
SCORING = {"importance_samples", "elbo_samples", "tsne"}


def planned(**changes):
    training, scoring = plans("run", "digits", VaeHyperparameters(**GIVEN | changes))
    return training, scoring


def test_the_settings_come_back_typed_and_flat_under_the_names_of_their_hyperparameters():
    training, scoring = planned()
    typed = settings.build(Training, training.settings)
    assert typed.schedule.seeds == (0, 1) and typed.network.hidden == 300 and typed.objective.kl_samples == 10
    assert typed.schedule.snapshots == (10,)  # not those that a shorter training never reaches
    assert settings.build(Scoring, scoring.settings).importance_samples == (1, 10)
    assert set(settings.flat(training.settings)) == set(GIVEN) - SCORING


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_hyperparameter_reaches_the_stages_that_it_changes(name):
    before, after = planned(), planned(**{name: OTHER[name]})
    trained = before[0].settings != after[0].settings
    scored = before[1].settings != after[1].settings
    assert trained == (name not in SCORING)
    # the model is another one after training; what scoring is told besides are its own numbers
    assert scored == (name in SCORING | {"batch", "likelihood", "posterior"})


@pytest.mark.parametrize(
    ("run", "idle"),
    [
        ({"network": "conv"}, {"hidden"}),
        ({"likelihood": "gaussian"}, {"logit_shift"}),
        ({"likelihood": "cross_entropy"}, {"importance_samples"}),
        ({"kl": "analytic"}, {"kl_samples"}),
        ({"flow_layers": 4}, {"kl", "kl_samples"}),
        ({"posterior": "mean"}, {"kl", "kl_samples", "importance_samples", "elbo_samples"}),
        (
            {"posterior": "deterministic"},
            {"beta", "beta_schedule", "kl", "kl_samples", "importance_samples", "elbo_samples"},
        ),
    ],
    ids=lambda value: ",".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_what_does_nothing_in_a_run_does_not_rerun_it(run, idle):
    other = {name: value for name, value in OTHER.items() if name in idle}
    assert planned(**run) == planned(**run | other)


def test_planar_layers_need_samples():
    with pytest.raises(ValueError, match="flow_layers: 2, but posterior mean takes no samples"):
        planned(flow_layers=2, posterior="mean")

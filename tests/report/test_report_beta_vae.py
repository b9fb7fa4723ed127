"""Autoencoders are told by their settings, and bits are compared at one K."""

from typing import Any

import pytest

from pipeline.report import autoencoders
from pipeline.report.beta_vae.chapter import roles
from pipeline.runtime.plan import Plan

COMMON = {"network": "conv32", "hidden": 16, "epochs": 12, "batch": 16, "learning_rate": 0.002}


def plan(run: str, data: str = "digits16", **changes: Any) -> Plan:
    known = {"posterior": "gaussian", "latent": 32, "beta": 1.0, "beta_schedule": "constant"}
    settings = {**COMMON, **known, **changes}
    return Plan("train_vae", run, {"data": f"data/{data}"}, f"models/vae/{run}", settings)


PLANS = [
    *(plan(f"plain_{n}", posterior="deterministic", latent=n, beta=None, beta_schedule=None) for n in (2, 8, 32)),
    plan("a"), plan("b", beta=0.8), plan("c", beta=1.2), plan("d", beta=0.0), plan("e", beta_schedule="linear"),
    plan("f", posterior="mean", beta=None, beta_schedule=None),
]  # fmt: skip


def test_runs_are_told_by_their_settings_whatever_their_names() -> None:
    found, group = roles(PLANS)
    assert found.sizes == {2: "plain_2", 8: "plain_8", 32: "plain_32"}
    assert found.betas == {1.0: "a", 0.8: "b", 1.2: "c"}
    assert (found.sample, found.linear, found.mean, found.wide) == ("d", "e", "f", "plain_32")
    assert group == PLANS


def test_only_runs_that_are_alike_are_compared_and_those_on_the_reports_data_first() -> None:
    longer, other = plan("longer", epochs=50), plan("other", data="cifar10", beta=0.8)
    found, group = roles([longer, *PLANS])
    assert found.betas[1.0] == "a" and longer not in group
    assert roles([*PLANS, other])[1] == [other]
    assert roles([]) == (roles([])[0], []) and roles([])[0].wide == ""


def estimated(bits: float, **nats: float) -> dict[str, Any]:
    values = {k.removeprefix("k"): {"value": value} for k, value in nats.items()}
    return {
        "mean": {
            "log_likelihood": values,
            "elbo": {"test": -100.0},
            "bits_per_dimension": {"elbo": 2.0, "log_likelihood": bits},
        }
    }


def test_bits_are_compared_at_the_largest_k_that_all_runs_have() -> None:
    runs = {"long": estimated(1.8, k10=-95.0, k1000=-90.0), "short": estimated(1.9, k10=-95.0), "none": {"mean": {}}}
    most, bits = autoencoders.bits(runs)
    assert most == "10"
    assert bits == pytest.approx({"long": 1.9, "short": 1.9})
    assert autoencoders.bits({"none": {"mean": {}}}) == ("", {})

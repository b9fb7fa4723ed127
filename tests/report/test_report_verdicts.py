"""Every claim's rule, on constructed numbers that make it say each of its verdicts."""

import math

import pytest

from pipeline.report.claims import Claim, elsewhere, short
from pipeline.report.verdicts import beta_vae, flow, mlp_vae, vae

FALLING = [160 - 60 * (1 - math.exp(-epoch / 3)) for epoch in range(20)]
BUMPY = [value + (epoch % 3 == 2) * 9 for epoch, value in enumerate(FALLING)]
STEADY = [160 - 3 * epoch for epoch in range(20)]
RISING = {"1": -101.0, "200": -96.0, "1000": -95.5}
LONG = [-160 + 60 * (1 - math.exp(-epoch / 20)) for epoch in range(100)]
EARLY = [-100.0 - 60 * (epoch < 19) for epoch in range(100)]


def depths(*values: float) -> dict[int, dict[str, float]]:
    return {depth: {"0": value} for depth, value in zip((2, 8, 32), values, strict=True)}


def terms(reconstruction: float, kl: float) -> dict[str, dict[str, float]]:
    return {"0": {"reconstruction": reconstruction, "kl": kl}}


def scores(frechet_distance: float, other: float, name: str = "sharpness") -> dict[str, dict[str, float]]:
    return {"0": {"frechet_distance": frechet_distance, name: other}}


# what confirms each claim, and everything that alone must not
CASES = {
    "C01": (
        lambda **limit: vae.target({"0": -102.0}, **limit),
        [lambda: vae.target({"0": -102.01})],
        lambda: vae.target({}),
    ),
    "C02": (
        lambda **limit: vae.estimators({"0": -95.3, "1": 0.0}, {"0": -95.7, "2": 9.0}, **limit),
        [lambda: vae.estimators({"0": -95.3}, {"0": -95.9}), lambda: vae.estimators({"0": -95.9}, {"0": -95.3})],
        lambda: vae.estimators({"0": -95.3}, {}),
    ),
    "C03": (
        lambda: vae.cost(601, {1: 902, 10: 7211}, 4_000_000),
        [lambda: vae.cost(1000, {1: 902, 10: 7211}, 0), lambda: vae.cost(601, {1: 902, 10: 902}, 0)],
        None,
    ),
    "C04": (
        lambda **limit: vae.descent({"0": FALLING}, **limit),
        [lambda: vae.descent({"0": BUMPY}), lambda: vae.descent({"0": STEADY}), lambda: vae.descent({"0": [1.0]})],
        lambda: vae.descent({}),
    ),
    "C05": (
        lambda: vae.bound({"0": -101.0}, {"0": RISING}),
        [
            lambda: vae.bound({"0": -97.9}, {"0": RISING}),
            lambda: vae.bound({"0": -101.0}, {"0": RISING | {"1000": -96.5}}),
        ],
        lambda: vae.bound({"0": -101.0}, {"0": {"10": -97.0}}),
    ),
    "C06": (
        lambda **limit: vae.longer({"0": LONG}, **limit),
        [lambda: vae.longer({"0": EARLY})],
        lambda: vae.longer({"0": LONG[:99]}),
    ),
    "C57": (
        lambda **limit: vae.layers({"0": -100.0, "1": 0.0}, {4: {"0": -99.0}, 16: {"0": -98.0}}, **limit),
        [lambda: vae.layers({"0": -100.0}, {4: {"0": -99.0}, 16: {"0": -100.1}})],
        lambda: vae.layers({"0": -100.0}, {}),
    ),
    "C50": (
        lambda: flow.determinant({"2": 1e-15, "20": 9e-7}),
        [lambda: flow.determinant({"2": 1e-15, "20": 2e-6})],
        lambda: flow.determinant({}),
    ),
    "C51": (
        lambda: flow.operations({"planar": 0.95, "depth": 1.0, "dense": 2.9}),
        [
            lambda: flow.operations({"planar": 1.2, "depth": 1.0, "dense": 2.9}),
            lambda: flow.operations({"planar": 1.0, "depth": 0.8, "dense": 2.9}),
        ],
        lambda: flow.operations({}),
    ),
    "C52": (
        lambda: flow.groups([(0.01, 0.1), (100.0, 0.95), (1000.0, 0.99)]),
        [lambda: flow.groups([(100.0, 0.85), (1000.0, 0.99)]), lambda: flow.groups([(100.0, None)])],
        lambda: flow.groups([(0.01, 0.95)]),
    ),
    "C53": (lambda: flow.default(0.0099), [lambda: flow.default(0.01)], lambda: flow.default(None)),
    "C54": (
        lambda **limit: flow.deeper({"arcs": depths(3.4, 2.7, 2.72)}, **limit),
        [
            lambda: flow.deeper({"arcs": depths(3.4, 3.35, 2.7)}),
            lambda: flow.deeper({"arcs": depths(3.4, 2.7, 2.74)}),
            lambda: flow.deeper({"arcs": depths(3.4, 2.7, 2.6), "sine": depths(3.4, 2.7, 2.8)}),
        ],
        lambda: flow.deeper({"arcs": {2: {"0": 3.4}}}),
    ),
    "C55": (
        lambda **limit: flow.nearer({"arcs": depths(-1.0, -1.7, -1.8)}, {"arcs": depths(0.2, 0.3, 0.1)}, **limit),
        [
            lambda: flow.nearer({"arcs": depths(-1.0, -1.7, -1.6)}, {"arcs": depths(0.2, 0.3, 0.1)}),
            lambda: flow.nearer({"arcs": depths(-1.0, -1.7, -1.8)}, {"arcs": depths(0.2, 0.1, 0.2)}),
        ],
        lambda: flow.nearer({}, {}),
    ),
    "C56": (
        lambda: flow.integral({"0": [1.0, 0.991], "1": [1.009]}),
        [lambda: flow.integral({"0": [1.0, 0.98]}), lambda: flow.integral({"0": [1.02]})],
        lambda: flow.integral({}),
    ),
    "C58": (
        lambda **limit: flow.constraint({"0": 3.03}, {"0": 3.46}, **limit),
        [lambda: flow.constraint({"0": 3.03}, {"0": 3.1}), lambda: flow.constraint({"0": 3.46}, {"0": 3.03})],
        lambda: flow.constraint({"0": 3.03}, {}),
    ),
    "C70": (
        lambda **limit: beta_vae.sizes({1024: {"0": 25.0}, 16: {"0": 203.0}, 128: {"0": 56.0}}, **limit),
        [lambda: beta_vae.sizes({1024: {"0": 25.0}, 16: {"0": 56.0}, 128: {"0": 56.0}})],
        lambda: beta_vae.sizes({1024: {"0": 25.0}, 16: {}}),
    ),
    "C71": (
        lambda **limit: beta_vae.weights({1.2: terms(148, 52), 0.8: terms(126, 70), 1.0: terms(137, 60)}, **limit),
        [
            lambda: beta_vae.weights({1.2: terms(148, 52), 0.8: terms(126, 70), 1.0: terms(149, 60)}),
            lambda: beta_vae.weights({1.2: terms(148, 61), 0.8: terms(126, 70), 1.0: terms(137, 60)}),
        ],
        lambda: beta_vae.weights({1.2: terms(148, 52), 0.8: {}}),
    ),
    "C72": (
        lambda **limit: beta_vae.sharper({0.8: scores(9, 2.0), 1.0: {}, 1.2: scores(10, 1.9)}, **limit),
        [
            lambda: beta_vae.sharper({0.8: scores(11, 2.0), 1.2: scores(10, 1.9)}),
            lambda: beta_vae.sharper({0.8: scores(9, 1.8), 1.2: scores(10, 1.9)}),
        ],
        lambda: beta_vae.sharper({0.8: scores(9, 2.0), 1.2: {}}),
    ),
    "C73": (
        lambda **limit: beta_vae.weightless({"0": 25.0}, {"0": 27.0}, {"0": 31.0}, **limit),
        [
            lambda: beta_vae.weightless({"0": 25.0}, {"0": 28.0}, {"0": 31.0}),
            lambda: beta_vae.weightless({"0": 25.0}, {"0": 22.0}, {"0": 31.0}),
            lambda: beta_vae.weightless({"0": 25.0}, {"0": 27.0}, {"0": 26.0}),
        ],
        lambda: beta_vae.weightless({"0": 25.0}, {}, {"0": 31.0}),
    ),
    "C74": (
        lambda **limit: beta_vae.schedule(terms(137, 61), terms(124, 69), **limit),
        [
            lambda: beta_vae.schedule(terms(137, 61), terms(138, 69)),
            lambda: beta_vae.schedule(terms(137, 61), terms(124, 60)),
        ],
        lambda: beta_vae.schedule({}, terms(124, 69)),
    ),
    "C75": (
        lambda **limit: beta_vae.unsampled({"0": 20.0}, {"0": 10.0}, **limit),
        [lambda: beta_vae.unsampled({"0": 19.0}, {"0": 10.0})],
        lambda: beta_vae.unsampled({}, {"0": 10.0}),
    ),
    "C76": (
        lambda **limit: beta_vae.units({0.8: {"0": 90}, 1.2: {"0": 50}, 1.0: {"0": 70}}, **limit),
        [lambda: beta_vae.units({0.8: {"0": 90}, 1.2: {"0": 70}, 1.0: {"0": 70}})],
        lambda: beta_vae.units({0.8: {}, 1.2: {"0": 70}}),
    ),
    "C80": (
        lambda **limit: mlp_vae.early({"0": (0.04, 0.02)}, **limit),
        [lambda: mlp_vae.early({"0": (0.05, 0.02)})],
        lambda: mlp_vae.early({}),
    ),
    "C81": (
        lambda: mlp_vae.negative({mlp_vae.OWN: {"0": -5.0}, "cross_entropy": {"0": 5.0}}),
        [
            lambda: mlp_vae.negative({mlp_vae.OWN: {"0": 5.0}, "cross_entropy": {"0": 5.0}}),
            lambda: mlp_vae.negative({mlp_vae.OWN: {"0": -5.0}, "cross_entropy": {"0": -1.0}}),
        ],
        lambda: mlp_vae.negative({mlp_vae.OWN: {"0": -5.0}}),
    ),
    "C82": (
        lambda **limit: mlp_vae.clusters({"code": 0.95, "map": 0.9}, {"code": 0.1, "map": 0.4}, **limit),
        [
            lambda: mlp_vae.clusters({"code": 0.95, "map": 0.89}, {"code": 0.1, "map": 0.4}),
            lambda: mlp_vae.clusters({"code": 0.89, "map": 0.95}, {"code": 0.1, "map": 0.4}),
        ],
        lambda: mlp_vae.clusters({}, {}),
    ),
    "C87": (
        lambda **limit: mlp_vae.models(
            {"a": scores(9, 5, "inception_score"), "b": {}}, scores(8, 6, "inception_score"), "a", **limit
        ),
        [
            lambda: mlp_vae.models({"a": scores(7, 5, "inception_score")}, scores(8, 6, "inception_score"), "a"),
            lambda: mlp_vae.models({"a": scores(9, 7, "inception_score")}, scores(8, 6, "inception_score"), "a"),
        ],
        lambda: mlp_vae.models({"a": {}}, scores(8, 6, "inception_score"), "a"),
    ),
}
COUNTED = {"C03", "C50", "C51"}  # no seed changes them
ANYWHERE = {*COUNTED, "C05", "C52", "C53", "C56", "C81"}  # hold for data and trainings of any size


@pytest.mark.parametrize("name", CASES)
def test_each_claim_says_each_of_its_verdicts(name: str) -> None:
    confirming, failing, missing = CASES[name]
    claim: Claim = confirming()
    assert claim.name == name and claim.found and claim.rule
    seeds = len(claim.seeds)
    count = "" if name in COUNTED else " (1 seed)" if seeds == 1 else f" ({seeds} of {seeds} seeds)"
    assert claim.verdict == f"confirmed{count}"
    for other in failing:
        assert other().outcome == "not confirmed" and other().found
    if missing is not None:
        assert missing().verdict == "not run" and not missing().found
    if name not in ANYWHERE:
        assert confirming(limit="too small").verdict == "not testable at this scale: too small"


def test_a_claim_that_holds_for_some_seeds_is_confirmed_in_part() -> None:
    assert vae.target({"0": -101.0, "1": -103.0, "2": -101.5}).verdict == "confirmed in part (2 of 3 seeds)"
    assert vae.target({"0": -103.0, "1": -103.0}).verdict == "not confirmed (0 of 2 seeds)"


def test_limits_follow_from_settings() -> None:
    assert short(500, 1000) == "" and short(2000, 1000) == ""
    assert short(499, 1000) == "trained for 499 steps, the report's run for 1,000"
    facts = {"data": "digits", "epochs": 5, "width": 3}
    assert elsewhere({"data": "digits", "epochs": 5, "batch": 1}, facts) == ""
    assert elsewhere({"data": "digits", "epochs": 20}, facts) == "epochs is 20 in the report, 5 here"
    assert elsewhere({"data": "mnist", "epochs": 20}, facts) == "data is mnist in the report, digits here"

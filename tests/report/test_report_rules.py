"""Every rule on numbers for and against it, and what the engine makes of what it finds."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.report import claims, reported
from pipeline.report.beta_vae import rules as beta_vae
from pipeline.report.claims import Finding, assess, finding, per_seed, state
from pipeline.report.flow import rules as flow
from pipeline.report.gan import rules as gan
from pipeline.report.mlp_vae import rules as mlp_vae
from pipeline.report.reported import Claimed, Reported
from pipeline.report.vae import rules as vae

REPORTED = reported.read()
FALLING = [-160 + 60 * (1 - math.exp(-epoch / 3)) for epoch in range(20)]
BUMPY = [value - (epoch % 3 == 2) * 9 for epoch, value in enumerate(FALLING)]
STEADY = [-160.0 + 3 * epoch for epoch in range(20)]
RISING = {"1": -101.0, "200": -96.0, "1000": -95.5}
LONG = [-160 + 60 * (1 - math.exp(-epoch / 20)) for epoch in range(100)]
EARLY = [-100.0 - 60 * (epoch < 19) for epoch in range(100)]
COUNTED = {"C03", "C50", "C51"}  # no seed changes them
PLACES = {"layers": "layers", "shallow": "k2", "data": "blobs", "low": "beta_0_8", "wide": "ae_32"}


def terms(reconstruction: float, kl: float) -> dict[str, float]:
    return {"reconstruction": reconstruction, "kl": kl}


def scores(frechet_distance: float, sharpness: float) -> dict[str, float]:
    return {"frechet_distance": frechet_distance, "sharpness": sharpness}


def at_200(value: float) -> dict[str, float]:
    return {"10": value - 1, "200": value}


def by_beta(*values: float) -> dict[float, float]:
    return dict(zip((1.2, 0.8, 1), values, strict=True))


def models(distance: float, score: float) -> dict[str, Any]:
    own = {"frechet_distance": distance, "inception_score": score}
    scored = {"GAN": {"frechet_distance": 8.0, "inception_score": 6.0}, mlp_vae.RUN: own}
    return {"scores": scored, "images": {"GAN": 1000, mlp_vae.RUN: 1000}}


def paths(stride: float = 0.15, between: int = 30, pairs: int = 100, **changes: float) -> dict[str, Any]:
    """Return paths of two models, of which the GAN's can be changed."""
    walked = {"stride": 0.15, "stride_error": 0.002, "rise": 0.0, "rise_error": 0.03, "pairs": 100.0, "between": 30.0}
    gan = walked | {"stride": stride, "between": float(between), "pairs": float(pairs)} | changes
    return {"paths": {name: {"linear": walked, "spherical": at} for name, at in (("VAE", walked), ("GAN", gan))}}


def neighbours(latent: float, tsne: float) -> dict[str, dict[str, float]]:
    found = {"latent": latent, "tsne": tsne}
    return {name: {"knn_accuracy": value, "silhouette": 0.1} for name, value in found.items()}


KIND = mlp_vae.RUN
# rule, what confirms each claim, everything that alone must not, and what does not suffice to test it
CASES: dict[str, tuple[claims.Rule, dict[str, Any], list[dict[str, Any]], dict[str, Any] | None]] = {
    "C01": (vae.target, {"curve": [-130.0, -101.99]}, [{"curve": [-100.0, -102.01]}], None),
    "C02": (
        vae.estimators,
        {"closed": at_200(-95.3), "monte_carlo": at_200(-95.7)},
        [
            {"closed": at_200(-95.3), "monte_carlo": at_200(-95.9)},
            {"closed": at_200(-95.9), "monte_carlo": at_200(-95.3)},
        ],
        {"closed": at_200(-95.3), "monte_carlo": {"10": -95.3}},
    ),
    "C03": (
        vae.operations,
        {"closed": 601, "monte_carlo": {1: 902, 10: 7211}, "network": 10_000},
        [
            {"closed": 1000, "monte_carlo": {1: 902, 10: 7211}, "network": 10_000},
            {"closed": 601, "monte_carlo": {1: 902, 10: 902}, "network": 10_000},
            {"closed": 601, "monte_carlo": {1: 902, 10: 7211}, "network": 4_455_504},
        ],
        None,
    ),
    "C04": (vae.descent, {"curve": FALLING}, [{"curve": BUMPY}, {"curve": STEADY}, {"curve": [1.0]}], None),
    "C05": (
        vae.bound,
        {"elbo": -101.0, "log_likelihood": RISING},
        [{"elbo": -97.9, "log_likelihood": RISING}],
        {"elbo": -101.0, "log_likelihood": {"10": -97.0}},
    ),
    "C06": (vae.longer, {"curve": LONG}, [{"curve": EARLY}], {"curve": LONG[:99]}),
    "C57": (
        vae.layers,
        {"without": [-100.0, -100.1, -99.9], "with_layers": {4: [-99.0, -99.1], 16: [-98.0, -98.2]}, "epochs": 20},
        [
            {"without": [-100.0, -100.1, -99.9], "with_layers": {4: [-99.0, -99.1], 16: [-100.4]}, "epochs": 20},
            {"without": [-100.0, -97.0, -99.9], "with_layers": {4: [-99.0, -99.2]}, "epochs": 20},
            {"without": [-100.0, -100.1, -99.9], "with_layers": {4: [-100.2]}, "epochs": 20},
        ],
        None,
    ),
    "C50": (flow.determinant, {"errors": {"2": 1e-15, "20": 9e-7}}, [{"errors": {"2": 1e-15, "20": 2e-6}}], None),
    "C51": (
        flow.operations,
        {"planar": 0.95, "depth": 1.0, "dense": 2.9},
        [{"planar": 1.2, "depth": 1.0, "dense": 2.9}, {"planar": 1.0, "depth": 0.8, "dense": 2.9}],
        None,
    ),
    "C52": (
        flow.groups,
        {"layers": [(0.01, 0.1), (100.0, 0.95), (1000.0, 0.99)]},
        [{"layers": [(100.0, 0.85), (1000.0, 0.99)]}, {"layers": [(100.0, None)]}],
        {"layers": [(0.01, 0.95)]},
    ),
    "C53": (flow.default, {"displacement": 0.0099}, [{"displacement": 0.01}], None),
    "C54": (
        flow.deeper,
        {"nll": {"arcs": [3.4, 2.7, 2.72]}, "depths": "2, 8, 32"},
        [
            {"nll": {"arcs": [3.4, 3.35, 2.7]}, "depths": "2, 8, 32"},
            {"nll": {"arcs": [3.4, 2.7, 2.74]}, "depths": "2, 8, 32"},
            {"nll": {"arcs": [3.4, 2.7, 2.6], "sine": [3.4, 2.7, 2.8]}, "depths": "2, 8, 32"},
        ],
        {"nll": {"arcs": [3.4]}, "depths": "2"},
    ),
    "C55": (
        flow.nearer,
        {"loss": {"arcs": [-1.0, -1.7, -1.8]}, "energy": {"arcs": [0.2, 0.3, 0.1]}, "depths": "2, 8, 32"},
        [
            {"loss": {"arcs": [-1.0, -1.7, -1.6]}, "energy": {"arcs": [0.2, 0.3, 0.1]}, "depths": "2, 8, 32"},
            {"loss": {"arcs": [-1.0, -1.7, -1.8]}, "energy": {"arcs": [0.2, 0.1, 0.2]}, "depths": "2, 8, 32"},
        ],
        {"loss": {"arcs": [-1.0]}, "energy": {"arcs": [0.2]}, "depths": "2"},
    ),
    "C56": (
        flow.integral, {"integrals": [1.0, 0.991, 1.009]}, [{"integrals": [1.0, 0.98]}, {"integrals": [1.02]}], None
    ),
    "C58": (
        flow.constraint,
        {"smooth": 3.03, "in_place": 3.46},
        [{"smooth": 3.03, "in_place": 3.1}, {"smooth": 3.46, "in_place": 3.03}],
        None,
    ),
    "C70": (
        beta_vae.sizes, {"error": {1024: 25.0, 16: 203.0, 128: 56.0}}, [{"error": {1024: 25.0, 16: 56.0, 128: 56.0}}],
        None,
    ),
    "C71": (
        beta_vae.weights,
        {"reconstruction": by_beta(148, 126, 137), "kl": by_beta(52, 70, 60)},
        [
            {"reconstruction": by_beta(148, 126, 149), "kl": by_beta(52, 70, 60)},
            {"reconstruction": by_beta(148, 126, 137), "kl": by_beta(61, 70, 60)},
        ],
        None,
    ),
    "C72": (
        beta_vae.sharper,
        {"low": scores(9, 2.0), "high": scores(10, 1.9)},
        [{"low": scores(11, 2.0), "high": scores(10, 1.9)}, {"low": scores(9, 1.92), "high": scores(10, 1.9)}],
        None,
    ),
    "C73": (
        beta_vae.weightless,
        {"autoencoder": 25.0, "mean": 27.0, "sample": 31.0},
        [
            {"autoencoder": 25.0, "mean": 28.0, "sample": 31.0},
            {"autoencoder": 25.0, "mean": 22.0, "sample": 31.0},
            {"autoencoder": 25.0, "mean": 27.0, "sample": 27.5},
        ],
        None,
    ),
    "C74": (
        beta_vae.schedule,
        {"constant": terms(137, 61), "linear": terms(124, 69)},
        [
            {"constant": terms(137, 61), "linear": terms(135, 69)},
            {"constant": terms(137, 61), "linear": terms(124, 60)},
        ],
        None,
    ),
    "C75": (
        beta_vae.unsampled,
        {"autoencoder": 21.0, "variational": 10.0}, [{"autoencoder": 19.0, "variational": 10.0}], None,
    ),
    "C76": (beta_vae.units, {"active": by_beta(50, 90, 70)}, [{"active": by_beta(70, 90, 70)}], None),
    "C80": (mlp_vae.early, {"first": 0.039, "last": 0.02}, [{"first": 0.05, "last": 0.02}], None),
    "C81": (
        mlp_vae.negative,
        {"curves": {KIND: [9.0, -5.0], "cross_entropy": [5.0]}},
        [{"curves": {KIND: [-9.0, 5.0], "cross_entropy": [5.0]}}],
        {"curves": {"cross_entropy": [5.0]}},
    ),
    "C86": (
        mlp_vae.between,
        paths(),
        [paths(stride=0.31), paths(stride=0.295, stride_error=0.01), paths(between=9), paths(between=13)],
        {"paths": {"VAE": {"linear": {"stride": 0.1}, "spherical": {"stride": 0.1}}}},
    ),
    "C82": (mlp_vae.clusters, neighbours(0.95, 0.91), [neighbours(0.95, 0.89), neighbours(0.89, 0.95)], None),
}  # fmt: skip


def holds(found: Finding | None) -> bool:
    """Whether every part of a claim holds by itself, with what uncertainty it carries."""
    return found is not None and {state([margin]) for part in found.parts for margin in part} == {"holds"}


@pytest.mark.parametrize("name", CASES)
def test_each_claim_says_each_of_its_verdicts(name: str) -> None:
    rule, yes, against, missing = CASES[name]
    confirmed = assess(REPORTED, name, rule, {"0": yes}, **PLACES)
    assert confirmed.name == name and confirmed.found and "{" not in confirmed.found + confirmed.rule
    several = name in COUNTED or name == "C57"
    assert confirmed.verdict == ("confirmed" if several else "holds (1 seed)")
    for no in against:
        assert rule(**no) is not None and not holds(rule(**no))
        refuted = assess(REPORTED, name, rule, {"0": no}, **PLACES)
        assert refuted.outcome not in ("confirmed", "holds (1 seed)") and refuted.found
    absent = assess(REPORTED, name, rule, {})
    assert absent.verdict == "not run" and not absent.found and not absent.figure
    if missing is not None:
        assert rule(**missing) is None
        assert assess(REPORTED, name, rule, {"0": missing}).verdict == "not run"


def test_a_question_gets_an_answer_and_no_verdict() -> None:
    claim = assess(REPORTED, "C87", mlp_vae.models, {"0": models(9, 5)})
    assert (claim.verdict, claim.verdict_here) == ("answered", "") and "GAN: 8.00" in claim.found
    assert "GAN: 1,000" in claim.found  # a Fréchet distance depends on the number of images


LENGTHS = {
    "steps of gradient descent": {"C02", "C04", "C57", *(f"C7{n}" for n in range(7)), "C80", "C82"},
    "steps": {"C54", "C55", "C58"},
}


@pytest.mark.parametrize("name", CASES)
def test_claims_that_need_scale_have_no_verdict_on_the_reports_data_without_it(name: str) -> None:
    rule, yes, _, _ = CASES[name]
    text = REPORTED.claims[name]
    for what in (what for what, names in LENGTHS.items() if name in names):
        needed = text.needs[what]
        facts: list[dict[str, Any]] = [{"data": text.data, what: n} for n in (needed - 1, needed)]
        short, long = (assess(REPORTED, name, rule, {"0": yes}, [known], **PLACES) for known in facts)
        assert short.verdict == f"not tested: {needed - 1:,} {what}, at least {needed:,} needed"
        assert short.here.startswith("holds here") and long.here == ""
        assert long.outcome in ("confirmed", "holds (1 seed)")
    needs = {what for what, names in LENGTHS.items() if name in names}
    assert needs == set(text.needs)


def verdict(*elbos: float) -> str:
    seeds = {str(seed): {"curve": [elbo]} for seed, elbo in enumerate(elbos)}
    return assess(REPORTED, "C01", vae.target, seeds).verdict


def test_what_varies_over_seeds_is_settled_by_an_interval() -> None:
    assert verdict(-101.0, -100.9, -101.1) == "confirmed (3 of 3 seeds)"
    assert verdict(-101.9, -100.0) == "undecided (2 of 2 seeds)"  # both above, but nobody knows where a third lies
    assert verdict(-101.0, -103.0, -101.5) == "undecided (2 of 3 seeds)"
    assert verdict(-103.0, -103.1) == "not confirmed (0 of 2 seeds)"


def test_one_seed_says_so() -> None:
    assert verdict(-101.0) == "holds (1 seed)"
    assert verdict(-103.0) == "does not hold (1 seed)"
    words = {outcome for outcome in (*claims.OUTCOMES.values(), *claims.HERE.values()) if "1 seed" in outcome}
    assert len(words) == 6


def test_an_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0]
    bounds = stats.t.interval(0.9, 2, np.mean(values), stats.sem(values))
    found = claims.interval(values)
    assert (found.low, found.high) == pytest.approx(bounds)
    assert claims.interval([3.0]) == claims.Interval(3.0, 3.0, 3.0, 1)
    test = stats.ttest_ind([3.0, 4.0, 5.0], values).confidence_interval(0.9)
    unpaired = claims.gain(values, [3.0, 4.0, 5.0])
    assert (unpaired.low, unpaired.high) == pytest.approx((test.low, test.high))
    assert claims.gain([1.0], [2.0]) == claims.gain([0.0, 2.0], [2.0]) == claims.Interval(1.0, 1.0, 1.0, 1)


def test_parts_make_a_verdict_in_part() -> None:
    def rule(first: float, second: float) -> Finding:
        return finding(first, (second, True), first=first)

    def outcome(*seeds: tuple[float, float]) -> str:
        numbers = {str(n): {"first": first, "second": second} for n, (first, second) in enumerate(seeds)}
        return assess(reported_with(found="{first}"), "C01", rule, numbers).outcome

    assert outcome((1, 1), (1.1, 1.1)) == "confirmed"
    assert outcome((1, -1), (1.1, -1.1)) == outcome((1, -1), (1.1, 3)) == "confirmed in part"
    assert outcome((-1, -1), (-1.1, -1.1)) == "not confirmed"
    assert outcome((-1, -1), (3, -1.1)) == "not confirmed"
    assert outcome((-1, 1), (3, -1.1)) == "undecided"
    assert outcome((1, -1)) == "holds in part (1 seed)"


def test_margins_are_shown_with_their_interval() -> None:
    seeds = {str(n): {"curve": [elbo]} for n, elbo in enumerate((-101.0, -100.8, -101.2))}
    assert assess(REPORTED, "C01", vae.target, seeds).margin == "1 (0.663 to 1.34)"
    assert assess(REPORTED, "C01", vae.target, {"0": {"curve": [-101.0]}}).margin == ""


def test_runs_on_other_data_say_whether_it_holds_there_and_confirm_nothing() -> None:
    rule, yes, against, _ = CASES["C05"]
    facts = [{"data": "binarized_digits28"}]
    one, none = (assess(REPORTED, "C05", rule, {"0": numbers}, facts) for numbers in (yes, against[0]))
    assert one.verdict == "not tested: claimed of binarized_mnist"
    assert one.verdict_here == "holds here (1 seed), on binarized_digits28"
    assert none.verdict_here == "does not hold here (1 seed), on binarized_digits28"
    two = assess(REPORTED, "C05", rule, {"0": yes, "1": yes}, facts)
    assert two.verdict_here == "holds here, on binarized_digits28 (2 of 2 seeds)"
    own = assess(REPORTED, "C05", rule, {"0": yes, "1": yes}, [{"data": "binarized_mnist"}])
    assert (own.outcome, own.verdict_here) == ("confirmed", "")
    number = assess(REPORTED, "C01", vae.target, {"0": {"curve": [-101.0]}}, facts)
    assert number.verdict_here == "not testable at this scale: a number of nats is one of binarized_mnist"


def test_what_a_rule_lacks_is_no_verdict() -> None:
    def rule(x: float) -> Finding:
        return claims.lacking("5 points, 6 needed")

    claim = assess(reported_with(), "C01", rule, {"0": {"x": 1.0}})
    assert (claim.verdict, claim.found) == ("not testable at this scale: 5 points, 6 needed", "")
    there = assess(reported_with(data="mnist"), "C01", rule, {"0": {"x": 1.0}}, [{"data": "digits"}])
    assert there.outcome == "not tested" and there.verdict_here == claim.verdict


def reported_with(**changes: Any) -> Reported:
    return REPORTED.model_copy(update={"claims": {"C01": text(**changes)}})


def text(**changes: Any) -> Claimed:
    return Claimed.model_validate({"reports": "000", "claim": "c", "rule": "r", "found": "f", **changes})


def test_limits_follow_from_what_is_known_of_the_runs() -> None:
    needs = text(needs={"steps": 500, "rows": 3})
    assert claims.limit(needs, [{"steps": 500, "rows": 3}, {"steps": 2000}]) == claims.limit(needs, []) == ""
    assert claims.limit(needs, [{"steps": 500}, {"steps": 499}]) == "499 steps, at least 500 needed"
    assert claims.limit(needs, [{"steps": 1, "rows": 2}]).count("needed") == 2
    facts = {"data": "digits", "epochs": 5, "width": 3}
    assert claims.limit(text(conditions={"data": "digits", "epochs": 5, "batch": 1}), [facts]) == ""
    assert claims.limit(text(data="digits", conditions={"epochs": 20}), [facts]) == "epochs is 20 in the report, 5 here"
    other = claims.limit(text(data="mnist", conditions={"epochs": 20}, needs={"width": 4}), [facts])
    assert other == "claimed of mnist"


def test_only_seeds_that_all_have_are_compared() -> None:
    both = per_seed({"closed": {"0": at_200(-95.3), "1": at_200(0.0)}, "monte_carlo": {"0": at_200(-95.7), "2": {}}})
    assert list(both) == ["0"] and list(both["0"]) == ["closed", "monte_carlo"]
    assert per_seed({"closed": {"0": 1.0}, "monte_carlo": {}}) == per_seed({}) == {}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{x:.1f}", "1.0 / 2.5"),
        ("{same}", "7"),
        ("{x:mean.2f}", "1.75"),
        ("{sizes:.0f}", "16: 1 / 2, 128: 3 / 4"),
        ("{sizes[16]:.0f}", "1 / 2"),
        ("{depths:.1f}", "1.0 / 2.0 → 3.0 / 4.0"),
        ("{x.real:three}", "1 / 2.5"),
        ("{large:three}", "1350 / 13.5"),
    ],
)
def test_what_was_found_stands_with_a_slash_between_seeds(form: str, expected: str) -> None:
    def rule(x: float, sizes: dict[int, float], depths: list[float]) -> claims.Finding:
        return finding(True, same=7, large=1349.7 if x == 1.0 else 13.49)

    seeds = {"0": {"x": 1.0, "sizes": {16: 1, 128: 3}, "depths": [1, 3]}}
    seeds["1"] = {"x": 2.5, "sizes": {16: 2, 128: 4}, "depths": [2, 4]}
    assert assess(reported_with(found=form), "C01", rule, seeds).found == expected


def test_the_texts_know_every_claim_that_has_a_rule() -> None:
    tested: list[Callable[..., Any]] = [rule for rule, *_ in (*CASES.values(), *gan.RULES.values())]
    assert len(tested) == len(set(tested))
    assert {*CASES, *gan.RULES} <= set(REPORTED.claims)
    assert len(REPORTED.claims) == 65


def test_few_pairs_of_digits_show_nothing() -> None:
    claim = assess(REPORTED, "C86", mlp_vae.between, {"0": paths(pairs=19, between=19)})
    assert claim.verdict == "not testable at this scale: 19 samples of each of 7 and 9, 20 needed"

"""Every rule on random numbers of the right shape: it must be able to hold and to fail."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.report import reported
from pipeline.report.beta_vae import rules as beta_vae
from pipeline.report.claims import FEWEST, Finding, Rule, assess, state
from pipeline.report.dirac import rules as dirac
from pipeline.report.flow import rules as flow
from pipeline.report.gan import rules as gan
from pipeline.report.gan.rules import Seed
from pipeline.report.mlp_vae import rules as mlp_vae
from pipeline.report.simsiam import rules as simsiam
from pipeline.report.vae import rules as vae

TRIES = 30_000  # of a rule that holds seldom: that five runs are in one order happens once in 120
Random = np.random.Generator
Numbers = dict[str, Any]


def curve(random: Random, length: int = 0) -> list[float]:
    """Return an ELBO after every epoch: a walk that tends to rise, and tires."""
    steps = random.normal(random.uniform(0, 3), 1, length or int(random.integers(3, 25)))
    return list(-160 + np.cumsum(np.abs(steps) ** random.uniform(0, 3) * np.sign(steps)) * random.uniform(1, 4))


def estimates(random: Random) -> dict[str, float]:
    return {"10": random.normal(-97, 1), "200": random.normal(-95, 1)}


def by_key(random: Random, *keys: float) -> dict[float, float]:
    return dict(zip(keys, random.lognormal(3, 0.3, len(keys)), strict=True))


def by_depth(random: Random) -> dict[str, list[float]]:
    return {name: list(random.normal(3, 0.3, 3)) for name in ("arcs", "sine")}


def terms(random: Random) -> dict[str, float]:
    names = ("reconstruction", "kl", "sharpness", "frechet_distance", "inception_score", "knn_accuracy", "silhouette")
    return {name: float(random.uniform(0.5, 1.0)) for name in names}


def score(random: Random) -> Numbers:
    knn, lost, epoch = float(random.uniform(5, 70)), float(random.uniform(0, 12)), int(random.integers(1, 11))
    return {
        "loss": {"first": -float(random.uniform(0, 1)), "last": -float(random.uniform(0, 1))},
        "knn": {
            "first": 20.0,
            "last": knn,
            "best": knn + lost,
            "best_epoch": epoch,
        },
        "feature_std": float(random.uniform(0, 1)),
        "effective_rank": float(random.uniform(1, 4)),
        "untrained": {"knn": float(random.uniform(15, 25))},
    }


def game(random: Random, name: int) -> Numbers:
    penalty = ("none", "r1", "gp")[name % 3]
    theta, spread = float(random.uniform(0.9, 1.6)), float(random.uniform(1, 1.1))
    ema = name % 2 == 1
    weight = 0.1 if penalty != "none" else 0.0
    exact = random.random() < 0.9
    gamma = 4 * weight
    root = np.sqrt(complex(gamma**2 - 1))
    theory = [-0.25, (-gamma + root) / 4, (-gamma - root) / 4]
    return {
        "loss": "jsd", "penalty": penalty, "penalty_weight": weight, "ema": ema,
        "verdict": str(random.choice(["converged", "cycle"], p=[0.3, 0.7])),
        "radius": {"median": 1.2, "least": 1.2, "most": 1.2 * spread},
        "theta": {"median": theta * (random.uniform(0.05, 0.3) if ema else 1)},
        "rate": float(random.uniform(0.008, 0.012)),
        "eigenvalues": [[complex(v).real + (not exact), complex(v).imag] for v in theory],
    }  # fmt: skip


def games(random: Random) -> dict[str, Numbers]:
    return {str(n): game(random, n) for n in range(6)}


def gan_seed(random: Random) -> Seed:
    """Return a training of noise: every number is drawn by itself."""
    steps, rows = list(range(0, 7000, 1000)), list(range(100, 6001, 100))
    kinds = ("frechet_distance", "inception_score", "sharpness")
    stored = {str(step): {kind: float(random.uniform(0.5, 1.5)) for kind in kinds} for step in steps}
    final = {kind: float(random.uniform(0.5, 1.5)) for kind in (*kinds, "diversity", "recall", "label_distance")}
    shares = [float(share) for share in random.dirichlet([0.6] * 10)]
    shift = {key: list(random.uniform(0, 1, 16)) for key in ("flips", "colour", "entropy")}
    small = {**shift, "flips": list(random.uniform(0, 0.4, 16) * random.uniform(0, 1.5))}
    wide = {**shift, "entropy": list(random.uniform(0, 1, 16) * random.uniform(0, 2))}
    ways = {}
    for way in ("latent", "pixel"):
        names = ("frechet_distance", "sharpness")
        ways[way] = {name: list(random.uniform(0, 1, 11)) for name in names}
    wander = np.cumsum(random.normal(0, 1, (8, len(rows))), axis=1) * random.choice([0, 1], (8, 1))
    noise = random.normal(0, 1, (8, len(rows)))
    columns = ("jsd", "test_jsd", "test_w1", "loss_real", "loss_fake", "loss_generator")
    curves: dict[str, Sequence[float]] = {
        name: list(values) for name, values in zip(columns, wander[:6] + noise[:6], strict=True)
    }
    curves["jsd"] = list(random.uniform(0.4, 0.693, len(rows)) ** random.uniform(0, 1))
    curves["gradient_norm"] = [float(random.uniform(0.6, 1.4))] * len(rows)
    curves["gradient_norm_spread"] = [float(random.uniform(0.0, 0.5))] * len(rows)
    scores = {
        "snapshots": stored,
        "final": {**final, "shares": shares},
        "raw": {"frechet_distance": float(random.uniform(0.5, 1.5))},
        "perturbations": {"1": small, "10": {**shift, "overlap": 0.5}, "100": wide},
        "interpolations": ways,
        "traversal": {"unevenness": float(random.uniform(1, 3))},
        "gradient_norms": {"above_1.1": float(random.uniform(0, 0.2)), "percentile_99": 1.1},
    }
    return Seed(scores, {"shares": [0.1] * 10}, {"step": rows, **curves}, {"normalisation": "standing"})


def losses(random: Random) -> Numbers:
    return {name: list(random.uniform(0, 1, 3) ** 4 * 2) for name in ("jsd", "ns", "lsgan", "w1")}


def walked(random: Random) -> Numbers:
    values = {
        "stride": random.uniform(0.1, 0.5), "stride_error": random.uniform(0, 0.01), "rise": random.normal(),
        "pairs": 100.0, "between": float(random.integers(0, 100)),
    }  # fmt: skip
    return {"linear": values, "spherical": values}


OTHERS: dict[str, tuple[Rule, Callable[[Random], Numbers]]] = {
    "C01": (vae.target, lambda r: {"curve": list(r.normal(-102, 2, 20))}),
    "C02": (vae.estimators, lambda r: {"closed": estimates(r), "monte_carlo": estimates(r)}),
    "C03": (
        vae.operations,
        lambda r: {
            "closed": int(r.integers(1, 1000)),
            "monte_carlo": {n: int(r.integers(1, 9000)) for n in (1, 10, 1000)},
            "network": int(r.integers(1, 10**5)),
        },
    ),
    "C04": (vae.descent, lambda r: {"curve": curve(r)}),
    "C05": (vae.bound, lambda r: {"elbo": r.normal(-97, 2), "log_likelihood": estimates(r)}),
    "C06": (vae.longer, lambda r: {"curve": list(r.normal(-100, 1, 100))}),
    "C57": (
        vae.layers,
        lambda r: {
            "without": list(r.normal(-100, 1, 3)), "epochs": 20,
            "with_layers": {4: list(r.normal(-100, 2, 3)), 16: list(r.normal(-100, 2, 2))},
        },
    ),
    "C20": (simsiam.learns, lambda r: {"score": score(r), "own": bool(r.integers(2))}),
    "C21": (simsiam.collapses, lambda r: {"score": score(r), "default": score(r), "chance": 10.0}),
    "C22b": (simsiam.spikes, lambda r: {"score": score(r), "epochs": 10}),
    "C23": (simsiam.idle, lambda r: {"score": score(r)}),
    "C24": (simsiam.late, lambda r: {"loss": curve(r, 10), "knn": curve(r, 10)}),
    "C30": (
        dirac.words,
        lambda r: {
            "games": games(r), "steps": 10,
            "meanings": {str(n): str(r.choice(["converged", "cycle"])) for n in range(6)},
        },
    ),
    "C31": (dirac.decay, lambda r: {"games": games(r), "rate": 0.1}),
    "C32": (dirac.cycle, lambda r: {"games": games(r), "steps": 5000}),
    "C33": (dirac.average, lambda r: {"games": {str(n): game(r, n) for n in (2, 5)}}),
    "C34": (dirac.equilibrium, lambda r: {"games": {str(n): game(r, n) for n in (4, 4)}}),
    "C47": (gan.speed, lambda r: {name: int(r.integers(100, 130)) for name in ("jsd_1", "jsd_2", "jsd_3")}),
    "C50": (flow.determinant, lambda r: {"errors": by_key(r, 2, 20) if r.integers(2) else {"2": 1e-9 * r.random()}}),
    "C51": (flow.operations, lambda r: dict(zip(("planar", "dense", "depth"), r.uniform(0.7, 1.3, 3), strict=True))),
    "C52": (flow.groups, lambda r: {"layers": [(100.0, float(s)) for s in r.uniform(0.8, 1, 3)]}),
    "C53": (flow.default, lambda r: {"displacement": float(r.uniform(0, 0.02))}),
    "C54": (flow.deeper, lambda r: {"nll": by_depth(r), "depths": ""}),
    "C55": (flow.nearer, lambda r: {"loss": by_depth(r), "energy": by_depth(r), "depths": ""}),
    "C56": (flow.integral, lambda r: {"integrals": list(r.normal(1, 0.005, 4))}),
    "C58": (flow.constraint, lambda r: {"smooth": r.normal(3, 0.2), "in_place": r.normal(3, 0.2)}),
    "C63": (gan.rejected, losses),
    "C64": (gan.accepted, losses),
    "C70": (beta_vae.sizes, lambda r: {"error": by_key(r, 2, 8, 32)}),
    "C71": (beta_vae.weights, lambda r: {"reconstruction": by_key(r, 0.8, 1, 1.2), "kl": by_key(r, 0.8, 1, 1.2)}),
    "C72": (beta_vae.sharper, lambda r: {"low": terms(r), "high": terms(r)}),
    "C73": (
        beta_vae.weightless, lambda r: dict(zip(("autoencoder", "mean", "sample"), r.uniform(20, 30, 3), strict=True))
    ),
    "C74": (beta_vae.schedule, lambda r: {"constant": terms(r), "linear": terms(r)}),
    "C75": (beta_vae.unsampled, lambda r: {"autoencoder": r.lognormal(), "variational": r.lognormal()}),
    "C76": (beta_vae.units, lambda r: {"active": by_key(r, 0.8, 1, 1.2)}),
    "C80": (mlp_vae.early, lambda r: {"first": r.uniform(0.01, 0.1), "last": r.uniform(0.01, 0.1)}),
    "C81": (mlp_vae.negative, lambda r: {"curves": {mlp_vae.RUN: list(r.normal(size=3))}}),
    "C86": (mlp_vae.between, lambda r: {"paths": {"VAE": walked(r), "GAN": walked(r)}}),
    "C82": (mlp_vae.clusters, lambda r: {"latent": terms(r), "tsne": terms(r)}),
}  # fmt: skip
COMPARED = {**gan.RULES, "C46": (gan.average, ("jsd_2", "w1_3"))}
QUESTIONS_AND_TWINS = {"C22", "C87"}  # the rule of C22 is that of C21; C87 is asked, not claimed


def holds(found: Finding | None) -> bool | None:
    """Return whether every part of a claim holds, nothing where it cannot be tested."""
    if found is None or found.lacks:
        return None
    return all(state([margin]) == "holds" for part in found.parts for margin in part)


def outcomes(rule: Rule, numbers: Callable[[Random], Numbers], tries: int = TRIES) -> set[bool | None]:
    random, seen = np.random.default_rng(0), set[bool | None]()
    for _ in range(tries):
        seen.add(holds(rule(**numbers(random))))
        if {True, False} <= seen:
            break
    return seen


@pytest.mark.parametrize("name", OTHERS)
def test_a_rule_can_hold_and_fail_on_random_numbers(name: str) -> None:
    assert {True, False} <= outcomes(*OTHERS[name])


@pytest.mark.parametrize("name", COMPARED)
def test_a_rule_on_gans_can_hold_and_fail_on_random_numbers(name: str) -> None:
    rule, runs = COMPARED[name]
    assert {True, False} <= outcomes(rule, lambda random: {run: gan_seed(random) for run in runs})


def test_every_rule_is_tried() -> None:
    assert {*OTHERS, *COMPARED, *QUESTIONS_AND_TWINS} == set(reported.read().claims)


@pytest.mark.parametrize(("name", "most"), [("C13", 0.05), ("C42", 0.05), ("C45", 0.06), ("C85", 0.01)])
def test_noise_confirms_seldom_what_it_confirmed_often(name: str, most: float) -> None:
    rule, runs = COMPARED[name]
    random = np.random.default_rng(1)
    found = [holds(rule(**{run: gan_seed(random) for run in runs})) for _ in range(300)]
    assert sum(map(bool, found)) <= most * len(found)


COUNTED = {"C03", "C30", "C31", "C32", "C33", "C34", "C47", "C50", "C51", "C63", "C64"}
"""Claims about a formula or a count, or about games that are played from many initial points: no seed changes them."""


def test_one_seed_says_so_and_two_do_not() -> None:
    every = OTHERS | {
        name: (rule, lambda random, runs=runs: {run: gan_seed(random) for run in runs})
        for name, (rule, runs) in COMPARED.items()
    }
    texts = reported.read()
    assert {name for name, text in texts.claims.items() if text.counted} == COUNTED
    for name in sorted(every.keys() - COUNTED - QUESTIONS_AND_TWINS):
        rule, numbers = every[name]
        random = np.random.default_rng(2)
        if name == "C57":  # takes all seeds at once
            alone = {"without": [-100.0, -99.0], "with_layers": {4: [-90.0]}, "epochs": 20}
            seeds = {"": alone}, {"": alone | {"with_layers": {4: [-90.0, -91.0]}}}
        else:
            found: dict[int, list[dict]] = {}  # seeds of one run have as many parts; of random numbers not all
            while not any(len(alike) == 2 for alike in found.values()):
                if (tested := rule(**(drawn := numbers(random)))) and tested.parts:
                    found.setdefault(len(tested.parts), []).append(drawn)
            first, second = max(found.values(), key=len)
            seeds = {"0": first}, {"0": first, "1": second}
        places = dict.fromkeys(("layers", "shallow", "data", "low", "wide"), "x")
        one, two = (assess(texts, name, rule, each, **places) for each in seeds)
        assert one.outcome.endswith("(1 seed)") and not two.outcome.endswith("(1 seed)"), name


@pytest.mark.parametrize("name", COMPARED)
def test_no_correlation_of_fewer_than_six_points_decides_or_is_printed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule, runs = COMPARED[name]
    plain, short = gan.correlation, []

    def watched(x: Sequence[float], y: Sequence[float]) -> float:
        found = plain(x, y)
        if len(x) < 6:
            short.append(found)
        return found

    monkeypatch.setattr(gan, "correlation", watched)
    seeds = {run: brief(gan_seed(np.random.default_rng(3))) for run in runs}
    claim = assess(reported.read(), name, rule, {"0": seeds})
    assert all(np.isnan(value) for value in short)
    assert "nan" not in claim.found and (not short or "holds" not in claim.parts)


def brief(seed: Seed) -> Seed:
    """Return a training of which five rows, five generators and five latent dimensions are known."""
    few = {
        **seed.scores,
        "snapshots": dict(list(seed.scores["snapshots"].items())[-5:]),
        "perturbations": {
            scale: {key: value[:5] if isinstance(value, list) else value for key, value in at.items()}
            for scale, at in seed.scores["perturbations"].items()
        },
    }
    return replace(seed, scores=few, curves={name: values[-5:] for name, values in seed.curves.items()})


def test_there_is_no_other_correlation() -> None:
    words = re.compile(r"\.corr\(|corrcoef|spearmanr|pearsonr|kendalltau|linregress")
    found = [path for path in Path("pipeline").rglob("*.py") if words.search(path.read_text())]
    assert found == [Path("pipeline/report/gan/rules.py")]
    assert FEWEST >= 6

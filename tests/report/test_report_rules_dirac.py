"""Rules about the Dirac games, on made-up games that make each say yes and no."""

import math
from typing import Any

import numpy as np
import pytest

from pipeline.report import reported
from pipeline.report.claims import assess
from pipeline.report.dirac import rules

RATE, STEPS = 0.1, 5000  # learning rate, and steps of a game
REPORTED = reported.read()


EACH = ("median", "least", "most")


def game(penalty: str, weight: float, ema: bool = False, **changes: Any) -> dict[str, Any]:
    """Return a JSD game that behaves as the theory has it."""
    converges = penalty == "r1"
    gamma = 4 * weight
    root = np.sqrt(complex(gamma**2 - 1))
    theory = [-0.25, (-gamma + root) / 4, (-gamma - root) / 4] if penalty != "gp" else []
    reach = 4 / math.pi if penalty == "gp" else 0.8
    known = {
        "loss": "jsd", "penalty": penalty, "penalty_weight": weight, "ema": ema,
        "verdict": "converged" if converges else "cycle",
        "radius": {
            "median": 0.001 if converges else reach,
            "least": reach if penalty == "gp" else reach / 2,
            "most": reach if penalty == "gp" else 2 * reach,
        },
        "theta": {"median": reach / 20 if ema else reach},
        "rate": RATE * weight if converges else 0.0,
        "eigenvalues": [[complex(value).real, complex(value).imag] for value in theory],
    }  # fmt: skip
    return known | changes


GAMES = {
    f"{name}{'_ema' if ema else ''}": game(penalty, weight, ema)
    for ema in (False, True)
    for name, penalty, weight in (("none", "none", 0.0), ("weak", "r1", 0.01), ("r1", "r1", 0.1), ("gp", "gp", 0.1))
}
WORDS = {name: "converged" if known["penalty"] == "r1" else "diverges" for name, known in GAMES.items()}


def verdicts(changes: dict[str, dict[str, Any]] | None = None, words: dict[str, str] = WORDS) -> dict[str, str]:
    games = {name: {**known, **(changes or {}).get(name, {})} for name, known in GAMES.items()}
    numbers = {
        "C30": (rules.words, {"games": games, "meanings": words, "steps": STEPS}),
        "C31": (rules.decay, {"games": games, "rate": RATE}),
        "C32": (rules.cycle, {"games": games, "steps": STEPS}),
        "C33": (rules.average, {"games": games}),
        "C34": (rules.equilibrium, {"games": games}),
    }
    return {name: assess(REPORTED, name, rule, {"": known}).verdict for name, (rule, known) in numbers.items()}


def test_games_as_in_the_theory() -> None:
    found = verdicts()
    assert found.pop("C30") == "confirmed in part"  # where the report says that a game diverges, it stays on a cycle
    assert set(found.values()) == {"confirmed"}
    claim = assess(REPORTED, "C30", rules.words, {"": {"games": GAMES, "meanings": WORDS, "steps": STEPS}})
    assert "4 converge, 4 of them with R1; 2 are drawn to a limit cycle, 2 stay on a neutral orbit" in claim.found
    assert "the radius ends at 0.80 to 1.27" in claim.found


def test_words_that_mean_what_the_rule_finds_are_confirmed() -> None:
    assert verdicts(words={name: known["verdict"] for name, known in GAMES.items()})["C30"] == "confirmed"
    slow = {"none": {"rate": 2e-5}}  # a radius that falls by a tenth is no cycle
    assert verdicts(slow, words={"none": "cycle"})["C30"] == "not confirmed"
    assert rules.kind(GAMES["none"] | slow["none"], STEPS) == "slow spiral"
    assert verdicts(words=dict.fromkeys(GAMES, "spirals in"))["C30"] == "not confirmed"


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("C31", {name: {"rate": 0.5} for name in GAMES}),
        ("C32", {name: {"verdict": "converged", "theta": {"median": 0.0}} for name in ("gp", "gp_ema")}),
        ("C33", {name: {"theta": {"median": 1.0}} for name in GAMES}),
        ("C33", {name: {"radius": dict.fromkeys(EACH, 0.1)} for name in GAMES if name.endswith("ema")}),
        ("C34", {name: {"eigenvalues": [[-0.25, 0.0], [0.1, 0.2], [0.1, -0.2]]} for name in GAMES}),
    ],
)
def test_each_claim_can_be_refuted(claim: str, changes: dict[str, dict[str, Any]]) -> None:
    assert verdicts(changes)[claim] == "not confirmed"


def test_one_game_that_disagrees_makes_it_a_part() -> None:
    assert verdicts({"r1": {"rate": 0.5}})["C31"] == "confirmed in part"
    assert verdicts({"gp": {"theta": {"median": 2.0}}})["C32"] == "confirmed in part"
    apart = {"median": 4 / math.pi, "least": 0.5, "most": 2.0}  # as large, but each game keeps its own radius
    assert verdicts({"gp": {"radius": apart}})["C32"] == "confirmed in part"


def test_games_that_a_rule_is_not_about_do_not_test_it() -> None:
    plain = {"none": GAMES["none"]}
    assert rules.decay(plain, RATE) is rules.cycle(plain, STEPS) is rules.average(plain) is None
    assert rules.equilibrium({"gp": GAMES["gp"]}) is None

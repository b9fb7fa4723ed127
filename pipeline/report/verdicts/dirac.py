"""Claims C30 to C34, about the Dirac games, each a function of what the games measured."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.report.claims import Claim

Games = Mapping[str, Mapping[str, Any]]  # by name, as `metrics.json` has them

RATE = 0.15  # largest relative distance of a measured decay rate from its formula
CYCLE = 0.05  # of an amplitude from 4 / pi, and of a radius from that of the game with the average shown, relative
CLOSER = 5.0  # times that the average must come closer to 0 than the game
EXACT = 1e-6  # largest distance of an eigenvalue from its formula
TRAJECTORIES, PORTRAITS = "figures/dirac/trajectories.png", "figures/dirac/portraits.png"


def claims(games: Games, words: Mapping[str, str], learning_rate: float) -> list[Claim]:
    """Judge all claims of the family.

    Args:
        games: what each game came to; empty if they are not played.
        words: for each game what the report's words mean: `converged`, `cycle` or `diverges`.
        learning_rate: of both players.
    """
    return [c30(games, words), c31(games, learning_rate), c32(games), c33(games), c34(games)]


def c30(games: Games, words: Mapping[str, str]) -> Claim:
    """Compare the verdict of each game with the report's word for it."""
    found = ""
    if games:
        kinds = {kind: [game for game in games.values() if game["verdict"] == kind] for kind in ("converged", "cycle")}
        bounded = [games[name]["radius"]["median"] for name in games if words.get(name) == "diverges"]
        found = (
            f"{len(kinds['converged'])} converge,"
            f" {sum(game['penalty'] == 'r1' for game in kinds['converged'])} of them with R1;"
            f" {len(kinds['cycle'])} stay on a cycle; {_count(games, 'diverges')} diverge"
        )
        if bounded:
            found += f"; where the report says 'diverges' the radius ends at {min(bounded):.2f} to {max(bounded):.2f}"
    return Claim(
        "C30",
        "001",
        "Of the 20 games those with R1 converge; the others diverge or fail to converge.",
        "our verdict on the game is what the report's word means; to diverge is to grow without bound",
        found,
        [game["verdict"] == words[name] for name, game in games.items() if name in words],
        TRAJECTORIES,
        counted=True,
    )


def c31(games: Games, learning_rate: float) -> Claim:
    """Compare the decay rates of the games with R1 with learning rate times weight."""
    r1 = [game for game in games.values() if game["penalty"] == "r1"]
    expected = [learning_rate * game["weight"] for game in r1]
    return Claim(
        "C31",
        "001",
        "A larger weight of R1 converges faster.",
        f"the radius decays at the rate learning rate × weight per step, within {RATE:.0%}",
        "; ".join(
            f"weight {weight:g}: {', '.join(_distinct(game['rate'] for game in r1 if game['weight'] == weight))}"
            f" (formula {learning_rate * weight:g})"
            for weight in sorted({game["weight"] for game in r1})
        ),
        [abs(game["rate"] - rate) <= RATE * rate for game, rate in zip(r1, expected, strict=True)],
        TRAJECTORIES,
        counted=True,
    )


def c32(games: Games) -> Claim:
    """Compare the amplitude of theta with the two-sided penalty with 4 / pi."""
    gp = [game for game in games.values() if game["penalty"] == "gp"]
    amplitudes = [game["theta"]["median"] for game in gp if not game["ema"]]
    return Claim(
        "C32",
        "001",
        "With the gradient penalty the game does not converge.",
        f"it ends on a cycle on which theta reaches 4/π = {4 / math.pi:.3f}, within {CYCLE:.0%}",
        f"theta reaches {min(amplitudes):.3f} to {max(amplitudes):.3f}" if amplitudes else "",
        [
            *(game["verdict"] == "cycle" for game in gp),
            *(abs(amplitude * math.pi / 4 - 1) <= CYCLE for amplitude in amplitudes),
        ],
        PORTRAITS,
        counted=True,
    )


def c33(games: Games) -> Claim:
    """Compare each game that does not converge with the same one that shows the running average."""
    twins = [(plain, mean) for plain, mean in _twins(games) if plain["verdict"] != "converged"]
    closer = [plain["theta"]["median"] / mean["theta"]["median"] for plain, mean in twins]
    same = [math.isclose(plain["radius"]["median"], mean["radius"]["median"], rel_tol=CYCLE) for plain, mean in twins]
    return Claim(
        "C33",
        "001",
        "The running average brings theta closer to 0 without making the game converge.",
        f"the shown theta reaches at most 1/{CLOSER:g} as far, the game's own radius is the same within {CYCLE:.0%}",
        f"{min(closer):.0f} to {max(closer):.0f} times closer; radius the same in {sum(same)} of {len(same)}"
        if twins
        else "",
        [ratio >= CLOSER and equal for ratio, equal in zip(closer, same, strict=True)],
        PORTRAITS,
        counted=True,
    )


def c34(games: Games) -> Claim:
    """Compare the eigenvalues at the equilibrium of the JSD games with those of the theory.

    Report 001's theory leaves out the metric's factor 1/2 and weighs R1 by gamma / 2: its time runs twice as fast, and
    gamma is four times our weight.
    """
    jsd = [game for game in games.values() if game["loss"] == "jsd" and game["penalty"] != "gp" and not game["ema"]]
    gaps = [_gap(game) for game in jsd]
    stable = [all(real < 0 for real, _ in game["eigenvalues"]) for game in jsd]
    return Claim(
        "C34",
        "001",
        "At the equilibrium (0, 0, 0) of the JSD game the eigenvalues are -1/2 and ±i/2; with R1 of weight γ/2 they are"
        " -1/2 and (-γ ± √(γ² - 1))/2, and only then is it asymptotically stable.",
        f"those of the Jacobian of the players' gradients agree within {EXACT:g}, and all real parts are negative with"
        " R1 only",
        f"largest difference {max(gaps):.1e}; stable at weight "
        + ", ".join(f"{game['weight']:g}" for game, calm in zip(jsd, stable, strict=True) if calm)
        if jsd
        else "",
        [gap <= EXACT and calm == (game["penalty"] == "r1") for game, gap, calm in zip(jsd, gaps, stable, strict=True)],
        PORTRAITS,
        counted=True,
    )


def _gap(game: Mapping[str, Any]) -> float:
    gamma = 4 * game["weight"]
    root = np.sqrt(complex(gamma**2 - 1))
    theory = np.sort_complex([-0.5, (-gamma + root) / 2, (-gamma - root) / 2])
    found = np.sort_complex([2 * complex(*value) for value in game["eigenvalues"]])
    # the order may differ where real parts agree but for rounding
    return max(float(np.abs(found - value).min()) for value in theory)


def _twins(games: Games) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the games without running average beside the same ones with it."""
    for plain in games.values():
        for mean in games.values():
            if (
                not plain["ema"]
                and mean["ema"]
                and all(plain[key] == mean[key] for key in ("loss", "penalty", "weight"))
            ):
                yield plain, mean


def _count(games: Games, verdict: str) -> int:
    return sum(game["verdict"] == verdict for game in games.values())


def _distinct(values: Iterator[float]) -> Sequence[str]:
    return list(dict.fromkeys(f"{value:.2g}" for value in values))

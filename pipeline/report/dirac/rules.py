"""Rules of claims C30 to C34, about the Dirac games: each takes all games, and tests every one that it is about."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.report.claims import Finding, finding

Game = Mapping[str, Any]
Games = Mapping[str, Game]  # by name, as `metrics.json` has them

RATE = 0.15  # largest relative distance of a measured decay rate from its formula, which holds for small steps
AMPLITUDE = 4 / math.pi  # of theta on the cycle, from an energy balance
CYCLE = 0.05  # of an amplitude from 4 / pi, and of a radius from that of the game with the average shown, relative
DRIFT = 0.05  # largest change of the radius over the whole game, relative, of an orbit that neither decays nor grows
CLOSER = 5.0  # times that the average must come closer to 0 than the game
EXACT = 1e-6  # largest distance of an eigenvalue from its formula, far above rounding
MEANT = {"cycle": ("limit cycle", "neutral orbit")}
ENDS = {
    "limit cycle": "are drawn to a limit cycle", "neutral orbit": "stay on a neutral orbit",
    "slow spiral": "change slowly", "spirals in": "spiral in", "diverges": "diverge",
}  # fmt: skip


def kind(game: Game, steps: int) -> str:
    """Return what a game of so many steps came to: its verdict, where that is not `cycle`, or which kind of cycle.

    *Limit cycle*: all initial points end on one orbit, which attracts them. *Neutral orbit*: each stays on its own, at
    the radius that it started with. *Slow spiral*: neither.
    """
    if game["verdict"] != "cycle":
        return str(game["verdict"])
    if game["radius"]["most"] <= (1 + CYCLE) * game["radius"]["least"]:
        return "limit cycle"
    return "neutral orbit" if abs(game["rate"]) * steps <= DRIFT else "slow spiral"


def words(games: Games, meanings: Mapping[str, str], steps: int) -> Finding:
    """Test C30 on what each game came to, and on what the report's word for it means."""
    kinds = {name: kind(game, steps) for name, game in games.items()}
    counts = Counter(kinds.values())
    bounded = [games[name]["radius"]["median"] for name in games if meanings.get(name) == "diverges"]
    return finding(
        *(found in MEANT.get(meanings[name], (meanings[name],)) for name, found in kinds.items() if name in meanings),
        converged=counts["converged"],
        kinds=", ".join(f"{counts[found]} {word}" for found, word in ENDS.items() if counts[found]) or "none else",
        r1=sum(game["penalty"] == "r1" and game["verdict"] == "converged" for game in games.values()),
        ends=f"{min(bounded):.2f} to {max(bounded):.2f}" if bounded else "(no such game)",
    )


def decay(games: Games, rate: float) -> Finding | None:
    """Test C31: the decay rates of the games with R1 are `rate`, the learning rate, times weight."""
    rates: dict[float, list[float]] = {}
    for game in games.values():
        if game["penalty"] == "r1":
            rates.setdefault(game["penalty_weight"], []).append(game["rate"])
    return finding(
        *(abs(found / rate - weight) <= RATE * weight for weight in rates for found in rates[weight]),
        rates={
            f"{weight:g}": f"{', '.join(dict.fromkeys(f'{found:.2g}' for found in rates[weight]))}"
            f" (formula {rate * weight:g})"
            for weight in sorted(rates)
        },
    ) if rates else None  # fmt: skip


def cycle(games: Games, steps: int) -> Finding | None:
    """Test C32: with the two-sided penalty every game is drawn to a cycle, on which theta has the amplitude 4 / pi."""
    penalised = [game for game in games.values() if game["penalty"] == "gp"]
    reached = [game["theta"]["median"] for game in penalised if not game["ema"]]
    return finding(
        *(kind(game, steps) == "limit cycle" for game in penalised),
        *(abs(theta / AMPLITUDE - 1) <= CYCLE for theta in reached),
        least=min(reached),
        most=max(reached),
    ) if reached else None  # fmt: skip


def average(games: Games) -> Finding | None:
    """Test C33: each game that does not converge beside the same one that shows the running average."""
    twins = [(plain, mean) for plain, mean in _twins(games) if plain["verdict"] != "converged"]
    closer = [plain["theta"]["median"] / mean["theta"]["median"] for plain, mean in twins]
    same = [math.isclose(plain["radius"]["median"], mean["radius"]["median"], rel_tol=CYCLE) for plain, mean in twins]
    return finding(
        *(ratio >= CLOSER and equal for ratio, equal in zip(closer, same, strict=True)),
        least=min(closer),
        most=max(closer),
        same=sum(same),
        pairs=len(same),
    ) if twins else None  # fmt: skip


def equilibrium(games: Games) -> Finding | None:
    """Test C34: the eigenvalues at the equilibrium of the JSD games are those of the theory.

    Report 001's theory leaves out the metric's factor 1/2 and weighs R1 by gamma / 2: its time runs twice as fast, and
    gamma is four times our weight.
    """
    jsd = [game for game in games.values() if game["loss"] == "jsd" and game["penalty"] != "gp" and not game["ema"]]
    gaps = [_gap(game) for game in jsd]
    stable = [all(real < 0 for real, _ in game["eigenvalues"]) for game in jsd]
    return finding(
        *(
            gap <= EXACT and calm == (game["penalty"] == "r1")
            for game, gap, calm in zip(jsd, gaps, stable, strict=True)
        ),
        gap=max(gaps),
        stable=", ".join(f"{game['penalty_weight']:g}" for game, calm in zip(jsd, stable, strict=True) if calm),
    ) if jsd else None  # fmt: skip


def _gap(game: Game) -> float:
    """Return the largest distance of an eigenvalue of the theory from the nearest one that was found."""
    gamma = 4 * game["penalty_weight"]
    root = np.sqrt(complex(gamma**2 - 1))
    found = np.array([2 * complex(*value) for value in game["eigenvalues"]])
    return max(float(np.abs(found - value).min()) for value in (-0.5, (-gamma + root) / 2, (-gamma - root) / 2))


def _twins(games: Games) -> Iterator[tuple[Game, Game]]:
    """Yield the games without running average beside the same ones with it."""
    for plain in games.values():
        for mean in games.values():
            alike = all(plain[key] == mean[key] for key in ("loss", "penalty", "penalty_weight"))
            if alike and mean["ema"] and not plain["ema"]:
                yield plain, mean

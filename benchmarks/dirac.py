"""All Dirac games at once against one PyTorch loop per game: `python -m benchmarks.dirac`.

The games are those of the default profile, as the stage `dirac` plays them. The loop is the plain form: three scalars
with gradients, two SGD optimisers, a critic step and a generator step in turn. Both play the same games from the same
initial point and must end at the same place.
"""

import argparse
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from benchmarks.machine import alternate, describe, verdict
from pipeline.config import profile
from pipeline.config.dirac import GAMES
from pipeline.dirac.game import initial_points, play
from pipeline.dirac.settings import Game, Games
from pipeline.runtime import settings

LOOP = "a PyTorch loop per game"


def loop(game: Game, initial: np.ndarray, games: Games) -> list[float]:
    """Play one game; return psi0, psi1 and the shown theta after the last step."""
    psi0, psi1, theta = (torch.tensor(value, requires_grad=True) for value in initial)
    critic = torch.optim.SGD([psi0, psi1], games.learning_rate)
    generator = torch.optim.SGD([theta], games.learning_rate)
    shown, decay = theta.item(), games.ema_decay if game.ema else 0.0

    def metric() -> torch.Tensor:
        real, fake = psi1, psi0 * theta + psi1
        return (logsigmoid(real) + logsigmoid(-fake)) / 2 if game.loss == "jsd" else real - fake

    for _ in range(games.steps):
        critic.zero_grad()
        penalty = {"none": torch.zeros(()), "r1": psi0**2, "gp": (psi0.abs() - 1) ** 2}[game.penalty]
        (game.penalty_weight * penalty - metric()).backward()
        critic.step()
        generator.zero_grad()
        metric().backward()
        generator.step()
        shown = decay * shown + (1 - decay) * theta.item()
    return [psi0.item(), psi1.item(), shown]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--loops", type=int, default=4, help="number of games that the loop plays; its time is scaled to all of them"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plans, _ = GAMES.expand(profile.load("default")["dirac"], {})
    games = settings.build(Games, plans[0].settings)
    one, every = replace(games, initial_points=1), list(games.games.values())
    chosen = [round(place) for place in np.linspace(0, len(every) - 1, arguments.loops)]
    initial = initial_points(1, games.initial_std, games.seed)[:, 0]

    def looped() -> list[list[float]]:
        return [loop(every[place], initial, games) for place in chosen]

    ends = play(one).paths[:, -1]
    gap = max(np.abs(ends[place] - end).max() for place, end in zip(chosen, looped(), strict=True))
    ours = {f"ours, {each.initial_points} initial point(s)": each for each in (one, games)}
    pieces = {name: lambda each=each: play(each) for name, each in ours.items()}
    seconds = alternate({**pieces, LOOP: looped}, arguments.rounds)
    seconds[LOOP] *= len(every) / len(chosen)
    print(describe())
    print(f"{len(every)} games of {games.steps} steps; the loop played {len(chosen)} of them, its time is scaled")
    print(f"largest difference between the ends of both: {gap:.1e}\n")
    print("| | seconds for all games |\n|---|---:|")
    for name, value in seconds.items():
        print(f"| {name} | {value:.3f} |")
    print()
    for name in ours:
        print(verdict(f"Dirac games, {name}", f"{LOOP} from one", seconds[LOOP] / seconds[name], arguments.rounds))


if __name__ == "__main__":
    main()

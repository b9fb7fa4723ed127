"""All Dirac games at once against one PyTorch loop per game: `python -m benchmarks.dirac`.

The loop is the plain form: three scalars with gradients, two SGD optimisers, a critic step and a generator step in
turn. Both play the same games from the same starting point and must end at the same place.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from benchmarks.machine import alternate, describe
from pipeline.config.params import expand, read
from pipeline.dirac.game import Game, draw_starts, play


def loop(game: Game, start: np.ndarray, steps: int, learning_rate: float, decay: float) -> list[float]:
    """Play one game; return psi0, psi1 and the shown theta after the last step."""
    psi0, psi1, theta = (torch.tensor(value, requires_grad=True) for value in start)
    critic, generator = torch.optim.SGD([psi0, psi1], learning_rate), torch.optim.SGD([theta], learning_rate)
    shown = theta.item()

    def metric() -> torch.Tensor:
        real, fake = psi1, psi0 * theta + psi1
        return (logsigmoid(real) + logsigmoid(-fake)) / 2 if game.loss == "jsd" else real - fake

    for _ in range(steps):
        critic.zero_grad()
        penalty = {"none": torch.zeros(()), "r1": psi0**2, "gp": (psi0.abs() - 1) ** 2}[game.penalty]
        (game.weight * penalty - metric()).backward()
        critic.step()
        generator.zero_grad()
        metric().backward()
        generator.step()
        shown = decay * shown + (1 - decay) * theta.item() if game.ema else theta.item()
    return [psi0.item(), psi1.item(), shown]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--loops", type=int, default=4, help="games that the loop plays; its time is scaled to all of them"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = next(plan.settings for plan in expand(read(Path("params.yaml"))) if plan.stage == "dirac")
    games = [Game(**game) for game in settings["games"].values()]
    shared = {"steps": settings["steps"], "learning_rate": settings["learning_rate"], "decay": settings["ema_decay"]}
    starts = {count: draw_starts(count, settings["spread"], settings["seed"]) for count in (1, settings["starts"])}
    chosen = [round(place) for place in np.linspace(0, len(games) - 1, arguments.loops)]
    pieces = {
        f"ours, {count} starting point(s)": lambda s=s: play(games, s, **shared, stride=10)
        for count, s in starts.items()
    }
    pieces["a PyTorch loop per game"] = lambda: [loop(games[place], starts[1][:, 0], **shared) for place in chosen]
    ends = play(games, starts[1], **shared, stride=10).paths[:, -1]
    gap = max(
        np.abs(ends[place] - end).max() for place, end in zip(chosen, pieces["a PyTorch loop per game"](), strict=True)
    )
    seconds = alternate(pieces, arguments.rounds)
    seconds["a PyTorch loop per game"] *= len(games) / len(chosen)
    print(describe())
    print(f"{len(games)} games of {settings['steps']} steps; the loop played {len(chosen)} of them, its time is scaled")
    print(f"largest difference between the ends of both: {gap:.1e}\n")
    print("| | seconds for all games | times ours |\n|---|---:|---:|")
    ours = next(iter(seconds.values()))
    for name, value in seconds.items():
        print(f"| {name} | {value:.3f} | {value / ours:.1f} |")


if __name__ == "__main__":
    main()

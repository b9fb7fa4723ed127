"""The Dirac game against autograd, closed forms and the analysis of Mescheder et al. 2018."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.params import expand, read
from pipeline.dirac import game as dirac
from pipeline.dirac.game import Field, Game
from pipeline.gan.losses import jsd_estimate, w1_estimate

ROOT = Path(__file__).parents[2]


def objectives(game, psi0, psi1, theta):
    """The metric, which the generator minimises, and the critic's loss, by their definitions."""
    real, fake = (psi1 + 0 * theta).reshape(1), (psi0 * theta + psi1).reshape(1)
    metric = {"jsd": jsd_estimate, "w1": w1_estimate}[game.loss](real, fake)
    penalty = {"none": 0 * psi0, "r1": psi0**2, "gp": (psi0.abs() - 1) ** 2}[game.penalty]
    return metric, game.weight * penalty - metric


@pytest.mark.parametrize("loss", ["jsd", "w1"])
@pytest.mark.parametrize("penalty", ["none", "r1", "gp"])
def test_gradients_are_those_of_autograd(loss, penalty):
    game = Game(loss, penalty, 0.3, ema=False)
    for values in np.random.default_rng(0).normal(0, 1, (20, 3)):
        state = torch.tensor(values, requires_grad=True)
        metric, cost = objectives(game, *state)
        (critic,) = torch.autograd.grad(cost, state, retain_graph=True)
        (generator,) = torch.autograd.grad(metric, state)
        field, arrays = Field([game]), [np.array([[value]]) for value in values]
        found = [*(part.item() for part in field.critic(*arrays)), field.generator(*arrays).item()]
        np.testing.assert_allclose(found, [*critic[:2].tolist(), generator[2].item()], rtol=1e-12, atol=1e-15)


def eigenvalues(game):
    """Of the Jacobian by autograd at the equilibrium of the continuous game, in the units of report 001's theory."""

    def velocity(state):
        metric, cost = objectives(game, *state)
        (critic,) = torch.autograd.grad(cost, state, create_graph=True)
        (generator,) = torch.autograd.grad(metric, state, create_graph=True)
        return -torch.stack([critic[0], critic[1], generator[2]])

    jacobian = torch.autograd.functional.jacobian(velocity, torch.zeros(3, dtype=torch.float64))
    return np.sort_complex(2 * np.linalg.eigvals(jacobian.numpy()))


def test_the_unregularised_jsd_game_turns_and_does_not_contract():
    np.testing.assert_allclose(eigenvalues(Game("jsd", "none", 0.0, False)), [-0.5, -0.5j, 0.5j], atol=1e-12)


@pytest.mark.parametrize("gamma", [0.1, 0.3, 0.7, 2.0])
def test_r1_makes_the_equilibrium_attract(gamma):
    root = np.sqrt(complex(gamma**2 - 1))
    wanted = np.sort_complex([-0.5, (-gamma + root) / 2, (-gamma - root) / 2])
    game = Game("jsd", "r1", gamma / 4, False)  # (gamma / 2) R1 beside a metric twice as large
    found = eigenvalues(game)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_allclose(2 * np.array(dirac.eigenvalues(game)), wanted, atol=1e-6)
    assert (found.real < 0).all()


def test_eigenvalues_without_penalty_lie_on_the_imaginary_axis_but_for_the_offset():
    jsd, w1 = (dirac.eigenvalues(Game(loss, "none", 0.0, False)) for loss in ("jsd", "w1"))
    np.testing.assert_allclose(jsd, [-0.25, -0.25j, 0.25j], atol=1e-7)
    np.testing.assert_allclose(w1, [-1j, 0, 1j], atol=1e-7)


def test_unregularised_w1_conserves_its_orbit():
    start = dirac.draw_starts(50, 0.7, 0)
    course = dirac.play([Game("w1", "none", 0.0, False)], start, steps=20_000, learning_rate=0.1, decay=0.0, stride=10)
    psi0, psi1, theta = course.paths[0].T
    np.testing.assert_array_equal(psi1, psi1[0])
    invariant = psi0**2 + theta**2 - 0.1 * psi0 * theta  # alternating steps are a linear map of determinant one
    np.testing.assert_allclose(invariant, invariant[0], rtol=1e-9)


@pytest.mark.parametrize("loss", ["jsd", "w1"])
@pytest.mark.parametrize("weight", [0.01, 0.02, 0.05])
def test_r1_contracts_at_the_rate_learning_rate_times_weight(loss, weight):
    start = dirac.draw_starts(20, 0.3, 1)
    course = dirac.play([Game(loss, "r1", weight, False)], start, steps=6000, learning_rate=0.05, decay=0.0, stride=5)
    assert dirac.decay_rate(course.radii[0], course.stride, 100) == pytest.approx(0.05 * weight, rel=0.06)


def test_gp_cycles_with_amplitude_four_over_pi():
    start = dirac.draw_starts(20, 0.7, 2)
    course = dirac.play([Game("w1", "gp", 0.01, False)], start, steps=60_000, learning_rate=0.01, decay=0.0, stride=10)
    np.testing.assert_allclose(course.shown[0][-1000:].max(0), 4 / math.pi, rtol=0.01)


def test_the_average_is_that_of_the_path():
    start = dirac.draw_starts(1, 0.7, 3)
    settings = {"steps": 300, "learning_rate": 0.1, "decay": 0.9, "stride": 1}
    plain = dirac.play([Game("jsd", "r1", 0.01, False)], start, **settings)
    averaged = dirac.play([Game("jsd", "r1", 0.01, True)], start, **settings)
    mean = plain.paths[0, 0, 2]
    for value in plain.paths[0, 1:, 2]:
        mean = 0.9 * mean + 0.1 * value
    assert averaged.paths[0, -1, 2] == pytest.approx(mean, rel=1e-12)
    np.testing.assert_array_equal(averaged.paths[0, :, :2], plain.paths[0, :, :2])


def test_games_played_together_are_those_played_alone():
    games = [Game("jsd", "gp", 0.1, False), Game("w1", "r1", 0.01, True), Game("jsd", "none", 0.0, False)]
    start = dirac.draw_starts(3, 0.7, 4)
    settings = {"steps": 500, "learning_rate": 0.1, "decay": 0.99, "stride": 10}
    together = dirac.play(games, start, **settings)
    for number, game in enumerate(games):
        alone = dirac.play([game], start, **settings)
        np.testing.assert_allclose(together.paths[number], alone.paths[0], rtol=1e-12)
        np.testing.assert_allclose(together.radii[number], alone.radii[0], rtol=1e-12)


def test_verdicts_on_made_up_courses():
    def judge(values):
        return dirac.verdict(np.asarray(values)[:, None].repeat(3, 1), 50)[0]

    time = np.arange(600)
    assert judge(np.exp(-time / 50)) == "converged"
    assert judge(np.exp(-time / 400)) == "spirals in"
    assert judge(1 + 0.3 * np.sin(time)) == "cycle"
    assert judge(np.exp(time / 300)) == "diverges"


def test_the_twenty_games_of_params_yaml(tmp_path):
    """Eight converge, all with R1; twelve stay on a cycle, none goes to infinity (claim C30)."""
    plan = next(plan for plan in expand(read(ROOT / "params.yaml")) if plan.stage == "dirac")
    dirac.run(tmp_path, **plan.settings)
    games = json.loads((tmp_path / "metrics.json").read_text())["games"]
    converged = {name for name, game in games.items() if game["verdict"] == "converged"}
    assert converged == {name for name, game in games.items() if game["penalty"] == "r1"}
    assert len(converged) == 8
    assert sum(game["verdict"] == "cycle" for game in games.values()) == 12
    for loss in ("jsd", "w1"):  # the average comes ten times closer than the game, which turns all the same (C33)
        assert games[f"{loss}_6"]["theta"]["median"] < 0.1 * games[f"{loss}_1"]["theta"]["median"]
        assert games[f"{loss}_6"]["radius"] == games[f"{loss}_1"]["radius"]
    paths = np.load(tmp_path / "paths.npy")
    assert paths.shape == (20, 5001, 3)
    assert np.isfinite(paths).all()

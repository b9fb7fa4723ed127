"""The Dirac game against autograd, closed forms and the analysis of Mescheder et al. 2018."""

import json
import math

import numpy as np
import pytest
import torch
from checkout import params

from pipeline.config.dirac import GAMES
from pipeline.dirac import outcome
from pipeline.dirac.game import STRIDE, Field, play
from pipeline.dirac.games import play_and_measure
from pipeline.dirac.settings import Game, Games
from pipeline.gan.losses import jsd_estimate, w1_estimate
from pipeline.runtime import settings


def played(*games, std=0.7, **shared):
    return play(Games(dict(zip("abcdef", games, strict=False)), initial_std=std, **shared))


def objectives(game, psi0, psi1, theta):
    """The metric, which the generator minimises, and the critic's loss, by their definitions."""
    real, fake = (psi1 + 0 * theta).reshape(1), (psi0 * theta + psi1).reshape(1)
    metric = {"jsd": jsd_estimate, "w1": w1_estimate}[game.loss](real, fake)
    penalty = {"none": 0 * psi0, "r1": psi0**2, "gp": (psi0.abs() - 1) ** 2}[game.penalty]
    return metric, game.penalty_weight * penalty - metric


@pytest.mark.parametrize("loss", ["jsd", "w1"])
@pytest.mark.parametrize("penalty", ["none", "r1", "gp"])
def test_gradients_are_those_of_autograd(loss, penalty):
    game = Game(loss, penalty, 0.3, ema=False)
    for values in np.random.default_rng(0).normal(0, 1, (20, 3)):
        state = torch.tensor(values, requires_grad=True)
        metric, loss = objectives(game, *state)
        (critic,) = torch.autograd.grad(loss, state, retain_graph=True)
        (generator,) = torch.autograd.grad(metric, state)
        field, arrays = Field([game]), [np.array([[value]]) for value in values]
        found = [*(part.item() for part in field.critic(*arrays)), field.generator(*arrays).item()]
        np.testing.assert_allclose(found, [*critic[:2].tolist(), generator[2].item()], rtol=1e-12, atol=1e-15)


def eigenvalues(game):
    """Of the Jacobian by autograd at the equilibrium of the continuous game, in the units of report 001's theory."""

    def velocity(state):
        metric, loss = objectives(game, *state)
        (critic,) = torch.autograd.grad(loss, state, create_graph=True)
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
    np.testing.assert_allclose(2 * np.array(outcome.eigenvalues(game)), wanted, atol=1e-6)
    assert (found.real < 0).all()


def test_eigenvalues_without_penalty_lie_on_the_imaginary_axis_but_for_the_offset():
    jsd, w1 = (outcome.eigenvalues(Game(loss, "none", 0.0, False)) for loss in ("jsd", "w1"))
    np.testing.assert_allclose(jsd, [-0.25, -0.25j, 0.25j], atol=1e-7)
    np.testing.assert_allclose(w1, [-1j, 0, 1j], atol=1e-7)


def test_unregularised_w1_conserves_its_orbit():
    game = Game("w1", "none", 0.0, False)
    psi0, psi1, theta = (
        played(game, steps=20_000, learning_rate=0.1, ema_decay=0.0, initial_points=50, seed=0).paths[0].T
    )
    np.testing.assert_array_equal(psi1, psi1[0])
    invariant = psi0**2 + theta**2 - 0.1 * psi0 * theta  # alternating steps are a linear map of determinant one
    np.testing.assert_allclose(invariant, invariant[0], rtol=1e-9)


@pytest.mark.parametrize("loss", ["jsd", "w1"])
@pytest.mark.parametrize("weight", [0.01, 0.02, 0.05])
def test_r1_contracts_at_the_rate_learning_rate_times_weight(loss, weight):
    shared = {"steps": 6000, "learning_rate": 0.05, "ema_decay": 0.0, "initial_points": 20, "seed": 1}
    radii = played(Game(loss, "r1", weight, False), std=0.3, **shared).radii[0]
    assert outcome.decay_rate(radii, 500 // STRIDE) == pytest.approx(0.05 * weight, rel=0.06)


@pytest.mark.slow
def test_gp_cycles_with_amplitude_four_over_pi():
    shared = {"steps": 60_000, "learning_rate": 0.01, "ema_decay": 0.0, "initial_points": 20, "seed": 2}
    distances = played(Game("w1", "gp", 0.01, False), **shared).distances[0]
    np.testing.assert_allclose(distances[-1000:].max(0), 4 / math.pi, rtol=0.01)


def test_the_average_is_that_of_the_path():
    shared = {"steps": 300, "learning_rate": 0.1, "ema_decay": 0.9, "initial_points": 1, "seed": 3}
    plain, averaged = played(Game("jsd", "r1", 0.01, False), Game("jsd", "r1", 0.01, True), **shared).paths
    mean = plain[0, 2]
    for value in plain[1:, 2]:
        mean = 0.9 * mean + 0.1 * value
    assert averaged[-1, 2] == pytest.approx(mean, rel=1e-12)
    np.testing.assert_array_equal(averaged[:, :2], plain[:, :2])


def test_games_played_together_are_those_played_alone():
    games = [Game("jsd", "gp", 0.1, False), Game("w1", "r1", 0.01, True), Game("jsd", "none", 0.0, False)]
    shared = {"steps": 500, "learning_rate": 0.1, "ema_decay": 0.99, "initial_points": 3, "seed": 4}
    together = played(*games, **shared)
    for number, game in enumerate(games):
        alone = played(game, **shared)
        np.testing.assert_allclose(together.paths[number], alone.paths[0], rtol=1e-12)
        np.testing.assert_allclose(together.radii[number], alone.radii[0], rtol=1e-12)


def test_verdicts_on_made_up_radii():
    def verdict(values):
        return outcome.verdict(np.asarray(values)[:, None].repeat(3, 1), 50)

    time = np.arange(600)
    assert verdict(np.exp(-time / 50)) == "converged"
    assert verdict(np.exp(-time / 400)) == "spirals in"
    assert verdict(1 + 0.3 * np.sin(time)) == "cycle"
    assert verdict(np.exp(time / 300)) == "diverges"


def test_the_twenty_games_of_the_default_profile(tmp_path):
    """Eight converge, all with R1; twelve stay on a cycle, none goes to infinity (claim C30)."""
    plans, _ = GAMES.expand(params()["dirac"], {})
    play_and_measure(tmp_path, settings.build(Games, plans[0].settings))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    games = metrics["games"]
    converged = {name for name, game in games.items() if game["verdict"] == "converged"}
    assert converged == {name for name, game in games.items() if game["penalty"] == "r1"}
    assert len(converged) == 8
    assert sum(game["verdict"] == "cycle" for game in games.values()) == 12
    for loss in ("jsd", "w1"):  # the average comes ten times closer than the game, which turns all the same (C33)
        assert games[f"{loss}_6"]["theta"]["median"] < 0.1 * games[f"{loss}_1"]["theta"]["median"]
        assert games[f"{loss}_6"]["radius"] == games[f"{loss}_1"]["radius"]
    paths = np.load(tmp_path / "trajectories.npy")
    assert paths.shape == (20, 5001, 3)
    assert np.isfinite(paths).all()
    assert 0.5 < metrics["initial_radius"] < 1.5  # sqrt(psi0^2 + theta^2) of two normal numbers with deviation 0.7


@pytest.mark.parametrize("rate", [2.0, 50.0, 1e300])
def test_games_that_leave_every_bound_diverge_in_finite_numbers(tmp_path, rate):
    games = {"r1": Game("w1", "r1", 1.0, False), "strong": Game("jsd", "r1", 9.0, True)}
    play_and_measure(tmp_path, Games(games, 1000, rate, 0.9, 3, 0.7, 0))
    text = (tmp_path / "metrics.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    for game in json.loads(text)["games"].values():
        assert game["verdict"] == "diverges" and game["radius"]["median"] == outcome.FAR
    assert np.isfinite(np.load(tmp_path / "trajectories.npy")).all()


@pytest.mark.parametrize("size", [0.0, 1e-14, 1e-200])
def test_games_that_start_in_rounding_have_a_rate(size):
    assert math.isfinite(outcome.decay_rate(np.full((200, 3), size), 50))
    assert outcome.decay_rate(np.where(np.arange(200)[:, None] < 50, 1.0, np.full((200, 3), size)), 50) > 0

"""Losses and penalties against hand-computed values, closed forms and finite differences."""

import math

import pytest
import torch
from torch import nn

from pipeline.gan import losses
from pipeline.gan.penalties import gradient_norms, gradients, interpolate, penalty

REAL = torch.tensor([0.0, 2.0], dtype=torch.float64)
FAKE = torch.tensor([0.0, -1.0, 3.0], dtype=torch.float64)


def s(x):  # softplus by its definition
    return math.log(1 + math.exp(x))


def sigma(x):
    return 1 / (1 + math.exp(-x))


CRITIC = {
    "jsd": ((s(0) + s(-2)) / 4, (s(0) + s(-1) + s(3)) / 6),
    "ns": ((s(0) + s(-2)) / 4, (s(0) + s(-1) + s(3)) / 6),
    "lsgan": ((1 + 1) / 4, (0 + 1 + 9) / 6),
    "w1": (-1.0, 2 / 3),
    "hinge": ((1 + 0) / 2, (1 + 0 + 4) / 3),
}
GENERATOR = {
    "jsd": -(s(0) + s(-1) + s(3)) / 6,
    "ns": (s(0) + s(1) + s(-3)) / 3,
    "lsgan": (1 + 4 + 4) / 6,
    "w1": -2 / 3,
    "hinge": -2 / 3,
}
# gradients in each output: critic on real, critic on fake, generator on fake
DERIVATIVES = {
    "jsd": ([-sigma(0) / 4, -sigma(-2) / 4], [sigma(f) / 6 for f in (0, -1, 3)], [-sigma(f) / 6 for f in (0, -1, 3)]),
    "ns": ([-sigma(0) / 4, -sigma(-2) / 4], [sigma(f) / 6 for f in (0, -1, 3)], [-sigma(-f) / 3 for f in (0, -1, 3)]),
    "lsgan": ([-0.5, 0.5], [0, -1 / 3, 1], [-1 / 3, -2 / 3, 2 / 3]),
    "w1": ([-0.5, -0.5], [1 / 3] * 3, [-1 / 3] * 3),
    "hinge": ([-0.5, 0], [1 / 3, 0, 1 / 3], [-1 / 3] * 3),
}


@pytest.mark.parametrize("name", CRITIC)
def test_values_and_gradients_at_chosen_outputs(name):
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    on_real, on_fake = losses.critic_loss(name, real, fake)
    assert (on_real.item(), on_fake.item()) == pytest.approx(CRITIC[name])
    assert losses.generator_loss(name, fake).item() == pytest.approx(GENERATOR[name])
    # hinge at -1 sits on the kink, where either one-sided derivative is right: torch takes 0
    critic_real, critic_fake = torch.autograd.grad(on_real + on_fake, (real, fake))
    (generator,) = torch.autograd.grad(losses.generator_loss(name, fake), fake)
    for found, wanted in zip((critic_real, critic_fake, generator), DERIVATIVES[name], strict=True):
        assert found.tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("name", "rejected", "accepted"),
    [("jsd", 0, 0.5), ("ns", 1, 0), ("lsgan", 21, 19), ("w1", 1, 1), ("hinge", 1, 1)],
)
def test_where_the_critic_is_sure_only_the_saturating_loss_stops_teaching(name, rejected, accepted):
    """The size of the generator's gradient on fakes that the critic rejects (-20) and accepts (20); claim C63."""
    for output, wanted in ((-20.0, rejected), (20.0, accepted)):
        fake = torch.tensor([output], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(losses.generator_loss(name, fake), fake)
        assert abs(gradient.item()) == pytest.approx(wanted, abs=1e-8)


def test_outputs_of_any_size_give_finite_losses():
    huge = torch.tensor([-1e4, 1e4], requires_grad=True)
    for name in CRITIC:
        total = sum(losses.critic_loss(name, huge, huge)) + losses.generator_loss(name, huge)
        assert torch.isfinite(torch.autograd.grad(total, huge)[0]).all()


def test_the_optimal_critic_estimates_the_divergence_itself():
    """Two coins: log p/q as critic gives the Jensen-Shannon divergence of the distributions."""
    p, q = torch.tensor([0.7, 0.3], dtype=torch.float64), torch.tensor([0.2, 0.8], dtype=torch.float64)
    mean = (p + q) / 2
    wanted = 0.5 * ((p * (p / mean).log()).sum() + (q * (q / mean).log()).sum())
    critic = (p / q).log()
    real = torch.cat([critic[:1].repeat(7), critic[1:].repeat(3)])
    fake = torch.cat([critic[:1].repeat(2), critic[1:].repeat(8)])
    assert losses.jsd_estimate(real, fake).item() == pytest.approx(wanted.item())
    assert losses.jsd_estimate(torch.tensor([99.0]), torch.tensor([-99.0])).item() == pytest.approx(math.log(2))
    assert losses.w1_estimate(REAL, FAKE).item() == pytest.approx(1 - 2 / 3)


class Quadratic(nn.Module):
    """C(x) = (a . x)^2 / 2 + b . x over the flattened image, with gradient (a . x) a + b."""

    def __init__(self, size, quadratic=True):
        super().__init__()
        self.a = nn.Parameter(torch.linspace(0.5, 1.5, size, dtype=torch.float64) * quadratic)
        self.b = nn.Parameter(torch.linspace(-1, 1, size, dtype=torch.float64))

    def forward(self, x):
        flat = x.flatten(1)
        return (flat @ self.a).square() / 2 + flat @ self.b

    def gradient(self, x):
        return (x.flatten(1) @ self.a)[:, None] * self.a + self.b


def closed_form(name, gradient, axis="image", width=2):
    norm = gradient.norm(dim=1)
    if axis == "last":
        return gradient.unflatten(1, (-1, width)).square().sum(-1).mean()
    return {
        "r1": norm.square().mean(),
        "r2": norm.square().mean(),
        "gp": (norm - 1).square().mean(),
        "lp": (norm - 1).clamp_min(0).square().mean(),
    }[name]


@pytest.mark.parametrize(
    ("name", "axis"), [("r1", "image"), ("r1", "last"), ("r2", "image"), ("gp", "image"), ("lp", "image")]
)
@pytest.mark.parametrize("quadratic", [False, True])
def test_penalties_of_linear_and_quadratic_critics(name, axis, quadratic):
    torch.manual_seed(0)
    critic = Quadratic(8, quadratic)
    points = (torch.randn(5, 2, 2, 2, dtype=torch.float64) / 3).requires_grad_()
    value = penalty(name, gradients(critic(points), points), axis)
    wanted = closed_form(name, critic.gradient(points.detach()), axis)
    assert value.item() == pytest.approx(wanted.item(), rel=1e-9)
    weights = list(critic.parameters())
    found = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
    for mine, theirs in zip(
        found, torch.autograd.grad(wanted, weights, allow_unused=True, materialize_grads=True), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9)
    assert found[1].abs().max() > 1e-3


def test_one_sided_and_two_sided_penalties_of_a_norm_of_one_half():
    gradient = torch.full((3, 1, 1, 1), 0.5, dtype=torch.float64)
    assert penalty("gp", gradient).item() == pytest.approx(0.25)
    assert penalty("lp", gradient).item() == 0
    assert penalty("lp", 6 * gradient).item() == penalty("gp", 6 * gradient).item() == pytest.approx(4)


def test_the_norm_of_a_zero_gradient_has_a_finite_gradient():
    zero = torch.zeros(2, 1, 2, 2, requires_grad=True)
    for name in ("r1", "gp", "lp"):
        assert torch.isfinite(torch.autograd.grad(penalty(name, zero), zero)[0]).all()


def test_the_last_axis_makes_r1_weaker_by_the_number_of_rows():
    gradient = torch.randn(4, 3, 32, 32)
    assert penalty("r1", gradient).item() == pytest.approx(96 * penalty("r1", gradient, "last").item(), rel=1e-5)


def test_interpolated_points_lie_on_one_line_per_image():
    real, fake, share = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4), torch.tensor([0.0, 0.25, 1.0])
    points = interpolate(real, fake, share)
    for number, t in enumerate(share):
        torch.testing.assert_close(points[number], t * real[number] + (1 - t) * fake[number])


def test_norms_are_over_the_whole_image():
    gradient = torch.randn(5, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(gradient_norms(gradient), torch.linalg.vector_norm(gradient, dim=(1, 2, 3)))

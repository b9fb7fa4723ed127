import pytest
import torch

from pipeline.simsiam.objective import negative_cosine


def random_pairs(count=4):
    random = torch.Generator().manual_seed(0)
    return [torch.randn(7, 5, generator=random, dtype=torch.float64, requires_grad=True) for _ in range(count)]


def by_hand(p, z):
    """-cos(p, z), a mean over the batch, and its gradient with respect to p: -(z/|z| - cos p/|p|) / |p| / n."""
    p_length, z_length = p.norm(dim=1, keepdim=True), z.norm(dim=1, keepdim=True)
    cos = (p * z).sum(1, keepdim=True) / (p_length * z_length)
    return -cos.mean(), -(z / z_length - cos * p / p_length) / p_length / len(p)


def test_loss_and_gradients_with_stop_gradient_are_those_by_hand():
    p1, p2, z1, z2 = random_pairs()
    loss = negative_cosine(p1, p2, z1, z2, stop_gradient=True)
    (first, to_p1), (second, to_p2) = by_hand(p1.detach(), z2.detach()), by_hand(p2.detach(), z1.detach())
    torch.testing.assert_close(loss.detach(), (first + second) / 2)
    gradients = torch.autograd.grad(loss, (p1, p2, z1, z2), allow_unused=True)
    torch.testing.assert_close(gradients[0], to_p1 / 2)
    torch.testing.assert_close(gradients[1], to_p2 / 2)
    assert gradients[2] is None and gradients[3] is None


def test_without_stop_gradient_the_features_are_pulled_too():
    p1, p2, z1, z2 = random_pairs()
    loss = negative_cosine(p1, p2, z1, z2, stop_gradient=False)
    gradients = torch.autograd.grad(loss, (p1, p2, z1, z2))
    pairs = ((p1, z2), (p2, z1), (z1, p2), (z2, p1))
    for gradient, (moved, other) in zip(gradients, pairs, strict=True):
        torch.testing.assert_close(gradient, by_hand(moved.detach(), other.detach())[1] / 2)


@pytest.mark.parametrize(("stop_gradient", "through"), [(True, False), (False, True)])
def test_stop_gradient_stops_at_z_but_not_at_the_prediction(stop_gradient, through):
    """One encoder weight feeds z1 alone: with the gradient stopped it is reached through p1 = h(z1) only."""
    z1, z2, weight = random_pairs(3)
    frozen_prediction = (z1 * 2).detach()  # a prediction that leads nowhere: what is left comes through z
    loss = negative_cosine(frozen_prediction, weight.detach(), z1, z2, stop_gradient=stop_gradient)
    assert loss.requires_grad is through
    if through:
        assert torch.autograd.grad(loss, z1)[0].abs().max() > 0


def test_the_loss_is_minus_one_where_views_agree():
    (z,) = random_pairs(1)
    assert negative_cosine(3 * z, 0.1 * z, z, 5 * z, stop_gradient=True).item() == pytest.approx(-1)
    assert negative_cosine(-z, -z, z, z, stop_gradient=True).item() == pytest.approx(1)

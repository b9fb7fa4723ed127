import pytest
import torch

from pipeline.flow import planar
from pipeline.flow.stack import Stack


def by_autograd(parameters, free, z, loss):
    d = z.shape[1]
    leaf = parameters.clone().requires_grad_()
    u, w, b = leaf[..., :d], leaf[..., d : 2 * d], leaf[..., -1]
    hat = torch.cat((planar.smooth(u[:free], w[:free]), u[free:]))  # the in-place correction is no part of the graph
    x, logdet = planar.forward(z.mT, hat, w, b)
    value = (loss(x) - logdet).mean(-1)
    return x.mT, logdet.sum(-1), torch.autograd.grad(value.sum(), leaf)[0]


def quartic(x):
    return (0.1 * x**4 + torch.sin(x)).sum(-1)


@pytest.mark.parametrize(("depth", "dimension"), [(1, 2), (2, 2), (8, 2), (32, 2), (3, 1), (5, 6)])
@pytest.mark.parametrize("free", [0, 2, 4])
def test_map_and_gradients_are_those_of_autograd(depth, dimension, free):
    random = torch.Generator().manual_seed(depth)
    parameters = 0.7 * torch.randn((4, depth, 2 * dimension + 1), dtype=torch.float64, generator=random)
    z = torch.randn((4, dimension, 17), dtype=torch.float64, generator=random)
    stack = Stack(parameters, free, 17)
    x, logdet = stack.forward(z)
    leaf = x.mT.detach().clone().requires_grad_()
    gradient = stack.backward(torch.autograd.grad(quartic(leaf).sum(), leaf)[0].mT)
    # `parameters` holds corrected values by now, which is what the in-place flows are stepped from
    expected_x, expected_logdet, expected = by_autograd(parameters, free, z, quartic)
    torch.testing.assert_close(x, expected_x.detach(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(logdet, expected_logdet.detach(), rtol=1e-10, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-9 * float(expected.abs().max()))


def test_only_in_place_flows_have_their_parameters_overwritten():
    parameters = torch.tensor([[[-3.0, 0.5, 1.0, 0.0, 0.2]]]).repeat(2, 1, 1)
    Stack(parameters, 1, 4).forward(torch.zeros(2, 2, 4))
    assert parameters[0, 0].tolist() == pytest.approx([-3.0, 0.5, 1.0, 0.0, 0.2])
    assert parameters[1, 0, 0].item() == pytest.approx(-0.9514, abs=1e-4)  # log(1 + e^-3) - 1


def test_flows_do_not_touch_each_other():
    random = torch.Generator().manual_seed(0)
    parameters, z = torch.randn((3, 4, 5), generator=random), torch.randn((3, 2, 9), generator=random)
    together = Stack(parameters.clone(), 3, 9)
    x, _ = together.forward(z)
    gradient = together.backward(x)
    alone = Stack(parameters[1:2].clone(), 1, 9)
    one, _ = alone.forward(z[1:2])
    torch.testing.assert_close(x[1:2], one)
    torch.testing.assert_close(gradient[1:2], alone.backward(one))

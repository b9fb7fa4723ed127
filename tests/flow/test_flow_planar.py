import math

import pytest
import torch
from torch.autograd import gradcheck

from pipeline.flow import planar

CONSTRAINTS = {"smooth": planar.smooth, "in_place": planar.in_place}


def layers(depth: int, dimension: int, seed: int = 0, scale: float = 0.8) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    u, w = scale * torch.randn((2, depth, dimension), dtype=torch.float64, generator=random)
    return planar.smooth(u, w), w, torch.randn(depth, dtype=torch.float64, generator=random)


def points(*shape: int, seed: int = 1) -> torch.Tensor:
    return 2 * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dimension", [1, 2, 5, 20])
@pytest.mark.parametrize("depth", [1, 4])
def test_the_log_determinant_is_that_of_the_jacobian(dimension, depth):
    flow, z = layers(depth, dimension), points(6, dimension)
    _, logdet = planar.forward(z, *flow)
    for row, expected in zip(z, logdet, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: planar.forward(x[None], *flow)[0][0], row)
        assert torch.linalg.slogdet(jacobian).logabsdet.item() == pytest.approx(expected.item(), rel=1e-9, abs=1e-12)


def test_layers_act_in_their_order_each_as_defined():
    (u, w, b), z = layers(3, 2), points(5, 2)
    expected = z.clone()
    for j in range(3):
        expected = torch.stack([x + u[j] * math.tanh(float(w[j] @ x + b[j])) for x in expected])
    torch.testing.assert_close(planar.forward(z, u, w, b)[0], expected)


@pytest.mark.parametrize(("depth", "dimension"), [(1, 2), (8, 2), (32, 2), (4, 7)])
def test_the_inverse_undoes_the_map(depth, dimension):
    flow, z = layers(depth, dimension), points(200, dimension)
    x, logdet = planar.forward(z, *flow)
    back, volume = planar.inverse(x, *flow)
    torch.testing.assert_close(back, z, rtol=0, atol=1e-8)
    torch.testing.assert_close(volume, logdet, rtol=0, atol=1e-7)


def test_leading_dimensions_broadcast_as_one_flow_per_image_or_one_for_all():
    flows = [layers(3, 4, seed) for seed in range(5)]
    u, w, b = (torch.stack(part) for part in zip(*flows, strict=True))
    z = points(5, 7, 4)
    x, logdet = planar.forward(z, u, w, b)
    back, volume = planar.inverse(x, u, w, b)
    for i, flow in enumerate(flows):
        alone, alone_logdet = planar.forward(z[i], *flow)
        torch.testing.assert_close(x[i], alone)
        torch.testing.assert_close(logdet[i], alone_logdet)
    torch.testing.assert_close(back, z, rtol=0, atol=1e-9)
    torch.testing.assert_close(volume, logdet, rtol=0, atol=1e-9)
    shared, _ = planar.forward(z, *flows[0])
    torch.testing.assert_close(shared[0], x[0])


def test_gradients_for_every_sample_by_finite_differences():
    random = torch.Generator().manual_seed(2)
    z, u, w = (torch.randn(3, n, 4, dtype=torch.float64, generator=random).requires_grad_() for n in (5, 2, 2))
    b = torch.randn(3, 2, dtype=torch.float64, generator=random).requires_grad_()
    for constraint in CONSTRAINTS.values():
        assert gradcheck(lambda z, u, w, b, c=constraint: planar.forward(z, c(u, w), w, b), (z, u, w, b))


@pytest.mark.parametrize("inner", [-1e4, -50.0, -1.0 - 1e-6, -1.0, -1.0 + 1e-6, 0.0, 3.0, 50.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_constraints_keep_u_w_at_or_above_minus_one(inner, dtype):
    w = torch.tensor([[0.0, -2.0]], dtype=dtype)  # powers of two: u.w is `inner` without rounding
    across = torch.tensor([1.0, 0.0], dtype=dtype)
    u = inner * w / 4 + across  # the part across w has to stay
    tolerance = 50 * torch.finfo(dtype).eps * max(1, abs(inner))
    for name, constraint in CONSTRAINTS.items():
        hat = constraint(u, w)
        product = (hat * w).sum().item()
        jumps = name == "smooth" or inner < -1 - 1e-9
        expected = math.log1p(math.exp(inner)) - 1 if jumps and inner < 30 else inner - (name == "smooth")
        assert product == pytest.approx(expected, abs=tolerance)
        assert (hat @ across).item() == pytest.approx(1.0, abs=tolerance)
        z = torch.linspace(-3, 3, 101, dtype=dtype)[:, None] * w
        x, logdet = planar.forward(z, hat, w, torch.zeros(1, dtype=dtype))
        assert torch.isfinite(logdet).all()
        order = (x @ w[0]).diff()
        assert (order > -tolerance).all()  # the map along w does not fold


def test_the_in_place_correction_jumps_where_the_smooth_one_does_not():
    w = torch.tensor([1.0, 0.0], dtype=torch.float64)
    under, over = (torch.tensor([-1 + step, 0.5], dtype=torch.float64) for step in (-1e-9, 1e-9))
    jump = planar.in_place(under, w) - planar.in_place(over, w)
    assert jump[0].item() == pytest.approx(math.log1p(math.exp(-1)), abs=1e-6)
    assert planar.in_place(under, w)[0].item() == pytest.approx(-0.687, abs=1e-3)
    torch.testing.assert_close(planar.smooth(under, w), planar.smooth(over, w), rtol=0, atol=1e-8)


def test_a_layer_with_w_zero_is_a_shift():
    u, w, b = torch.tensor([[0.3, -0.4]]), torch.zeros(1, 2), torch.tensor([0.7])
    for constraint in CONSTRAINTS.values():
        hat = constraint(u, w)
        assert torch.equal(hat, u)
        x, logdet = planar.forward(torch.zeros(1, 2), hat, w, b)
        torch.testing.assert_close(x, u * math.tanh(0.7))
        assert logdet.item() == 0


def test_free_undoes_the_smooth_constraint():
    hat, w, _ = layers(50, 3)
    torch.testing.assert_close(planar.smooth(planar.free(hat, w), w), hat)


def test_the_identity_flow_has_the_nll_of_the_base():
    z = points(9, 3)
    x, logdet = planar.forward(z, torch.zeros(4, 3).double(), torch.ones(4, 3).double(), torch.ones(4).double())
    expected = torch.distributions.MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double()).log_prob(z)
    torch.testing.assert_close(planar.standard_normal(x) + logdet, expected)

import math

import pytest
import torch
from scipy import integrate, stats

from pipeline.flow.densities import DENSITIES, cell, data_points, grid


@pytest.mark.parametrize("name", DENSITIES)
def test_the_gradient_is_that_of_the_potential(name):
    z = 2 * torch.randn((500, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z.requires_grad_()
    (expected,) = torch.autograd.grad(DENSITIES[name].potential(z).sum(), z)
    torch.testing.assert_close(DENSITIES[name].gradient(z.detach()), expected)


def test_normalisers_and_entropies():
    """Against adaptive quadrature, closed forms, and the constants of the specification."""

    def height(y, x):
        return math.exp(-float(DENSITIES["arcs"].potential(torch.tensor([x, y], dtype=torch.float64))))

    z, _ = integrate.dblquad(height, 0, 5, 0, 5, epsabs=1e-4)
    assert DENSITIES["arcs"].log_normaliser == pytest.approx(math.log(4 * z), abs=1e-4)
    assert DENSITIES["arcs"].log_normaliser == pytest.approx(1.8775, abs=1e-4)
    assert DENSITIES["arcs"].entropy == pytest.approx(2.6600, abs=1e-4)
    assert DENSITIES["sine"].log_normaliser == pytest.approx(math.log(10 * 0.4 * math.sqrt(2 * math.pi)), abs=1e-6)
    assert DENSITIES["sine"].entropy == pytest.approx(math.log(10) + stats.norm(scale=0.4).entropy(), abs=1e-6)


@pytest.mark.parametrize("name", DENSITIES)
def test_points_follow_the_density(name):
    density = DENSITIES[name]
    z = density.points(200_000, torch.Generator().manual_seed(1)).double()
    energy = density.potential(z) + density.log_normaliser
    assert energy.mean().item() == pytest.approx(density.entropy, abs=4 * energy.std().item() / math.sqrt(200_000))
    squares, cells = grid(500), 10  # in each of 100 large squares as many points as the density has mass there
    mass = torch.exp(-density.potential(squares) - density.log_normaliser) * cell(500)
    expected = 200_000 * mass.view(cells, 50, cells, 50).sum((1, 3)).flatten()
    column, row = (((z + 5) / 10 * cells).long().clamp(0, cells - 1)).unbind(-1)
    counts = torch.bincount(row * cells + column, minlength=cells**2).double()
    often = expected > 20
    chi = ((counts - expected)[often] ** 2 / expected[often]).sum().item()
    assert stats.chi2.sf(chi, int(often.sum()) - 1) > 1e-4


def test_data_points_are_always_the_same():
    assert torch.equal(data_points("arcs", 50), data_points("arcs", 50))
    assert data_points("sine", 50).dtype == torch.float32

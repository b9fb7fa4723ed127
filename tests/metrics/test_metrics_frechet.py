import numpy as np
import pytest
import torch
from scipy import linalg
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from pipeline.metrics.frechet import Gaussian, Reference


def correlated(n: int, d: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, dtype=torch.float64, generator=random)
    return torch.randn(n, d, dtype=torch.float64, generator=random) @ mixing + seed


def distance(real: torch.Tensor, fake: torch.Tensor) -> float:
    return Reference.of(Gaussian.fit(real)).distance(Gaussian.fit(fake))


def by_square_root(real: torch.Tensor, fake: torch.Tensor) -> float:
    x, y = real.numpy(), fake.numpy()
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shift = x.mean(0) - y.mean(0)
    return float(shift @ shift + np.trace(s + t - 2 * linalg.sqrtm(s @ t).real))


@pytest.mark.parametrize("n", [500, 20])  # with fewer images than features the covariance is singular
def test_distance_to_itself_is_zero_and_a_shift_costs_its_squared_length(n):
    x, shift = correlated(n, 32, 1), torch.linspace(-1, 1, 32, dtype=torch.float64)
    scale = Gaussian.fit(x).covariance.trace().item()
    assert distance(x, x) == pytest.approx(0, abs=1e-7 * scale)
    assert distance(x, x + shift) == pytest.approx(shift.square().sum().item(), abs=1e-7 * scale)


def test_one_dimension_in_closed_form():
    x, y = correlated(50, 1, 1), correlated(70, 1, 4)
    expected = (x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2
    assert distance(x, y) == pytest.approx(expected.item(), rel=1e-12)


def test_commuting_covariances_in_closed_form():
    """Independent axes: the one-dimensional distances add up."""
    s, t = torch.tensor([[1.0, 2.0, 3.0], [2.0, 0.5, 0.0]], dtype=torch.float64)
    mean = torch.zeros(3, dtype=torch.float64)
    value = Reference.of(Gaussian(mean, s.square().diag())).distance(Gaussian(mean, t.square().diag()))
    assert value == pytest.approx((s - t).square().sum().item(), rel=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 400, 24), (200, 150, 96), (60, 300, 48)])
def test_agrees_with_the_matrix_square_root_of_scipy(n, m, d):
    x, y = correlated(n, d, 1), correlated(m, d, 2)
    assert distance(x, y) == pytest.approx(by_square_root(x, y), rel=1e-9)
    assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(300, 400), (300, 40), (40, 300), (40, 40)])
def test_agrees_with_torch_fidelity_also_where_covariances_are_singular(n, m):
    x, y = correlated(n, 64, 1).relu(), correlated(m, 64, 2).relu()
    x[:, 5], y[:, 5], y[:, 9] = 0, 0, 0  # units that never fire
    theirs = fid_statistics_to_metric(fid_features_to_statistics(x), fid_features_to_statistics(y), False)
    assert distance(x, y) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_singular_covariances_in_closed_form():
    """Two lines through the origin at an angle: (S T)^(1/2) has the trace |a.b| s t."""
    a, b = torch.tensor([[3.0, 4.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    mean = torch.zeros(3, dtype=torch.float64)
    value = Reference.of(Gaussian(mean, torch.outer(a, a))).distance(Gaussian(mean, torch.outer(b, b)))
    assert value == pytest.approx(25 + 1 - 2 * 4, rel=1e-7)


def test_moments_are_those_of_numpy_in_double_precision_and_float32_features_lose_nothing_more():
    x = (correlated(100, 6, 3) + 1e4).float()  # float32 sums of squares would keep no digit of the covariance
    fitted = Gaussian.fit(x)
    np.testing.assert_allclose(fitted.mean, x.double().numpy().mean(0), rtol=1e-14)
    np.testing.assert_allclose(fitted.covariance, np.cov(x.double().numpy(), rowvar=False), rtol=1e-9)


def test_one_image_has_no_covariance():
    with pytest.raises(ValueError, match="1 image has no covariance"):
        Gaussian.fit(torch.zeros(1, 3))

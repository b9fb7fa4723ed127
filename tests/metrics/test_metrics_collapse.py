import math

import pytest
import torch

from pipeline.metrics.collapse import effective_rank, feature_std


def sphere(count: int, dimensions: int) -> torch.Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(0))


def test_features_all_over_the_sphere_are_healthy():
    assert feature_std(sphere(4000, 64)) == pytest.approx(1, abs=0.01)
    assert effective_rank(sphere(20_000, 64)) == pytest.approx(64, rel=0.01)


def test_one_point_has_no_spread_and_rank_one():
    point = sphere(1, 64).expand(100, 64) * torch.linspace(1, 5, 100)[:, None]  # of different lengths
    assert feature_std(point) == pytest.approx(0, abs=1e-6)
    assert effective_rank(point) == pytest.approx(1, abs=1e-6)


def test_two_opposite_points_spread_but_have_rank_one():
    sign = torch.tensor([1.0, -1.0]).repeat(50)[:, None]
    corner = torch.ones(64) * sign
    assert feature_std(corner) == pytest.approx((100 / 99) ** 0.5)
    assert effective_rank(corner) == pytest.approx(1, abs=1e-6)


def test_rank_counts_equally_strong_directions():
    axes = torch.eye(8)[:3].repeat(10, 1)
    assert effective_rank(axes) == pytest.approx(3)
    weights = torch.tensor([0] * 6 + [1] * 3 + [2])  # shares 0.6, 0.3, 0.1
    entropy = -sum(p * torch.log(torch.tensor(p)).item() for p in (0.6, 0.3, 0.1))
    assert effective_rank(torch.eye(8)[weights]) == pytest.approx(torch.exp(torch.tensor(entropy)).item())


def test_fewer_features_than_dimensions():
    few = torch.randn(5, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    unit = few / few.norm(dim=1, keepdim=True)
    share = torch.linalg.svdvals(unit) ** 2 / 5
    assert effective_rank(few) == pytest.approx(torch.distributions.Categorical(share).entropy().exp().item())


def test_standard_deviation_on_numbers_small_enough_to_do_by_hand():
    # unit vectors (1, 0) and (0, 1): each channel is 1, 0 with sd sqrt(1/2); times sqrt(2) is 1
    assert feature_std(torch.tensor([[3.0, 0.0], [0.0, 0.5]])) == pytest.approx(1)


def test_features_that_are_all_zero_are_all_the_same():
    assert effective_rank(torch.zeros(5, 3)) == pytest.approx(1) and feature_std(torch.zeros(5, 3)) == 0


@pytest.mark.parametrize("odd", [math.inf, math.nan])
def test_features_that_are_not_finite_have_no_rank(odd):
    features = torch.randn(6, 3)
    features[2, 1] = odd
    assert math.isnan(effective_rank(features))

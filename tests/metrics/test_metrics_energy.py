import torch
from scipy import stats

from pipeline.metrics.energy import energy_distance


def test_in_one_dimension_it_is_scipys_squared_with_the_biased_terms_corrected():
    random = torch.Generator().manual_seed(0)
    x = torch.randn((40, 1), dtype=torch.float64, generator=random)
    y = torch.rand((60, 1), dtype=torch.float64, generator=random)
    biased = stats.energy_distance(x[:, 0], y[:, 0]) ** 2  # scipy averages over all pairs, a point with itself too
    pairs = [(z[:, 0, None] - z[:, 0]).abs().mean().item() / (len(z) - 1) for z in (x, y)]
    torch.testing.assert_close(energy_distance(x, y), biased - sum(pairs))


def test_it_is_near_zero_for_one_distribution_and_positive_for_two():
    random = torch.Generator().manual_seed(1)
    x, y, z = (torch.randn((2000, 2), dtype=torch.float64, generator=random) for _ in range(3))
    assert abs(energy_distance(x, y)) < 0.01
    assert energy_distance(x, z + 0.5) > 0.1

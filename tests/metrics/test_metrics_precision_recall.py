import pytest
import torch
from torch_fidelity.metric_prc import calculate_precision_recall_full

from pipeline.metrics import pairs
from pipeline.metrics.precision_recall import density_and_coverage, precision_and_recall, radii

SIDES = [4096, 16]  # one tile, and several with shorter ones at the ends


def normal(n: int, seed: int, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed)) + mean


def memberships(points: torch.Tensor, centres: torch.Tensor, k: int) -> list[list[bool]]:
    """Return by brute force for each point in which of the centres' balls it lies."""
    points, centres, reach = points.double(), centres.double(), []
    for i, centre in enumerate(centres):
        reach.append(sorted(float((centre - other).norm()) for j, other in enumerate(centres) if j != i)[k - 1])
    return [[float((point - centre).norm()) <= r for centre, r in zip(centres, reach, strict=True)] for point in points]


@pytest.mark.parametrize("side", SIDES)
def test_precision_and_recall_by_brute_force_and_torch_fidelity(monkeypatch, side):
    monkeypatch.setattr(pairs, "SIDE", side)
    fake, real = normal(37, 1, 0.8), normal(41, 2)
    precision, recall = precision_and_recall(fake, real, radii(real, 3), 3)
    assert precision == pytest.approx(sum(map(any, memberships(fake, real, 3))) / 37, abs=1e-12)
    assert recall == pytest.approx(sum(map(any, memberships(real, fake, 3))) / 41, abs=1e-12)
    assert 0.1 < recall < 0.9 and 0.1 < precision < 0.9
    theirs = calculate_precision_recall_full(fake.double(), real.double(), 3)
    assert (precision, recall) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_density_and_coverage_by_brute_force(monkeypatch, side):
    monkeypatch.setattr(pairs, "SIDE", side)
    fake, real = normal(37, 1, 0.8), normal(41, 2)
    density, coverage = density_and_coverage(fake, real, radii(real, 5), 5)
    inside = memberships(fake, real, 5)
    assert density == pytest.approx(sum(map(sum, inside)) / (5 * 37), abs=1e-12)
    assert coverage == pytest.approx(sum(map(any, zip(*inside, strict=True))) / 41, abs=1e-12)
    assert 0.1 < coverage < 0.9 and density > 0.1


@pytest.mark.parametrize("neighbours", [1, 7])
def test_radii_do_not_depend_on_the_tiles(monkeypatch, neighbours):
    points = normal(83, 3)
    whole = radii(points, neighbours)
    monkeypatch.setattr(pairs, "SIDE", 4)  # fewer points in a tile than neighbours
    torch.testing.assert_close(radii(points, neighbours), whole, rtol=1e-12, atol=1e-12)


def test_points_on_a_line_by_hand():
    real = torch.tensor([[0.0], [1.0], [3.0], [10.0]])
    assert radii(real, 1).tolist() == pytest.approx([1, 1, 4, 49])
    fake = torch.tensor([[-1.1], [-0.9], [2.9], [5.1], [17.1]])
    # the balls reach over [-1, 1], [0, 2], [1, 5] and [3, 17]
    assert precision_and_recall(fake, real, radii(real, 1), 1)[0] == pytest.approx(3 / 5)
    assert density_and_coverage(fake, real, radii(real, 1), 1) == pytest.approx((3 / 5, 3 / 4))


def test_one_mode_of_two_is_precise_and_recalls_half():
    real = torch.cat([normal(100, 1), normal(100, 2, 50)])
    fake = normal(100, 1) + 1e-3
    precision, recall = precision_and_recall(fake, real, radii(real, 3), 3)
    assert precision == 1 and recall == 0.5
    assert density_and_coverage(fake, real, radii(real, 3), 3)[1] == 0.5


def test_density_and_coverage_of_the_same_distribution_have_their_known_means():
    r"""Naeem et al., section 3.2: E density = 1, and E coverage = 1 - (m - 1)...(m - k) / ((2m - 1)...(2m - k))."""
    size, k = 100, 5
    values = []
    for seed in range(60):
        fake, real = normal(size, 2 * seed), normal(size, 2 * seed + 1)
        values.append(density_and_coverage(fake, real, radii(real, k), k))
    density, coverage = torch.tensor(values, dtype=torch.float64).T
    missed = 1.0
    for step in range(1, k + 1):
        missed *= (size - step) / (2 * size - step)
    assert density.mean().item() == pytest.approx(1, abs=4 * density.std().item() / 60**0.5)
    assert coverage.mean().item() == pytest.approx(1 - missed, abs=4 * coverage.std().item() / 60**0.5)


def test_a_generator_of_one_picture_recalls_nothing():
    real, fake = normal(50, 1), torch.zeros(50, 5)
    assert precision_and_recall(fake, real, radii(real, 3), 3)[1] == 0


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="an image has only 2 others among 3, and 3 neighbours are asked for"):
        radii(torch.zeros(3, 2), 3)

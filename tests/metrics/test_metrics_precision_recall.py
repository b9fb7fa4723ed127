import pytest
import torch
from torch_fidelity.metric_prc import calculate_precision_recall_full

from pipeline.metrics import precision_recall
from pipeline.metrics.precision_recall import covered, precision_and_recall, radii


def normal(n: int, seed: int, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed)) + mean


def brute_force(points: torch.Tensor, centres: torch.Tensor, k: int) -> float:
    inside = 0
    for point in points.double():
        hit = False
        for i, centre in enumerate(centres.double()):
            others = [float((centre - other).norm()) for j, other in enumerate(centres.double()) if j != i]
            hit = hit or float((point - centre).norm()) <= sorted(others)[k - 1]
        inside += hit
    return inside / len(points)


@pytest.mark.parametrize("block", [1 << 24, 200])  # 200: several blocks of a few rows, the last one shorter
def test_by_brute_force_and_torch_fidelity(monkeypatch, block):
    monkeypatch.setattr(precision_recall, "ELEMENTS", block)
    fake, real = normal(37, 1, 0.8), normal(41, 2)
    precision, recall = precision_and_recall(fake, real, radii(real, 3), 3)
    assert precision == pytest.approx(brute_force(fake, real, 3), abs=1e-12)
    assert recall == pytest.approx(brute_force(real, fake, 3), abs=1e-12)
    assert 0.1 < recall < 0.9 and 0.1 < precision < 0.9
    theirs = calculate_precision_recall_full(fake.double(), real.double(), 3)
    assert (precision, recall) == pytest.approx(theirs, abs=1e-6)


def test_points_on_a_line_by_hand():
    centres = torch.tensor([[0.0], [1.0], [3.0], [10.0]])
    assert radii(centres, 1).tolist() == pytest.approx([1, 1, 4, 49])
    points = torch.tensor([[-1.1], [-0.9], [2.9], [5.1], [17.1]])
    # covered: [-1, 2], [1, 5] and [3, 17]
    assert covered(points, centres, radii(centres, 1)) == pytest.approx(3 / 5)


def test_one_mode_of_two_is_precise_and_recalls_half():
    real = torch.cat([normal(100, 1), normal(100, 2, 50)])
    fake = normal(100, 1) + 1e-3
    precision, recall = precision_and_recall(fake, real, radii(real, 3), 3)
    assert precision == 1 and recall == 0.5


def test_a_generator_of_one_picture_recalls_nothing():
    real, fake = normal(50, 1), torch.zeros(50, 5)
    assert precision_and_recall(fake, real, radii(real, 3), 3)[1] == 0


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="an image has only 2 others among 3, and 3 neighbours are asked for"):
        radii(torch.zeros(3, 2), 3)

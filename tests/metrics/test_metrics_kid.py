import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from pipeline.metrics import pairs
from pipeline.metrics.kid import kernel_distance, squared_mmd


def normal(n: int, d: int, seed: int, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + mean


def test_by_a_loop_over_all_pairs():
    x, y = normal(6, 3, 1), normal(5, 3, 2, 0.5)

    def k(a, b):
        return (float(a @ b) / 3 + 1) ** 3

    within = sum(k(x[i], x[j]) for i in range(6) for j in range(6) if i != j) / 30
    within += sum(k(y[i], y[j]) for i in range(5) for j in range(5) if i != j) / 20
    between = sum(k(a, b) for a in x for b in y) / 30
    assert squared_mmd(x, y) == pytest.approx(within - 2 * between, rel=1e-12)


def test_tiles_give_the_value_of_the_whole(monkeypatch):
    x, y = normal(50, 8, 1), normal(37, 8, 2, 0.5)
    whole = squared_mmd(x, y)
    monkeypatch.setattr(pairs, "SIDE", 16)
    assert squared_mmd(x, y) == pytest.approx(whole, rel=1e-12)


def test_without_bias_at_six_images():
    """x ~ N(0, 1), y ~ N(m, 1): the kernel's feature map is the moments up to order three, so MMD is known exactly."""
    m, subsets, size = 0.7, 8000, 6
    moments = np.array([m, (1 + m * m) - 1, m**3 + 3 * m])  # differences of E y^p and E x^p
    expected = (np.array([3, 3, 1]) * moments**2).sum()  # (xy + 1)^3 = 1 + 3 xy + 3 x^2 y^2 + x^3 y^3
    x, y = normal(subsets * size, 1, 1).view(subsets, size), normal(subsets * size, 1, 2, m).view(subsets, size)
    values = np.array([squared_mmd(a[:, None], b[:, None]) for a, b in zip(x, y, strict=True)])
    error = values.std() / subsets**0.5
    assert abs(values.mean() - expected) < 4 * error
    kernels = [(torch.einsum("ni,nj->nij", a, a) + 1) ** 3 for a in (x, y)]
    bias = sum(((k.diagonal(dim1=1, dim2=2).mean(1) - k.mean((1, 2))).mean() / (size - 1)).item() for k in kernels)
    assert bias > 10 * error  # the biased estimate would have been noticed


def test_equal_distributions_score_zero_on_average():
    values = [squared_mmd(normal(20, 4, 2 * i), normal(20, 4, 2 * i + 1)) for i in range(2000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 2000**0.5
    assert min(values) < 0


def test_agrees_with_torch_fidelity():
    x, y = normal(300, 16, 1).relu(), normal(250, 16, 2, 0.2).relu()
    theirs = kid_features_to_metric(
        x, y, kid_subsets=7, kid_subset_size=100, kid_kernel="poly", kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, rng_seed=2020, verbose=False,
    )  # fmt: skip
    mean, spread = kernel_distance(x, y, subsets=7, size=100)
    assert mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)
    assert spread == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-9)


def test_subsets_larger_than_a_set_are_refused():
    with pytest.raises(ValueError, match="100 images cannot be sampled from 300 generated and 99 reference images"):
        kernel_distance(normal(300, 2, 1), normal(99, 2, 2), subsets=1, size=100)

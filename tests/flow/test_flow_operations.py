import json

import pytest
import torch

from pipeline.flow import layers, operations
from pipeline.flow.layers import groups, jacobian_error, show
from pipeline.flow.settings import Distribution, SingleLayers


def test_operations_of_a_flow_grow_linearly_and_those_of_a_dense_determinant_with_the_cube():
    one, two, four = (operations.planar(d, 1) for d in (1000, 2000, 4000))
    assert four - two == 2 * (two - one)
    assert [operations.planar(2, k) for k in (2, 3, 7)] == [k * operations.planar(2, 1) for k in (2, 3, 7)]
    assert operations.dense(4000) / operations.dense(2000) == pytest.approx(8, rel=0.01)


def test_large_layers_part_the_points_and_small_ones_leave_them(tmp_path):
    distributions = (Distribution(mean=0.0, std=0.01, bias=0.0), Distribution(mean=500.0, std=1000.0, bias=0.0))
    show(tmp_path, SingleLayers(300, distributions, dimensions=(16, 64), depths=(1, 4), seed=0))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    small, large = metrics["layers"]["1"], metrics["layers"]["2"]
    assert small["displacement"] < 0.01 and large["silhouette"] > 0.99 > 0.6 > small["silhouette"]
    assert large["distribution"] == [500, 1000]
    assert metrics["exponents"]["depth"] == pytest.approx(1)


def test_one_group_has_no_silhouette_and_two_points_have_none_either():
    assert groups(torch.randn(5, 2), torch.ones(5, dtype=torch.bool)) == {"smaller_side": 0, "silhouette": None}
    assert groups(torch.randn(2, 2), torch.tensor([True, False])) == {"smaller_side": 1, "silhouette": None}
    assert groups(torch.tensor([[0.0, 0], [1, 0], [5, 0]]), torch.tensor([True, True, False]))["silhouette"] == (
        pytest.approx((4 / 5 + 3 / 4 + 0) / 3)  # (b - a) / max(a, b) of each; 0 for one that is alone
    )


def test_the_formula_of_the_log_determinant_is_checked_against_the_jacobian(monkeypatch):
    assert jacobian_error(5, 20, seed=0) < 1e-12
    right = layers.forward

    def wrong(z, u, w, b):  # without the derivative of tanh
        return right(z, u, w, b)[0], (1 + (u * w).sum()).log().expand(z.shape[:-1])

    monkeypatch.setattr(layers, "forward", wrong)
    assert jacobian_error(5, 20, seed=0) > 1e-2

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.runtime import history
from pipeline.runtime.context import Context
from pipeline.simsiam import probe
from pipeline.simsiam.score import score
from pipeline.simsiam.train import train

CPU = torch.device("cpu")


def test_scores(data, tmp_path, training, scoring):
    model, output = tmp_path / "model", tmp_path / "scores"
    model.mkdir(), output.mkdir()
    context = Context(CPU, tmp_path / "scratch")
    train(data, model, training, context)
    score(data, model, output, scoring, context)
    metrics = json.loads((output / "metrics.json").read_text())
    rows = [row for row in history.read(model / "history.csv") if row["seed"] == 1]
    seed = metrics["seeds"]["1"]
    assert seed["loss"] == {"first": rows[0]["loss"], "last": rows[-1]["loss"]}
    assert seed["knn"]["last"] == rows[-1]["knn"] and seed["knn"]["best"] == max(row["knn"] for row in rows)
    assert rows[int(seed["knn"]["best_epoch"]) - 1]["knn"] == seed["knn"]["best"]
    assert seed["layers"]["projector"]["knn"] == pytest.approx(rows[-1]["knn"])
    assert seed["probe"] == 100  # dark and light images are told apart
    assert metrics["mean"]["probe"] == 100 and metrics["spread"]["probe"] == 0
    assert "L-BFGS in float64, converged" in metrics["protocol"]["probe"]
    assert metrics["protocol"]["precision"] == "fp32"
    assert np.load(output / "views.npy").shape == (16, 2, 3, 16, 16)


def features(n=300, d=12, classes=4):
    """Return overlapping classes, whose features have very different means and scales and are correlated."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, d, generator=random)
    mixing = torch.randn(d, d, generator=random)
    values = (centres[labels] + 1.5 * torch.randn(n, d, generator=random)) @ mixing
    return values * torch.logspace(-3, 3, d) + 5, labels


@pytest.mark.parametrize("l2", [1e-4, 1e-2, 1.0])
def test_the_probe_is_scikit_learns_logistic_regression(l2):
    x, y = features()
    found = probe.fit(x, y, l2)
    assert found.converged
    scaler = StandardScaler().fit(x.double().numpy())
    reference = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-10, max_iter=10_000)
    reference.fit(scaler.transform(x.double().numpy()), y.numpy())
    np.testing.assert_allclose(found.weight.T, reference.coef_, atol=1e-6 / l2)
    np.testing.assert_array_equal(found.predict(x), reference.predict(scaler.transform(x.double().numpy())))


def test_features_that_are_constant_to_float32s_rounding_are_left_out():
    x, y = features()
    noise = torch.ones(len(x), 1) + 1e-7 * torch.randn(len(x), 1, generator=torch.Generator().manual_seed(1))
    dull = torch.cat([x, noise, torch.zeros_like(noise)], 1)
    found = probe.fit(dull, y, 0.01)
    assert found.weight[-2:].abs().max() == 0
    torch.testing.assert_close(found.weight[:-2], probe.fit(x, y, 0.01).weight)


def test_a_probe_that_has_not_converged_says_so(monkeypatch):
    monkeypatch.setattr(probe, "ITERATIONS", 3)
    found = probe.fit(*features(), 1e-4)
    assert not found.converged and found.gradient > probe.TOLERANCE

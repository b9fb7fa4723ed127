import math

import pytest
import torch

from pipeline.metrics import knn


def by_loops(bank, labels, queries, neighbours, temperature):
    """Wu et al. 2018, word for word."""
    predicted = []
    for query in queries.tolist():
        similar = []
        for feature, label in zip(bank.tolist(), labels.tolist(), strict=True):
            dot = sum(a * b for a, b in zip(query, feature, strict=True))
            norms = math.sqrt(sum(a * a for a in query)) * math.sqrt(sum(b * b for b in feature))
            similar.append((dot / norms, label))
        votes = {}
        for similarity, label in sorted(similar, reverse=True)[:neighbours]:
            votes[label] = votes.get(label, 0.0) + math.exp(similarity / temperature)
        predicted.append(max(votes, key=votes.get))
    return predicted


@pytest.mark.parametrize(("neighbours", "temperature"), [(1, 0.1), (5, 0.1), (20, 0.5), (60, 0.07)])
def test_predictions_are_those_of_a_loop(neighbours, temperature):
    random = torch.Generator().manual_seed(neighbours)
    bank = torch.randn(60, 6, generator=random, dtype=torch.float64)
    queries = 3 * torch.randn(40, 6, generator=random, dtype=torch.float64)
    labels = torch.randint(4, (60,), generator=random)
    predicted = knn.predict(bank, labels, queries, neighbours=neighbours, temperature=temperature)
    assert predicted.tolist() == by_loops(bank, labels, queries, neighbours, temperature)


def test_chunks_do_not_show(monkeypatch):
    random = torch.Generator().manual_seed(0)
    bank, queries = torch.randn(2, 50, 4, generator=random)
    labels = torch.randint(3, (50,), generator=random)
    whole = knn.predict(bank, labels, queries, neighbours=7, temperature=0.1)
    monkeypatch.setattr(knn, "ELEMENTS", 7 * 50)
    assert torch.equal(whole, knn.predict(bank, labels, queries, neighbours=7, temperature=0.1))


def test_features_that_float32_cannot_tell_apart_by_their_cosines_are_told_apart():
    """Two classes 1e-4 apart in angle: cosines differ by 5e-9, while float32 resolves 6e-8."""
    angles = torch.linspace(0, 1e-4, 100)
    bank = torch.stack([torch.cos(angles), torch.sin(angles)], 1)
    labels = (torch.arange(100) >= 50).long()
    assert torch.equal(knn.predict(bank, labels, bank, neighbours=3, temperature=0.1), labels)


def test_a_low_temperature_does_not_overflow():
    bank = torch.eye(2)
    assert knn.predict(bank, torch.tensor([0, 1]), bank, neighbours=2, temperature=1e-3).tolist() == [0, 1]


def test_a_bank_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="3 neighbours are asked of a bank of 2"):
        knn.predict(torch.eye(2), torch.tensor([0, 1]), torch.eye(2), neighbours=3, temperature=0.1)


def test_accuracy_is_in_percent():
    assert knn.accuracy(torch.tensor([0, 1, 2, 3]), torch.tensor([0, 1, 2, 0])) == 75.0

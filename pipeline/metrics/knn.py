"""Weighted nearest-neighbour classification: how good features are, without training anything on them."""

import torch
from torch import Tensor
from torch.nn import functional as F

ELEMENTS = 1 << 23  # of the block of cosines that is held at once


@torch.no_grad()
def predict(bank: Tensor, labels: Tensor, queries: Tensor, *, neighbours: int, temperature: float) -> Tensor:
    r"""Classify by the k most similar features of a bank, each voting with the weight $\exp(\cos / \tau)$.

    Cosines are computed in float64: those of features that have all but collapsed differ by less than float32 resolves.

    Args:
        bank: Features with known labels, `(n, d)`.
        labels: Their classes, int64 `(n,)`.
        queries: Features to classify, `(m, d)`.
        neighbours: Number k of those that vote.
        temperature: Temperature $\tau$ of their weights.

    Returns:
        The predicted classes, int64 `(m,)`; of classes with equal votes the lowest.

    Raises:
        ValueError: If the bank has fewer than k features.

    Reference: Wu, Xiong, Yu & Lin, Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018.
    """
    if len(bank) < neighbours:
        raise ValueError(f"{neighbours} neighbours are asked of a bank of {len(bank)}")
    bank = bank.to(torch.float64, copy=True)
    F.normalize(bank, out=bank)  # in place: a second copy of a large bank takes a gigabyte
    votes = F.one_hot(labels).to(bank.dtype)
    predicted = []
    for chunk in queries.split(max(1, ELEMENTS // len(bank))):
        similarity, index = (F.normalize(chunk.double()) @ bank.T).topk(neighbours, sorted=False)
        weights = torch.exp((similarity - 1) / temperature)  # - 1: a common factor that keeps the largest weight finite
        predicted.append((weights[:, None] @ votes[index]).squeeze(1).argmax(1))
    return torch.cat(predicted)


def accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Return the share of predictions that are right, in percent."""
    return 100 * (predicted == labels).double().mean().item()

"""Weighted nearest-neighbour classification: how good features are, without training anything on them."""

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 500  # queries compared with the whole bank at once


@torch.no_grad()
def predict(bank: Tensor, labels: Tensor, queries: Tensor, *, neighbours: int, temperature: float) -> Tensor:
    r"""Classify by the k most similar features of a bank, each voting with the weight $\exp(\cos / \tau)$.

    Args:
        bank: features with known labels, `(n, d)`.
        labels: their classes, int64 `(n,)`.
        queries: features to classify, `(m, d)`.
        neighbours: how many vote, k.
        temperature: of the weights, tau.

    Returns:
        int64 `(m,)`; of classes with equal votes the lowest.

    Raises:
        ValueError: if the bank has fewer than k features.

    Reference: Wu, Xiong, Yu & Lin, Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018.
    """
    if len(bank) < neighbours:
        raise ValueError(f"{neighbours} neighbours are asked of a bank of {len(bank)}")
    bank, queries = F.normalize(bank), F.normalize(queries)
    votes = F.one_hot(labels).to(bank.dtype)
    predicted = []
    for chunk in queries.split(CHUNK):
        similarity, index = (chunk @ bank.T).topk(neighbours, sorted=False)
        weights = torch.exp((similarity - 1) / temperature)  # - 1: a common factor that keeps the largest weight finite
        predicted.append((weights[:, None] @ votes[index]).squeeze(1).argmax(1))
    return torch.cat(predicted)


def accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Return the share of predictions that are right, in percent."""
    return 100 * (predicted == labels).double().mean().item()

r"""Inception Score: whether a classifier is sure of every image and the images fall into many classes.

$$\mathrm{IS} = \exp\, E_x\, \mathrm{KL}(p(y|x) \,\|\, p(y)), \qquad p(y) = E_x\, p(y|x)$$

It lies between 1 and the number of classes.

It is our own, since torch-fidelity returns NaN where a class has a probability that rounds to 0; torchmetrics takes
images instead of logits, shuffles them by torch's global random numbers and computes in float32.

Reference: Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016.
"""

import math

import numpy as np
import torch
from torch import Tensor

SHUFFLE = 2020  # seed of the order in which images are split: torch-fidelity's, so that equal logits score equally


def inception_score(logits: Tensor, splits: int) -> tuple[float, float]:
    """Return the mean of the score over `splits` equal parts of the shuffled images, and its standard deviation.

    Args:
        logits: Logits of the classifier, `(n, classes)`; every image is in one part, so parts may differ by one image.
        splits: Number of parts.

    Returns:
        Mean, and standard deviation with divisor `splits` (0 for one part), as published scores have it.

    Raises:
        ValueError: If there are fewer images than parts.
    """
    n = len(logits)
    if n < splits:
        raise ValueError(f"{n} images cannot be cut into {splits} splits")
    order = torch.from_numpy(np.random.RandomState(SHUFFLE).permutation(n)).to(logits.device)
    log_p = logits[order].double().log_softmax(1)
    scores = []
    for split in range(splits):
        part = log_p[split * n // splits : (split + 1) * n // splits]
        log_mean = part.logsumexp(0) - math.log(len(part))  # not the log of a mean, which may have rounded to 0
        scores.append((part.exp() * (part - log_mean)).sum(1).mean().exp().item())
    return float(np.mean(scores)), float(np.std(scores))

"""SimSiam's objective: each view's prediction is turned towards the other view's features."""

from torch import Tensor
from torch.nn import functional as F


def negative_cosine(
    prediction_1: Tensor, prediction_2: Tensor, features_1: Tensor, features_2: Tensor, *, stop_gradient: bool
) -> Tensor:
    r"""Return $-\frac12 [\cos(p_1, z_2) + \cos(p_2, z_1)]$, a mean over the batch.

    Args:
        prediction_1: p of one view, `(n, d)`.
        prediction_2: p of the other.
        features_1: z of one view, `(n, d)`.
        features_2: z of the other.
        stop_gradient: Take z for a constant in both terms.

    Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021, equations 1 to 4.
    """
    if stop_gradient:
        features_1, features_2 = features_1.detach(), features_2.detach()
    similarity = F.cosine_similarity(prediction_1, features_2) + F.cosine_similarity(prediction_2, features_1)
    return -0.5 * similarity.mean()

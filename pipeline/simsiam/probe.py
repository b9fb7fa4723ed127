"""A linear probe: how well a linear classifier can tell classes apart by frozen features."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TOLERANCE = 1e-6  # largest entry of the gradient at which the fit has converged
ITERATIONS = 5000  # at most
HISTORY = 30  # pairs of steps and gradients from which L-BFGS estimates the curvature
CONSTANT = 1e-6  # a feature that varies by less, relative to its size, is float32's rounding and is left out


@dataclass(frozen=True)
class Probe:
    """A linear classifier of standardised features.

    Args:
        mean: Mean of each feature over the training images, float64 `(d,)`.
        scale: Factor by which each centred feature is multiplied, float64 `(d,)`.
        weight: Weights, float64 `(d, classes)`.
        bias: Biases, float64 `(classes,)`.
        gradient: Largest entry of the objective's gradient at these weights and biases.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    gradient: float

    @property
    def converged(self) -> bool:
        return self.gradient <= TOLERANCE

    def predict(self, features: Tensor) -> Tensor:
        """Return the most likely class of each of the features `(n, d)`, int64 `(n,)`."""
        return torch.addmm(self.bias, (features.double() - self.mean) * self.scale, self.weight).argmax(1)


def fit(features: Tensor, labels: Tensor, l2: float) -> Probe:
    r"""Return the multinomial logistic regression of labels on standardised features.

    It minimises, in float64 and by L-BFGS on all images at once, the convex objective
    $\frac1n \sum_i -\log \mathrm{softmax}(W^T x_i + b)_{y_i} + \frac\lambda2 \|W\|^2$.

    Args:
        features: Features of the training images, `(n, d)`.
        labels: Their classes, int64 `(n,)`.
        l2: Penalty $\lambda$ on the squared weights; scikit-learn's C is $1 / (n \lambda)$.
    """
    values = features.double()
    mean, std = values.mean(0), values.std(0, correction=0)
    scale = torch.where(std > CONSTANT * values.abs().amax(0), 1 / std, 0.0)
    x = (values - mean) * scale
    weight = x.new_zeros((x.shape[1], int(labels.max()) + 1)).requires_grad_()
    bias = x.new_zeros(weight.shape[1]).requires_grad_()
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, max_eval=2 * ITERATIONS, tolerance_grad=TOLERANCE, tolerance_change=0.0,
        history_size=HISTORY, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def objective() -> Tensor:
        solver.zero_grad()
        value = F.cross_entropy(torch.addmm(bias, x, weight), labels) + l2 / 2 * weight.square().sum()
        value.backward()
        return value

    solver.step(objective)
    objective()
    gradient = max(parameter.grad.abs().max().item() for parameter in (weight, bias) if parameter.grad is not None)
    return Probe(mean, scale, weight.detach(), bias.detach(), gradient)

r"""Adam, by the functional form of torch's own.

$$m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
\theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}$$

`torch.optim.Adam.step` imports torch's compiler first, which takes over a second of every process that trains.

Reference: Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim.adam import adam

EPSILON = 1e-8


class Adam:
    """Adam for the parameters that have a gradient, in one fused kernel; the same bits as `torch.optim.Adam`.

    Args:
        parameters: that are trained, in a fixed order.
        lr: learning rate; may be set anew between steps.
        betas: decays of the moments of the gradient.
        weight_decay: of the L2 kind: added to the gradient, times the parameter.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        self.lr = lr
        self._parameters = list(parameters)
        self._betas, self._weight_decay = betas, weight_decay
        self._state = {
            "first": [torch.zeros_like(each) for each in self._parameters],
            "second": [torch.zeros_like(each) for each in self._parameters],
            "steps": [torch.zeros((), device=each.device) for each in self._parameters],
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for each in self._parameters:
            each.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Descend one step along the gradients."""
        rows = zip(self._parameters, *self._state.values(), strict=True)
        trained = [(each, each.grad, *state) for each, *state in rows if each.grad is not None]
        parameters, gradients, first, second, steps = map(list, zip(*trained, strict=True))
        adam(
            parameters, gradients, first, second, [], steps, fused=True, amsgrad=False, maximize=False,
            beta1=self._betas[0], beta2=self._betas[1], lr=self.lr, weight_decay=self._weight_decay, eps=EPSILON,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep."""
        return self._state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; strides stay those of the parameters, on which the fused kernel relies."""
        for name, own in self._state.items():
            for target, kept in zip(own, state[name], strict=True):
                target.copy_(kept)

r"""Many planar flows of one depth stepped at once, with gradients by hand: training without an autograd graph.

A planar flow moves a point z by a combination of its vectors $\hat u_i$, so the arguments of its tanh obey

    a_j = w_j . z + b_j + sum_{i<j} G_ji t_i,    t_j = tanh(a_j),    G = W U^T.

Only this triangular recursion over t, and its transpose over dL/da, runs layer by layer, one row `(flows, 1, n)` at a
time; everything else is a handful of products over all layers. A row takes as long in any dimension.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pipeline.flow.planar import in_place, smooth


class Stack:
    r"""Flows of k planar layers each, and gradients of $\frac1n \sum_n \ell(f(z_n)) - \log|\det f'(z_n)|$.

    Args:
        parameters: The u, w and b of every layer side by side, `(flows, k, 2 d + 1)`; read, and corrected, in place.
        free: Number of flows, from the first, that have the smooth constraint; the others are corrected in place.
        points: Number of points per flow and step, n.
    """

    def __init__(self, parameters: Tensor, free: int, points: int) -> None:
        flows, k, width = parameters.shape
        d = width // 2
        self.u, self.w, self.b = parameters[..., :d], parameters[..., d : 2 * d], parameters[..., 2 * d :]
        self._free = free
        new = parameters.new_zeros
        self._hat = new(flows, k, d)
        self._t, self._delta, self._derivative = (new(flows, k, points) for _ in range(3))
        self._g, self._g_transposed = new(flows, k, k), new(flows, k, k)
        # views of the rows that the two recursions visit, made once
        t, delta, derivative, g, gt = self._t, self._delta, self._derivative, self._g, self._g_transposed
        rows = [slice(j, j + 1) for j in range(k)]
        self._up = [(t[:, row], g[:, row, :j], t[:, :j]) for j, row in enumerate(rows)]
        self._down = [
            (delta[:, row], gt[:, row, j + 1 :], delta[:, j + 1 :], derivative[:, row]) for j, row in enumerate(rows)
        ][::-1]
        self._gradient = torch.zeros_like(parameters)
        self._eps = torch.finfo(parameters.dtype).eps

    def effective(self) -> Tensor:
        """Correct the parameters of the in-place flows, and return the effective u of all, `(flows, k, d)`."""
        free, fixed = slice(0, self._free), slice(self._free, None)
        self._hat[free] = smooth(self.u[free], self.w[free])
        self._hat[fixed] = in_place(self.u[fixed], self.w[fixed])
        self.u[fixed] = self._hat[fixed]
        return self._hat

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map points and return them with their log-determinants summed over points.

        Args:
            z: Points, coordinates before points, `(flows, d, n)`.

        Returns:
            Mapped points `(flows, d, n)`; sums of log-determinants `(flows)`.
        """
        hat, t = self.effective(), self._t
        torch.bmm(self.w, hat.mT, out=self._g)
        torch.baddbmm(self.b, self.w, z, out=t)
        for j, (row, weights, earlier) in enumerate(self._up):
            if j:
                row.baddbmm_(weights, earlier)
            row.tanh_()
        torch.mul(t, t, out=self._derivative)
        torch.sub(1, self._derivative, out=self._derivative)
        inner = self._g.diagonal(dim1=1, dim2=2)[..., None]
        self._z, self._inner = z, inner
        self._determinant = (inner * self._derivative).add_(1).clamp_min_(self._eps)
        return torch.baddbmm(z, hat.mT, t), self._determinant.log().sum((1, 2))

    def backward(self, gradient: Tensor) -> Tensor:
        r"""Return gradients with respect to the parameters, `(flows, k, 2 d + 1)`, at the points of the last `forward`.

        Args:
            gradient: Gradient of $\ell$ at the mapped points, `(flows, d, n)`.
        """
        u, w, hat, z = self.u, self.w, self._hat, self._z
        t, delta, derivative = self._t, self._delta, self._derivative
        n = z.shape[-1]
        gradient = gradient / n
        torch.mul(t, self._inner, out=delta)
        delta.div_(self._determinant)
        torch.baddbmm(delta, hat, gradient, beta=2 / n, out=delta)  # dL/dt but for the later layers
        self._g_transposed.copy_(self._g.mT)
        for j, (row, weights, later, factor) in enumerate(self._down):
            if j:
                row.baddbmm_(weights, later)
            row.mul_(factor)  # dL/da
        matrix = torch.bmm(delta, t.mT).tril_(-1)  # dL/dG
        matrix.diagonal(dim1=1, dim2=2).copy_((derivative / self._determinant).sum(-1).div_(-n))
        to_w = torch.baddbmm(torch.bmm(delta, z.mT), matrix, hat)
        to_hat = torch.baddbmm(torch.bmm(t, gradient.mT), matrix.mT, w)

        to_u, free = to_hat.clone(), slice(0, self._free)
        u, w, to_hat = u[free], w[free], to_hat[free]
        a, norm = (u * w).sum(-1, keepdim=True), (w * w).sum(-1, keepdim=True)
        scale = (softplus(a) - 1 - a) / norm  # smooth: hat = u + scale w
        change = (torch.sigmoid(a) - 1) / norm  # d scale / d a
        along = (to_hat * w).sum(-1, keepdim=True)
        to_u[free] += along * change * w
        to_w[free] += scale * to_hat + along * (change * u - 2 * scale / norm * w)
        torch.cat((to_u, to_w, delta.sum(-1, keepdim=True)), -1, out=self._gradient)
        return self._gradient

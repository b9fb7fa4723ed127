r"""Losses of the two players, from the critic's outputs on real and fake images: no sigmoid, `(n,)` each.

| loss   | critic minimises                                    | generator minimises        |
|--------|-----------------------------------------------------|----------------------------|
| jsd    | (softplus(-r) + softplus(f)) / 2                    | -softplus(f) / 2           |
| ns     | (softplus(-r) + softplus(f)) / 2                    | softplus(-f)               |
| lsgan  | ((r - 1)^2 + f^2) / 2                               | (f - 1)^2 / 2              |
| w1     | f - r                                               | -f                         |
| hinge  | relu(1 - r) + relu(1 + f)                           | -f                         |

each a mean over images. `jsd` is the saturating minimax game (Goodfellow et al. 2014), `ns` the non-saturating one of
the same paper; `lsgan` is Mao et al. 2017 with a = 0, b = c = 1; `w1` Arjovsky et al. 2017; `hinge` Lim & Ye 2017.
"""

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import softplus

Terms = Callable[[Tensor], Tensor]

# per loss: the critic's term on real outputs, its term on fake outputs, the generator's term on fake outputs
_TERMS: dict[str, tuple[Terms, Terms, Terms]] = {
    "jsd": (lambda r: softplus(-r) / 2, lambda f: softplus(f) / 2, lambda f: -softplus(f) / 2),
    "ns": (lambda r: softplus(-r) / 2, lambda f: softplus(f) / 2, lambda f: softplus(-f)),
    "lsgan": (lambda r: (r - 1).square() / 2, lambda f: f.square() / 2, lambda f: (f - 1).square() / 2),
    "w1": (lambda r: -r, lambda f: f, lambda f: -f),
    "hinge": (lambda r: (1 - r).relu(), lambda f: (1 + f).relu(), lambda f: -f),
}


def critic_loss(name: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return the critic's two terms, on real and on fake outputs; their sum is its loss."""
    on_real, on_fake, _ = _TERMS[name]
    return on_real(real).mean(), on_fake(fake).mean()


def generator_loss(name: str, fake: Tensor) -> Tensor:
    """Return the generator's loss from the critic's outputs on fake images."""
    return _TERMS[name][2](fake).mean()


def jsd_estimate(real: Tensor, fake: Tensor) -> Tensor:
    r"""Return $\frac12 (E \log \sigma(r) + E \log \sigma(-f) + \log 4)$ in nats, at most log 2.

    It bounds the Jensen-Shannon divergence from below if the images were not used to train the critic.
    """
    return 0.5 * (math.log(4) - softplus(-real).mean() - softplus(fake).mean())


def w1_estimate(real: Tensor, fake: Tensor) -> Tensor:
    """Return E r - E f, the Wasserstein-1 distance up to the critic's Lipschitz constant, from below."""
    return real.mean() - fake.mean()

"""Generators and critics: DCGAN, DCGAN with gated residual blocks, ResNet and MLP, each with a width.

| network  | report | images       | generator at its report's width | critic    |
|----------|--------|--------------|---------------------------------|-----------|
| dcgan    | B      | 32x32        | 1,069,379 parameters            | 662,977   |
| residual | E      | 32x32        | 6,895,494                       | 6,079,108 |
| resnet   | G      | 32x32        | 1,204,099                       | 1,053,825 |
| mlp      | I      | any          | 241,084                         | 235,801   |

A generator maps codes `(n, latent)` to images `(n, c, h, w)`, a critic maps images to raw outputs `(n,)`. Layers have
PyTorch's default initialisation. No critic has batch normalisation: penalties need each image's own gradient.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pipeline.runtime.errors import UserError

SIDE = 32  # of the images that the convolutional networks make


class Gated(nn.Module):
    r"""A residual block $(1 - c) x + c F(x)$ with a learned gate $c = \sigma(\alpha)$, closed to 0.047 at first."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.alpha = body, nn.Parameter(torch.tensor(-3.0))

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.body(x), torch.sigmoid(self.alpha))


class Sum(nn.Module):
    """The sum of a main branch and a shortcut."""

    def __init__(self, main: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.main(x) + self.shortcut(x)
        return y


class Double(nn.Module):
    """Nearest-neighbour enlargement by two, whose backward pass adds in a fixed order on every device."""

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x[:, :, :, None, :, None].expand(n, c, h, 2, w, 2).reshape(n, c, 2 * h, 2 * w)


class SumPool(nn.Module):
    """The sum over all positions of a map, `(n, c, h, w)` to `(n, c)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


def _up(channels_in: int, channels_out: int, first: bool = False) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels_in, channels_out, 4, *((1, 0) if first else (2, 1)))


def _down(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 4, 2, 1)


def _normal(channels: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)


def _gated(channels: int, after: Callable[[], nn.Module]) -> nn.Module:
    return Gated(
        nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), after(), nn.Conv2d(channels, channels, 1), after())
    )


def _codes(latent: int) -> nn.Module:
    return nn.Unflatten(1, (latent, 1, 1))


def _dcgan(channels: int, width: int, latent: int) -> tuple[nn.Module, nn.Module]:
    sizes = [latent, 4 * width, 2 * width, width]
    up = [nn.Sequential(_up(a, b, first=n == 0), _normal(b)) for n, (a, b) in enumerate(pairwise(sizes))]
    down = [nn.Sequential(_down(a, b), _leaky()) for a, b in pairwise([channels, width, 2 * width, 4 * width])]
    generator = nn.Sequential(_codes(latent), *up, _up(width, channels), nn.Tanh())
    return generator, nn.Sequential(*down, nn.Conv2d(4 * width, 1, 4), nn.Flatten(0))


def _residual(channels: int, width: int, latent: int) -> tuple[nn.Module, nn.Module]:
    up = [
        nn.Sequential(_up(a, b, first=n == 0), _normal(b), _gated(b, lambda b=b: _normal(b)))  # type: ignore[misc]
        for n, (a, b) in enumerate(pairwise([latent, 4 * width, 2 * width, width]))
    ]
    down = [
        nn.Sequential(_down(a, b), _leaky(), _gated(b, _leaky))
        for a, b in pairwise([channels, width, 2 * width, 4 * width])
    ]
    generator = nn.Sequential(_codes(latent), *up, _up(width, channels), nn.Tanh())
    return generator, nn.Sequential(*down, nn.Conv2d(4 * width, 1, 4), nn.Flatten(0))


def _conv(channels_in: int, channels_out: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=bias)


def _resnet(channels: int, width: int, latent: int) -> tuple[nn.Module, nn.Module]:
    def enlarge(kernel: int) -> nn.Module:
        return nn.Sequential(Double(), _conv(width, width, kernel))

    def shrink(channels_in: int, kernel: int) -> nn.Module:
        return nn.Sequential(nn.AvgPool2d(2), _conv(channels_in, width, kernel))

    def up() -> nn.Module:
        return Sum(
            nn.Sequential(_normal(width), _conv(width, width, bias=False), _normal(width), enlarge(3)), enlarge(1)
        )

    def down(channels_in: int) -> nn.Module:
        main = nn.Sequential(nn.ReLU(), _conv(channels_in, width), nn.ReLU(), shrink(width, 3))
        return Sum(main, shrink(channels_in, 1))

    def plain() -> nn.Module:
        return Sum(nn.Sequential(nn.ReLU(), _conv(width, width), nn.ReLU(), _conv(width, width)), nn.Identity())

    generator = nn.Sequential(
        nn.Linear(latent, 16 * width), nn.Unflatten(1, (width, 4, 4)),
        up(), up(), up(), _normal(width), _conv(width, channels), nn.Tanh(),
    )  # fmt: skip
    critic = nn.Sequential(
        down(channels), down(width), plain(), plain(), nn.ReLU(), SumPool(), nn.Linear(width, 1), nn.Flatten(0)
    )
    return generator, critic


def _mlp(shape: tuple[int, int, int], width: int, latent: int) -> tuple[nn.Module, nn.Module]:
    pixels = shape[0] * shape[1] * shape[2]
    generator = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, pixels), nn.Unflatten(1, shape))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0))
    return generator, critic


def build(
    *, network: str, width: int, latent: int, shape: tuple[int, int, int], spectral: bool
) -> tuple[nn.Module, nn.Module]:
    """Build a generator and a critic.

    Args:
        network: `dcgan`, `residual`, `resnet` or `mlp`.
        width: channels of the widest map but two (dcgan, residual), of every map (resnet), units of the hidden layer
        (mlp).
        latent: dimensions of a code.
        shape: channels, height and width of an image.
        spectral: whether every layer of the critic is divided by its largest singular value, as one power iteration per
            forward pass in training mode estimates it (Miyato et al. 2018; a kernel is taken as an (out, rest) matrix).

    Raises:
        UserError: if a convolutional network is asked for images other than 32x32.
    """
    channels, height, wide = shape
    if network != "mlp" and (height, wide) != (SIDE, SIDE):
        raise UserError(
            f"network {network} makes {SIDE}x{SIDE} images, the data set has {height}x{wide}: network mlp does."
        )
    convolutional = {"dcgan": _dcgan, "residual": _residual, "resnet": _resnet}
    generator, critic = (
        _mlp(shape, width, latent) if network == "mlp" else convolutional[network](channels, width, latent)
    )
    if spectral:
        for layer in critic.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
    return generator, critic

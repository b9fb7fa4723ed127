"""Generators and critics: DCGAN, DCGAN with gated residual blocks, ResNet and MLP, each with a width.

| network  | experiment | width | images  | parameters of the generator | of the critic |
|----------|------------|-------|---------|-----------------------------|---------------|
| dcgan    | B          | 64    | 3x32x32 | 1,069,379                   | 662,977       |
| residual | E          | 128   | 3x32x32 | 6,895,494                   | 6,079,108     |
| resnet   | G          | 128   | 3x32x32 | 1,204,099                   | 1,053,825     |
| mlp      | I          | 300   | 1x28x28 | 241,084                     | 235,801       |

The convolutional ones make square images of 16, 32 or 64 pixels, with one level of the generator and one of the critic
for each doubling; the mlp makes images of any size. A generator maps latents `(n, latent)` to images `(n, c, h, w)`, a
critic maps images to raw outputs `(n,)`. Layers have PyTorch's default initialisation. No critic has batch
normalisation: penalties need each image's own gradient.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pipeline.gan.settings import Network
from pipeline.runtime.errors import UserError

LEVELS = {16: 2, 32: 3, 64: 4}
"""How often the map of 4x4 pixels is doubled, by the side of the image that a convolutional network makes."""

ITERATION = "parametrizations.weight.0"
"""Where torch keeps the power iteration of a layer."""

Networks = tuple[nn.Module, nn.Module]
"""A generator and its critic."""


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


def _latents(latent: int) -> nn.Module:
    return nn.Unflatten(1, (latent, 1, 1))


def _dcgan(levels: int, channels: int, width: int, latent: int) -> Networks:
    widths = [width * 2**level for level in range(levels)]
    up = [
        nn.Sequential(_up(a, b, first=n == 0), _normal(b)) for n, (a, b) in enumerate(pairwise([latent, *widths[::-1]]))
    ]
    down = [nn.Sequential(_down(a, b), _leaky()) for a, b in pairwise([channels, *widths])]
    generator = nn.Sequential(_latents(latent), *up, _up(width, channels), nn.Tanh())
    return generator, nn.Sequential(*down, nn.Conv2d(widths[-1], 1, 4), nn.Flatten(0))


def _residual(levels: int, channels: int, width: int, latent: int) -> Networks:
    widths = [width * 2**level for level in range(levels)]
    up = [
        nn.Sequential(_up(a, b, first=n == 0), _normal(b), _gated(b, lambda b=b: _normal(b)))  # type: ignore[misc]
        for n, (a, b) in enumerate(pairwise([latent, *widths[::-1]]))
    ]
    down = [nn.Sequential(_down(a, b), _leaky(), _gated(b, _leaky)) for a, b in pairwise([channels, *widths])]
    generator = nn.Sequential(_latents(latent), *up, _up(width, channels), nn.Tanh())
    return generator, nn.Sequential(*down, nn.Conv2d(widths[-1], 1, 4), nn.Flatten(0))


def _conv(channels_in: int, channels_out: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=bias)


def _resnet(levels: int, channels: int, width: int, latent: int) -> Networks:
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
        *(up() for _ in range(levels)), _normal(width), _conv(width, channels), nn.Tanh(),
    )  # fmt: skip
    critic = nn.Sequential(
        *(down(width if level else channels) for level in range(levels - 1)), plain(), plain(),
        nn.ReLU(), SumPool(), nn.Linear(width, 1), nn.Flatten(0),
    )  # fmt: skip
    return generator, critic


def _mlp(shape: tuple[int, int, int], width: int, latent: int) -> Networks:
    pixels = shape[0] * shape[1] * shape[2]
    generator = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, pixels), nn.Unflatten(1, shape))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0))
    return generator, critic


class _Float32(nn.Module):
    """A module that computes in float32 also where autocast would not."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        known = torch.amp.is_autocast_available(x.device.type)  # not of `meta`, where operations are counted
        with torch.autocast(x.device.type if known else "cpu", enabled=False):
            y: Tensor = self.module(x)
            return y


def _normalise(critic: nn.Module) -> None:
    """Divide every layer by its largest singular value.

    One power iteration per forward pass in training mode estimates it, for a kernel that of an (out, rest) matrix.

    Reference: Miyato et al., Spectral Normalization for Generative Adversarial Networks, ICLR 2018.
    """
    for layer in list(critic.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            spectral_norm(layer)
            layer.set_submodule(ITERATION, _Float32(layer.get_submodule(ITERATION)))


def build(network: Network, shape: tuple[int, int, int]) -> Networks:
    """Build a generator and a critic.

    Args:
        network: Their architecture. Its width is the number of channels of the largest map (dcgan, residual), of every
            map (resnet) or the number of units of the hidden layer (mlp).
        shape: Channels, height and width of an image.

    Raises:
        UserError: If the network does not make images of this shape.
    """
    convolutional = {"dcgan": _dcgan, "residual": _residual, "resnet": _resnet}
    channels, height, width = shape
    if network.network == "mlp":
        generator, critic = _mlp(shape, network.width, network.latent)
    elif height == width and height in LEVELS and channels in (1, 3):
        make = convolutional[network.network]
        generator, critic = make(LEVELS[height], channels, network.width, network.latent)
    else:
        raise UserError(
            f"network {network.network} makes images of 16x16, 32x32 or 64x64 pixels with 1 or 3 channels, but the data"
            f" set has {height}x{width} with {channels}; network mlp makes images of any size."
        )
    if network.spectral_norm:
        _normalise(critic)
    return generator, critic

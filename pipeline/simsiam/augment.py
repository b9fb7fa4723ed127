"""Random views of whole batches of colour images on their device: crop, rotation, flip, colour jitter, grey scale.

Parameters are drawn per image from the distributions of torchvision's `RandomResizedCrop`, `RandomHorizontalFlip`,
`ColorJitter` (inside `RandomApply`) and `RandomGrayscale`, and the pixels are those of torchvision's functional
operations on float tensors. Nothing here waits for the device.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

RATIO = (3 / 4, 4 / 3)  # bounds of a crop's width / height
TRIES = 10  # crops drawn until one fits into the image, as in torchvision; then the whole image or its middle
GREY = (0.2989, 0.587, 0.114)  # luma of red, green, blue
CPU_CHUNK = 64  # images changed at once on a CPU: they stay in its cache from step to step
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # the steps of a colour jitter, numbered as in torchvision


@dataclass(frozen=True)
class Augmentation:
    """How views are drawn.

    Args:
        crop: smallest and largest share of the image's area that a crop covers; crops are resized to the image's size.
        rotation: largest angle in degrees, to either side; what comes in from outside is the image's reflection.
        flip: probability of a horizontal flip.
        jitter: largest change of brightness, contrast and saturation (factors of 1 - j to 1 + j) and of hue (turns).
        jitter_probability: of the colour jitter as a whole.
        grey: probability of a view without colour.

    Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021.
    """

    crop: tuple[float, float]
    rotation: float
    flip: float
    jitter: tuple[float, float, float, float]
    jitter_probability: float
    grey: float

    def view(self, images: Tensor, random: torch.Generator) -> Tensor:
        """Return one view of each image.

        Args:
            images: `(n, 3, h, w)` in [0, 1].
            random: source of all draws, on the device of the images.
        """
        n, _, height, width = images.shape
        box = draw_crops(n, height, width, self.crop, random)
        flipped = self._happens(self.flip, n, random)
        angle = self._between(-self.rotation, self.rotation, n, random)
        changed = self._happens(self.jitter_probability, n, random)
        *factors, hue = (
            torch.where(changed, self._between(middle - width, middle + width, n, random), middle)
            for width, middle in zip(self.jitter, (1.0, 1.0, 1.0, 0.0), strict=True)
        )
        order = torch.rand((n, 4), generator=random, device=random.device).argsort(1)
        colour = torch.where(self._happens(self.grey, n, random), 0.0, 1.0)
        drawn = (images, box, flipped, angle, torch.stack(factors, 1), hue, order, colour)
        chunk = CPU_CHUNK if images.device.type == "cpu" else n
        return torch.cat([self._apply(*part) for part in zip(*(each.split(chunk) for each in drawn), strict=True)])

    def _apply(
        self, images: Tensor, box: Tensor, flipped: Tensor, angle: Tensor,
        factors: Tensor, hue: Tensor, order: Tensor, colour: Tensor,
    ) -> Tensor:  # fmt: skip
        views = resample(images, box, flipped, angle if self.rotation else None)
        return fade(colour_jitter(views, factors, hue, order), SATURATION, colour)

    @staticmethod
    def _between(low: float, high: float, n: int, random: torch.Generator) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=random, device=random.device)

    @staticmethod
    def _happens(probability: float, n: int, random: torch.Generator) -> Tensor:
        return torch.rand(n, generator=random, device=random.device) < probability


def draw_crops(n: int, height: int, width: int, share: tuple[float, float], random: torch.Generator) -> Tensor:
    """Draw boxes with a uniform share of the area and a log-uniform ratio of width to height, in whole pixels.

    Args:
        n: boxes.
        height, width: of the image.
        share: smallest and largest share of its area.
        random: source of the draws.

    Returns:
        int64 `(n, 4)`: top, left, height, width.
    """
    device = random.device
    uniform = torch.rand((2, n, TRIES), generator=random, device=device, dtype=torch.float64)
    area = height * width * (share[0] + (share[1] - share[0]) * uniform[0])
    low, high = (math.log(bound) for bound in RATIO)
    ratio = torch.exp(low + (high - low) * uniform[1])
    h, w = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()
    fits = (h > 0) & (h <= height) & (w > 0) & (w <= width)
    first = fits.byte().argmax(1, keepdim=True)
    found = fits.any(1)
    # as wide and as high as the image and the bounds of the ratio allow
    h = torch.where(found, h.gather(1, first)[:, 0], min(height, round(width / RATIO[0])))
    w = torch.where(found, w.gather(1, first)[:, 0], min(width, round(height * RATIO[1])))
    place = torch.where(found, torch.rand((2, n), generator=random, device=device, dtype=torch.float64), 0.5)
    rooms = torch.stack([height - h, width - w])
    # every whole number from 0 to the room left is equally likely; without a fitting box it is the middle
    start = torch.where(found, (place * (rooms + 1)).long(), rooms // 2)
    return torch.stack([*start, h, w], 1)


def resample(images: Tensor, box: Tensor, flipped: Tensor, angle: Tensor | None = None) -> Tensor:
    """Crop, resize to the size of the image and flip, with bilinear interpolation; rotate first where angles are given.

    Args:
        images: `(n, c, h, w)`.
        box: top, left, height and width of each crop in pixels, `(n, 4)`.
        flipped: where a view is mirrored, bool `(n,)`.
        angle: counter-clockwise rotation about the middle of the image in degrees, `(n,)`; no rotation if `None`.
    """
    height, width = images.shape[2:]
    top, left, high, wide = box.to(images.dtype)[:, :, None].unbind(1)
    place_y = torch.arange(height, device=images.device) + 0.5
    place_x = torch.arange(width, device=images.device) + 0.5
    place_x = torch.where(flipped[:, None], width - place_x, place_x)
    # a resize repeats the crop's own border: it does not look at the pixels around it
    y = (place_y * high / height).clamp(torch.full_like(high, 0.5), high - 0.5) + top
    x = (place_x * wide / width).clamp(torch.full_like(wide, 0.5), wide - 0.5) + left
    # from pixels to [-1, 1], the outer edges of the image
    y, x = (2 * y / height - 1)[:, :, None], (2 * x / width - 1)[:, None, :]
    if angle is not None:
        turn = torch.deg2rad(angle)[:, None, None]
        cos, sin = torch.cos(turn), torch.sin(turn)
        y, x = cos * y + sin * x * (width / height), cos * x - sin * y * (height / width)
    grid = torch.stack(torch.broadcast_tensors(x, y), -1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def colour_jitter(images: Tensor, factors: Tensor, hue: Tensor, order: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image in its own order.

    Args:
        images: `(n, 3, h, w)` in [0, 1].
        factors: of brightness, contrast and saturation, `(n, 3)`; 1 changes nothing.
        hue: shift in turns, `(n,)`.
        order: a permutation of the four steps per image, `(n, 4)`.
    """
    # hue is by far the most expensive step: it is taken once, between the steps before it and those after it; a step
    # that belongs to the other side has the factor 1
    place = (order == HUE).byte().argmax(1, keepdim=True)
    slot = torch.arange(3, device=images.device)
    early = slot < place
    step = order.gather(1, slot + ~early)
    factor = factors.gather(1, step)
    for now in (early, ~early):
        for column in range(3):
            images = fade(images, step[:, column], torch.where(now[:, column], factor[:, column], 1.0))
        if now is early:
            images = shift_hue(images, hue)
    return images


def fade(images: Tensor, step: Tensor | int, factor: Tensor) -> Tensor:
    """Return factor * image + (1 - factor) * reference, clamped to [0, 1].

    The reference is black for `BRIGHTNESS`, the grey scale for `SATURATION` and the mean of that for `CONTRAST`.

    Args:
        images: `(n, 3, h, w)` in [0, 1].
        step: one of the three for all images, or one per image, `(n,)`.
        factor: not negative, `(n,)`.
    """
    red, green, blue = images.split(1, 1)
    grey = (GREY[0] * red).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])
    rest = 1 - factor
    of_grey, of_mean = ((rest * (step == kind))[:, None, None, None] for kind in (SATURATION, CONTRAST))
    reference = torch.addcmul(of_mean * grey.mean((2, 3), keepdim=True), grey, of_grey)
    return torch.addcmul(reference, images, factor[:, None, None, None]).clamp_(0, 1)


def shift_hue(images: Tensor, shift: Tensor) -> Tensor:
    r"""Turn the hue of each pixel and keep its value $v = \max(r, g, b)$ and its chroma $c = v - \min(r, g, b)$.

    A channel is $v - c \cdot \mathrm{clamp}(2 - 6 |t|, 0, 1)$, where t is the hue's distance in turns from the
    channel's opposite colour, the one in which it is smallest.

    Args:
        images: `(n, 3, h, w)` in [0, 1].
        shift: turns, `(n,)`.
    """
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    chroma = value - least
    divisor = (6 * chroma).clamp_min_(torch.finfo(images.dtype).tiny)  # grey pixels have no hue: 0 / tiny
    # which channel is largest; sums of products, since `torch.where` is ten times slower on a CPU
    reddest = red == value
    greenest = (green == value).logical_and_(~reddest)
    bluest = ~(reddest | greenest)
    hue = ((green - blue) * reddest).addcmul_(blue - red, greenest).addcmul_(red - green, bluest).div_(divisor)
    hue = hue.add_(greenest, alpha=1 / 3).add_(bluest, alpha=2 / 3).add_(shift[:, None, None])
    opposite = torch.arange(3, device=images.device) / 3 + 0.5  # cyan, magenta, yellow
    away = hue[:, None] - opposite[:, None, None]
    away = away.sub_(away.round()).abs_()
    return torch.addcmul(value[:, None], away.mul_(-6).add_(2).clamp_(0, 1), chroma[:, None], value=-1)

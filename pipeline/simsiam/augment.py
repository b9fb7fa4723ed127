"""Random views of whole batches of colour images on their device: crop, rotation, flip, colour jitter, greyscale.

What happens to an image is sampled from the distributions of torchvision's `RandomResizedCrop`, `RandomHorizontalFlip`,
`ColorJitter` (inside `RandomApply`) and `RandomGrayscale`, and the pixels are those of torchvision's functional
operations on float tensors. Nothing here waits for the device.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.simsiam.settings import Augmentation

RATIO = (3 / 4, 4 / 3)  # bounds of a crop's width / height
TRIES = 10  # crops sampled until one fits into the image, as in torchvision; then the whole image or its middle
GREY = (0.2989, 0.587, 0.114)  # luma of red, green, blue
CPU_CHUNK = 64  # images changed at once on a CPU: they stay in its cache from operation to operation
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # the operations of a colour jitter, numbered as in torchvision


def view(images: Tensor, augmentation: Augmentation, random: torch.Generator) -> Tensor:
    """Return one random view of each image.

    What a rotation brings in from outside is the reflection of the image.

    Args:
        images: Images in [0, 1], `(n, 3, h, w)`.
        augmentation: Distribution of the views.
        random: Source of all randomness, on the device of the images.

    Reference: Chen & He, Exploring Simple Siamese Representation Learning, CVPR 2021.
    """
    n, _, height, width = images.shape
    box = sample_crops(n, height, width, augmentation.crop, random)
    flipped = _happens(augmentation.flip, n, random)
    angle = _between(-augmentation.rotation, augmentation.rotation, n, random)
    changed = _happens(augmentation.jitter_probability, n, random)
    *some, hue = (
        torch.where(changed, _between(middle - strength, middle + strength, n, random), middle)
        for strength, middle in zip(augmentation.jitter, (1.0, 1.0, 1.0, 0.0), strict=True)
    )
    factors = torch.stack(some, 1)
    order = torch.rand((n, 4), generator=random, device=random.device).argsort(1)
    colour = torch.where(_happens(augmentation.greyscale, n, random), 0.0, 1.0)
    views, chunk = [], CPU_CHUNK if images.device.type == "cpu" else n
    for start in range(0, n, chunk):
        part = slice(start, start + chunk)
        moved = resample(images[part], box[part], flipped[part], angle[part] if augmentation.rotation else None)
        jittered = colour_jitter(moved, factors[part], hue[part], order[part])
        views.append(fade(jittered, SATURATION, colour[part]))
    return torch.cat(views)


def _between(low: float, high: float, n: int, random: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=random, device=random.device)


def _happens(probability: float, n: int, random: torch.Generator) -> Tensor:
    return torch.rand(n, generator=random, device=random.device) < probability


def sample_crops(n: int, height: int, width: int, share: tuple[float, ...], random: torch.Generator) -> Tensor:
    """Sample boxes with a uniform share of the area and a log-uniform ratio of width to height, in whole pixels.

    Args:
        n: Number of boxes.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        share: Smallest and largest share of the image's area.
        random: Source of the randomness.

    Returns:
        Top, left, height and width of each box, int64 `(n, 4)`.
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
        images: Images, `(n, c, h, w)`.
        box: Top, left, height and width of each crop in pixels, `(n, 4)`.
        flipped: Whether each view is mirrored, bool `(n,)`.
        angle: Counter-clockwise rotation about the middle of each image in degrees, `(n,)`; `None` for no rotation.
    """
    height, width = images.shape[2:]
    top, left, high, wide = box.to(images.dtype)[:, :, None].unbind(1)
    place_y = torch.arange(height, device=images.device) + 0.5
    place_x = torch.arange(width, device=images.device) + 0.5
    place_x = torch.where(flipped[:, None], width - place_x, place_x)
    # a resize repeats the crop's own border: it does not read the pixels around it
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
        images: Images in [0, 1], `(n, 3, h, w)`.
        factors: Factors of brightness, contrast and saturation, `(n, 3)`; 1 changes nothing.
        hue: Shift of the hue in turns, `(n,)`.
        order: A permutation of the four operations for each image, `(n, 4)`.
    """
    # hue is by far the most expensive operation: it is done once, between the operations before it and those after it;
    # an operation that belongs to the other side has the factor 1
    place = (order == HUE).byte().argmax(1, keepdim=True)
    slot = torch.arange(3, device=images.device)
    early = slot < place
    operation = order.gather(1, slot + ~early)
    factor = factors.gather(1, operation)
    for now in (early, ~early):
        for column in range(3):
            images = fade(images, operation[:, column], torch.where(now[:, column], factor[:, column], 1.0))
        if now is early:
            images = shift_hue(images, hue)
    return images


def fade(images: Tensor, operation: Tensor | int, factor: Tensor) -> Tensor:
    """Return factor * image + (1 - factor) * reference, clamped to [0, 1].

    The reference is black for `BRIGHTNESS`, the greyscale image for `SATURATION` and the mean of that for `CONTRAST`.

    Args:
        images: Images in [0, 1], `(n, 3, h, w)`.
        operation: One of the three for all images, or one for each, `(n,)`.
        factor: Factor for each image, not negative, `(n,)`.
    """
    red, green, blue = images.split(1, 1)
    grey = (GREY[0] * red).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])
    rest = 1 - factor
    of_grey, of_mean = ((rest * (operation == kind))[:, None, None, None] for kind in (SATURATION, CONTRAST))
    reference = torch.addcmul(of_mean * grey.mean((2, 3), keepdim=True), grey, of_grey)
    return torch.addcmul(reference, images, factor[:, None, None, None]).clamp_(0, 1)


def shift_hue(images: Tensor, shift: Tensor) -> Tensor:
    r"""Turn the hue of each pixel and keep its value $v = \max(r, g, b)$ and its chroma $c = v - \min(r, g, b)$.

    A channel is $v - c \cdot \mathrm{clamp}(2 - 6 |t|, 0, 1)$, where t is the hue's distance in turns from the
    channel's opposite colour, the one in which it is smallest.

    Args:
        images: Images in [0, 1], `(n, 3, h, w)`.
        shift: Shift of the hue in turns, `(n,)`.
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

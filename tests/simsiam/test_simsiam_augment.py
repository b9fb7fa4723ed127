import itertools
import math

import pytest
import torch
from scipy.stats import ks_2samp
from torchvision import transforms
from torchvision.transforms import functional as TF

from pipeline.simsiam import augment
from pipeline.simsiam.augment import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
    colour_jitter,
    fade,
    resample,
    sample_crops,
    shift_hue,
    view,
)
from pipeline.simsiam.settings import Augmentation

JITTER = (0.4, 0.4, 0.4, 0.1)


def images(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    """Random pixels; the first image has grey pixels and ties of two channels, where hue is delicate."""
    x = torch.rand(count, 3, size, size, generator=random(seed))
    x[0, :, :8] = x[0, :1, :8]
    x[0, 1, 8:16] = x[0, 0, 8:16]
    x[0, 2, 16:24] = x[0, 1, 16:24]
    x[0, :, 24:28] = 0
    return x


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augmentation(**changes) -> Augmentation:
    plain = {
        "crop": (1.0, 1.0),
        "rotation": 0.0,
        "flip": 0.0,
        "jitter": (0.0,) * 4,
        "jitter_probability": 0.0,
        "greyscale": 0.0,
    }
    return Augmentation(**plain | changes)


def test_crops_are_the_pixels_of_torchvision():
    x = images(40)
    box = sample_crops(40, 32, 32, (0.08, 1.0), random(1))
    flipped = torch.rand(40, generator=random(2)) < 0.5
    expected = torch.stack([TF.resized_crop(image, *b.tolist(), [32, 32]) for image, b in zip(x, box, strict=True)])
    expected[flipped] = expected[flipped].flip(-1)
    torch.testing.assert_close(resample(x, box, flipped), expected, rtol=0, atol=2e-6)


def test_rotation_is_torchvisions_where_no_outside_comes_in():
    x = images(12)
    angle = torch.linspace(-180, 180, 12)
    whole = torch.tensor([0, 0, 32, 32]).expand(12, 4)
    turned = resample(x, whole, torch.zeros(12, dtype=torch.bool), angle)
    bilinear = TF.InterpolationMode.BILINEAR
    expected = torch.stack([TF.rotate(image, a.item(), bilinear) for image, a in zip(x, angle, strict=True)])
    place = torch.arange(32) - 15.5
    inside = place[:, None] ** 2 + place**2 < 15**2
    torch.testing.assert_close(turned[..., inside], expected[..., inside], rtol=0, atol=2e-5)


def test_a_quarter_turn_comes_before_the_crop():
    x = images(2)
    box = torch.tensor([[3, 5, 20, 16], [0, 7, 11, 25]])
    quarter = torch.full((2,), 90.0)
    still = torch.zeros(2, dtype=torch.bool)
    torch.testing.assert_close(
        resample(x, box, still, quarter), resample(x.rot90(1, (2, 3)), box, still), rtol=0, atol=2e-5
    )


def test_what_rotation_brings_in_from_outside_is_the_reflection():
    x = images(1)
    mirrored = torch.cat([x.flip(-1), x, x.flip(-1)], -1)
    mirrored = torch.cat([mirrored.flip(-2), mirrored, mirrored.flip(-2)], -2)  # 96x96, the image in its middle
    expected = TF.rotate(mirrored, 30, TF.InterpolationMode.BILINEAR)[..., 32:64, 32:64]
    turned = resample(x, torch.tensor([[0, 0, 32, 32]]), torch.tensor([False]), torch.tensor([30.0]))
    torch.testing.assert_close(turned, expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize(
    ("operation", "adjust"),
    [(BRIGHTNESS, TF.adjust_brightness), (CONTRAST, TF.adjust_contrast), (SATURATION, TF.adjust_saturation)],
)
def test_fading_is_torchvisions_adjustment(operation, adjust):
    x, factor = images(9), torch.linspace(0, 2, 9)
    expected = torch.stack([adjust(image, f.item()) for image, f in zip(x, factor, strict=True)])
    torch.testing.assert_close(fade(x, operation, factor), expected, rtol=0, atol=2e-6)


def test_hue_is_torchvisions():
    x, shift = images(11), torch.linspace(-0.5, 0.5, 11)
    x[:] = x[0]
    expected = torch.stack([TF.adjust_hue(image, s.item()) for image, s in zip(x, shift, strict=True)])
    torch.testing.assert_close(shift_hue(x, shift), expected, rtol=0, atol=5e-6)


def test_grey_images_have_no_hue_to_turn():
    grey = torch.rand(2, 1, 4, 4, generator=random(0)).expand(2, 3, 4, 4)
    assert torch.equal(shift_hue(grey, torch.tensor([0.3, -0.2])), grey)
    dark = torch.full((1, 3, 2, 2), 1e-30)
    assert torch.isfinite(shift_hue(dark, torch.tensor([0.1]))).all()


def test_every_order_of_the_jitter_is_torchvisions_sequence():
    orders = torch.tensor(list(itertools.permutations(range(4))))
    x = images(24)
    factors = 0.5 + torch.rand(24, 3, generator=random(3))
    hue = torch.rand(24, generator=random(4)) - 0.5
    adjust = {
        BRIGHTNESS: lambda image, i: TF.adjust_brightness(image, factors[i, 0].item()),
        CONTRAST: lambda image, i: TF.adjust_contrast(image, factors[i, 1].item()),
        SATURATION: lambda image, i: TF.adjust_saturation(image, factors[i, 2].item()),
        HUE: lambda image, i: TF.adjust_hue(image, hue[i].item()),
    }
    expected = x.clone()
    for i, order in enumerate(orders.tolist()):
        for operation in order:
            expected[i] = adjust[operation](expected[i], i)
    torch.testing.assert_close(colour_jitter(x, factors, hue, orders), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "share"), [(32, 32, (0.08, 1.0)), (32, 32, (0.5, 1.0)), (20, 40, (0.6, 1.0))]
)
def test_crops_are_distributed_as_torchvisions(height, width, share):
    count = 4000
    ours = sample_crops(count, height, width, share, random(5))
    with torch.random.fork_rng():
        torch.manual_seed(6)
        image = torch.empty(3, height, width)
        sample = transforms.RandomResizedCrop.get_params
        theirs = torch.tensor([sample(image, list(share), [3 / 4, 4 / 3]) for _ in range(count)])
    for name, of in {
        "area": lambda box: box[:, 2] * box[:, 3],
        "aspect": lambda box: box[:, 3] / box[:, 2],
        "top": lambda box: box[:, 0],
        "left": lambda box: box[:, 1],
    }.items():
        assert ks_2samp(of(ours).numpy(), of(theirs).numpy()).pvalue > 1e-3, name
    assert (ours[:, :2] >= 0).all() and (ours[:, 0] + ours[:, 2] <= height).all()
    assert (ours[:, 1] + ours[:, 3] <= width).all()


def test_an_image_that_no_box_fits_is_cropped_in_its_middle():
    with torch.random.fork_rng():
        expected = transforms.RandomResizedCrop.get_params(torch.empty(3, 8, 100), [1.0, 1.0], [3 / 4, 4 / 3])
    assert sample_crops(1, 8, 100, (1.0, 1.0), random(0))[0].tolist() == list(expected)


@pytest.mark.parametrize(
    ("position", "low", "high"),
    [(BRIGHTNESS, 0.6, 1.4), (CONTRAST, 0.6, 1.4), (SATURATION, 0.6, 1.4), (HUE, -0.1, 0.1)],
)
def test_strengths_of_the_jitter_are_uniform(position, low, high):
    """One operation at a time on an image whose answer gives its factor away."""
    strength = tuple(JITTER[i] if i == position else 0.0 for i in range(4))
    pixel = torch.tensor([0.5, 0.25, 0.3])[:, None, None].expand(3, 4, 4).clone()
    pixel[:, :2] *= 0.8  # a contrast to change
    views = view(pixel.expand(4000, 3, 4, 4), augmentation(jitter=strength, jitter_probability=1.0), random(7))
    x, y = pixel[:, 0, 0], views[:, :, 0, 0]
    grey = (x * torch.tensor([0.2989, 0.587, 0.114])).sum()
    mean = (pixel * torch.tensor([0.2989, 0.587, 0.114])[:, None, None]).sum(0).mean()
    if position == HUE:  # red stays largest, and green or blue smallest: hue is linear in their difference
        chroma = y.amax(1) - y.amin(1)
        sampled = (y[:, 1] - y[:, 2]) / chroma / 6 - (x[1] - x[2]) / (x.max() - x.min()) / 6
    else:
        reference = {BRIGHTNESS: torch.tensor(0.0), CONTRAST: mean, SATURATION: grey}[position]
        sampled = (y[:, 0] - reference) / (x[0] - reference)
    edges = torch.linspace(low, high, 4001).double()
    assert sampled.min() >= low - 1e-4 and sampled.max() <= high + 1e-4
    assert ks_2samp(sampled.double().numpy(), edges.numpy()).pvalue > 1e-3


def test_views_have_the_moments_of_torchvisions_pipeline():
    """All operations together: means, variances and the share of colourless views of many views of one image."""
    count, x = 500, images(1, size=16, seed=8)[0] * 0.6 + 0.2
    ours = view(x.expand(count, 3, 16, 16), Augmentation((0.08, 1.0), 0.0, 0.5, JITTER, 0.8, 0.2), random(9))
    pipeline = transforms.Compose([
        transforms.RandomResizedCrop(16, (0.08, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomApply([transforms.ColorJitter(*JITTER)], 0.8),
        transforms.RandomGrayscale(0.2),
    ])  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(10)
        theirs = torch.stack([pipeline(x) for _ in range(count)])
    for name, of in {
        "mean": lambda v: v.mean((1, 2, 3)),
        "contrast": lambda v: v.std((1, 2, 3)),
        "red": lambda v: v[:, 0].mean((1, 2)) - v.mean((1, 2, 3)),
        "colour": lambda v: (v.amax(1) - v.amin(1)).mean((1, 2)),
        "left minus right": lambda v: (v[..., :8] - v[..., 8:]).mean((1, 2, 3)),
    }.items():
        assert ks_2samp(of(ours).numpy(), of(theirs).numpy()).pvalue > 1e-3, name


def test_orders_of_the_jitter_are_all_equally_likely():
    """Brightness 2 that clips before or after a contrast of 1/2 leaves different pixels, each in half of the views."""
    x = torch.tensor([0.9, 0.1])[None, None, :, None].expand(2000, 3, 2, 1)
    orders = torch.rand((2000, 4), generator=random(11)).argsort(1)
    assert torch.bincount((orders * torch.tensor([64, 16, 4, 1])).sum(1)).count_nonzero() == math.factorial(4)
    y = colour_jitter(x, torch.tensor([2.0, 0.5, 1.0]).expand(2000, 3), torch.zeros(2000), orders)
    clipped_first = (orders == BRIGHTNESS).byte().argmax(1) < (orders == CONTRAST).byte().argmax(1)
    assert abs(clipped_first.double().mean() - 0.5) < 0.05
    torch.testing.assert_close(
        y[clipped_first][:, 0, 0, 0], torch.tensor(0.8).expand(clipped_first.sum()), rtol=0, atol=1e-4
    )
    assert (y[~clipped_first][:, 0, 0, 0] > 0.9999).all()


def test_probabilities_are_those_asked_for():
    x = torch.rand(3, 8, 8, generator=random(3)).expand(3000, 3, 8, 8)
    grey = view(x, augmentation(greyscale=0.2), random(12))
    assert abs((grey[:, 0] == grey[:, 1]).all(-1).all(-1).double().mean() - 0.2) < 0.03
    flipped = view(x, augmentation(flip=0.5), random(13))
    mirrored = (flipped - x[0].flip(-1)).abs().amax((1, 2, 3)) < 1e-5
    assert abs(mirrored.double().mean() - 0.5) < 0.04
    jittered = view(x, augmentation(jitter=JITTER, jitter_probability=0.8), random(14))
    assert abs(((jittered - x).abs().amax((1, 2, 3)) > 1e-4).double().mean() - 0.8) < 0.03


def test_views_follow_from_the_generator_alone():
    x, strong = images(5), Augmentation((0.2, 1.0), 180.0, 0.5, JITTER, 0.8, 0.2)
    first = view(x, strong, random(0))
    assert torch.equal(first, view(x, strong, random(0)))
    assert not torch.equal(first, view(x, strong, random(1)))
    assert first.min() >= 0 and first.max() <= 1


def test_chunks_on_a_cpu_do_not_show(monkeypatch):
    x, strong = images(70, size=8), Augmentation((0.2, 1.0), 180.0, 0.5, JITTER, 0.8, 0.2)
    chunked = view(x, strong, random(0))
    monkeypatch.setattr(augment, "CPU_CHUNK", 1000)
    torch.testing.assert_close(chunked, view(x, strong, random(0)), rtol=0, atol=1e-6)

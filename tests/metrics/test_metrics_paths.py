"""Paths against rotations, and their measures on images whose features and classes are known."""

import math

import pytest
import torch

from pipeline.metrics import paths


def rotated(point, degrees):
    angle = math.radians(degrees)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return turn @ point


@pytest.mark.parametrize("degrees", [1.0, 60.0, 90.0, 170.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_an_arc_is_a_rotation_at_a_constant_rate(degrees, share):
    start = torch.tensor([0.6, -1.1])
    found = paths.spherical(start[None], 3 * rotated(start, degrees)[None], share)
    expected = (1 + 2 * share) * rotated(start, share * degrees)  # the norm grows from 1 to 3 times that of the start
    torch.testing.assert_close(found[0], expected, rtol=1e-3, atol=1e-3)


def test_halfway_along_a_line_latents_are_shorter_and_on_an_arc_they_are_not():
    random = torch.Generator().manual_seed(0)
    first, second = torch.randn((2, 200, 64), generator=random)
    norm = first.norm(dim=1).mean()
    assert paths.linear(first, second, 0.5).norm(dim=1).mean() / norm == pytest.approx(0.5**0.5, abs=0.02)
    assert paths.spherical(first, second, 0.5).norm(dim=1).mean() / norm == pytest.approx(1, abs=0.02)


def test_a_walk_has_even_steps_from_one_end_to_the_other():
    ends = torch.tensor([[0.0, 0.0], [11.0, 22.0]])
    torch.testing.assert_close(paths.walk(ends)[:, 1], torch.arange(0.0, 23.0, 2))


def classes(z):
    """The feature is the first coordinate; below -1 an image is a 7, above 1 a 9, and 0 is half of each."""
    logits = torch.stack([-3 * z[:, 0], 3 * z[:, 0], torch.zeros(len(z))], 1)
    return z[:, :1], logits


def test_steps_along_lines_of_a_linear_feature_are_even():
    latents = torch.randn((100, 2), generator=torch.Generator().manual_seed(1))
    found = paths.measure(classes, latents, classes(latents)[1].argmax(1), ["7", "9", "3"])
    assert found["linear"]["stride"] == pytest.approx(0.1, abs=1e-6)
    assert found["linear"]["stride_error"] == pytest.approx(0, abs=1e-6)
    assert found["spherical"]["stride"] > 0.11


def test_paths_from_7_to_9_pass_between_them_where_the_generator_does_and_not_where_it_jumps():
    latents = torch.tensor([[-2.0, 0.1], [2.0, 0.3]]).repeat_interleave(30, 0)
    labels = classes(latents)[1].argmax(1)
    through = paths.measure(classes, latents, labels, ["7", "9", "3"])["linear"]
    assert (through["pairs"], through["between"]) == (30, 30)

    def jumps(z):
        features, logits = classes(torch.where(z < 0, -2.0, 2.0))
        return features, logits

    jumped = paths.measure(jumps, latents, labels, ["7", "9", "3"])["linear"]
    assert (jumped["pairs"], jumped["between"]) == (30, 0) and jumped["stride"] == pytest.approx(1)

    def another(z):
        features, logits = classes(z)
        return features, logits + 9 * (z[:, :1].abs() < 1) * torch.tensor([0.0, 0.0, 1.0])  # between them lies a 3

    assert paths.measure(another, latents, labels, ["7", "9", "3"])["linear"]["between"] == 0


def test_the_entropy_rises_where_classes_meet_and_errors_are_those_of_a_mean():
    latents = torch.randn((401, 2), generator=torch.Generator().manual_seed(2))
    found = paths.measure(classes, latents, torch.zeros(401), ["a", "b", "c"])["linear"]
    assert set(found) == {"stride", "stride_error", "rise", "rise_error"}  # no 7 and 9, no pairs
    likely = [classes(paths.linear(latents[:200], latents[200:400], share))[1].softmax(1) for share in (0, 0.5, 1)]
    start, middle, end = (torch.distributions.Categorical(each).entropy().double() for each in likely)
    rises = middle - (start + end) / 2
    assert found["rise"] == pytest.approx(rises.mean().item(), abs=1e-6)
    assert found["rise_error"] == pytest.approx(rises.std().item() / 200**0.5, rel=1e-4)


def test_a_single_path_has_no_error_and_images_that_are_all_the_same_no_steps():
    def same(z):
        return torch.zeros((len(z), 1)), torch.zeros((len(z), 3))

    found = paths.measure(same, torch.randn(3, 2), torch.zeros(3), ["7", "9", "3"])["spherical"]
    assert found["stride"] == found["stride_error"] == found["pairs"] == 0

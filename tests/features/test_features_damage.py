import torch

from pipeline.features.damage import damaged
from pipeline.runtime.seeding import generator


def test_each_kind_of_damage_is_what_it_is_called():
    images = torch.randint(256, (40, 3, 8, 8), generator=generator("damage"), dtype=torch.uint8)
    labels = torch.arange(40) % 4
    found = damaged(images, labels, generator("noise"))
    assert set(found) == {"blurred", "tenth_noise", "class_missing"}
    around = images[5, 1, 2:5, 3:6].double().mean()  # of the pixel in row 3 and column 4
    assert abs(found["blurred"][5, 1, 3, 4].double() - around) <= 0.5
    corner = images[5, 1, :2, :2].double().mean()  # a corner has four neighbours, itself included
    assert abs(found["blurred"][5, 1, 0, 0].double() - corner) <= 0.5
    changed = [number for number in range(40) if not torch.equal(found["tenth_noise"][number], images[number])]
    assert changed == [0, 10, 20, 30]
    assert torch.equal(found["class_missing"], images[labels != 0])


def test_a_class_can_only_be_missing_where_there_are_others():
    images = torch.zeros((10, 1, 8, 8), dtype=torch.uint8)
    assert "class_missing" not in damaged(images, None, generator("noise"))
    assert "class_missing" not in damaged(images, torch.zeros(10, dtype=torch.int64), generator("noise"))
    assert "class_missing" not in damaged(images, torch.ones(10, dtype=torch.int64), generator("noise"))

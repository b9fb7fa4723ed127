import pytest
import torch

from pipeline.data.store import DataSet
from pipeline.features import pixels
from pipeline.features.pixels import quantised


def test_the_bytes_of_a_data_set_come_back_exactly():
    bytes_ = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(quantised(DataSet({"levels": 256}, {}, {}).signed(bytes_)), bytes_)
    binary = DataSet({"levels": 2}, {}, {}).signed(torch.tensor([[0, 1]], dtype=torch.uint8))
    assert quantised(binary).tolist() == [[0, 255]]


def test_a_split_is_the_same_in_chunks(monkeypatch):
    images = torch.randint(256, (9, 1, 2, 2), dtype=torch.uint8)
    monkeypatch.setattr(pixels, "CHUNK", 4)
    assert torch.equal(pixels.of(DataSet({"levels": 256}, {"train": images}, {}), "train"), images)


def test_values_between_bytes_are_rounded_and_those_outside_are_clipped():
    step = 2 / 255
    values = torch.tensor([-1 + 0.49 * step, -1 + 0.51 * step, 1 - 0.49 * step, 1 - 0.51 * step, -1.5, 1.5])
    assert quantised(values).tolist() == [0, 1, 255, 254, 0, 255]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_images_of_a_diverged_generator_are_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        quantised(torch.tensor([0.0, value]))

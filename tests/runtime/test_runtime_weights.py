"""Files of weights, and files that are written as a whole or not at all."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.runtime import files, weights
from pipeline.runtime.errors import NO_PLACE

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")


def test_a_network_comes_back_with_its_buffers(tmp_path):
    network = nn.Sequential(nn.Conv2d(1, 2, 3).to(memory_format=torch.channels_last), nn.BatchNorm2d(2))
    network(torch.randn(4, 1, 5, 5))
    weights.save(tmp_path, weights.name(3), weights.of(network))
    found = weights.load(tmp_path, "seed_3")
    assert found.keys() == network.state_dict().keys() and "1.running_var" in found
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


def test_names_are_those_of_seeds_parts_and_snapshots(tmp_path):
    names = [weights.name(0), weights.name(12), weights.name(0, "critic"), weights.snapshot("seed_0", "step", 20000)]
    assert names == ["seed_0", "seed_12", "seed_0-critic", "seed_0-step_20000"]
    for name in names:
        weights.save(tmp_path, name, {"x": torch.zeros(1)})
    assert weights.seeds(tmp_path) == [0, 12]


def test_the_bytes_are_those_that_safetensors_writes(tmp_path):
    values = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(2, dtype=torch.int64)}
    weights.save(tmp_path, "seed_0", values)
    save_file(values, tmp_path / "other")
    assert (tmp_path / "seed_0.safetensors").read_bytes() == (tmp_path / "other").read_bytes()


@FULL
def test_a_full_disk_is_the_users_to_repair_and_leaves_the_old_file(tmp_path):
    weights.save(tmp_path, "seed_0", {"x": torch.zeros(1)})
    (tmp_path / "seed_0.safetensors.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as error:
        weights.save(tmp_path, "seed_0", {"x": torch.ones(10**6)})
    assert error.value.errno in NO_PLACE
    assert weights.load(tmp_path, "seed_0")["x"].item() == 0


def test_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch):
    file = tmp_path / "file"
    files.write(file, b"old")

    def cut(_):
        raise OSError(errno.EIO, "power cut")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="power cut"):
        patch.setattr(files.os, "fsync", cut)
        files.write(file, b"new")
    assert file.read_bytes() == b"old"
    files.write(file, b"new")
    assert file.read_bytes() == b"new" and [each.name for each in tmp_path.iterdir()] == ["file"]

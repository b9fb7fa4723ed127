from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.runtime import parent
from pipeline.runtime.checkpoint import Checkpoint

CPU = torch.device("cpu")


def trained(steps: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    for step in range(steps):
        optimiser.zero_grad()
        model(torch.full((1, 3), float(step))).sum().backward()
        optimiser.step()
    return model, optimiser


def test_nested_state_comes_back_bit_for_bit_and_continues_alike(tmp_path):
    model, optimiser = trained(3)
    tied = model.weight
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "tied": tied,
        "curve": [{"loss": 0.1}],
        7: None,
    }
    checkpoint = Checkpoint(tmp_path / "deep", "seed_0", CPU)
    assert checkpoint.load() is None
    checkpoint.save(state, now=True)

    loaded = checkpoint.load()
    assert loaded["curve"] == [{"loss": 0.1}] and loaded[7] is None
    other, again = trained(0)
    other.load_state_dict(loaded["model"])
    again.load_state_dict(loaded["optimiser"])
    for network, steps in ((model, optimiser), (other, again)):
        steps.zero_grad()
        network(torch.ones(1, 3)).sum().backward()
        steps.step()
    assert torch.equal(other.weight, model.weight) and torch.equal(other.bias, model.bias)
    assert torch.equal(loaded["tied"], state["tied"]) is False  # the checkpoint kept a copy, not a view


def test_checkpoints_are_written_when_due_and_replace_each_other_atomically(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "3600")
    checkpoint = Checkpoint(tmp_path, "seed_0", CPU)
    checkpoint.save({"epoch": 1})
    assert checkpoint.load() is None
    checkpoint.save({"epoch": 2}, now=True)
    checkpoint.save({"epoch": 3}, now=True)
    assert checkpoint.load() == {"epoch": 3}
    assert [file.suffix for file in tmp_path.iterdir()] == [".pt"]


@pytest.mark.parametrize(
    "cut",
    [
        lambda whole: b"",
        lambda whole: b"x" * len(whole),
        lambda whole: bytes(len(whole)),
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
    ],
    ids=["empty", "garbage", "zeros", "half", "one byte short"],
)
def test_a_damaged_checkpoint_is_discarded_with_a_sentence(tmp_path, capsys, cut):
    checkpoint = Checkpoint(tmp_path, "seed_0", CPU)
    checkpoint.save({"weights": torch.arange(1000)}, now=True)
    checkpoint.path.write_bytes(cut(checkpoint.path.read_bytes()))
    assert checkpoint.load() is None
    sentence = f"{checkpoint.path} is damaged; it is removed, and the work starts afresh.\n"
    assert capsys.readouterr().err == sentence
    assert not checkpoint.path.exists() and checkpoint.load() is None and capsys.readouterr().err == ""


def test_a_checkpoint_that_does_not_fit_into_memory_is_no_damage(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path, "seed_0", CPU)
    checkpoint.save({"epoch": 1}, now=True)

    def full(*_, **__):
        raise torch.OutOfMemoryError("the GPU is full")

    with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
        patch.setattr(torch, "load", full)
        checkpoint.load()
    assert checkpoint.load() == {"epoch": 1}


def test_another_model_of_gpu_does_not_resume(tmp_path, monkeypatch):
    cuda = torch.device("cuda", 0)
    for name in ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _, name=name: name)
        Checkpoint(tmp_path, "seed_0", cuda).save({"epoch": 1}, now=True)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert len(names) == 2 and "NVIDIA_A100_SXM4_40GB" in names[0] and "NVIDIA_H100_80GB_HBM3" in names[1]
    assert Checkpoint(tmp_path, "seed_0", CPU).load() is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_that_the_user_is_told_and_keeps_the_last_state(tmp_path):
    checkpoint = Checkpoint(tmp_path, "seed_0", CPU)
    checkpoint.save({"epoch": 1}, now=True)
    checkpoint.path.with_name(f"{checkpoint.path.name}.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save({"epoch": 2, "weights": torch.zeros(10**6)}, now=True)
    assert checkpoint.load() == {"epoch": 1}


def test_another_thread_count_does_not_resume(tmp_path):
    Checkpoint(tmp_path, "seed_0", CPU).save({"epoch": 1}, now=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert Checkpoint(tmp_path, "seed_0", CPU).load() is None
    finally:
        torch.set_num_threads(threads)


def test_an_orphan_stores_its_state_and_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(parent, "lost", lambda: True)
    checkpoint = Checkpoint(tmp_path, "seed_0", CPU)
    try:
        checkpoint.save({"epoch": 5})
    except SystemExit as stop:
        assert "dvc repro" in str(stop)
    else:
        raise AssertionError("the orphan continued")
    assert checkpoint.load() == {"epoch": 5}

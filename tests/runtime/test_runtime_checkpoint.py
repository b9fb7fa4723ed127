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
    assert [file.suffix for file in tmp_path.iterdir()] == [".safetensors"]


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
        raise AssertionError("the orphan went on")
    assert checkpoint.load() == {"epoch": 5}

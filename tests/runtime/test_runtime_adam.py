"""Our Adam against torch's class, and its start without the compiler."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from pipeline.runtime.adam import Adam
from pipeline.runtime.sources import ROOT


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)).to(
        memory_format=torch.channels_last
    )
    net.register_parameter("idle", nn.Parameter(torch.ones(3)))  # gets no gradient
    return net


def train(net, optimiser, steps):
    for step in steps:
        optimiser.zero_grad()
        net(torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(step))).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize("hyperparameters", [{}, {"betas": (0.0, 0.9), "weight_decay": 0.1}])
def test_it_takes_the_same_steps_as_torch_to_the_last_bit(hyperparameters):
    ours, theirs = network(), network()
    train(ours, Adam(ours.parameters(), lr=0.01, **hyperparameters), range(7))
    train(theirs, torch.optim.Adam(theirs.parameters(), lr=0.01, fused=True, **hyperparameters), range(7))
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_another_learning_rate_holds_from_the_next_step():
    net = network()
    optimiser = Adam(net.parameters(), lr=0.01)
    train(net, optimiser, range(3))
    before = copy.deepcopy(net.state_dict())
    optimiser.lr = 0.0
    train(net, optimiser, range(3, 5))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_it_goes_on_from_its_state_as_if_nothing_had_happened():
    whole, parts = network(), network()
    train(whole, Adam(whole.parameters(), lr=0.01), range(6))
    first = Adam(parts.parameters(), lr=0.01)
    train(parts, first, range(3))
    kept = {name: [value.contiguous().clone() for value in values] for name, values in first.state_dict().items()}
    again = Adam(parts.parameters(), lr=0.01)
    again.load_state_dict(kept)
    train(parts, again, range(3, 6))
    for one, other in zip(parts.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_training_does_not_import_the_compiler():
    code = """
import sys, torch
from pipeline.runtime.adam import Adam
weight = torch.nn.Parameter(torch.ones(2))
optimiser = Adam([weight], lr=0.1)
optimiser.zero_grad()
weight.sum().backward()
torch.nn.utils.clip_grad_norm_([weight], 1.0)
optimiser.step()
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0

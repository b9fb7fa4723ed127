"""What is perturbed, and what is said of verdicts that turn over."""

import torch

from pipeline.report import reported
from pipeline.report.claims import Claim
from tools import perturb

TEXT = reported.read().claims["C01"]


def claim(*seeds: float) -> Claim:
    return Claim("C01", TEXT, "", "", [((margin,),) for margin in seeds])


def test_floating_numbers_move_by_a_ten_millionth_and_nothing_else_does():
    tree = {"w": torch.full((1000,), 3.0), "steps": torch.arange(3), "lr": 0.1, "more": [torch.ones(1000).double()]}
    moved = perturb.nudged(tree, torch.Generator().manual_seed(0))
    for before, after in ((tree["w"], moved["w"]), (tree["more"][0], moved["more"][0])):
        relative = (after.double() / before.double() - 1).abs()
        assert 2e-8 < relative.mean() < 2e-7 and relative.max() < 1e-6 and after.dtype == before.dtype
    assert torch.equal(moved["steps"], tree["steps"]) and moved["lr"] == 0.1
    assert torch.equal(tree["w"], torch.full((1000,), 3.0))


def test_a_verdict_of_one_seed_may_turn_and_a_confirmation_may_not(capsys):
    assert perturb.show({"C01": claim(0.1)}, [{"C01": claim(-0.1)}]) == 0
    assert "C01 turned: holds (1 seed) / does not hold (1 seed)" in capsys.readouterr().out
    sure, refuted = claim(1.0, 1.1, 0.9), claim(-1.0, -1.1, -0.9)
    assert perturb.show({"C01": sure}, [{"C01": refuted}]) == 1
    assert "WITHOUT SAYING" in capsys.readouterr().out
    assert perturb.show({"C01": sure}, [{"C01": claim(1.0, 1.2, 0.9)}]) == 0
    assert "C01 stays: confirmed" in capsys.readouterr().out
    assert perturb.show({"C01": sure}, [{"C01": sure}]) == 0 and not capsys.readouterr().out

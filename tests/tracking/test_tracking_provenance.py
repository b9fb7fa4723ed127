"""The machine's own file: what the stages took that ran here, with the plan as it is, and what the machine is."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.runtime.plan import Plan
from pipeline.tracking import hardware, provenance, usage
from pipeline.tracking.usage import Usage

ROOT = Path(__file__).parents[2]


def test_usage_is_that_of_the_last_run_of_the_same_plan(checkout, train, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(checkout.root))
    (checkout.root / ".scratch").mkdir(exist_ok=True)
    other = Plan("train_vae", "other", settings={"beta": 1.0})
    checkout.plan(train)
    checkout.plan(other)
    assert usage.read([train, other], checkout.root) == {}
    for value in (10.0, 12.34):
        usage.note(train, Usage(value, 2 * value, 300.0, "Abacus 7"), checkout.root)
    usage.note(other, Usage(5.0), checkout.root)
    checkout.plan(Plan("train_vae", "other", settings={"beta": 2.0}))
    assert usage.read([train, other], checkout.root) == {"train_vae@bernoulli": Usage(12.3, 24.7, 300.0, "Abacus 7")}

    path = provenance.write(checkout.root)
    text = path.read_text()
    assert path == checkout.root / "reports/provenance.md"
    assert (
        "| train_vae@bernoulli | 12.3 | 24.7 | 300 | Abacus 7 |" in text and "| train_vae@other |  |  |  |  |" in text
    )
    assert "| **all** | 12.3 | 24.7 | 300 | Abacus 7 |" in text and "| **all of train_vae** | 12.3 |" in text
    assert hardware.processor() in text and "| git revision | not a git checkout |" in text


def test_the_sum_of_two_stages_names_each_device_once():
    total = Usage(1.0, 2.0, 5.0, "Abacus 7") + Usage(3.0, 4.0, 3.0, "NVIDIA A100") + Usage(device="Abacus 7")
    assert total == Usage(4.0, 6.0, 5.0, "Abacus 7; NVIDIA A100")


def test_a_process_that_has_used_a_gpu_names_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA A100")
    assert hardware.used() == "NVIDIA A100"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert hardware.used() == hardware.processor()


INTERRUPTED = """
import sys, time
from pathlib import Path
from pipeline.runtime.plan import Plan
from pipeline.tracking import usage

with usage.measured(Plan("train_vae", "bernoulli"), Path(sys.argv[1])):
    block = bytearray(100 * 2**20)
    while time.process_time() < 0.5:
        pass
    raise KeyboardInterrupt
"""


def test_what_an_interrupted_process_took_counts_in_the_next(checkout, train, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(checkout.root))
    (checkout.root / ".scratch").mkdir(exist_ok=True)
    checkout.plan(train)
    subprocess.run([sys.executable, "-c", INTERRUPTED, checkout.root], cwd=ROOT, capture_output=True, check=False)
    first = Usage(**json.loads((checkout.root / "usage.json").read_text()))
    assert first.cpu_seconds >= 0.5 and first.seconds > 0 and first.memory > 100
    with usage.measured(train, checkout.root, checkout.root):
        pass
    (both,) = usage.read([train], checkout.root).values()
    assert both.device == first.device == hardware.processor()
    assert both.cpu_seconds > first.cpu_seconds and both.seconds >= round(first.seconds, 1)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"seconds": "a"}', '{"hours": 1}'])
def test_a_damaged_note_counts_as_none(checkout, train, monkeypatch, content):
    monkeypatch.setenv("DVC_ROOT", str(checkout.root))
    (checkout.root / ".scratch").mkdir(exist_ok=True)
    checkout.plan(train)
    (checkout.root / "usage.json").write_text(content)
    (checkout.root / ".scratch/usage.jsonl").write_text(content + "\n")
    with usage.measured(train, checkout.root, checkout.root):
        pass
    assert usage.read([train], checkout.root)[train.address].seconds < 60


def test_the_git_revision_says_if_files_were_changed(checkout, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(checkout.root))
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    (checkout.root / "file").write_text("1")
    for command in (("init", "-q"), ("add", "file"), (*author, "commit", "-qm", "first")):
        subprocess.run(["git", "-C", checkout.root, *command], check=True)
    assert re.search(r"\| git revision \| [0-9a-f]{40} \|", provenance.write(checkout.root).read_text())
    (checkout.root / "file").write_text("2")
    assert re.search(r"\| git revision \| [0-9a-f]{40} with changes \|", provenance.write(checkout.root).read_text())

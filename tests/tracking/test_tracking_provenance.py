"""The machine's own file: seconds of the stages that ran here, with the plan as it is, and what the machine is."""

import re
import subprocess

from pipeline.runtime.plan import Plan
from pipeline.tracking import provenance, seconds


def test_seconds_are_those_of_the_last_run_of_the_same_plan(checkout, train, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(checkout.root))
    (checkout.root / ".scratch").mkdir(exist_ok=True)
    other = Plan("train_vae", "other", settings={"beta": 1.0})
    checkout.plan(train)
    checkout.plan(other)
    assert seconds.read([train, other], checkout.root) == {}
    for value in (10.0, 12.34):
        seconds.note(train, value, checkout.root)
    seconds.note(other, 5.0, checkout.root)
    checkout.plan(Plan("train_vae", "other", settings={"beta": 2.0}))
    assert seconds.read([train, other], checkout.root) == {"train_vae@bernoulli": 12.3}

    path = provenance.write(checkout.root)
    text = path.read_text()
    assert path == checkout.root / "reports/provenance.md"
    assert "| train_vae@bernoulli | 12.3 |" in text and "| train_vae@other |  |" in text
    assert "12 in all" in text
    assert provenance.processor() in text and "| git revision | not a git checkout |" in text


def test_the_git_revision_says_if_files_were_changed(checkout, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(checkout.root))
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    (checkout.root / "file").write_text("1")
    for command in (("init", "-q"), ("add", "file"), (*author, "commit", "-qm", "first")):
        subprocess.run(["git", "-C", checkout.root, *command], check=True)
    assert re.search(r"\| git revision \| [0-9a-f]{40} \|", provenance.write(checkout.root).read_text())
    (checkout.root / "file").write_text("2")
    assert re.search(r"\| git revision \| [0-9a-f]{40} with changes \|", provenance.write(checkout.root).read_text())

import os
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest
from checkout import ROOT

from pipeline.doctor import machine


def test_an_old_python_is_told_what_is_needed():
    assert machine.python().good and sys.executable in machine.python().text
    old = machine.python((3, 10, 4))
    assert not old.good and old.text.startswith("3.10.4") and "3.11 or newer" in old.text


def test_packages_are_compared_with_their_pins_where_their_markers_hold(tmp_path):
    pins = tmp_path / "requirements.txt"
    right = f"numpy=={version('numpy')}\n    # via scipy\nno-such-thing==1.0 ; sys_platform == 'never'\n"
    pins.write_text(right)
    assert machine.packages(pins).good and machine.packages(pins).text.startswith("1, as")
    pins.write_text(right + "scipy==0.0.1\nno-such-thing==1.0\n")
    found = machine.packages(pins)
    assert not found.good and "pip install -r" in found.text
    assert f"scipy is {version('scipy')}, not 0.0.1, no-such-thing is missing" in found.text


def test_all_that_is_pinned_is_installed_here():
    assert machine.packages(ROOT / "requirements.txt").good


def shell(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Start Python from a shell whose PATH this is."""
    added = (Path(sysconfig.get_path("purelib")) / "environment.pth").exists()
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, [machine.BIN, *folders] if added else folders)))


def test_the_shell_must_find_the_commands_of_this_environment(tmp_path, monkeypatch):
    shell(monkeypatch, machine.BIN, tmp_path)
    assert machine.path().good
    shell(monkeypatch, tmp_path)
    assert not machine.path().good and "finds no dvc" in machine.path().text
    (tmp_path / "dvc").write_text("#!/bin/sh\n")
    (tmp_path / "dvc").chmod(0o755)
    shell(monkeypatch, tmp_path, machine.BIN)
    assert not machine.path().good
    assert f"{tmp_path}/dvc, of another environment: `source {machine.BIN}/activate`" in machine.path().text


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """An empty folder in which git knows no repository and no author."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)

    def git(*arguments: str, check: bool = True) -> None:
        subprocess.run(["git", *arguments], check=check, capture_output=True)

    return git


def test_git_needs_a_repository_and_an_author_and_no_conflict(nobody):
    assert not machine.git().good and "not a git repository" in machine.git().text
    nobody("init", "-q", "-b", "main")
    assert not machine.git().good and "user.name" in machine.git().text
    nobody("config", "user.name", "test")
    assert not machine.git().good
    nobody("config", "user.email", "test@example.org")
    assert machine.git().good and machine.git().text == "branch main, 0 changed files"
    lock = Path("dvc.lock")
    for branch, text in (("main", "a"), ("other", "b"), ("main", "c")):
        nobody("checkout", "-q", *(["-b"] if branch == "other" else []), branch, check=branch == "other")
        lock.write_text(text)
        nobody("add", "-A")
        nobody("commit", "-qm", text)
    Path("new").write_text("")
    assert machine.git().text == "branch main, 1 changed file"
    nobody("merge", "other", check=False)
    assert not machine.git().good and "dvc.lock in conflict: `git checkout --ours`" in machine.git().text


def test_a_disk_needs_space(tmp_path):
    assert machine.disk([tmp_path, tmp_path / "absent"], needed=1).good
    full = machine.disk([tmp_path], needed=1 << 70)
    assert not full.good and str(tmp_path) in full.text and '"Free the disk" in docs/tour.md' in full.text
    assert "## Free the disk\n" in (ROOT / "docs/tour.md").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the superuser")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o555)
    found = machine.disk([tmp_path], needed=1)
    tmp_path.chmod(0o755)
    assert not found.good and f"{tmp_path} cannot be written" in found.text


@pytest.mark.slow
def test_without_any_package_the_doctor_says_so_and_goes_on_as_far_as_it_can():
    bare = [sys.executable, "-S", "-m", "pipeline.doctor"]  # no site-packages
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and not done.stderr
    assert [line.split()[:2] for line in lines if line.startswith("!")][-1] == ["!", "project"]
    assert any(line.startswith("!  packages ") and "has none of requirements.txt" in line for line in lines)

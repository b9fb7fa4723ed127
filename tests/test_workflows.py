"""What a workflow would write, from its own commands and the report of the real-data runs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LIMIT = 65_536  # characters of a comment on GitHub


@pytest.fixture
def comment(tmp_path):
    """Run the step of gpu.yml that comments, with stand-ins for DVC and CML, and return the file it wrote."""
    steps = yaml.safe_load((ROOT / ".github/workflows/gpu.yml").read_text())["jobs"]["repro"]["steps"]
    (script,) = (step["run"] for step in steps if step.get("name") == "say what changed")
    for name, answer in {".venv/bin/dvc": 'echo "| $4 |"', "bin/cml": 'test -s "$4"'}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / name).chmod(0o755)
    shutil.copytree(ROOT / "reports/overnight", tmp_path / "reports")
    variables = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "BASE": "abc", "PAGE": "https://example.org/page"}
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=variables, check=True)
    return tmp_path / "reports/comment.md"


def test_the_comment_on_a_pull_request_is_short_enough_and_shows_what_is_there(comment):
    text = comment.read_text()
    assert 10_000 < len(text) < LIMIT
    headings = re.findall("(?m)^## (.*)", text)
    assert headings == ["Headline numbers against the base", "Scope", "Claims"]
    images, links = (re.findall(rf"{mark}\[[^]]*\]\(([^)]*)\)", text) for mark in ("!", "(?<!!)"))
    assert len(images) == 4 and all((comment.parent / image).is_file() for image in images)
    assert links == ["https://example.org/page"]
    assert "| abc |" in text and "| C87 |" in text

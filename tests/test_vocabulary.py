"""One word for one thing: words that the project has given up, and class names that stand for two things."""

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = (
    "pipeline", "stages", "tests", "tools", "benchmarks", "docs", "README.md", "CONTRIBUTING.md", "params.yaml",
    "dvc.yaml",
)  # fmt: skip

INSTEAD = {
    r"knobs?": "hyperparameter",
    r"judge[ds]?": "evaluator, evaluate, evaluation split, or the rule of a claim",
    r"mend(?:ed|s)?": "repair, fix, rerun",
    r"carry\s+out": "do, take, compute, run",
}
"""Patterns of whole words, parts between underscores included, and what to say instead."""

KEPT = {}
"""Where such a word stays, and why."""


def tracked() -> list[Path]:
    """Return the text files under `PLACES` that git tracks, but for this one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *PLACES], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    files = [ROOT / name for name in filter(None, listed.split("\0"))]
    return [file for file in files if file.is_file() and file != Path(__file__) and b"\0" not in file.read_bytes()]


@pytest.mark.parametrize("word", INSTEAD)
def test_no_file_says_a_word_that_was_given_up(word):
    pattern, found = re.compile(rf"(?<![a-z])(?:{word})(?![a-z])", re.IGNORECASE), []
    for file in tracked():
        text = file.read_text()
        for kept in KEPT:
            text = text.replace(kept, "")
        for match in pattern.finditer(text):
            found.append(f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}")
    assert not found, "\n".join([f"say {INSTEAD[word]}:", *found])


def test_what_is_kept_is_still_there():
    text = "".join(file.read_text() for file in tracked())
    assert [kept for kept in KEPT if kept not in text] == []


def test_no_class_name_stands_for_two_things():
    """`settings.py` may repeat a name: `Network` is the settings of the family's network in each of them."""
    places = defaultdict(set)
    for file in sorted((ROOT / "pipeline").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                name = "settings.py of the families" if file.name == "settings.py" else f"{file.relative_to(ROOT)}"
                places[node.name].add(name)
    assert {name: sorted(files) for name, files in places.items() if len(files) > 1} == {}

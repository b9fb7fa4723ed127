"""What a stage is made of: modules by their checksums, packages that compute by their versions."""

import os
from importlib.metadata import version

import pytest
import yaml

from pipeline.runtime import sources
from pipeline.runtime.errors import UserError

MODULES = {
    "stages/s.py": "from pipeline.a import f\nfrom pipeline.runtime import context\nimport numpy.typing\n",
    "pipeline/a.py": "def f():\n    from sklearn.datasets import load_digits\n    import json, yaml\n",
    "pipeline/runtime/context.py": "import torch\n",  # exempt: what only it imports computes nothing
    "pipeline/b.py": "import scipy\n",  # which the stage does not import
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of one stage, with packages of known versions."""
    versions = {"numpy": "2.4.6", "scikit-learn": "1.9.1", "torch": "2.15.0+cu132"}
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(sources, "version", versions.__getitem__)
    monkeypatch.chdir(tmp_path)
    return tmp_path, versions


def test_modules_and_packages_are_those_that_are_imported(repository):
    listing = sources.listing("stages/s.py")
    assert listing["modules"].keys() == {"pipeline/a.py", "stages/s.py"}
    assert listing["packages"] == {"numpy": "2.4.6", "scikit-learn": "1.9.1"}


CODE = """\
X: int = None


class A:
    y = 1

    def f(self):
        return f'{X}' 'a'
"""
WORDING = '''\
"""Module."""
X: int = None
"""Field."""

class A:
    """A."""
    y = 1  # why
    def f(self):
        """F."""
        return (f"{X}"
                "a")
'''


def checksum(text: str) -> str:
    (sources.ROOT / "pipeline/a.py").write_text(text)
    return sources.listing("stages/s.py")["modules"]["pipeline/a.py"]


def test_comments_docstrings_and_line_breaks_are_no_part_of_a_checksum(repository):
    assert checksum(WORDING) == checksum(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1", "2"),
        ("1", "1.0"),
        ("1", "True"),
        ("'a'", "'b'"),
        ("y", "z"),
        ("int", "str"),
        ("X}", "A}"),
        ("return", "yield"),
        ("None", "()"),
        ("None", "''"),
        ("    y = 1\n", ""),
        ("class A:", "class A(int):"),
    ],
)
def test_whatever_python_runs_is_part_of_a_checksum(repository, old, new):
    assert old in CODE and checksum(CODE.replace(old, new, 1)) != checksum(CODE)


def test_a_checksum_is_the_same_in_every_version_of_python(repository):
    assert (
        checksum("def f(x: int = 1) -> str:\n    return f'{x!r:>3}' if x else 'a'\n")
        == "618e6f61edac58bb98242098f402ffb9"
    )


def test_a_build_for_another_device_is_the_same_version(repository):
    folder, _ = repository
    (folder / "stages/s.py").write_text("import torch\n")
    assert sources.listing("stages/s.py")["packages"] == {"torch": "2.15.0"}


def test_what_has_changed_since_the_plan_is_named(repository, monkeypatch):
    folder, versions = repository
    (folder / "sources").mkdir()
    (folder / "sources/s.yaml").write_text(yaml.safe_dump(sources.listing("stages/s.py")))
    versions["numpy"] = "9.9.9"
    sources.verify("s")  # without DVC nothing is recorded
    monkeypatch.setitem(os.environ, "DVC_STAGE", "s")
    with pytest.raises(UserError, match=r"^s: numpy has changed since `plan` was run; rerun the same command\.$"):
        sources.verify("s")
    assert not (folder / "sources/s.yaml").exists()  # so that DVC runs `plan` again
    versions["numpy"] = "2.4.6"
    (folder / "sources/s.yaml").write_text(yaml.safe_dump(sources.listing("stages/s.py")))
    versions["numpy"] = "9.9.9"
    (folder / "pipeline/a.py").write_text("import scipy")
    versions["scipy"] = "1.0"
    with pytest.raises(UserError, match=r"numpy, pipeline/a\.py, scikit-learn, scipy have changed"):
        sources.verify("s")


@pytest.mark.parametrize("damage", ["", "modules: [", "- a", "modules: 3", "\0", "modules:\n  x"])
def test_a_damaged_list_is_made_anew(repository, monkeypatch, damage):
    folder, _ = repository
    (folder / "sources").mkdir()
    (folder / "sources/s.yaml").write_text(damage)
    monkeypatch.setitem(os.environ, "DVC_STAGE", "s")
    with pytest.raises(UserError, match="have changed since `plan` was run"):
        sources.verify("s")
    assert not (folder / "sources/s.yaml").exists()


@pytest.mark.parametrize(("stage", "package"), [("data", "pillow"), ("features", "torch-fidelity")])
def test_what_reads_pictures_and_computes_features_counts(stage, package):
    assert sources.listing(f"stages/{stage}.py")["packages"][package] == version(package)

"""What a stage is made of: modules by their checksums, packages that compute by their versions."""

import hashlib
import os

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
    sources._names.cache_clear()
    yield tmp_path, versions
    sources._names.cache_clear()


def test_modules_and_packages_are_those_that_are_imported(repository):
    assert sources.listing("stages/s.py") == {
        "modules": {name: hashlib.md5(MODULES[name].encode()).hexdigest() for name in ("pipeline/a.py", "stages/s.py")},
        "packages": {"numpy": "2.4.6", "scikit-learn": "1.9.1"},
    }


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
    sources._names.cache_clear()
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

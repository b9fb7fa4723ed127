"""params.yaml is written as DVC writes it: changing one value changes one line of it."""

import subprocess
from pathlib import Path

import pytest
from checkout import ROOT, params
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.config import layout, profile
from pipeline.config import params as config

OVERRIDES = {
    "a word": "gan.penalty=r1",
    "a number": "vae.learning_rate=0.01",
    "a list item": "flow.seeds.0=7",
    "a truth value": "simsiam.stop_gradient=false",
    "of a run in one line": "vae.runs.beta_0_8.beta=0.7",
    "of a run in several lines": "gan.runs.mlp.width=400",
    "of a data set": "data.{set}.source={source}",
    "of a game": "dirac.games.jsd_2.penalty_weight=0.02",
    "of an item of a list": "planar.distributions.1.std=90",
}


@pytest.fixture(params=profile.NAMES)
def file(request, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(layout.text(params(request.param)))
    return path


def overridden(path: Path, *overrides: str) -> list[tuple[str, str]]:
    """Apply overrides as `dvc exp run -S` does, and return the lines that differ."""
    before = path.read_text().splitlines()
    apply_overrides(path, list(overrides))
    after = path.read_text().splitlines()
    assert len(after) == len(before)
    return [(old, new) for old, new in zip(before, after, strict=True) if old != new]


@pytest.mark.parametrize("override", OVERRIDES.values(), ids=list(OVERRIDES))
def test_an_override_of_dvc_changes_one_line(file, override):
    name, entry = next(iter(YAML(typ="safe").load(file)["data"].items()))
    key, value = override.format(set=name, source=entry["source"] + "_").split("=")
    ((old, new),) = overridden(file, f"{key}={value}")
    assert value in new and value not in old.split("#")[0].split()
    assert old.split(" # ")[1:] == new.split(" # ")[1:]  # the comment stays


def test_an_override_and_its_opposite_leave_the_file_as_it_was(file):
    before = file.read_text()
    overridden(file, "gan.penalty=r1")
    overridden(file, "gan.penalty=none")
    assert file.read_text() == before


def test_a_new_run_from_the_command_line_changes_no_other_line(file):
    before = file.read_text().splitlines()
    apply_overrides(file, ["+vae.runs.conv={data: binarized_digits28, network: conv, seeds: [0, 1]}"])
    assert [line for line in before if line not in file.read_text().splitlines()] == []


def test_the_text_holds_the_content_and_nothing_else(file):
    assert config.read(file) == next(params(name) for name in profile.NAMES if config.read(file) == params(name))


def test_every_hyperparameter_is_explained_in_a_phrase_of_its_schema(file):
    """No exception: also what seems to go without saying has its phrase."""
    comments = dict(layout.comments(YAML().load(file)))
    for section, schema in config.SCHEMAS.items():
        assert comments.pop((section,))
        for key, field in schema.model_fields.items():
            phrase = comments.pop((section, key)).split(": ")[-1]
            assert phrase and field.description.startswith(phrase), (section, key)
    assert set(comments) == {("data",)}


def test_the_phrases_can_be_read_beside_the_value():
    for section, schema in config.SCHEMAS.items():
        for key, field in schema.model_fields.items():
            phrase = layout.summary(field).split(": ")[-1]
            assert len(phrase) <= 100, (section, key, phrase)
            assert not phrase.endswith("."), (section, key, phrase)
            assert not phrase.startswith("of "), (section, key, phrase)  # a phrase stands alone


def test_the_committed_params_yaml_holds_the_default_profile():
    """What git has, not the working tree: that is the user's."""
    shown = subprocess.run(["git", "show", "HEAD:params.yaml"], cwd=ROOT, capture_output=True, text=True, check=False)
    if shown.returncode:
        pytest.skip("not in a git repository")
    assert shown.stdout == layout.text(params())

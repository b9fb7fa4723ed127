from pathlib import Path

import pytest

from pipeline.config.params import expand
from pipeline.config.profile import PROFILES, merge, patched, yaml

ROOT = Path(__file__).parents[2]
PARAMS = (ROOT / "params.yaml").read_text()


def patch(name):
    return yaml().load(PROFILES / f"{name}.yaml")


def test_params_yaml_holds_the_default_profile():
    assert patched(PARAMS, patch("default")) == PARAMS


@pytest.mark.parametrize("name", sorted(file.stem for file in PROFILES.glob("*.yaml")))
def test_a_profile_can_be_run_keeps_every_comment_and_is_undone_by_default(name):
    text = patched(PARAMS, patch(name))
    expand(yaml().load(text))
    assert [line.split("#")[1] for line in text.splitlines() if "#" in line] == [
        line.split("#")[1] for line in PARAMS.splitlines() if "#" in line
    ]
    assert patched(text, patch("default")) == PARAMS


def test_merge_patch_of_rfc_7386():
    target = {"a": 1, "b": {"c": 2, "d": 3}, "e": {"f": 4}}
    merge(target, {"a": None, "b": {"c": None, "g": {"h": 5}}, "e": 6, "i": [7]})
    assert target == {"b": {"d": 3, "g": {"h": 5}}, "e": 6, "i": [7]}

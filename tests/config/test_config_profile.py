"""`make profile`: every profile after every other, on a file that DVC has rewritten and in which a user has worked."""

import itertools
import sys

import pytest
from checkout import params
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.config import layout, profile
from pipeline.config.params import expand, read
from pipeline.runtime.errors import UserError

SHA256 = "0" * 64
BIRDS = f"+data.my_birds={{source: folder, path: birds, size: 32, sha256: '{SHA256}'}}"
OWN_RUN = "+vae.runs.my_run={data: my_birds, like: beta_1, snapshots: [1, 2]}"
HAND_SET = ["gan.penalty=lp", "vae.seeds=[3, 4]", "++vae.runs.bernoulli.latent=20", "~gan.runs.w1_2"]
PAIRS = list(itertools.permutations(profile.NAMES, 2)) + [(name, name) for name in profile.NAMES]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


@pytest.mark.parametrize("name", profile.NAMES)
def test_every_profile_can_be_run(name):
    assert expand(params(name))


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_profile_takes_the_place_of_another_one_byte_for_byte(file, before, after):
    file.write_text(layout.text(params(before)))
    switched = profile.write(file, after)
    assert not (switched.own or switched.needed or switched.undone)
    assert file.read_text() == layout.text(params(after))
    profile.write(file, before)
    assert file.read_text() == layout.text(params(before))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_what_is_the_users_own_is_kept_and_what_was_set_by_hand_is_undone_and_named(file, before, after):
    file.write_text(layout.text(params(before)))
    apply_overrides(file, [BIRDS, OWN_RUN, *HAND_SET])
    content = read(file)
    switched = profile.write(file, after)
    assert switched.own == [("data", "my_birds"), ("vae", "runs", "my_run")] and not switched.needed
    assert switched.undone == {
        ("gan", "penalty"): ("lp", params(after)["gan"]["penalty"]),
        ("vae", "seeds"): ([3, 4], params(after)["vae"]["seeds"]),
        ("vae", "runs", "bernoulli", "latent"): (20, profile.ABSENT),
        ("gan", "runs", "w1_2"): (profile.ABSENT, params(after)["gan"]["runs"]["w1_2"]),
    }
    expected = params(after)
    expected["data"]["my_birds"] = content["data"]["my_birds"]
    expected["vae"]["runs"]["my_run"] = content["vae"]["runs"]["my_run"]
    assert read(file) == expected
    text = file.read_text()
    apply_overrides(file, ["gan.penalty=none"])
    assert file.read_text() == text  # in DVC's own form


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_what_an_own_run_names_stays_with_it(file, before, after):
    evaluator, entry = list(params(before)["features"]["runs"].items())[-1]
    data, target = entry["data"], params(after)
    file.write_text(layout.text(params(before)))
    apply_overrides(file, [f"+gan.runs.mine={{data: {data}, features: {evaluator}, like: mlp}}"])
    switched = profile.write(file, after)
    assert switched.own == [("gan", "runs", "mine")] and not switched.undone
    needed = [("data", data), ("features", "runs", evaluator)]
    assert switched.needed == [place for place in needed if profile.at(target, place) is profile.ABSENT]
    assert read(file)["gan"]["runs"]["mine"] == {"data": data, "features": evaluator, "like": "mlp"}
    assert profile.at(read(file), ("features", "runs", evaluator)) is not profile.ABSENT
    profile.write(file, before)
    assert {**read(file)["data"]} == params(before)["data"]


@pytest.mark.slow
def test_comments_of_what_is_the_users_own_are_kept(file):
    text = layout.text(params())
    text = text.replace("\nfeatures: #", "  my_digits: {source: digits28} # copied by hand\n\nfeatures: #", 1)
    text = text.replace("\nsamples: #", "    my_run: # for Tuesday\n      data: my_digits # coarse\n\nsamples: #", 1)
    file.write_text(text)
    profile.write(file, "paper")
    profile.write(file, "default")
    assert sorted(file.read_text().splitlines()) == sorted(text.splitlines())
    apply_overrides(file, ["gan.penalty=none"])
    assert sorted(file.read_text().splitlines()) == sorted(text.splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [1", "not YAML"),
        ("- 1", "params.yaml: [1] is not a mapping"),
        ("vae: {runs: {mine: {data: nothing}}}", "vae.runs.mine.data: 'nothing' is not one of"),
        ("data: {Mine: {source: digits28}}", "'Mine' is not a data set name"),
    ],
)
def test_a_file_that_cannot_hold_the_profile_is_left_as_it_was(file, text, message):
    file.write_text(text)
    with pytest.raises(UserError, match=message.replace("[", r"\[")):
        profile.write(file, "paper")
    assert file.read_text() == text and [path.name for path in file.parent.iterdir()] == ["params.yaml"]


def test_the_command_says_what_it_kept_and_undid(file, monkeypatch, capsys):
    file.write_text(layout.text(params()))
    apply_overrides(file, [BIRDS, "gan.penalty=r1"])
    monkeypatch.setattr(sys, "argv", ["profile", "paper"])
    profile.main()
    said = capsys.readouterr().out
    assert "params.yaml now holds the profile paper" in said
    assert "kept, because they are your own: data.my_birds" in said
    assert "undone, because a profile sets them: gan.penalty (r1 -> none)" in said
    file.write_text("data: [1")
    with pytest.raises(SystemExit, match="left as it was"):
        profile.main()


def test_merge_patch_of_rfc_7386():
    target = {"a": 1, "b": {"c": 2, "d": 3}, "e": {"f": 4}}
    profile.merge(target, {"a": None, "b": {"c": None, "g": {"h": 5}}, "e": 6, "i": [7]})
    assert target == {"b": {"d": 3, "g": {"h": 5}}, "e": 6, "i": [7]}


def test_ruamel_reads_the_text_as_the_pipeline_does(file):
    file.write_text(layout.text(params("paper")))
    assert YAML(typ="safe").load(file) == read(file)

"""Counts of images against what evaluators need, as far as params.yaml tells."""

from contextlib import nullcontext

import checkout
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.config.params import expand
from pipeline.runtime.errors import UserError
from pipeline.runtime.lineage import hyperparameters

COUNTS = st.integers(2, 40)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    least=st.fixed_dictionaries({"kid_subset_size": COUNTS, "splits": COUNTS, "neighbours": COUNTS}),
    scored=st.fixed_dictionaries({"samples": COUNTS, "final_samples": COUNTS, "count": COUNTS, "noise": COUNTS}),
)
@example(
    least={"kid_subset_size": 9, "splits": 9, "neighbours": 8},
    scored={"samples": 9, "final_samples": 9, "count": 9, "noise": 9},
)
def test_every_count_below_what_its_evaluator_needs_is_named(least, scored):
    content = checkout.params()
    for section in ("features", "samples", "gan"):
        for run in content[section]["runs"].values():
            for key in ("samples", "final_samples", "count", "kid_subset_size", "splits", "neighbours"):
                run.pop(key, None)
    content["features"] |= least | {"samples": scored["noise"]}
    content["gan"] |= {"samples": scored["samples"], "final_samples": scored["final_samples"]}
    content["samples"]["count"] = scored["count"]
    needed = max(least["kid_subset_size"], least["splits"], least["neighbours"] + 1)
    places = {"noise": "features.samples", "count": "samples.count"}
    few = {places.get(key, f"gan.{key}") for key, count in scored.items() if count < needed}
    if scored["final_samples"] < scored["samples"]:
        few.add("gan.final_samples")
    try:
        expand(content)
        named = set()
    except UserError as error:
        named = {line.split(":")[0].strip() for line in str(error).splitlines()[1:]}
    assert named == few


def test_a_run_is_named_by_its_own_value():
    content = checkout.params()
    content["gan"]["runs"]["main"]["samples"] = 100
    with pytest.raises(UserError, match=r"gan\.runs\.main\.samples: 100 images; the evaluator \w+ needs at least 200"):
        expand(content)


def test_a_map_in_the_plane_needs_two_latent_dimensions():
    content = checkout.params()
    content["vae"] |= {"tsne": True, "latent": 1}
    with pytest.raises(UserError, match="vae: tsne: true, but a map in the plane needs latent"):
        expand(content)


def test_a_users_images_are_known_to_be_mapped_before_anything_is_trained_on_them():
    content = checkout.params()
    content["data"]["mine"] = {"source": "arrays", "path": "own", "sha256": "0" * 64}
    content["samples"]["runs"] = {}
    content["vae"]["runs"] = {name: {"data": "mine", "network": "mlp", "tsne": name != "c"} for name in "abc"}
    plans = {plan.address: plan for plan in expand(content)}
    assert plans["data@mine"].settings["own"]["mapped"] == ["vae.runs.a", "vae.runs.b"]
    for run in "ab":
        content["vae"]["runs"][run]["tsne"] = False
    assert {plan.address: plan for plan in expand(content)}["data@mine"].settings["own"]["mapped"] == []


def test_who_maps_a_users_images_is_no_hyperparameter_of_a_run():
    content = checkout.params()
    content["data"]["mine"] = {"source": "arrays", "path": "own", "sha256": "0" * 64}
    content["samples"]["runs"] = {}
    content["vae"]["runs"] = {"one": {"data": "mine", "network": "mlp", "tsne": True}}
    plans = expand(content)
    (training,) = (plan for plan in plans if plan.address == "train_vae@one")
    known = hyperparameters(training, plans)
    assert known["data.path"] == "own" and "data.mapped" not in known


@pytest.mark.parametrize(
    ("entry", "found"),
    [({"source": "binarized_mnist"}, "no labels"), ({"source": "digits16", "classes": ["3"]}, "one class")],
)
def test_a_set_without_several_classes_has_no_map(entry, found):
    content = checkout.params()
    name = entry["source"] if found == "no labels" else "threes"
    content["data"][name] = entry
    content["vae"]["runs"]["one"] = {"data": name, "network": "mlp", "likelihood": "bernoulli", "tsne": True}
    with pytest.raises(UserError, match=rf"vae\.runs\.one\.tsne: true, but a map needs .* {name} has {found}"):
        expand(content)


@pytest.mark.parametrize(
    ("entry", "wanted", "sentence"),
    [
        ({"source": "digits16"}, ["3", "10"], "digits16 has no class 10; it has 0, 1, 2"),
        ({"source": "digits16", "classes": ["1", "3"]}, ["3", "4"], "some has no class 4; it has 1, 3"),
        ({"source": "digits16", "classes": ["1", "3"]}, ["3"], ""),
        ({"source": "binarized_mnist"}, ["3"], "binarized_mnist has no labels"),
        ({"source": "arrays", "path": "own", "sha256": "0" * 64}, ["cat"], ""),  # its classes stand in its files
    ],
)
def test_reference_classes_that_a_known_set_lacks_are_named(entry, wanted, sentence):
    content = checkout.params()
    name = entry["source"] if len(entry) == 1 else "some"
    content["data"][name] = entry
    content["features"]["runs"]["one"] = {"data": name, "reference_classes": wanted}
    with (
        pytest.raises(UserError, match=f"features.runs.one.reference_classes: {sentence}")
        if sentence
        else nullcontext()
    ):
        expand(content)

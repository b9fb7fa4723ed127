"""Counts of images against what evaluators need, as far as params.yaml tells."""

import checkout
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.config.params import expand
from pipeline.runtime.errors import UserError

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

"""The section `theirs`: path, checksum and evaluator of other people's samples."""

import pytest

from pipeline.config.theirs import FAMILY
from pipeline.runtime.settings import build
from pipeline.score.settings import TheirSamples

SHA256 = "0" * 64
RUN = {"path": "samples.npz", "sha256": SHA256, "features": "digits16"}


def expand(**run):
    return FAMILY.expand({"resize": False, "runs": {"a": run}}, {"features": ["digits16"]})


def test_a_run_reads_the_evaluator_and_its_scores_of_real_images():
    (plan,), errors = expand(**RUN, resize=True)
    assert not errors and plan.address == "score_theirs@a"
    assert build(TheirSamples, plan.settings) == TheirSamples("samples.npz", SHA256, resize=True)
    assert plan.inputs == {"features": "models/features/digits16", "real": "scores/real/digits16"}


def test_path_and_checksum_are_not_inherited():
    runs = {"a": {**RUN, "resize": True}, "b": {"like": "a", "features": "digits16"}}
    plans, errors = FAMILY.expand({"resize": False, "runs": runs}, {"features": ["digits16"]})
    assert [plan.run for plan in plans] == ["a"]
    assert [error.split(":")[0] for error in errors] == ["theirs.runs.b.path", "theirs.runs.b.sha256"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "abc"}, "theirs.runs.a.sha256: 'abc' is not a sha256"),
        ({"path": ""}, "theirs.runs.a.path"),
        ({"features": "digits"}, "theirs.runs.a.features: 'digits' is not one of the entries under features: digits16"),
        ({"size": 28}, "theirs.runs.a.size: unknown key"),
    ],
)
def test_mistakes_are_named(change, message):
    plans, errors = expand(**{**RUN, **change})
    assert not plans and len(errors) == 1 and errors[0].startswith(message)

"""Whatever params.yaml allows can be run and reported: random small runs of all families, up to the rendered report."""

from collections import Counter
from pathlib import Path

import pytest
from allowed import allowed, changed, choices, own_arrays, run_all
from hypothesis import HealthCheck, Phase, event, find, given, settings
from hypothesis import strategies as st

from pipeline.config import profile
from pipeline.config.params import SCHEMAS, expand

QUIETLY = settings(
    deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
DEFAULT = profile.load(profile.DEFAULT)
NO_RUNS = {section: values | ({"runs": {}} if "runs" in values else {}) for section, values in DEFAULT.items()}


@pytest.mark.slow
def test_whatever_is_allowed_can_be_run_and_reported(tmp_path: Path) -> None:
    outcomes = []

    @settings(QUIETLY, max_examples=4)
    @given(st.data())
    def draw_and_run(drawn: st.DataObject) -> None:
        root = tmp_path / str(len(outcomes))
        root.mkdir()
        outcomes.append(run_all(drawn.draw(allowed(tmp_path)), root))
        for address, sentence in outcomes[-1].refused.items():
            event(f"{address}: {sentence}")

    draw_and_run()
    ran = Counter(address.partition("@")[0] for outcome in outcomes for address in outcome.ran)
    refused = sum(len(outcome.refused) + len(outcome.waiting) for outcome in outcomes)
    assert ran.total() > 3 * refused, "most of what is drawn must run, or this test tells little"
    assert set(ran) >= {"data", "train_vae", "likelihood", "train_flow", "score_flow", "dirac", "animate"}


def test_what_is_drawn_can_be_planned_and_is_no_profile(tmp_path: Path) -> None:
    sections = Counter[str]()

    @settings(QUIETLY, max_examples=40)
    @given(allowed(tmp_path))
    def draw_and_plan(content: dict) -> None:
        sections.update(plan.stage for plan in expand(content))
        assert content != DEFAULT

    draw_and_plan()
    assert all(sections[stage] for stage in ("features", "score_samples", "train_simsiam", "score_gan", "planar"))


@pytest.mark.parametrize("section", SCHEMAS)
def test_every_hyperparameter_is_changed(section: str) -> None:
    possible = choices(NO_RUNS)
    for key in SCHEMAS[section].model_fields:
        place = (section, key)
        find(possible[place], lambda value, place=place: changed(NO_RUNS, place, value) != NO_RUNS, settings=QUIETLY)


def test_data_sets_are_changed_but_for_what_their_files_decide(tmp_path: Path) -> None:
    own = own_arrays(tmp_path / "own.npz", "grey", ["train"], True)
    places = [place for place in choices({**DEFAULT, "data": {"own": own}}) if place[0] == "data"]
    assert {key for _, _, key in places} == {"classes", "title", "licence", "test_share"}

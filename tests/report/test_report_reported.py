"""The reported numbers are all there, and each verdict is given when it should be."""

import itertools
import math

import pytest
from pydantic import ValidationError

from pipeline.report.render import words
from pipeline.report.reported import MEANING, Found, Place, Row, difference, read, verdict

# written from the list of reported numbers, not from reported.yaml
IDS = {
    "000": """
        vae-learning-rate vae-epochs vae-latent vae-negative-elbo-range vae-elbo vae-target
        vae-log-likelihood-monte-carlo vae-log-likelihood-analytic
        svhn-iterations svhn-grid-iterations svhn-grid-images svhn-perturbation svhn-dimensions
        svhn-alphas-computed svhn-alphas-shown
        simsiam-epochs simsiam-loss simsiam-knn
        simsiam-no-stop-gradient-loss simsiam-no-stop-gradient-knn simsiam-no-stop-gradient-knn-final
        simsiam-no-predictor-loss simsiam-no-predictor-knn simsiam-no-predictor-spikes
    """,
    "001": """
        vae-negative-elbo vae-log-likelihood vae-importance-samples vae-pixels vae-latent
        dirac-jsd-1 dirac-jsd-2 dirac-jsd-3 dirac-jsd-4 dirac-jsd-5
        dirac-jsd-6 dirac-jsd-7 dirac-jsd-8 dirac-jsd-9 dirac-jsd-10
        dirac-w1-1 dirac-w1-2 dirac-w1-3 dirac-w1-4 dirac-w1-5
        dirac-w1-6 dirac-w1-7 dirac-w1-8 dirac-w1-9 dirac-w1-10
        cifar10-jsd-1-is cifar10-jsd-2-is cifar10-jsd-3-is cifar10-w1-2-is cifar10-w1-3-is
        cifar10-jsd-1-fid cifar10-jsd-2-fid cifar10-jsd-3-fid cifar10-w1-2-fid cifar10-w1-3-fid
        flow-arcs-2 flow-arcs-8 flow-arcs-32 flow-sine-2 flow-sine-8 flow-sine-32
        flow-demo-points flow-demo-normal-1 flow-demo-normal-2 flow-demo-normal-3 flow-demo-b flow-iterations
    """,
    "002": """
        vae-elbo vae-log-likelihood vae-epochs
        svhn-iterations svhn-dimension-6 svhn-dimension-25 svhn-dimension-58 svhn-alphas simsiam-collapse-loss
    """,
    "003": """
        cub-batch cub-vanilla-fid cub-lsgan-fid cub-wgan-gp-fid cub-vanilla-best-iteration cub-vanilla-last-iteration
        ae-latents vae-reconstruction vae-kl
        beta-0.8-reconstruction beta-0.8-reconstruction-text beta-0.8-kl beta-1.2-reconstruction beta-1.2-kl
        linear-beta-reconstruction linear-beta-kl beta-0.8-bound beta-1.2-bound
    """,
    "004": """
        mnist-train-test mnist-train-validation mnist-inputs mnist-grey-levels
        vae-learning-rate gan-learning-rate epochs batch latent vae-picture-epochs gan-picture-epochs vae-loss
    """,
}


def row(**changes: object) -> Row:
    base = {
        "id": "x", "report": "000", "experiment": "A", "quantity": "q", "value": -95.5, "tolerance": 0.5,
        "because": "the report rounds", "ours": Place(stage="likelihood", run="r", metric="mean.x"),
    }  # fmt: skip
    return Row.model_validate({**base, **changes})


def test_every_reported_number_has_a_row() -> None:
    expected = {f"{report}-{name}" for report, names in IDS.items() for name in names.split()}
    rows = read().rows
    assert {r.id for r in rows} == expected
    assert all(r.id.startswith(r.report) for r in rows)


def test_the_printed_curve_has_twenty_values_of_which_one_rises() -> None:
    curve = read().row("001-vae-negative-elbo").value
    assert isinstance(curve, list)
    rises = [n for n, (a, b) in enumerate(itertools.pairwise(curve), 1) if float(b) > float(a)]
    assert len(curve) == 20
    assert rises == [18]


CONDITIONS = {"data": "binarized_mnist", "epochs": 20}
SAME = {"data": "binarized_mnist", "epochs": 20}


@pytest.mark.parametrize(
    ("changes", "found", "expected"),
    [
        ({}, Found(-95.1, SAME), "matches"),
        ({}, Found(-95.0, SAME), "matches"),
        ({}, Found(-94.9, SAME), "differs"),
        ({}, Found(math.nan, SAME), "differs"),
        ({"value": [1.0, 2.0]}, Found([1.4, 1.6], SAME), "matches"),
        ({"value": [1.0, 2.0]}, Found([1.0, 2.6], SAME), "differs"),
        ({"value": [1.0, 2.0]}, Found([1.0, math.nan], SAME), "differs"),
        ({"value": [1.0, 2.0]}, Found([1.0], SAME), "differs"),
        ({"value": 200, "tolerance": 0}, Found([1, 200, 1000], SAME), "matches"),
        ({"value": 200, "tolerance": 0}, Found([1, 50], SAME), "differs"),
        ({"value": "cycle", "tolerance": 0}, Found("cycle", SAME), "matches"),
        ({"value": "cycle", "tolerance": 0}, Found("converges", SAME), "differs"),
        ({"band": (-96.2, -95.0), "tolerance": None}, Found(-95.0, SAME), "within band"),
        ({"band": (-96.2, -95.0), "tolerance": None}, Found(-94.99, SAME), "outside band"),
        ({"band": (-96.2, -95.0), "tolerance": None}, Found(-96.21, SAME), "outside band"),
        ({"band": (-102, None), "tolerance": None}, Found(5.0, SAME), "within band"),
        ({"band": (None, 130), "tolerance": None}, Found(130.5, SAME), "outside band"),
        ({"band": (None, 130), "tolerance": None}, Found(math.nan, SAME), "outside band"),
        ({}, Found(-95.5, {"data": "binarized_digits28", "epochs": 20}), "other data"),
        ({}, Found(-95.5, {"data": "binarized_digits28", "epochs": 5}), "other data"),
        ({}, Found(-95.5, {"data": "binarized_mnist", "epochs": 5}), "other settings"),
        ({}, Found(-95.5, {"data": "binarized_mnist", "split": "test"}), "matches"),
        ({}, None, "not run"),
    ],
)
def test_verdicts(changes: dict[str, object], found: Found | None, expected: str) -> None:
    assert verdict(row(**changes), CONDITIONS, found) == expected
    assert expected in MEANING


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (-95.5, -95.0, 0.5),
        (3, [1, 5.5, 2], -1.0),
        ([1, 2, 3], [1, 4, 3], 2.0),
        ([1, 2, 3], [1, 4], None),
        ([1, 5], [1, 2, 4, 3], 1.0),
        ("a", "b", None),
        ([1, "a"], ["b", "c"], None),
    ],
)
def test_difference(theirs: object, ours: object, expected: float | None) -> None:
    assert difference(row(value=theirs), Found(ours, {})) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"tolerance": None},
        {"band": (0, 1)},
        {"surprise": 1},
        {"ours": {"stage": "a", "run": "b"}},
        {"ours": {"stage": "a", "run": "b", "metric": "m", "setting": "s"}},
        {"ours": {"stage": "a", "run": "b", "curve": "c"}},
        {"ours": {"stage": "a", "setting": "s"}},
        {"ours": {"stage": "a", "where": {"k": 1}, "metric": "m"}},
        {"bands": [(0, 1)]},
        {"band": (0, 1), "tolerance": None, "because": ""},
    ],
)
def test_a_row_that_cannot_be_compared_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        row(**changes)


def test_theirs_may_be_a_choice_from_a_longer_list_of_ours_but_not_from_a_curve() -> None:
    ours = Found([0, 100, 200, 300], {})
    choice = row(value=[100, 300], tolerance=0, ours=Place(stage="train_gan", run="r", setting="snapshots"))
    assert verdict(choice, {}, ours) == "matches"
    assert difference(choice, ours) == 0
    missed = row(value=[100, 290], tolerance=0, ours=choice.ours)
    assert verdict(missed, {}, ours) == "differs"
    assert difference(missed, ours) == 10
    assert verdict(choice, {}, Found([100], {})) == "differs"
    curve = row(value=[0, 100], tolerance=0, ours=Place(stage="train_gan", run="r", curve="loss", reduce="all"))
    assert verdict(curve, {}, ours) == "differs"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "-"), ([], "-"), (True, "yes"), (False, "no"), (0, "0"), (0.123456789, "0.123457"), ([1, 2.5], "1, 2.5")],
)
def test_words_of_a_cell(value: object, expected: str) -> None:
    assert words(value) == expected  # type: ignore[arg-type]


def test_each_number_of_a_list_may_have_a_band_of_its_own() -> None:
    ends = row(value=[-0.54, -0.66], tolerance=None, bands=[(-0.6, -0.15), (-0.75, -0.6)])
    assert verdict(ends, {}, Found([-0.2, -0.65], {})) == "within band"
    assert verdict(ends, {}, Found([-0.65, -0.2], {})) == "outside band"  # it rises
    assert verdict(ends, {}, Found([-0.2], {})) == "outside band"


def test_conditions_that_a_band_allows_for_are_no_reason_not_to_compare() -> None:
    conditions, found = {"points": "the report's", "batch": 128}, Found(-95.5, {"points": "ours", "batch": 128})
    assert verdict(row(), conditions, found) == "other settings"
    assert verdict(row(), conditions, found, ["points"]) == "matches"


def test_what_we_gave_a_run_is_no_measurement() -> None:
    assert row(ours=Place(stage="train_vae", run="r", setting="epochs")).echoed
    assert row(ours=Place(stage="train_vae", run="r", card="counts")).echoed
    assert row(given=True).echoed and not row().echoed
    counted = {"000-svhn-alphas-shown", "000-svhn-grid-images", "001-flow-demo-b", "003-ae-latents"}
    assert counted <= {each.id for each in read().rows if each.echoed}


def test_conditions_include_width_precision_batch_and_number_of_images() -> None:
    conditions = {each.id: read().conditions(each) for each in read().rows}
    for name in ("001-cifar10-jsd-1-fid", "000-simsiam-knn"):
        assert {"width", "precision", "batch", "training images"} <= set(conditions[name])
    assert {"hidden", "precision", "batch", "training images"} <= set(conditions["003-vae-kl"])
    assert conditions["001-flow-arcs-2"]["sample of the data"] == "the report's arrays"
    assert conditions["003-vae-kl"]["sample of the data"] == "as published"

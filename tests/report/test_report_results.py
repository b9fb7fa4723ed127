"""Our numbers are found where reported.yaml says, in files written by hand."""

import csv
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.report.reported import Place
from pipeline.report.results import Results

READS = {"data": ["card.json"], "train_vae": ["history.csv"], "likelihood": ["metrics.json"]}


def last_elbos(root: Path, run: str) -> list[float]:
    with (root / f"models/vae/{run}/history.csv").open() as file:
        return [float(line["valid_elbo"]) for line in csv.DictReader(file) if line["epoch"] == "20"]


def test_a_curve_is_the_mean_over_seeds(project: Callable[..., Path]) -> None:
    root = project()
    found = Results(root, READS).find(Place(stage="train_vae", run="bernoulli", curve="valid_elbo", reduce="last"))
    elbos = last_elbos(root, "bernoulli")
    assert found is not None
    assert found.value == pytest.approx(statistics.mean(elbos), rel=1e-12)
    assert found.spread == pytest.approx(statistics.stdev(elbos), rel=1e-12)
    expected = {"data": "binarized_digits28", "split": "valid", "images": 250, "epochs": 20, "kl": "analytic"}
    assert expected.items() <= found.facts.items()


def test_a_curve_can_be_negated_and_reduced_to_its_range(project: Callable[..., Path]) -> None:
    results = Results(project(), READS)
    place = {"stage": "train_vae", "run": "bernoulli", "curve": "valid_elbo", "negate": True}
    whole = results.find(Place(**place, reduce="all"))
    ends = results.find(Place(**place, reduce="range"))
    assert whole is not None and ends is not None
    assert isinstance(whole.value, list) and len(whole.value) == 20
    assert ends.value == [min(whole.value), max(whole.value)]
    assert whole.value[0] > 150  # negated: the first epoch is the worst


def test_a_metric_brings_its_spread_its_protocol_and_the_settings_of_training(project: Callable[..., Path]) -> None:
    root = project()
    ours = Place(stage="likelihood", run="bernoulli_mc", metric="mean.log_likelihood.200.value")
    found = Results(root, READS).find(ours)
    metrics = json.loads((root / "scores/likelihood/bernoulli_mc/metrics.json").read_text())
    values = [seed["log_likelihood"]["200"]["value"] for seed in metrics["seeds"].values()]
    assert found is not None
    assert found.value == pytest.approx(statistics.mean(values), rel=1e-12)
    assert found.spread == pytest.approx(statistics.stdev(values), rel=1e-12)
    assert {"split": "test", "images": 250, "kl": "monte_carlo", "epochs": 20}.items() <= found.facts.items()


def test_settings_and_cards(project: Callable[..., Path]) -> None:
    results = Results(project(), READS)
    rate = results.find(Place(stage="train_vae", run="bernoulli", setting="learning_rate"))
    pixels = results.find(Place(stage="train_vae", run="bernoulli", card="shape", reduce="product"))
    assert rate is not None and rate.value == 0.0003
    assert pixels is not None and pixels.value == 784


@pytest.mark.parametrize(
    "place",
    [
        {"run": "bernoulli", "stage": "likelihood", "metric": "mean.log_likelihood.999.value"},
        {"run": "absent", "stage": "likelihood", "metric": "mean.kl"},
        {"run": "bernoulli", "stage": "train_vae", "setting": "absent"},
    ],
)
def test_what_is_not_measured_is_not_found(project: Callable[..., Path], place: dict[str, str]) -> None:
    assert Results(project(), READS).find(Place.model_validate(place)) is None


def test_leftovers_of_an_unplanned_run_are_not_read(project: Callable[..., Path]) -> None:
    root = project()
    (root / "plan/train_vae/bernoulli_mc.yaml").unlink()
    assert [plan.run for plan in Results(root, READS).plans("train_vae")] == ["bernoulli"]


def test_a_number_is_counted_in_the_report_s_units(project: Callable[..., Path]) -> None:
    results = Results(project(), READS)
    place = {"stage": "train_vae", "run": "bernoulli"}
    product = results.find(Place(**place, setting="epochs", times="batch"))
    assert product is not None and product.value == 20 * 64
    epochs = results.find(Place(**place, setting="seeds", reduce="epochs"))
    assert epochs is not None and epochs.value == [0, 1]  # 100 training images are one batch of 64: seed 1 as a step

"""The reports' numbers stand where they were measured, and only on data and scales that are theirs."""

from typing import Any

import pytest

from pipeline.report import reported
from pipeline.report.marks import marks
from pipeline.report.reported import Found, Place

REPORTED = reported.read()


class Measured:
    """Results of which every number is known, with some facts."""

    def __init__(self, **facts: Any) -> None:
        self._facts = facts

    def find(self, ours: Place | None) -> Found | None:
        return Found(1.0, self._facts) if ours else None


def points(name: str, unit: str = "epochs", sign: int = 1, **facts: Any) -> list[dict[int, float]]:
    found = marks(Measured(**facts), REPORTED, [name], unit, sign)  # type: ignore[arg-type]
    return [curve.values.iloc[:, 0].to_dict() for curve in found]


def test_a_last_number_stands_at_the_end_of_the_reports_training_and_two_at_its_ends() -> None:
    assert points("002-vae-elbo", data="binarized_mnist") == [{20: -100.49}]
    assert points("000-vae-elbo", data="binarized_mnist", sign=-1) == [{20: 100.69}]
    assert points("000-simsiam-knn", data="cifar10") == [{1: 25, 102: 60}]
    assert points("000-simsiam-no-stop-gradient-loss", data="cifar10") == [{1: -0.6, 102: -1.0}]  # printed without sign
    assert points("001-flow-arcs-2", "steps") == [{20000: 3.4643}]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("002-vae-elbo", {"data": "binarized_digits28"}),
        ("001-cifar10-jsd-1-fid", {"data": "cifar10", "feature_network": "classifier"}),
        ("000-simsiam-no-stop-gradient-knn", {"data": "cifar10"}),  # a range
    ],
)
def test_other_data_other_scales_and_ranges_have_no_place(name: str, facts: dict[str, Any]) -> None:
    assert points(name, "steps" if "fid" in name else "epochs", **facts) == []


def test_two_numbers_of_one_report_have_one_entry_in_the_legend() -> None:
    names = ["000-vae-log-likelihood-monte-carlo", "000-vae-log-likelihood-analytic", "001-vae-log-likelihood"]
    found = marks(Measured(data="binarized_mnist"), REPORTED, names, "K")  # type: ignore[arg-type]
    assert [curve.label for curve in found] == ["report 000", "_report 000", "report 001"]

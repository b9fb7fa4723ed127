"""The statistics against scipy, and the intervals against runs whose true difference is known."""

import numpy as np
import pytest
from scipy import stats

from pipeline.compare.statistics import MOST, Bounds, bootstrap, holm, needed, paired, power

TRUE = 3.0


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
def test_the_interval_is_that_of_scipy(n):
    random = np.random.default_rng(n)
    first, second = random.normal(5, 2, n), random.normal(4, 3, n)
    expected = stats.ttest_rel(first, second)
    found = paired(first, second)
    assert found.mean == pytest.approx((first - second).mean()) and found.n == n
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


@pytest.mark.parametrize("n", [3, 5, 10])
def test_95_of_100_intervals_hold_the_true_difference(n):
    """Runs that share what a seed does to both, and differ in how much they scatter besides."""
    random, runs = np.random.default_rng(n), 2000
    shared = random.normal(0, 5, (runs, n))
    first = 100 + TRUE + shared + random.normal(0, 2, (runs, n))
    second = 100 + shared + random.normal(0, 4, (runs, n))
    held = sum(not paired(*pair).interval.excludes(TRUE) for pair in zip(first, second, strict=True))
    print(f"n = {n}: {100 * held / runs:.1f} %")
    assert 0.93 <= held / runs <= 0.97


def test_95_of_100_intervals_over_images_hold_the_true_difference():
    """Differences of log p(x) of 250 images with a long tail, as a few images that one model cannot explain give."""
    random, runs = np.random.default_rng(0), 400
    images = TRUE + random.exponential(4, (runs, 250)) - 4
    held = sum(not bootstrap(each, resamples=1000).excludes(TRUE) for each in images)
    print(f"images: {100 * held / runs:.1f} %")
    assert 0.93 <= held / runs <= 0.97


def test_the_bootstrap_is_that_of_scipy_and_repeatable():
    values = np.random.default_rng(1).exponential(2, 300)
    found = bootstrap(values)
    expected = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=2).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=0.01)
    assert bootstrap(values) == found


def test_pairing_takes_out_what_seeds_do_to_both():
    seeds = np.array([100.0, 900.0, 400.0])
    found = paired(seeds + np.array([1.0, 1.1, 0.9]), seeds)
    assert found.interval.excludes(0) and found.spread == pytest.approx(0.1)


def test_one_pair_has_a_difference_and_no_interval():
    found = paired([3.0], [1.0])
    assert (found.mean, found.n, found.spread, found.interval, found.p) == (2.0, 1, None, None, None)


@pytest.mark.parametrize(("first", "second"), [([], []), ([1.0], [1.0, 2.0])])
def test_what_is_no_pair_is_refused(first, second):
    with pytest.raises(ValueError, match="no pairs"):
        paired(first, second)


def test_equal_runs():
    found = paired([1.0, 2.0], [1.0, 2.0])
    assert (found.interval, found.p) == (Bounds(0.0, 0.0), 1.0)
    assert needed(0.0, 0.0) is None


@pytest.mark.parametrize("first", [[1.0, 1.0], [0.1 + 0.2, 0.3], [2.0, 2.0, 2.0]])
def test_the_same_difference_for_every_seed_is_no_evidence(first):
    found = paired(first, [0.0] * len(first))
    assert (found.n, found.spread, found.interval, found.p) == (len(first), None, None, None)


def test_the_power_is_how_often_the_interval_excludes_zero():
    random, n, runs = np.random.default_rng(3), 8, 2000
    differences = random.normal(1.0, 1.0, (runs, n))
    found = np.mean([paired(row, np.zeros(n)).interval.excludes(0) for row in differences])
    assert power(1.0, 1.0, n) == pytest.approx(found, abs=0.02)


@pytest.mark.parametrize(("effect", "expected"), [(0.5, 34), (0.8, 15), (1.0, 10), (0.2, 199)])
def test_the_seeds_that_are_needed_are_those_of_the_tables(effect, expected):
    """Cohen, Statistical Power Analysis for the Behavioral Sciences: paired t, two-sided 5 %, power 80 %."""
    assert needed(effect * 7, 7) == needed(-effect * 7, 7) == expected


def test_more_seeds_than_anybody_trains():
    assert needed(0.01, 1.0) is None and needed(0.1, 1.0) <= MOST


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []

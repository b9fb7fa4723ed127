"""Intervals against scipy and against the distributions that they come from."""

import pytest
from scipy import stats

from pipeline.metrics.intervals import half_width, share


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_half_an_interval_is_students(n, confidence):
    values = stats.norm.rvs(3, 2, size=n, random_state=n)
    low, high = stats.t.interval(confidence, n - 1, values.mean(), stats.sem(values))
    assert half_width(float(stats.sem(values)), n - 1, confidence) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize(("successes", "tries"), [(0, 20), (3, 20), (20, 20), (16, 62)])
def test_outside_the_bounds_of_a_share_what_was_seen_is_rare(successes, tries):
    low, high = share(successes, tries, 0.9)
    assert low <= successes / tries <= high
    if successes:
        assert stats.binom.sf(successes - 1, tries, low) == pytest.approx(0.05, rel=1e-6)
    if successes < tries:
        assert stats.binom.cdf(successes, tries, high) == pytest.approx(0.05, rel=1e-6)

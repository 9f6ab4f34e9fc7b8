"""What growing history costs, worked out by hand."""

from __future__ import annotations

import pytest

from agent_callbacks.tokens import economics

# 3,500 of instructions, 12 schemas of 350, 800 in and 600 out a step: each step sends 1,400 more.
SUPPORT = [8500 + 1400 * step for step in range(10)]


def test_support_agent():
    """An agent of ten steps sends 17.4 times its first input, and its last third of steps 2.3 times."""
    assert pytest.approx(148_000 / 8500) == economics.context_multiple(SUPPORT)
    assert pytest.approx((18_300 + 19_700 + 21_100) / 3 / 8500) == economics.context_growth(SUPPORT)
    assert "compounding" == economics.growth_kind(economics.context_growth(SUPPORT))
    assert (22_500, 23_900, 25_300) == economics.projected(SUPPORT, 3)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, 500, None),
        (1000, 1250, economics.Marginal(250, 0.25)),
        (1000, 400, economics.Marginal(-600, -0.6)),
        (0, 400, economics.Marginal(400, None)),
    ],
)
def test_marginal(before, now, expected):
    """A step's marginal tokens are what it sends more than the one before; the first has none to compare with."""
    assert expected == economics.marginal(before, now)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([2000, 2500, 3100], True),
        ([2000, 2400, 3100], False),
        ([1500, 1900, 2500], False),
        ([1500, 2000, 2500], True),
        ([9000, 2000, 2500, 3100], True),
        ([2000, 2500], False),
        ([0, 2500, 3100], False),
    ],
    ids=["twice a quarter", "a fifth is not above", "too small", "just large enough", "the last three", "two", "zero"],
)
def test_rising(inputs, expected):
    """Two steps in a row above the ratio, of at least 2,000 tokens, are an alert."""
    assert expected is economics.is_rising(inputs, 0.2)


@pytest.mark.parametrize("inputs", [[], [0, 0]])
def test_nothing_sent(inputs):
    """Of a run that sent nothing nothing is said."""
    assert economics.context_multiple(inputs) is None
    assert economics.context_growth(inputs) is None


def test_first_call():
    """Where the first step made several calls, the first of them is the measure."""
    assert 4.0 == economics.context_multiple([3000, 1000], first=1000)
    assert 1.0 == economics.context_growth([3000, 1000], first=1000)


@pytest.mark.parametrize(
    ("cache_read", "given", "expected"), [(None, 10, None), (5, 0, None), (5, 10, 0.5), (11, 10, 1.0)]
)
def test_cached_share(cache_read, given, expected):
    """A share is of the input and at most all of it; where no cache is reported there is none."""
    assert expected == economics.cached_share(cache_read, given)


@pytest.mark.parametrize(("inputs", "expected"), [([], (0, 0)), ([700], (700, 700)), ([900, 500, 100], (0, 0))])
def test_projected(inputs, expected):
    """A single step says nothing about growth; nothing shrinks below nothing."""
    assert expected == economics.projected(inputs, 2)


def test_negative_steps():
    """Steps to come are counted from none."""
    with pytest.raises(ValueError, match="steps must be 0 or more, not -1"):
        economics.projected([1], -1)

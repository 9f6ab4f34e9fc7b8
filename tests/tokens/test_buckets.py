"""Buckets that sum to what the provider reports, whatever was counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.tokens.buckets import BUCKETS, Buckets, Estimate, apportioned, cached, reconciled, shares

COUNTS = st.builds(Buckets, *[st.integers(0, 50_000)] * len(BUCKETS))


@given(COUNTS, COUNTS, st.integers(0, 300_000), st.booleans(), st.booleans(), st.booleans())
def test_sum(text, form, reported, certain, exact, media):
    """Buckets sum to the report exactly, none is negative, and an empty one stays empty beside ``other``."""
    found, _ = reconciled(Estimate.of(text, form), reported, certain=certain, exact=exact, media=media)

    assert reported == found.total
    assert min(found) >= 0
    whole = text + form
    assert not [name for name, had, has in zip(BUCKETS[:-1], whole, found, strict=False) if has and not had]


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_apportioned(total, weights):
    """Shares are integers that sum to the whole, each less than one from its exact share."""
    found = apportioned(total, weights)

    assert total == sum(found)
    if whole := sum(weights):
        assert all(abs(part - weight * total / whole) < 1 for part, weight in zip(found, weights, strict=True))


def test_remainders():
    """The largest remainders are rounded up; of equal ones the first."""
    assert (4, 3, 3) == apportioned(10, (1, 1, 1))


def test_text_is_certain():
    """Where the text is counted with the model's own encoding, what is modelled gives way."""
    estimate = Estimate.of(Buckets(1000, 0, 500), Buckets(0, 400))

    assert Buckets(1000, 430, 500) == reconciled(estimate, 1930, certain=True)[0]


def test_text_is_uncertain():
    """Where it is counted with another, everything scales."""
    estimate = Estimate.of(Buckets(1000, 0, 500), Buckets(0, 500))

    assert Buckets(1100, 550, 550) == reconciled(estimate, 2200)[0]


@pytest.mark.parametrize(
    ("reported", "exact", "media", "expected", "mismatch"),
    [
        (125, True, False, Buckets(125), False),
        (126, True, False, Buckets(100, other=26), True),
        (126, True, True, Buckets(100, other=26), False),
        (110, True, True, Buckets(100, other=10), False),
        (79, True, False, Buckets(79), True),
        (80, True, False, Buckets(80), False),
        (150, False, False, Buckets(150), False),
        (201, False, False, Buckets(100, other=101), True),
    ],
    ids=["a tokenizer's difference", "too much", "images", "a small image", "too little", "just little",
         "an estimate", "too much for an estimate"],
)  # fmt: skip
def test_mismatch(reported, exact, media, expected, mismatch):
    """A report that is no matter of tokenizers is not scaled away: its excess is ``other``, and it is flagged."""
    found = reconciled(Estimate.of(Buckets(100), Buckets()), reported, exact=exact, media=media)

    assert (expected, mismatch) == found


@pytest.mark.parametrize(("reported", "mismatch"), [(7, True), (0, False)])
def test_nothing_counted(reported, mismatch):
    """What is reported where nothing was sent that we know of is ``other``."""
    found = reconciled(Estimate.of(Buckets(), Buckets()), reported)

    assert (Buckets(other=reported), mismatch) == found


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5000)), max_size=20), COUNTS, st.integers(0, 300_000))
def test_cached(segments, buckets, cache_read):
    """What came from the cache sums to what is reported, and is no more than there is of anything."""
    found = cached(segments, buckets, cache_read)

    assert min(cache_read, buckets.total) == found.total
    assert all(part <= whole for part, whole in zip(found, buckets, strict=True))


def test_cached_prefix():
    """A cache holds a prefix: tools and instructions first, then messages as they were sent."""
    order = ((1, 400), (0, 100), (2, 50), (3, 200), (2, 70))

    assert Buckets(100, 400, 50, 10) == cached(order, Buckets(100, 400, 120, 200), 560)


@pytest.mark.parametrize(
    ("buckets", "expected"), [(Buckets(), (0.0,) * 5), (Buckets(1, 1, 2), (0.25, 0.25, 0.5, 0.0, 0.0))]
)
def test_shares(buckets, expected):
    """Shares are of the whole; of nothing they are none."""
    assert expected == shares(buckets)

"""The tables a maintainer adds rows to: each row works, and none hides another."""

from __future__ import annotations

import itertools
import string

import pytest

from agent_callbacks.privacy import Sanitizer, detectors, ids, keys, vendors

SANITIZER = Sanitizer()
BODY = "".join(itertools.islice(itertools.cycle("aZ9bY8cX7dW6eV5fU4gT3hS2iR1jQ0"), 120))
FORMS = [*ids.FORMS, *ids.LETTERED]


@pytest.mark.parametrize("prefix", vendors.PREFIXES, ids=lambda prefix: prefix.text)
def test_every_vendors_key_is_found(prefix: vendors.Prefix) -> None:
    """A key as short as the vendor makes them is a secret, in text and as an identity; a shorter one is a word."""
    key = prefix.text + BODY[: max(prefix.least, 20)]
    assert "use [SECRET]," == SANITIZER.clean(f"use {key},")
    assert SANITIZER.clean_identity(key).startswith("[SECRET:")
    assert prefix.text + "ab" == SANITIZER.clean(prefix.text + "ab")


def test_vendors_are_many_and_distinct() -> None:
    """The table holds what its documentation promises, each beginning once."""
    texts = [prefix.text for prefix in vendors.PREFIXES]
    assert len(texts) >= 60
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    "prefix", [prefix for prefix in vendors.PREFIXES if not prefix.sure], ids=lambda prefix: prefix.text
)
def test_words_that_begin_like_a_key_stay(prefix: vendors.Prefix) -> None:
    """Behind a beginning that words share, words are no key."""
    name = prefix.text + "some_quite_long_name_of_a_thing_in_code" * (1 + prefix.least // 40)
    assert name == SANITIZER.clean(name)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: ".".join(form.number) + form.shape.decode()[:12])
def test_every_number_can_be_checked(form: ids.Form) -> None:
    """The checksum of each form exists and refuses what is none."""
    assert not ids.is_valid(form.number, "X00000000")


def test_key_rules_name_types() -> None:
    """Each key rule leads to a type in capitals, in any spelling of the key."""
    for name, kind in keys._KNOWN.items():
        assert kind == keys.key_kind(name) == keys.key_kind(name.upper())
        assert set(kind) <= set(string.ascii_uppercase + "_")


def test_detectors_name_types() -> None:
    """Each detector says which types it may find."""
    assert all(detector.kinds for detector in detectors.DETECTORS)

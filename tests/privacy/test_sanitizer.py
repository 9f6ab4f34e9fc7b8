"""The sanitizer's promises: any value, bounded, never raising, failing closed."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import logging
import pathlib
import pickle
import re
import string
import threading
import uuid
from typing import Any, NamedTuple
from unittest import mock

import orjson
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_callbacks.privacy import Sanitizer, plain, sanitizer

SANITIZER = Sanitizer()


class Colour(enum.Enum):
    """An enumeration whose value is personal."""

    RED = "red@b.io"


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: str


@dataclasses.dataclass(slots=True)
class Slotted:
    """A dataclass without an instance dictionary."""

    note: str
    unset: str = dataclasses.field(init=False)


class Model(pydantic.BaseModel):
    """A model with a secret and an extra field."""

    model_config = pydantic.ConfigDict(extra="allow")
    note: str
    key: pydantic.SecretStr = pydantic.SecretStr("hidden")

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """Refuse: the sanitizer must not run user code."""
        raise AssertionError


class Hostile:
    """Raises on everything."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]


class HostileDict(dict[str, str]):
    """A dict whose methods raise."""

    def __iter__(self) -> Any:
        raise RuntimeError

    items = keys = values = __len__ = __getitem__ = __iter__  # type: ignore[assignment]


def cycle() -> list[object]:
    """Return a list that contains itself."""
    loop: list[object] = [1]
    loop.append(loop)
    return loop


PLAIN = [
    (None, None), (True, True), (3, 3), (1.5, 1.5), (float("nan"), None), (float("-inf"), None), (2**63, str(2**63)),
    (10**5000, "<int: 16610 bits>"), (4111111111111111, "[CREDIT_CARD]"), ("\ud83d\ude00 \ud800", "😀 \ufffd"),
    (b"abc", "<bytes: 3>"), (bytearray(4), "<bytes: 4>"), (memoryview(b"ab"), "<bytes: 2>"),
    (dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), "2026-01-02T03:04:00+00:00"),
    (dt.date(2026, 1, 2), "2026-01-02"), (dt.time(3, 4), "03:04:00"), (decimal.Decimal("1.50"), "1.50"),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"), (pathlib.PurePosixPath("/a/ana@b.io"), "/a/[EMAIL]"),
    (Colour.RED, "[EMAIL]"), (Point(1, "a@b.io"), [1, "[EMAIL]"]), ((1, 2), [1, 2]), ({7}, [7]), (frozenset({7}), [7]),
    (collections.deque([1]), [1]), (collections.OrderedDict(a=1), {"a": 1}), (Slotted("a@b.io"), {"note": "[EMAIL]"}),
    (Model(note="n", more="a@b.io"), {"note": "n", "key": "[SECRET]", "more": "[EMAIL]"}),
    ((i for i in "ab"), "<generator>"), (iter([]), "<list_iterator>"), (threading.Lock(), "<lock>"),
    (len, "<builtin_function_or_method>"),
    (Hostile(), "<Hostile>"), (HostileDict(a="b"), {"a": "b"}), (mock.MagicMock(), "<MagicMock>"),
    (mock.MagicMock(spec=dict), "<MagicMock>"), (Model, "<Model>"), (type, "<type>"), (cycle(), [1, "[CYCLE]"]),
    ({1: "a", None: "b", (1,): "c"}, {"1": "a", "None": "b", "<tuple>": "c"}), ([[], {}], [[], {}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=[type(value).__name__ for value, _ in PLAIN])
def test_plain(value: object, expected: object) -> None:
    """Any object becomes plain data without a line of its code being run."""
    fresh = Sanitizer()
    assert expected == fresh.clean_value(value)
    assert 0 == fresh.failures


def test_key_rules() -> None:
    """A key that says what its value is decides, whatever its spelling; counts and empty values stay."""
    given_value = {
        "apiKey": "x", "X-API-KEY": "x", "db password": "x", "max_tokens": 5, "token": 7, "access_token": "x",
        "email": ["a"],
        "dateOfBirth": 19750212, "first_name": "Ana", "billing_address": {"street": "x"}, "ip_address": "here",
        "password": None,
        "secret": True, "cookie": "", "card_number": 4, "next_page_token": "abc", "name": "search_web",
    }  # fmt: skip
    expected = {
        "apiKey": "[SECRET]", "X-API-KEY": "[SECRET]", "db password": "[SECRET]", "max_tokens": 5, "token": 7,
        "access_token": "[SECRET]", "email": "[EMAIL]", "dateOfBirth": "[DATE_OF_BIRTH]", "first_name": "[PERSON]",
        "billing_address": "[ADDRESS]", "ip_address": "here", "password": None, "secret": True, "cookie": "",
        "card_number": "[CREDIT_CARD]", "next_page_token": "abc", "name": "search_web",
    }  # fmt: skip
    assert expected == SANITIZER.clean_value(given_value)


def test_schemas_stay() -> None:
    """The JSON schema of a parameter called email is no e-mail address."""
    schema = {
        "properties": {"email": {"type": "string", "description": "where to write"}, "password": {"type": "string"}}
    }
    assert schema == SANITIZER.clean_value(schema)


def test_keys_are_cleaned_and_kept_apart() -> None:
    """A key that is personal is replaced, and two such keys keep both values."""
    assert {"[EMAIL]": 1, "[EMAIL]_": 2} == SANITIZER.clean_value({"a@b.io": 1, "c@d.io": 2})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{ "n": 1 }', '{ "n": 1 }'),
        ('{"password": "x", "n": 1}', '{"password": "[SECRET]", "n": 1}'),
        ('{"a": "x@y.zw", "a": 1}', '{"a": "[EMAIL]", "a": 1}'),
        ('["{\\"email\\": \\"a@b.io\\"}"]', '["{\\"email\\": \\"[EMAIL]\\"}"]'),
        ('{"phone": 4155550132}', '{"phone": "[PHONE]"}'),
        ("[EMAIL] is no JSON, a@b.io", "[EMAIL] is no JSON, [EMAIL]"),
    ],
)
def test_json_in_strings(text: str, expected: str) -> None:
    """JSON inside a string is cleaned in place: it stays JSON and keeps its form."""
    assert expected == SANITIZER.clean_value(text)


def test_depth_is_bounded() -> None:
    """Nesting beyond the bound is cut with a note, not with a crash."""
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    text = orjson.dumps(SANITIZER.clean_value(deep)).decode()
    assert f'{"[" * plain.DEPTH}"[TRUNCATED: depth]"' in text


def test_items_are_bounded() -> None:
    """A value that repeats itself exponentially ends at the item bound, with notes of what is missing."""
    bomb: list[object] = ["x"]
    for _ in range(40):
        bomb = [bomb] * 10
    text = orjson.dumps(SANITIZER.clean_value(bomb)).decode()
    assert text.count("x") < plain.ITEMS
    assert "[TRUNCATED: 9 items]" in text


@pytest.mark.parametrize(
    "value",
    ["a b " * 9000, ["a b@c.io \x00" * 900] * 90, {str(n): "ü" * n for n in range(400)}, '{"a":"' + "b " * 5000 + '"}'],
)
@pytest.mark.parametrize("bound", [64, 200, 5000])
def test_bytes_are_bounded(value: object, bound: int) -> None:
    """The result's JSON fits the bound and says that something is missing."""
    text = orjson.dumps(SANITIZER.clean_value(value, bound))
    assert len(text) <= bound
    assert b"[TRUNCATED" in text


def test_json_text_is_shortened_by_parts() -> None:
    """JSON in a string that does not fit stays JSON; what is no JSON, or too long to be read as such, is cut."""
    text = orjson.dumps({"note": "to a@b.io", "rest": ["word " * 9] * 9}).decode()
    shortened = SANITIZER.clean_value(text, 200)
    assert "to [EMAIL]" == orjson.loads(str(shortened))["note"]
    assert str(SANITIZER.clean_value("{" + text, 200)).startswith('{{"note":"to [EMAIL]"')
    assert str(SANITIZER.clean_value("[" + " " * (4 * 1024 * 1024), 200)).endswith("bytes]")


def test_small_dicts_take_the_short_way() -> None:
    """A small dict of known keys is cleaned without a walk, with the same result."""
    fresh = Sanitizer()
    value = {"note": "to a@b.io", "n": 7, "more": {"note": "x", "none": None}, "list": [4111111111111111]}
    expected = '{"note":"to [EMAIL]","n":7,"more":{"note":"x","none":null},"list":["[CREDIT_CARD]"]}'
    assert [expected, expected] == [fresh.clean_json(value), fresh.clean_json(value)]
    del value["list"]
    assert 2 == len({fresh.clean_json(value), fresh.clean_json(value, 20)})
    assert "[CYCLE]" in fresh.clean_json({"note": cycle()})
    assert '{"note":{"note":{"note":{"note":"x"}}}}' == fresh.clean_json({"note": {"note": {"note": {"note": "x"}}}})
    assert "a@b.io" not in Sanitizer(allow_values=frozenset({"x"})).clean_json({"a@b.io": "[EMAIL] c@d.io"})
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert '{"again":"[CYCLE]"}' == fresh.clean_json(loop)


def test_missing_bytes_are_counted() -> None:
    """A shortened leaf says how many bytes are gone."""
    assert "a b a b a b a b a b a b [TRUNCATED: 376 bytes]" == SANITIZER.clean_value("a b " * 100, 64)


@pytest.mark.parametrize(
    "secret",
    [
        "ana.lopez@example.org",
        "4111 1111 1111 1111",
        "sk-53iE7Ic3hv3m52f9J3R7T3BlbkFJ1Vi7",
        "eyJhbGciOi.eyJzdWIi." + "a" * 3000,
    ],
)
def test_no_half_secret_survives_a_cut(secret: str) -> None:
    """Wherever the cut falls, no piece of a secret is left and the bound holds."""
    text = f"The key: {secret} and then some more words. " + "tail " * 500
    for bound in range(8, 60):
        cleaned = SANITIZER.clean(text, bound)
        assert len(cleaned.encode()) <= bound
        assert secret[:4] not in cleaned


def test_a_cut_keeps_code_points() -> None:
    """A cut never splits a character."""
    assert "😀😀" == SANITIZER.clean("😀" * 9, 11)


def test_a_token_longer_than_the_look_ahead_goes_whole() -> None:
    """What cannot be seen to its end is not exported by half."""
    assert "x " == SANITIZER.clean("x " + "Zz9" * 1000 + " y", 50)


def test_large_text_is_scanned_to_its_end() -> None:
    """Three megabytes are cleaned, the last word included."""
    text = "The quick brown fox jumps over the lazy dog. " * 70_000
    assert f"{text}[EMAIL]" == SANITIZER.clean(f"{text}ana@b.io")


def test_identity_keeps_digits() -> None:
    """Identifiers lose only what is unmistakable."""
    kept = ["4111111111111111", "451-86-1307", "415-555-0132", "u-17", "10.1.2.3", "call_psi8Q518G4LQCL4kmeFtMhg6"]
    assert kept == [SANITIZER.clean_identity(text) for text in kept]
    tags = [Sanitizer(pseudonym_key="k").clean_identity(text) for text in ("ana@b.io", "u-+14155550132")]
    assert ["[EMAIL:1fd950dd]", "u-[PHONE:9906de2e]"] == tags


def test_identity_loses_logins_in_urls() -> None:
    """A document's id may be where it came from; how to get in there is no part of it."""
    cleaned = SANITIZER.clean_identity("postgres://admin:hunter2@db.internal/orders/7")
    assert re.fullmatch(r"postgres://\[URL_CREDENTIALS:[0-9a-f]{8}\]@db\.internal/orders/7", cleaned)


def test_disabled_says_why() -> None:
    """A sanitizer that is off removes nothing, still encodes, converts and bounds, and gives its reason."""
    off = Sanitizer.disabled("synthetic data only")
    assert not off.enabled
    assert "synthetic data only" == off.reason
    assert "a@b.io \ufffd" == off.clean("a@b.io \ud800")
    assert "a@b.io" == off.clean_identity("a@b.io")
    assert {"password": "<Hostile>"} == off.clean_value({"password": Hostile()})
    assert "aaaa" == off.clean("a" * 9, 4)


@pytest.mark.parametrize("reason", ["", "  ", None])
def test_disabled_needs_a_reason(reason: Any) -> None:
    """Nobody turns the sanitizer off without a word."""
    with pytest.raises(ValueError, match="say why"):
        Sanitizer.disabled(reason)


def test_unknown_options_are_named() -> None:
    """A misspelt option says which one was meant."""
    with pytest.raises(TypeError, match="did you mean 'allow_keys'"):
        Sanitizer(alow_keys=("a",))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="capitals"):
        Sanitizer(keys={"badge": "no"})


def test_options() -> None:
    """Own key rules add, allowed keys and values stay."""
    own = Sanitizer(
        keys={"badgeNumber": "BADGE"}, allow_keys=frozenset({"Email"}), allow_values=frozenset({"help@b.io"})
    )
    assert {"badge_number": "[BADGE]", "email": "x", "to": "help@b.io [EMAIL]"} == own.clean_value(
        {"badge_number": 7, "email": "x", "to": "help@b.io a@b.io"}
    )


def test_equal_by_options_and_hashable() -> None:
    """Two sanitizers with the same options are one setting; copies survive pickling."""
    assert Sanitizer(keys={"a": "AB"}) == Sanitizer(keys={"A": "AB"})
    assert 1 == len({Sanitizer(), Sanitizer()})
    assert Sanitizer() != Sanitizer.disabled("x")
    assert "[EMAIL]" == pickle.loads(pickle.dumps(Sanitizer())).clean("a@b.io")  # noqa: S301 - our own bytes
    with pytest.raises(dataclasses.FrozenInstanceError):
        SANITIZER.keys = {}  # type: ignore[misc]


@pytest.mark.logs_expected
def test_fails_closed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A failure of the sanitizer's own exports a marker, is counted, and is logged once without the value."""
    broken = Sanitizer()
    monkeypatch.setattr(sanitizer, "search", mock.Mock(side_effect=KeyError("ana@b.io")))
    with caplog.at_level(logging.WARNING):
        assert "[REDACTED:error]" == broken.clean("write to ana@b.io")
        assert "[REDACTED:error]" == broken.clean_identity("ana@b.io")
        assert ["[REDACTED:error]", 1] == broken.clean_value(["ana@b.io", 1])
    assert 3 == broken.failures
    assert ["sanitizer failed (KeyError); values are replaced by [REDACTED:error]"] == caplog.messages
    assert "[REDACTED:error]" == broken.clean(7)  # type: ignore[arg-type]


def test_memo_keeps_no_raw_text() -> None:
    """What was cleaned is remembered by digest; the text itself is not held, and the bounds hold."""
    fresh = Sanitizer()
    dirty, harmless = "x" * 80 + " ana@b.io", "some quite harmless words " * 5
    for _ in range(2):
        assert fresh.clean(dirty).endswith("[EMAIL]")
        assert harmless == fresh.clean(harmless)
    memo = fresh._state.memo
    assert "ana@b.io" not in repr((memo.young, memo.old))
    assert "harmless" not in repr((memo.young, memo.old))
    for n in range(5000):
        fresh.clean(f"{n} " * 40)
    assert len(memo.young) + len(memo.old) <= memo.entries
    assert fresh.clean(dirty).endswith("[EMAIL]")


FRAGMENTS = st.sampled_from(
    ["a@b.io", "4111 1111 1111 1111", "+1 415 555 0132", "password=", "password: ", '"', "'", "\\", "token=", "Bearer ",
     "sk-", "ghp_", "abcDEF0123456789xyz", "eyJabcdefghij.", "://u:p@h", "10.1.2.3", "::", "451-86-1307",
     "-----BEGIN PRIVATE KEY-----", "-----END", "dob ", "1999-01-02", " is ", "[EMAIL]", "[", "]", "{", "}",
     ":", ",", " ",
     "\n", "é", "call ", "DE89370400440532013000", "Cookie: "]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(FRAGMENTS, max_size=12).map("".join), st.text(string.printable, max_size=80)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary(max_size=9), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4), st.tuples(inner)),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TEXTS)
def test_text_is_total_and_stable(text: str) -> None:
    """Any text gives UTF-8, never a failure, and cleaning twice is cleaning once."""
    fresh = Sanitizer()
    once = fresh.clean(text)
    assert once.encode().decode() == once
    assert once == fresh.clean(once)
    assert 0 == fresh.failures


def test_keys_that_become_one_stay_apart() -> None:
    """Two keys that are cleaned to the same marker keep their values."""
    cleaned = orjson.loads(Sanitizer().clean('{"ana@b.io": 1, "bob@b.io": 2}'))
    assert [1, 2] == list(cleaned.values())


def test_what_stands_before_an_escape_keeps_its_place() -> None:
    """A match that lies before the first thing that is read differently is replaced where it stands."""
    assert "[EMAIL] and 4%20b" == Sanitizer().clean("ana@b.io and 4%20b")


def test_known_keys_change_nothing() -> None:
    """A small dict whose keys have been seen is read on a shorter way, with the same result."""
    fresh = Sanitizer()
    value = {"query": "ana@b.io", "score": float("nan"), "limit": 3.5, "inner": {"text": "a b " * 2_000}}
    first = fresh.clean_value(value)
    assert {"query": "[EMAIL]", "score": None, "limit": 3.5, "inner": {"text": "a b " * 2_000}} == first
    assert first == fresh.clean_value(value)
    assert orjson.dumps(first).decode() == fresh.clean_json(value)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(VALUES, st.one_of(st.none(), st.integers(16, 300)))
def test_values_are_total_and_bounded(value: object, bound: int | None) -> None:
    """Any value gives JSON within the bound, never a failure, and cleaning twice is cleaning once."""
    fresh = Sanitizer()
    once = fresh.clean_value(value, bound)
    text = orjson.dumps(once)
    assert 0 == fresh.failures
    if bound is None:
        assert once == fresh.clean_value(once)
    else:
        assert len(text) <= bound

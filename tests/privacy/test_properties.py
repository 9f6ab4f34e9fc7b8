"""What holds for any text: nothing planted survives, JSON stays JSON, the result is bounded, twice is once."""

from __future__ import annotations

import string

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_callbacks.privacy import Sanitizer

PLANTED = st.sampled_from([
    "ana.lopez@example.org", "4111 1111 1111 1111", "378282246310005", "+1 415 555 0132", "DE89370400440532013000",
    "ghp_GCNL9Zi8ZmE9pSXNdxJ6cEtbhwMieTh66Kpd", "sk-ant-api03-k3_zZT6a9XJ0zGierK3wvtTm", "451-86-1307",
    "AKIA7TLQT2YQR65O3F6P",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "16:99:be:68:42:74",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "529.982.247-25", "RSSMRA85T10A562S",
])  # fmt: skip
# Words and signs around it that neither continue it nor announce anything else.
AROUND = st.text(st.sampled_from("abc XYZ\n\t,;!?()[]{}<>\u00e9\u2026\u6f22"), max_size=30)
FIELDS = st.dictionaries(
    st.text(string.ascii_letters + "_", max_size=8) | st.sampled_from(["password", "phone", "address", "email"]),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False)
        | PLANTED
        | AROUND,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AROUND, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(AROUND, PLANTED), min_size=1, max_size=4), st.sampled_from([None, 60, 200]))
def test_nothing_planted_survives(pieces: list[tuple[str, str]], bound: int | None) -> None:
    """Wherever it stands, whatever is around it, and wherever a cut falls, no half of it is left either."""
    text = " ".join(f"{around} {planted} " for around, planted in pieces)
    cleaned = Sanitizer().clean(text, bound)
    for _, planted in pieces:
        assert planted not in cleaned
        assert planted[len(planted) // 2 :] not in cleaned
        assert planted[: len(planted) // 2 + 1] not in cleaned


@settings(max_examples=200, deadline=None, derandomize=True)
@given(FIELDS, st.integers(0, 3))
def test_json_stays_json(value: dict[str, object], depth: int) -> None:
    """Encoded once, twice or three times, it can be read as before, has the same keys, and is clean."""
    text = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
    for _ in range(depth):
        text = orjson.dumps({"inner": text}).decode()
    cleaned = Sanitizer().clean(text)
    parsed = orjson.loads(cleaned)
    for _ in range(depth):
        parsed = orjson.loads(parsed["inner"])
    assert isinstance(parsed, dict)
    assert [key for key in value if "@" not in key] == list(parsed)
    assert cleaned == Sanitizer().clean(cleaned)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=200) | st.lists(PLANTED | AROUND, max_size=9).map("".join))
def test_results_are_bounded_and_stable(text: str) -> None:
    """A result is at most a marker longer than its text for each character of it, and cleaning it changes nothing."""
    fresh = Sanitizer(modes={"EMAIL": "tag", "CREDIT_CARD": "partial", "MAC": "drop"}, pseudonym_key="k")
    once = fresh.clean(text)
    assert len(once) <= 32 * len(text)
    assert once == fresh.clean(once)
    assert 0 == fresh.failures


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(PLANTED | AROUND, max_size=6).map(" ".join))
def test_matches_are_what_is_replaced(text: str) -> None:
    """They are in order, touch nowhere, lie inside the text, and none means that nothing changes."""
    own = Sanitizer()
    found = own.matches(text)
    ends = [0, *(match.end for match in found)]
    assert all(end <= match.start < match.end <= len(text) for end, match in zip(ends, found, strict=False))
    assert bool(found) == (own.clean(text) != text)

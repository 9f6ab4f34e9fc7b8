"""What a user may choose: what stands for a type, what is let through, who else looks, how much is read."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agent_callbacks.privacy import Match, Sanitizer, memo, pseudonyms

if TYPE_CHECKING:
    from collections.abc import Iterable


class Names:
    """A recognizer of one name."""

    def recognize(self, text: str) -> Iterable[tuple[int, int, str]]:
        """Find it."""
        return [(found.start(), found.end(), "PERSON") for found in re.finditer("Ana Lima", text)]


class Answers:
    """A recognizer that gives one answer, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def recognize(self, text: str) -> Any:
        """Give it."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


# --- modes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("replace", "a [CREDIT_CARD] b"),
        ("partial", "a [CREDIT_CARD:1111] b"),
        ("drop", "a  b"),
        ("keep", "a 4111 1111 1111 1111 b"),
        ("tag", "a [CREDIT_CARD:6b5ca31e] b"),
    ],
)
def test_modes(mode: Any, expected: str) -> None:
    """Each type has its own mode, and what a mode leaves is left again."""
    own = Sanitizer(modes={"CREDIT_CARD": mode}, pseudonym_key="k")
    assert expected == own.clean("a 4111 1111 1111 1111 b")
    assert expected == own.clean(expected)
    assert "[EMAIL]" == own.clean("a@b.io")


def test_modes_under_keys() -> None:
    """What a key says of its value follows the mode of that type; a dropped pair leaves no trace."""
    value = {"email": "Bo@B.io", "password": "x", "phone": 4155550132, "first_name": "Ana", "address": {"city": "Ulm"}}
    own = Sanitizer(
        modes={"EMAIL": "tag", "SECRET": "drop", "PHONE": "partial", "PERSON": "keep", "ADDRESS": "drop"},
        pseudonym_key="k",
    )
    expected = {"email": own.clean("bo@b.io"), "phone": "[PHONE:0132]", "first_name": "Ana"}
    assert expected == own.clean_value(value)
    assert expected["email"].startswith("[EMAIL:")
    assert {"address": "[ADDRESS]"} == Sanitizer(modes={"ADDRESS": "tag"}).clean_value({"address": {"city": "Ulm"}})


def test_partial_needs_enough_digits() -> None:
    """Of a short number, or of none, the last digits would be most of it."""
    own = Sanitizer(modes={"DATE_OF_BIRTH": "partial", "EMAIL": "partial"})
    assert "born [DATE_OF_BIRTH], [EMAIL]" == own.clean("born 3/4/84, a1@b.io")


def test_tags_join_what_is_the_same() -> None:
    """Spelling does not matter, the key does, and nothing of the value is in the tag."""
    own = Sanitizer(modes={"EMAIL": "tag", "PHONE": "tag", "IBAN": "tag"}, pseudonym_key="one")
    assert own.clean("Ana@B.io") == own.clean("ana@b.io")
    assert own.clean("+1 (415) 555-0132") == own.clean("+14155550132")
    assert own.clean("ana@b.io") != own.clean("bob@b.io")
    assert own.clean("ana@b.io") != Sanitizer(modes={"EMAIL": "tag"}, pseudonym_key="two").clean("ana@b.io")
    assert re.fullmatch(r"\[EMAIL:[0-9a-f]{8}\]", own.clean("ana@b.io"))


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the variable holds the key, read when the first tag is made."""
    own = Sanitizer()
    monkeypatch.setenv("AGENT_CALLBACKS_PSEUDONYM_KEY", "one")
    assert Sanitizer(pseudonym_key="one").clean_identity("a@b.io") == own.clean_identity("a@b.io")


@pytest.mark.logs_expected
def test_without_a_key_tags_are_of_this_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are marked, the same within the process, and one warning says so."""
    monkeypatch.delenv("AGENT_CALLBACKS_PSEUDONYM_KEY")
    monkeypatch.setattr(pseudonyms, "_warned", set())
    with caplog.at_level(logging.WARNING):
        tags = {Sanitizer().clean_identity("a@b.io") for _ in range(3)}
    assert 1 == len(tags)
    assert re.fullmatch(r"\[EMAIL:~[0-9a-f]{8}\]", tags.pop())
    assert [
        "AGENT_CALLBACKS_PSEUDONYM_KEY is not set: tags of this process (marked ~) do not match those of others"
    ] == (caplog.messages)


def test_the_key_is_not_shown() -> None:
    """A representation of the settings carries no key."""
    assert "hush" not in repr(Sanitizer(pseudonym_key="hush"))


def test_markers_are_not_looked_into() -> None:
    """A tag may look like a number, and a marker stands for something that is gone."""
    text = "call [PHONE:12345678] or [CREDIT_CARD:41111111] or [IP]"
    assert text == Sanitizer().clean(text)
    assert "password=[SECRET]" == Sanitizer().clean("password=[SECRET]")


# --- allow-lists -----------------------------------------------------------------------------------------------------
def test_allowed_types_keys_values_and_networks() -> None:
    """What is allowed by type, by key, by value or by network stays."""
    own = Sanitizer(
        allow_types=frozenset({"MAC"}),
        allow_keys=frozenset({"contactEmail"}),
        allow_values=frozenset({"help@b.io"}),
        allow_networks=("10.0.0.0/8", "2001:db8::/32"),
    )
    assert "3c:22:fb:4a:9d:01" == own.clean("3c:22:fb:4a:9d:01")
    assert "10.1.2.3 [IP] 2001:db8::7 [IP]" == own.clean("10.1.2.3 192.0.2.7 2001:db8::7 10[.]9[.]8[.]7")
    assert {"contact_email": "x"} == own.clean_value({"contact_email": "x"})
    assert "help@b.io [EMAIL]" == own.clean("help@b.io a@b.io")
    assert "[IP]" == Sanitizer().clean("192.0.2.7")


def test_own_keys_hold_in_text() -> None:
    """A key rule of the user's holds for names in text as for those of a dict, and an allowed key there too."""
    own = Sanitizer(keys={"badgeNumber": "BADGE"}, allow_keys=frozenset({"password"}))
    assert '{"badge_number": "[BADGE]"}' == own.clean('{"badge_number": "B-77"}')
    assert "password=x1" == own.clean("password=x1")
    assert "password=[SECRET]" == Sanitizer().clean("password=x1")


# --- recognizers -----------------------------------------------------------------------------------------------------
def test_recognizers_add() -> None:
    """What a recognizer finds is replaced beside what the detectors find; identifiers are not shown to it."""
    own = Sanitizer(recognizers=(Names(),))
    assert "Dear [PERSON], [EMAIL]" == own.clean("Dear Ana Lima, a@b.io")
    assert {"n": "[PERSON]"} == own.clean_value({"n": "Ana Lima"})
    assert "Ana Lima" == own.clean_identity("Ana Lima")
    assert [Match(5, 13, "PERSON", 20)] == own.matches("Dear Ana Lima")
    assert [] == own.matches("Dear Ana Lima", identity=True)


def test_matches_are_those_of_the_call() -> None:
    """What is looked up without replacing it is what the text, the identifier, or a disabled sanitizer would lose."""
    card_and_mail = "4111111111111111 a@b.io"
    assert ["CREDIT_CARD", "EMAIL"] == [match.kind for match in Sanitizer().matches(card_and_mail)]
    assert ["EMAIL"] == [match.kind for match in Sanitizer().matches(card_and_mail, identity=True)]
    assert [] == Sanitizer.disabled("a test").matches(card_and_mail)


@pytest.mark.logs_expected
@pytest.mark.parametrize(
    "answer", [RuntimeError("Ana Lima"), [(0, 99, "PERSON")], [(3, 3, "PERSON")], [(0, 3, "person")], [(0,)], 7]
)
def test_a_failing_recognizer_takes_the_text(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Who could not look has not seen it: the text goes, the count says so, and the log does not quote it."""
    own = Sanitizer(recognizers=(Answers(answer),))
    assert ["[REDACTED:error]", 3] == own.clean_value(["Ana Lima", 3])
    assert 1 == own.failures
    assert "Ana" not in caplog.text


@pytest.mark.logs_expected
def test_a_slow_recognizer_takes_the_text() -> None:
    """Its budget is wall-clock time; what exceeds it counts as not looked at."""
    own = Sanitizer(recognizers=(Names(),), recognizer_seconds=1e-12)
    assert "[REDACTED:error]" == own.clean("Dear Ana Lima, how are you?")


# --- size ------------------------------------------------------------------------------------------------------------
def test_what_is_not_read_is_not_passed() -> None:
    """Beyond the limit a text is replaced, without half a match at the cut, and counted."""
    own = Sanitizer(max_characters=40)
    assert "x" * 10 + " [EMAIL] [REDACTED:size]" == own.clean("x" * 10 + " a@b.io" + " ana.maria.lopez@example.org" * 9)
    assert 1 == own.oversized
    assert 0 == own.failures


def test_the_memo_is_bounded_by_bytes() -> None:
    """Long cleaned texts push out older ones, and one that is too long is not kept at all."""
    small = memo.Memo(entries=100, size=4000)
    for number in range(9):
        small.keep(bytes([number]), "x" * 100)
    assert small.used <= 2000
    assert len(small.young) + len(small.old) < 9
    small.keep(b"long", "x" * 2000)
    assert memo.UNKNOWN is small.known(b"long")
    assert "x" * 100 == small.known(bytes([8]))


def test_the_memo_keeps_what_is_asked_for() -> None:
    """An entry that is asked for outlives the older half."""
    small = memo.Memo(entries=4)
    small.keep(b"a", None)
    for key in (b"b", b"c", b"d", b"e", b"f"):
        assert small.known(b"a") is None
        small.keep(key, None)
    assert memo.UNKNOWN is small.known(b"b")


# --- errors ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": {"EMAIL": "hash"}}, "unknown mode 'hash'; known: replace, tag, partial, drop, keep"),
        ({"modes": {"EMAIL": "repalce"}}, "did you mean 'replace'"),
        ({"modes": {"email": "tag"}}, "a type is 2 to 32 capitals"),
        ({"allow_types": {"mac"}}, "a type is 2 to 32 capitals"),
        ({"allow_networks": ("ten",)}, "'10.0.0.0/8'"),
        ({"recognizers": (7,)}, "a int has no method recognize"),
        ({"max_characters": 0}, "must be a number above 0"),
        ({"recognizer_seconds": -1.0}, "must be a number above 0"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    """An option that says nothing is refused with what it may be."""
    with pytest.raises(ValueError, match=re.escape(message)):
        Sanitizer(**options)


def test_a_dropped_number_keeps_json() -> None:
    """Dropping a bare number leaves JSON, too."""
    text = '{"n": [4111111111111111, 2], "m": 1}'
    assert {"n": ["", 2], "m": 1} == orjson.loads(Sanitizer(modes={"CREDIT_CARD": "drop"}).clean(text))

"""Keys, tokens and other long words: what begins like a vendor's key, is a JWT, or carries text in another writing."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy.accounts import iban
from agent_callbacks.privacy.coins import coin
from agent_callbacks.privacy.match import Match
from agent_callbacks.privacy.vendors import prefix_of
from agent_callbacks.privacy.views import opens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.privacy.views import Span, Views

__all__ = ["bearer", "is_random", "long_words", "private_key", "webhook"]

_LONG: Final = b"w" * 16
_LONGEST_HEAD: Final = 26
_DOTTED: Final = re.compile(r"(?<![\w\-])(?:[\w\-]{1,12}\.){1,2}\Z", re.ASCII)
_BODY: Final = re.compile(r"[\w\-]{0,8192}+(?:[.:~][\w\-]{16,512}+){0,3}={0,2}", re.ASCII)
_MIXED_RUN: Final = re.compile(r"[A-Za-z0-9]{10,64}+")
_HEAD: Final = 96


def is_random(text: str) -> bool:
    """Tell whether *text* has a run that no identifier has: ten signs with a digit, or with both cases."""
    for run in _MIXED_RUN.finditer(text):
        word = run[0]
        if not word.isalpha() or not (word.islower() or word.isupper() or word.istitle()):
            return True
    return False


def long_words(seen: Views) -> Iterator[Match]:
    """Yield the secrets among the words of 16 signs and more, which are few in any text."""
    word = seen.word
    at = word.find(_LONG)
    while at >= 0:
        end = word.find(b" ", at + len(_LONG))
        end = len(word) if end < 0 else end
        found = _secret(seen, at, end)
        if found:
            yield found
            end = max(end, found.end)
        at = word.find(_LONG, end)


def _secret(seen: Views, at: int, end: int) -> Match | None:
    word = seen.text[at:end]
    if word.startswith("eyJ"):
        return _jwt(seen.text, at)
    # Ids of traces, spans and commits are most of the long words there are, and no vendor's key looks like one.
    found = None if _IDENTIFIER.fullmatch(word) else _of_vendor(seen, at, end) or _of_form(seen, at, end, word)
    if found := found or _announced(seen, at, end):
        return found
    _carried(seen, at, end)
    return None


_IDENTIFIER: Final = re.compile(r"[0-9a-f\-]{16,64}")


def _of_vendor(seen: Views, at: int, end: int) -> Match | None:
    text = seen.text
    start = at
    if at and text[at - 1] == ".":
        head = _DOTTED.search(text, max(0, at - _LONGEST_HEAD), at)
        start = head.start() if head and opens(seen, head.start()) else at
    bot = _BOT.search(text, max(0, at - 12), end) if text[at - 1 : at] == ":" else None
    if bot and bot.end() == end:
        return Match(bot.start(), end, "SECRET", 80)
    for begin in (start, at):
        if _has_prefix(text[begin:end]):
            return Match(begin, _body_end(text, end), "SECRET", 80)
    return None


_BOT: Final = re.compile(r"(?<!\d)\d{8,11}:AA[\w\-]{32,34}", re.ASCII)
"""A bot of Telegram: its number, then its key."""


def _of_form(seen: Views, at: int, end: int, word: str) -> Match | None:
    if word[2:4].isdigit() and word[:2].islower() and (span := iban(seen, at)):
        return Match(*span, "IBAN", 60)
    kind = coin(word) or (_TWILIO.fullmatch(word) and "SECRET")
    return Match(at, end, kind, 70) if kind else None


_TWILIO: Final = re.compile(r"(?:AC|SK)[0-9a-f]{32}")


def _has_prefix(word: str) -> bool:
    prefix = prefix_of(word)
    return prefix is not None and (prefix.sure or is_random(word[len(prefix.text) : len(prefix.text) + _HEAD]))


def _body_end(text: str, end: int) -> int:
    body = _BODY.match(text, end)
    return body.end() if body else end


_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{8,8192}+(?:\.[A-Za-z0-9_\-]{0,16384}+){0,4}")


def _jwt(text: str, at: int) -> Match | None:
    match = _JWT.match(text, at)
    # One segment is base64 of anything; at the end of the text it is a token that was cut.
    if match is None or ("." not in match[0] and match.end() != len(text)):
        return None
    return Match(at, match.end() - (text[match.end() - 1] == "."), "JWT", 90)


# --- a random word after a word for secrets --------------------------------------------------------------------------
_SECRET_WORDS: Final = frozenset({
    b"key", b"apikey", b"secret", b"token", b"password", b"passwd", b"pwd", b"passphrase", b"credential",
    b"credentials", b"bearer", b"basic", b"passcode", b"auth", b"authorization",
})  # fmt: skip
_FILLERS: Final = frozenset(
    {b"is", b"to", b"was", b"as", b"with", b"value", b"the", b"this", b"my", b"be", b"set", b"here"}
)
_WORD: Final = re.compile(rb"[a-z]{1,20}")
_NOT_SECRET: Final = re.compile(
    r"[a-z]{1,12}[_\-][0-9a-f\-]{8,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_WINDOW: Final = 28
_WORDS_BACK: Final = 4


def _announced(seen: Views, at: int, end: int) -> Match | None:
    before = seen.lower[max(0, at - _WINDOW) : at]
    for said in _WORD.findall(before[before.rfind(b")") + 1 :])[: -_WORDS_BACK - 1 : -1]:
        if said in _SECRET_WORDS:
            break
        if said not in _FILLERS:
            return None
    else:
        return None
    word = seen.text[at:end]
    if word.isdigit() or not is_random(word) or _NOT_SECRET.fullmatch(word):
        return None
    return Match(at, _body_end(seen.text, end), "SECRET", 40)


# --- text in base64 or in hexadecimal digits -------------------------------------------------------------------------
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-]{16,65536}+={0,2}")
_BASE64_REVERSED: Final = re.compile(r"[A-Za-z0-9+/]{0,64}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){8,4096}+")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_MOST_CARRIED: Final = 64


def _carried(seen: Views, at: int, end: int) -> None:
    """Note the text that the word carries, if it does: it is looked at when the text itself has been."""
    if at < seen.tried or len(seen.carried) >= _MOST_CARRIED:
        return
    text = seen.text
    if _HEX.fullmatch(text, at, end):
        _note(seen, at, end, bytes.fromhex(text[at:end]))
        return
    back = _BASE64_REVERSED.match(text[max(0, at - 64) : at][::-1])
    start = at - (back.end() if back else 0)
    match = _BASE64.match(text, start)
    if match is None or match.end() < end:
        return
    seen.tried = match.end()
    signs = match[0].rstrip("=").translate(_URL_SAFE)
    if len(signs) % 4 == 1:
        signs = signs[:-1]
    _note(seen, start, match.end(), binascii.a2b_base64(signs + "=" * (-len(signs) % 4)))


def _note(seen: Views, start: int, end: int, data: bytes) -> None:
    try:
        carried = data.decode()
    except UnicodeDecodeError:
        return
    if carried.replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable():
        seen.carried.append((start, end, carried))


# --- PEM, bearer, webhooks -------------------------------------------------------------------------------------------
_PEM_HEAD: Final = re.compile(r"-----BEGIN (?:[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?|PGP MESSAGE)-----")
_PEM_BODY: Final = re.compile(r"(?:[A-Za-z0-9+/=\s\\:,\-]){0,16384}+")
_PEM_TAIL: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")
_LONGEST_PEM: Final = 16384


def private_key(seen: Views, at: int) -> Span | None:
    """Return a PEM block around *at*, whole; where its end is missing, all that may belong to it."""
    text = seen.text
    head = _PEM_HEAD.match(text, at)
    if head is None:
        return None
    body = head.end()
    tail = text.find("-----", body, body + _LONGEST_PEM)
    if tail >= 0 and (close := _PEM_TAIL.match(text, tail)):
        return at, close.end()
    rest = _PEM_BODY.match(text, body, tail if tail >= 0 else len(text))
    return at, rest.end() if rest else body


_BEARER: Final = re.compile(r"(?i:bearer|basic)\s{1,3}([A-Za-z0-9._~+/\-]{8,4096}+={0,2})")
_SURE_BEARER: Final = 26


def bearer(seen: Views, at: int) -> Span | None:
    """Return what follows ``Bearer`` or ``Basic`` at *at*, if it is no word."""
    match = _BEARER.match(seen.text, at)
    if match is None or not opens(seen, at):
        return None
    value = match[1]
    sure = len(value) >= _SURE_BEARER or value.endswith("=") or any(map(str.isdigit, value))
    return match.span(1) if sure else None


_WEBHOOK: Final = re.compile(
    r"://(?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)|(?:[a-z]{3,10}\.)?discord(?:app)?\.com/api/webhooks|"
    r"[\w\-]{1,60}\.webhook\.office\.com/webhookb2|api\.telegram\.org/bot|hooks\.zapier\.com/hooks/catch|"
    r"chat\.googleapis\.com/v1/spaces)[\w/\-@:?=&%.]{12,400}"
)


def webhook(seen: Views, at: int) -> Span | None:
    """Return the URL around *at* whose path is a secret."""
    match = _WEBHOOK.match(seen.text, at)
    if match is None:
        return None
    return at - (5 if seen.text.startswith("https", max(0, at - 5)) else 0), match.end()

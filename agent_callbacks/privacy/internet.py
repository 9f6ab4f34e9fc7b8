"""Detectors of what names a mailbox or a machine: e-mail addresses, credentials in URLs, IPv6 and MAC addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from agent_callbacks.privacy import validators
from agent_callbacks.privacy.views import closes, opens

if TYPE_CHECKING:
    from agent_callbacks.privacy.views import Span, Views

__all__ = ["credentials", "dotted_mac", "email", "ipv6", "mac", "spelled_email"]

# --- e-mail ----------------------------------------------------------------------------------------------------------
_LOCAL_REVERSED: Final = re.compile(r"\"[^\"\s\\@]{1,60}\"|(?:[\w.%+\-]|'(?=\w)|[!#$&*~](?=[\w.])){1,64}")
_DOMAIN: Final = re.compile(r"@(?:[^\W_](?:[\w\-]{0,62}+)\.){1,8}([^\W\d_][\w\-]{1,23})")
_LITERAL: Final = re.compile(r"@\[(?:IPv6:)?[0-9A-Fa-f.:]{7,45}\]")
_NOT_DOMAINS: Final = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "json", "html", "py", "md"})
_USERINFO: Final = re.compile(r"://[^\s/@]{0,255}:[^\s/@]{0,255}\Z")
_FAR: Final = 300


def email(seen: Views, at: int) -> Span | None:
    """Return an e-mail address around the ``@`` at *at*."""
    text = seen.text
    domain = _DOMAIN.match(text, at)
    if domain is None:
        domain = _LITERAL.match(text, at)
        if domain is None:
            return None
    elif domain[1].lower() in _NOT_DOMAINS:
        return None
    local = _LOCAL_REVERSED.match(text[max(0, at - 64) : at][::-1])
    if local is None:
        return None
    start = at - local.end()
    if start and text[start - 1] == "\\" and seen.raw[start] == ord(" "):  # the letter of an escaped line break
        start += 1
    while start < at and text[start] in ".-'%&#$*!~":
        start += 1
    if start == at or ("://" in text[max(0, at - _FAR) : at] and _USERINFO.search(text, max(0, at - _FAR), at)):
        return None
    end = domain.end()
    if text[start:at] == "git" and text.startswith(":", end):  # a remote, git@host:owner/repository
        return None
    while text[end - 1] in "-_":
        end -= 1
    return start, end


_OPEN, _CLOSE = r"[ ]{0,2}[(\[{<]{1,2}[ ]?", r"[ ]?[)\]}>]{1,2}[ ]{0,2}"
_SPELLED_AT: Final = (
    rf"(?:{_OPEN}(?:at|@|arroba|a|\xe4t){_CLOSE}|[ ]{{1,2}}(?:at|arroba)[ ]{{1,2}}|[ ]{{1,2}}@[ ]{{1,2}}|@|_at_|-at-)"
)
_DOT_WORDS: Final = "dot|punto|punkt|point"
_SPELLED_DOT: Final = rf"(?:{_OPEN}(?:{_DOT_WORDS}|\.|d0t){_CLOSE}|[ ]{{1,2}}(?:{_DOT_WORDS})[ ]{{1,2}}|_dot_|-dot-|\.)"
_SPELLED: Final = re.compile(
    rf"(?i:([\w+\-]{{1,64}}+(?:{_SPELLED_DOT}[\w+\-]{{1,64}}+){{0,4}}?)({_SPELLED_AT})((?:[^\W_][\w\-]{{0,62}}+{_SPELLED_DOT}){{1,5}}"
    r"(?!at\b|the\b|and\b)[^\W\d_]{2,12})(?![\w]))"
)
_MAILBOX: Final = re.compile(
    r"(?i:(?:g(?:oogle)?mail|hotmail|outlook|yahoo|icloud|proton(?:mail)?|gmx|aol|live|msn|web|mail|yandex|zoho|fastmail|libero|orange|"
    r"wanadoo|t-online|naver|qq|163)\.[a-z.]{2,6})"
)
_ANNOUNCED: Final = re.compile(r"(?i:e-?mail|mail|correo|courriel|reach|contact|write|ping|address)[^\n]{0,24}\Z")
_BACK: Final = 80
_ANNOUNCED_BEFORE: Final = 40
_NEAR: Final = 8
_PLAIN_AT: Final = re.compile(r" at [\w\-]{1,40}+\.[\w.]{1,40}+(?! ?[(\[]| dot )")
_AT: Final = re.compile(rb"@|at\b|arroba|\(a\)")


def spelled_email(seen: Views, at: int) -> Span | None:
    """Return an e-mail address that is spelled out (``jane at example dot com``) around the sign or word at *at*."""
    text = seen.text
    plain = _PLAIN_AT.match(text, at)
    if plain and text[max(0, at - 1) : at].isalpha() and not _MAILBOX.match(text, at + len(" at ")):
        word = text[max(0, at - _BACK) : at].rsplit(None, 1)[-1:]
        if word and word[0].isalpha():  # nobody's mailbox: people meet at places
            return None
    none = at + _BACK // 2  # whatever begins before that would have been seen
    if not _AT.search(seen.lower, max(0, at - _BACK), at + _NEAR):
        return None
    low = max(0, at - _BACK, text.rfind("\n", max(0, at - _BACK), at) + 1)
    while low < at and low and not text[low - 1].isspace():
        low += 1
    for match in _SPELLED.finditer(text, low, min(len(text), at + _BACK)):
        if match.end() < at:
            continue
        if _is_meant(text, match):
            return match.span()
    return none, none


_WORDY: Final = re.compile(rf"(?i:{_DOT_WORDS})|[(\[{{<]")


_NO_MAILBOX: Final = frozenset({
    "and", "are", "arrive", "available", "based", "be", "blog", "docs", "found", "go", "help", "her", "here", "him",
    "hosted", "is", "it", "live", "located", "login", "look", "looking", "me", "meet", "more", "online", "page",
    "read", "register", "see", "shop", "site", "support", "that", "them", "this", "up", "us", "visit", "was", "work",
    "works", "you",
})  # fmt: skip


def _is_meant(text: str, match: re.Match[str]) -> bool:
    """Tell whether an ``at`` is meant as the sign: people meet at places, too."""
    if match[2].strip().lower() in {"at", "arroba"} and (match[1].lower() in _NO_MAILBOX or match[3][:1].isdigit()):
        return False
    if match[2].strip().lower() not in {"at", "arroba"} or _WORDY.search(match[3]) or _MAILBOX.fullmatch(match[3]):
        return True
    said = _ANNOUNCED.search(text, max(0, match.start() - _ANNOUNCED_BEFORE), match.start())
    return said is not None and not match[1].isalpha()


# --- URLs ------------------------------------------------------------------------------------------------------------
_CREDENTIALS: Final = re.compile(r"://([^\s/?#\"'<>\\:@]{0,128}:[^\s/\"'<>\\]{1,256})@")
_USER_TOKEN: Final = re.compile(r"://([A-Za-z0-9_\-]{16,128})@")


def credentials(seen: Views, at: int) -> Span | None:
    """Return ``user:password`` of the URL whose ``://`` is at *at*; a long token alone counts too."""
    match = _CREDENTIALS.match(seen.text, at) or _USER_TOKEN.match(seen.text, at)
    if match is None or match[1].partition(":")[2].startswith("[") or match[1].startswith("[URL_CREDENTIALS"):
        return None
    return match.span(1)


# --- machines --------------------------------------------------------------------------------------------------------
_HEX_REVERSED: Final = re.compile(r"[0-9A-Fa-f:]{0,40}")
_HEX: Final = re.compile(r"[0-9A-Fa-f:]{1,80}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?:%[a-z0-9]{1,12})?", re.ASCII)
_IPV6_COLONS: Final = 2
_IPV6_LENGTH: Final = 60
_NAMED: Final = re.compile(rb"(?:ip|ipv6|addr\w{0,6}|host|client|remote|from|peer)[\"' =:(]{1,4}\Z")


def ipv6(seen: Views, at: int) -> Span | None:
    """Return an IPv6 address around the colon at *at*."""
    text = seen.text
    back = _HEX_REVERSED.match(text[max(0, at - 40) : at][::-1])
    start = at - (back.end() if back else 0)
    while start < at and text[start] == ":" and text[start + 1] != ":":  # the colon of `ip:2001:...`
        start += 1
    match = cast("re.Match[str]", _HEX.match(text, start))  # at least the colon
    address = match[0] if match[0].endswith("::") else match[0].rstrip(":")
    end = start + len(address)
    colons = address.count(":")
    whole = (colons > _IPV6_COLONS or "::" in address) and len(address) <= _IPV6_LENGTH
    short = colons <= _IPV6_COLONS and len(address) <= _SHORT_IPV6
    if whole and short:  # `1::2` may be a slice
        whole = _NAMED.search(seen.lower, max(0, start - 12), start) is not None
    if whole and opens(seen, start) and closes(seen, end) and any(map(str.isdigit, address)) and validators.ip(address):
        return start, end
    return match.end(), match.end()


_SHORT_IPV6: Final = 7
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")
_DOTTED_MAC: Final = re.compile(r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}")


def mac(seen: Views, at: int) -> Span | None:
    """Return a MAC address whose first separator is at *at*."""
    start = at - 2
    match = _MAC.match(seen.text, max(0, start))
    if start < 0 or match is None or not opens(seen, start) or not closes(seen, match.end()):
        return None
    beside = seen.text[start - 1 : start] == match[1] or seen.text[match.end() : match.end() + 1] == match[1]
    return None if beside else match.span()


def dotted_mac(seen: Views, at: int) -> Span | None:
    """Return a MAC address in three groups of four, whose first dot is at *at*."""
    start = at - 4
    match = _DOTTED_MAC.match(seen.text, max(0, start))
    if start < 0 or match is None or not opens(seen, start) or not closes(seen, match.end()):
        return None
    word = match[0]
    return match.span() if not word.replace(".", "").isdigit() and any(map(str.isdigit, word)) else None

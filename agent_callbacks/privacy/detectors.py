"""The table of what is found in text: type, gate, anchor, reader, rank.

A detector costs one search for a rare literal (its gate) where its type is absent. Where it is present, its anchor
stops at each place that may hold a match and its reader looks at a bounded neighbourhood, so a text costs linear time
whatever it says. Every quantifier is bounded, and places inside a match already found are not read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from agent_callbacks.privacy import numbers
from agent_callbacks.privacy.edges import ESCAPES, opens
from agent_callbacks.privacy.normalize import Views, key_kind, views

__all__ = ["DETECTORS", "Detector", "Match", "find"]


class Match(NamedTuple):
    """Where something was found, its type, and its rank: where matches overlap, the highest rank names the whole."""

    start: int
    end: int
    kind: str
    rank: int


Span = tuple[int, int]
Read = Callable[[Views, int], Span | None]


@dataclass(frozen=True, slots=True)
class Detector:
    """One type of personal data or secret.

    Attributes:
        kind: The type, as the marker names it.
        gates: Literals of the searched copy; without one of them the text cannot hold this type.
        anchor: Where to look closer, in the copy named by ``view``.
        read: The match around an anchor's position; an empty one says that there is none before its end.
        rank: Higher names the marker where matches overlap.
        view: ``raw``, ``lower`` or ``shape``.
        unmistakable: Also looked for in identifiers, where a false match costs a join.
    """

    kind: str
    gates: tuple[bytes, ...]
    anchor: re.Pattern[bytes]
    read: Read
    rank: int = 50
    view: str = "raw"
    unmistakable: bool = False

    def matches(self, seen: Views, view: bytes) -> Iterator[Match]:
        """Yield the matches in *seen*; *view* is the copy this detector searches."""
        end = 0
        for hit in self.anchor.finditer(view):
            at = hit.start()
            if at < end:
                continue
            if span := self.read(seen, at):
                end = span[1]
                if span[0] < end:
                    yield Match(span[0], end, self.kind, self.rank)


def find(text: str, *, unmistakable: bool = False) -> list[Match]:
    """Return what *text* holds, in order and merged: no two matches touch the same character.

    Args:
        text: Any text.
        unmistakable: Look only for forms that no identifier takes by chance.
    """
    seen = views(text)
    found: list[Match] = []
    for name, detectors in _STRICT if unmistakable else _PLAN:
        view: bytes = getattr(seen, name)
        if name == "shape" and b"0" not in view:
            continue
        for detector in detectors:
            for gate in detector.gates:
                if gate in view:
                    found.extend(detector.matches(seen, view))
                    break
    if not unmistakable:
        found.extend(_named_values(seen))
    return _merged(found) if len(found) > 1 else found


def _merged(found: list[Match]) -> list[Match]:
    found.sort()
    merged = [found[0]]
    for match in found[1:]:
        last = merged[-1]
        if match.start >= last.end:
            merged.append(match)
        else:
            kind, rank = max((last[2:], match[2:]), key=_rank)
            merged[-1] = Match(last.start, max(last.end, match.end), kind, rank)
    return merged


def _rank(named: tuple[str, int]) -> int:
    return named[1]


# --- e-mail, URL -----------------------------------------------------------------------------------------------------
_LOCAL_REVERSED: Final = re.compile(r"(?:[\w.%+\-]|'(?=\w)|[!#$&*~](?=[\w.])){1,64}")
_DOMAIN: Final = re.compile(r"@(?:[^\W_](?:[\w\-]{0,62}+)\.){1,8}([^\W\d_][\w\-]{1,23})")
_NOT_DOMAINS: Final = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js"})
_USERINFO: Final = re.compile(r"://[^\s/@]{0,255}:[^\s/@]{0,255}\Z")


def _email(seen: Views, at: int) -> Span | None:
    text = seen.text
    domain = _DOMAIN.match(text, at)
    if domain is None or domain[1].lower() in _NOT_DOMAINS:
        return None
    local = _LOCAL_REVERSED.match(text[max(0, at - 64) : at][::-1])
    if local is None:
        return None
    start = at - local.end()
    if start and text[start - 1] == "\\" and text[start] in ESCAPES:
        start += 1
    while start < at and text[start] in ".-'%":
        start += 1
    if start == at or _USERINFO.search(text, max(0, at - 300), at):
        return None
    end = domain.end()
    if text[start:at] == "git" and text.startswith(":", end):  # a remote, git@host:owner/repository
        return None
    while text[end - 1] in "-_":
        end -= 1
    return start, end


_CREDENTIALS: Final = re.compile(r"://([^\s/?#\"'<>\\:@]{0,128}:[^\s/\"'<>\\]{1,256})@")


def _credentials(seen: Views, at: int) -> Span | None:
    match = _CREDENTIALS.match(seen.text, at)
    if match is None or match[1].partition(":")[2].startswith("[") or match[1] == "[URL_CREDENTIALS]":
        return None
    return match.span(1)


# --- keys of vendors, JWT, PEM ---------------------------------------------------------------------------------------
_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-]{16,4096}+(?:\.[A-Za-z0-9_\-]{16,512}+){0,2}=?=?")
_AFTER_UNDERSCORE: Final = (
    "ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_",
    "hf_", "npm_", "gsk_", "dop_v1_", "doo_v1_", "shpat_", "shpss_", "shpca_", "lin_api_", "r8_", "pcsk_", "lsv2_pt_",
    "lsv2_sk_", "sbp_", "dckr_pat_", "ntn_", "figd_", "PMAK_", "api_org_", "glsa_", "pul_", "fo1_", "phx_", "phc_",
    "sntrys_", "sntryu_", "tfp_", "atlasv1_", "vercel_",
)  # fmt: skip
_AFTER_DASH: Final = (
    "sk-", "sk-ant-", "sk-proj-", "glpat-", "gldt-", "glrt-", "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-",
    "xapp-", "pypi-", "tvly-", "nvapi-", "pplx-", "xai-", "PMAK-", "NRAK-", "dapi-",
)  # fmt: skip
_SURE_PREFIX: Final = 6
_HEAD: Final = 64
_MIXED_RUN: Final = re.compile(r"[A-Za-z0-9]{10,64}+")


def _vendor(prefixes: tuple[str, ...]) -> Read:
    known = frozenset(prefixes)
    endings = frozenset(prefix[-2:] for prefix in prefixes)
    sizes = sorted({len(prefix) for prefix in prefixes}, reverse=True)

    def read(seen: Views, at: int) -> Span | None:
        text = seen.text
        if text[max(0, at - 1) : at + 1] not in endings:
            return None
        ending = text[max(0, at + 1 - sizes[0]) : at + 1]
        size = next((size for size in sizes if size <= len(ending) and ending[-size:] in known), 0)
        start = at + 1 - size
        if not size or not opens(text, start) or not (size >= _SURE_PREFIX or _random(text[at + 1 : at + 1 + _HEAD])):
            return None
        body = _TOKEN.match(text, at + 1)
        return (start, body.end()) if body else None

    return read


def _random(text: str) -> bool:
    """Tell whether *text* has a run that no identifier has: ten signs with a digit, or with both cases."""
    for run in _MIXED_RUN.finditer(text):
        word = run[0]
        if not word.isalpha() or not (word.islower() or word.isupper() or word.istitle()):
            return True
    return False


_FIXED: Final = re.compile(
    r"A(?:KIA|SIA|BIA|CCA|GPA|IDA|IPA|NPA|NVA|ROA)[A-Z0-9]{16}(?![A-Za-z0-9])|"
    r"AIza[\w\-]{30,40}|AC[0-9a-f]{32}(?![A-Za-z0-9])|"
    r"S(?:K[0-9a-f]{32}(?![A-Za-z0-9])|G\.[\w\-]{16,32}\.[\w\-]{16,64})"
)


def _fixed(seen: Views, at: int) -> Span | None:
    match = _FIXED.match(seen.text, at)
    return match.span() if match and opens(seen.text, at) else None


_OTHER_KEYS: Final = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks)/[\w/\-]{16,200}|"
    r"(?:ya29\.|hv[sb]\.|EAACEdEose0cBA|AGE-SECRET-KEY-1|dapi[0-9a-f]{4})[\w\-.]{16,512}"
)


def _other_key(seen: Views, at: int) -> Span | None:
    match = _OTHER_KEYS.match(seen.text, at)
    if match is None or not (opens(seen.text, at) or seen.text[at] == "h"):
        return None
    start = at - 8 if seen.text.startswith("https://", max(0, at - 8)) else at
    return start, match.end()


_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{8,8192}+(?:\.[A-Za-z0-9_\-]{0,16384}+){0,4}")


def _jwt(seen: Views, at: int) -> Span | None:
    match = _JWT.match(seen.text, at)
    if match is None or not opens(seen.text, at):
        return None
    end = match.end()
    if "." not in match[0] and end != len(seen.text):  # one segment is base64 of anything; at the end it is a cut token
        return None
    return at, end - (seen.text[end - 1] == ".")


_PEM_HEAD: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY: Final = re.compile(r"(?:[A-Za-z0-9+/=\s\\:,\-]){0,16384}+")
_PEM_TAIL: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")
_LONGEST_PEM: Final = 16384


def _private_key(seen: Views, at: int) -> Span | None:
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


# --- name=value ------------------------------------------------------------------------------------------------------
_BEARER: Final = re.compile(r"(?i:bearer|basic)\s{1,3}([A-Za-z0-9._~+/\-]{8,4096}+={0,2})")
_SURE_BEARER: Final = 26


def _bearer(seen: Views, at: int) -> Span | None:
    match = _BEARER.match(seen.text, at)
    if match is None or not opens(seen.text, at):
        return None
    value = match[1]
    sure = len(value) >= _SURE_BEARER or value.endswith("=") or any(map(str.isdigit, value))
    return match.span(1) if sure else None


_BORN: Final = re.compile(
    r"(?i:dob|birth(?:day|date)?|born)[\w]{0,4}[^\w\n]{0,6}(?:(?:is|on|date|the)\W{1,3}){0,2}"
    r"(\d{1,4}[./\-]\d{1,2}[./\-]\d{2,4}|\d{1,2}(?:st|nd|rd|th)?\.?\s[A-Za-z]{3,9}\.?,?\s\d{4}|"
    r"[A-Z][a-z]{2,8}\.?\s\d{1,2}(?:st|nd|rd|th)?,?\s\d{4})"
)


def _born(seen: Views, at: int) -> Span | None:
    match = _BORN.match(seen.text, at)
    return match.span(1) if match and not seen.text.startswith("BIRTH]", at) else None


_WORDS: Final = (
    b"passw", b"passphrase", b"passcode", b"pwd", b"secret", b"token", b"key", b"auth", b"credential", b"cookie",
    b"session", b"cvv", b"cvc", b"ssn", b"birth", b"_name", b"address", b"street", b"passport", b"connection",
    b"pin_code",
)  # fmt: skip
_ASSIGNED: Final = re.compile(
    r"([\w\-]{0,32}+)(?:[\"'\\\]]{0,4}\s{0,4}(=>|:=|=|:)\s{0,4}|\s(is|to)\s{1,2}(?::\s)?)"
    r"(?:(?i:bearer|basic|token|apikey|digest)\s{1,3})?"
)
_NAME_REVERSED: Final = re.compile(r"[\w\-.]{0,40}")
_QUOTED: Final = re.compile(
    r"\\{0,3}([\"'`])((?:(?!\1)[^\\\n]|\\(?!\1).|(?<!\\)\\\1(?!\s{0,2}[,}\]:])){1,2048}+)", re.ASCII
)
_BARE: Final = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]{1,2048}+")
_PLACEHOLDER: Final = re.compile(
    r"(?i:none|null|nil|true|false|str|string|int|integer|bytes|bool|boolean|float|object|any|array|optional|required|"
    r"undefined|redacted|secretstr|x{3,64}|your[_\-\w]{0,40})|[*_.\-]{1,64}|<[^<>]{0,64}>|\$\{[^}]{0,64}\}?|\$[A-Z_][A-Z0-9_]{0,64}|"
    r"\$\([^)]{0,64}\)|%\(\w{1,64}\)s|%s|\{\{?[\w. ]{0,64}\}?\}|os\.environ\S{0,64}|\[[A-Z_]{2,24}(?::[^\]]{1,40})?\]"
)
_CODE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_SHORT_WORD: Final = 16
_SAID: Final = 6


def _named_values(seen: Views) -> Iterator[Match]:
    lower = seen.lower
    for word in _WORDS:
        at = lower.find(word)
        end = 0
        while at >= 0:
            after = at + len(word)
            if at >= end and (match := _named_value(seen, at, after)):
                yield match
                end = match.end
            at = lower.find(word, after)


def _named_value(seen: Views, at: int, after: int) -> Match | None:
    text = seen.text
    assigned = _ASSIGNED.match(text, after)
    if assigned is None:
        return None
    back = _NAME_REVERSED.match(text[max(0, at - 40) : at][::-1])
    start = at - (back.end() if back else 0)
    name = text[start : assigned.end(1)]
    kind = (
        None if name.isupper() and text[start - 1 : assigned.end(1) + 1] == f"[{name}]" else _name_kind(name, assigned)
    )
    if kind is None:
        return None
    span = _value(text, assigned.end(), kind, assigned[2] or "is")
    if span and name.lower().endswith(text[span[0] : span[1]].lower()):  # token=token: an argument, not its value
        return None
    return span and Match(*span, "SECRET" if kind == "SESSION" else kind, 30)


def _name_kind(name: str, assigned: re.Match[str]) -> str | None:
    """Return what stands under *name*; of a session or a cookie only what looks random is a secret."""
    kind, lowered = key_kind(name), name.lower()
    session = kind is None and assigned[2] and "session" in lowered and lowered.endswith("id")
    return "SESSION" if session or (kind == "SECRET" and lowered.endswith("cookie")) else kind


def _value(text: str, at: int, kind: str, sign: str) -> Span | None:
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        value = quoted[2]
        if _PLACEHOLDER.fullmatch(value) or not value.strip() or (kind == "SESSION" and not _random(value)):
            return None
        return quoted.start(2), quoted.end(2) - (value.endswith("\\") and not value.endswith("\\\\"))
    bare = _BARE.match(text, at)
    if bare is None or kind not in {"SECRET", "SESSION", "US_SSN"}:
        return None
    value = bare[0].rstrip(".:?") if sign != "=" else bare[0]
    if not value or _PLACEHOLDER.fullmatch(value) or _CODE.fullmatch(value) or text[bare.end() : bare.end() + 1] == "(":
        return None
    return (at, at + len(value)) if _plausible(text, at + len(value), value, kind, sign) else None


def _plausible(text: str, end: int, value: str, kind: str, sign: str) -> bool:
    """Tell whether a bare *value* is one, not the next word of a sentence or the name of a variable."""
    if kind == "SESSION":
        return _random(value)
    if kind == "US_SSN":
        return value.isdigit() and len(value) == 9  # noqa: PLR2004 - digits of a number
    if sign == "is":
        return len(value) >= _SAID and not value.isalpha()
    if value.replace("_", "").isalpha() and (value.islower() or value.istitle()) and len(value) < _SHORT_WORD:
        return sign == "=" and "_" not in value and not text[end : end + 1].isspace()
    return len(value) > 2  # noqa: PLR2004 - a cvv has three


# --- the table -------------------------------------------------------------------------------------------------------
def _at(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


DETECTORS: Final[tuple[Detector, ...]] = (
    Detector("PRIVATE_KEY", (b"-----BEGIN ",), _at(rb"-----BEGIN "), _private_key, 100, unmistakable=True),
    Detector("JWT", (b"eyJ",), _at(rb"eyJ"), _jwt, 90, unmistakable=True),
    Detector("SECRET", (b"_",), _at(rb"_(?=[A-Za-z0-9][\w\-]{15})"), _vendor(_AFTER_UNDERSCORE), 80, unmistakable=True),
    Detector("SECRET", (b"-",), _at(rb"-(?=[\w\-]{16})"), _vendor(_AFTER_DASH), 80, unmistakable=True),
    Detector(
        "SECRET",
        (b"A",),
        _at(rb"A(?=KIA|SIA|BIA|CCA|GPA|IDA|IPA|NPA|NVA|ROA|Iza|C[0-9a-f]{4})"),
        _fixed,
        80,
        unmistakable=True,
    ),
    Detector("SECRET", (b"SK", b"SG."), _at(rb"S(?=K[0-9a-f]|G\.)"), _fixed, 80, unmistakable=True),
    Detector(
        "SECRET",
        (b"hooks.slack.com/", b"/api/webhooks/"),
        _at(rb"(?:hooks\.slack|discord(?:app)?)\.com/"),
        _other_key,
        80,
        unmistakable=True,
    ),
    Detector(
        "SECRET",
        (b"ya29.", b"hvs.", b"hvb.", b"dapi", b"AGE-SECRET"),
        _at(rb"ya29\.|hv[sb]\.|dapi|AGE-"),
        _other_key,
        80,
        unmistakable=True,
    ),
    Detector("URL_CREDENTIALS", (b"://",), _at(rb"://[^\s/@]{0,128}:"), _credentials, 70),
    Detector("EMAIL", (b"@",), _at(rb"@(?=[\w?\x80-\xff])"), _email, 60, unmistakable=True),
    Detector("CREDIT_CARD", (b"000",), _at(rb"0(?<!00)(?=(?:[ \-]?0){12})"), numbers.card, 60, "shape"),
    Detector("IBAN", (b"AA00",), _at(rb"AA00"), numbers.iban, 60, "shape"),
    Detector("US_SSN", (b"000-00-0000",), _at(rb"000-00-0000"), numbers.ssn, 55, "shape"),
    Detector("PHONE", (b"+0",), _at(rb"\+0[0 ().\-/]{6}"), numbers.plus_phone, 50, "shape", unmistakable=True),
    Detector("PHONE", (b"00",), _at(rb"0(?<![0.]0)(?=[0 .\-/()]{6})(?!000-00-00)(?!\.)"), numbers.phone, 45, "shape"),
    Detector(
        "MAC",
        (b":", b"-"),
        _at(rb"[:\-](?=[0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}[:\-])"),
        numbers.mac,
        56,
    ),
    Detector("IP", (b".0",), _at(rb"\.(?=0{1,3}\.0{1,3}\.0)"), numbers.ipv4, 50, "shape"),
    Detector("IP", (b":",), _at(rb":(?=[0-9A-Fa-f]{0,4}:)"), numbers.ipv6, 50),
    Detector("SECRET", (b"bearer ", b"basic "), _at(rb"b(?=earer |asic )"), _bearer, 40, "lower"),
    Detector("DATE_OF_BIRTH", (b"dob", b"birth", b"born"), _at(rb"dob|birth|born"), _born, 35, "lower"),
)
"""Every detector; a new type is a row here and a reader above."""


def _by_view(detectors: Iterable[Detector]) -> tuple[tuple[str, tuple[Detector, ...]], ...]:
    kept = tuple(detectors)
    return tuple((view, tuple(one for one in kept if one.view == view)) for view in ("raw", "lower", "shape"))


_PLAN: Final = _by_view(DETECTORS)
_STRICT: Final = _by_view(detector for detector in DETECTORS if detector.unmistakable)

"""Values that stand under a name: ``key=value``, JSON, YAML, XML, headers, forms, and ``my password is ...``.

All names of a text are taken out of it in one go and looked up together; only where one of them says what its value is
are their places looked for. The cost does not grow with the number of names known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy.credentials import is_random
from agent_callbacks.privacy.keys import key_kind
from agent_callbacks.privacy.match import Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.privacy.keys import Names
    from agent_callbacks.privacy.views import Span, Views

__all__ = ["named_values"]

_QUOTES: Final = b"\"'`\\"
_NAMES: Final = bytes(
    ord(":")
    if code in b":=>"
    else ord("_")
    if code in b" \t"
    else code
    if chr(code).isalnum() or code in b"_-.@"
    else ord(",")
    for code in bytes(range(256)).lower()
)
_MOST_NAMES: Final = 4096
_LONGEST_NAME: Final = 40
_PLAIN_NAME: Final = re.compile(rb"[a-z_\-]{0,32}")
_LAST_WORD: Final = re.compile(r"[^\W_]{1,40}\Z")


def named_values(seen: Views) -> Iterator[Match]:
    """Yield what stands under names that say what it is."""
    end = 0
    for at, after in sorted(place for word in _telling_words(seen) for place in _places(seen.lower, word)):
        if at >= end:
            for match in _named(seen, at, after):
                yield match
                end = max(end, match.end)


def _places(text: bytes, word: bytes) -> Iterator[Span]:
    at = text.find(word)
    while at >= 0:
        yield at, at + len(word)
        at = text.find(word, at + len(word))


def _telling_words(seen: Views) -> set[bytes]:
    """Return the last words of those names in the text that say what their values are."""
    names: set[bytes] = set()
    if not _ASSIGNING.isdisjoint(seen.marks):
        pieces = seen.raw.translate(_NAMES, _QUOTES).split(b":")
        names.update([piece.rpartition(b",")[2] for piece in pieces[:-1]])
    for verb in _VERBS:
        if seen.lower.find(verb) >= 0:
            names.update([piece.rpartition(b" ")[2] for piece in seen.lower.split(verb)[:-1]])
    known = seen.names.telling
    return {known.get(name) or _telling_word(name, seen.names) for name in names - seen.names.harmless} - _NOTHING


_ASSIGNING: Final = frozenset(":=)")
"""What stands between a name and its value; among the marks, every closing bracket is a round one."""
_VERBS: Final = (b" is ", b" to ", b" was ")
_NOTHING: Final = frozenset({b""})
_HOUR: Final = re.compile(rb"_{0,4}\d[\d\-_.t]{0,40}")
"""What stands before the colon of a time: nobody names anything so, and no two times are the same."""


def _telling_word(name: bytes, names: Names) -> bytes:
    """Return the last word of a *name* that says what its value is, nothing of any other."""
    time_of_day = name[:1].isdigit() and not name[-1:].isalpha()  # not "429 for password"
    if not name or time_of_day or _HOUR.fullmatch(name):
        return b""
    text = name[-_LONGEST_NAME:].decode("latin-1").strip("_-. ")
    if text.endswith("disposition"):  # the name of a form's field stands in the header
        return b"name"
    plain = _PLAIN_NAME.fullmatch(name)
    if text.endswith("cookies") or names.kind(text):
        last = _LAST_WORD.search(text)
        word = last[0].encode("latin-1") if last else b""
        if plain and len(names.telling) < _MOST_NAMES:
            names.telling[name] = word
        return word
    if plain and len(names.harmless) < _MOST_NAMES:
        names.harmless.add(name)
    return b""


# --- one name --------------------------------------------------------------------------------------------------------
_ASSIGNED: Final = re.compile(
    r"([\w\-]{0,24}+)(?:[\"'`\\\]*)]{0,4}\s{0,4}(=>|:=|==|=|:|>)\s{0,4}|\s(is|to|was)\s{1,2}(?:set to\s|:\s)?)"
    r"(?:(?i:bearer|basic|token|apikey|digest|negotiate)\s{1,3})?"
)
_NAME_REVERSED: Final = re.compile(r"(?:[\w\-.]|[ ](?=\w)){0,40}")
_QUOTED: Final = re.compile(
    r"[bru]{0,2}(?P<escape>\\{0,7})([\"'`])((?:(?!\2)[^\\\n]|\\(?!\2).|(?<!\\)\\\2(?!\s{0,2}(?:[,}\]:)]|\Z))){1,2048}+)",
    re.ASCII,
)
_BARE: Final = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]{1,2048}+")
_SPOKEN: Final = re.compile(r"[^\s\"'`,;<>(){}\[\]|\\]{1,2048}+")
_LINE: Final = re.compile(r"[^\n\r,;&|\"'`<>{}\[\]=\\]{1,120}+")
_ELEMENT: Final = re.compile(r"([^<>\n]{1,512}+)</")
_NUMBERED: Final = re.compile(r"[A-Za-z]{0,4}[ \-]?[\d(+][\d ().\-/A-Z]{2,28}[\dA-Z]|[A-Z0-9]{5,20}")
_PLACEHOLDER: Final = re.compile(
    r"(?i:none|null|nil|true|false|str|string|int|integer|bytes|bool|boolean|float|object|any|array|optional|required|"
    r"undefined|redacted|hidden|masked|secretstr|text|varchar|number|"
    r"x{3,64}|your[_\-\w]{0,40}|example|changeme|todo|n/a|unknown|missing|invalid|expired|empty|await|self|lambda|yield|new|not|name|value|default|input)|"
    r"[*_.\-•]{1,64}|<[^<>]{0,64}>|\$\{[^}]{0,64}\}?|\$[A-Z_][A-Z0-9_]{0,64}|:[a-z_]{1,40}|\?|%s|@[a-z_]{1,40}|"
    r"\$\([^)]{0,64}\)|%\(\w{1,64}\)s|\{\{?[\w. ]{0,64}\}?\}|os\.environ\S{0,64}|"
    r"\[[A-Z_]{2,24}(?::[^\]]{1,40})?\](?:\[[A-Z_]{2,24}\]){0,4}"
)
_TEMPLATE: Final = re.compile(r"\$[{(]|\{\{|%\(|<[a-z_ ]{1,40}>")
_CODE: Final = re.compile(r"[A-Za-z_]\w{0,64}+(?:\.[A-Za-z_]\w{0,64}+){1,8}")
_FEWEST_DIGITS: Final = 3
_SHORT_WORD: Final = 16
_SAID_LENGTH: Final = 6
_BARE_KINDS: Final = frozenset({"SECRET", "SESSION", "PRIVATE_KEY"})
_NUMBER_KINDS: Final = frozenset({"US_SSN", "PHONE", "CREDIT_CARD", "IBAN", "DATE_OF_BIRTH", "ID"})
_LINE_KINDS: Final = frozenset({"PERSON", "ADDRESS"})


def _named(seen: Views, at: int, after: int) -> Iterator[Match]:
    text = seen.text
    assigned = _ASSIGNED.match(text, after)
    if assigned is None:
        return
    back = _NAME_REVERSED.match(text[max(0, at - 40) : at][::-1])
    start = at - (back.end() if back else 0)
    name = text[start : assigned.end(1)]
    if text[start - 1 : start] == "[" and text[assigned.end(1) : assigned.end(1) + 1] in {"]", ":"} and name.isupper():
        return
    lowered = name.lower()
    if lowered.endswith("name") and "form-data" in text[max(0, start - 40) : start].lower():
        yield from _form_field(text, assigned.end(), seen.names)
    elif lowered.endswith(("cookie", "cookies")) and not _QUOTED.match(text, assigned.end()):
        yield from _cookies(text, assigned.end())
    elif kind := _named_kind(name, assigned, seen.names):
        if text[assigned.end() : assigned.end() + 1] in {"{", "["}:
            yield from _container(seen, assigned.end(), kind)
            return
        span = _value(text, assigned.end(), kind, assigned[2] or "is")
        # token=token: an argument, not its value
        if span and not lowered.endswith(text[span[0] : span[1]].lower()) and _fits(lowered, text[span[0] : span[1]]):
            yield Match(*span, "SECRET" if kind == "SESSION" else kind, 30)


_REFERENCE: Final = re.compile(r"[A-Za-z_]{1,64}")
_NUMERIC: Final = frozenset({"pin", "otp", "csc", "totp"})


def _fits(name: str, value: str) -> bool:
    """Tell whether *value* can be what *name* says: a pin is made of digits, ``token=my_token`` is code."""
    if value.startswith(("http://", "https://")):
        return name.endswith(("url", "uri", "dsn", "string"))
    if _REFERENCE.fullmatch(value) and "_" in value:
        return name.rpartition("_")[2] not in value.lower()
    return name not in _NUMERIC or value.isdigit()


def _named_kind(name: str, assigned: re.Match[str], names: Names) -> str | None:
    """Return what stands under *name*; of a session only what looks random is a secret."""
    if assigned[2] is None:
        return "SECRET" if names.kind(name) == "SECRET" else None
    kind = names.kind(name)
    return "SESSION" if kind == "SECRET" and "session" in name.lower() else kind


def _value(text: str, at: int, kind: str, sign: str) -> Span | None:
    if sign == ">":
        return _element(text, at)
    if quoted := _QUOTED.match(text, at):
        start, end = _inside(text, quoted)
        return None if _says_nothing(text[start:end], kind) else (start, end)
    if kind in _NUMBER_KINDS:
        return _number(text, at)
    if kind in _BARE_KINDS:
        return _bare(text, at, kind, sign)
    return _plain_line(text, at, sign) if kind in _LINE_KINDS else None


def _says_nothing(value: str, kind: str) -> bool:
    """Tell whether a quoted *value* is a placeholder, or nothing of its kind."""
    if _PLACEHOLDER.fullmatch(value) or not value.strip():
        return True
    if kind in _LINE_KINDS:  # no name of code, no address of a machine
        return _CODE.fullmatch(value) is not None or not any(map(str.isalpha, value))
    return kind == "SESSION" and not _is_session(value)


def _element(text: str, at: int) -> Span | None:
    element = _ELEMENT.match(text, at)
    if element is None or not element[1].strip() or _PLACEHOLDER.fullmatch(element[1].strip()):
        return None
    return element.span(1)


def _number(text: str, at: int) -> Span | None:
    match = _NUMBERED.match(text, at)
    if match is None or sum(map(str.isdigit, match[0])) < _FEWEST_DIGITS:
        return None
    return match.span()


def _plain_line(text: str, at: int, sign: str) -> Span | None:
    match = _LINE.match(text, at)
    if match is None:
        return None
    # Behind an equals sign the next pair begins at a blank.
    value = match[0].rstrip() if sign == ":" else match[0].split(" ", 1)[0]
    end = at + len(value)
    if not value[:1].isupper() or "_" in value or _CODE.fullmatch(value) or text[end : end + 1] in {"=", "("}:
        return None
    return at, end


def _bare(text: str, at: int, kind: str, sign: str) -> Span | None:
    if _TEMPLATE.match(text, at) or sign == "==" or (sign == ":" and text.startswith("//", at)):
        return None
    bare = (_BARE if sign == "=" else _SPOKEN).match(text, at)
    if bare is None:
        return None
    value = bare[0].rstrip(".:?") if sign != "=" else bare[0]
    if (
        not any(map(str.isalnum, value))
        or _PLACEHOLDER.fullmatch(value)
        or _CODE.fullmatch(value)
        or text[bare.end() : bare.end() + 1] == "("
    ):
        return None
    return (at, at + len(value)) if _plausible(text, at + len(value), value, kind, sign) else None


_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def _is_session(value: str) -> bool:
    """Tell whether the name of a session opens it: agents number theirs with UUIDs."""
    return is_random(value) and not _UUID.fullmatch(value)


def _plausible(text: str, end: int, value: str, kind: str, sign: str) -> bool:
    """Tell whether a bare *value* may be the secret itself: prose and code go on with plain words."""
    if kind == "SESSION":
        return _is_session(value)
    if sign == "=":
        return True
    if not value.isalpha() and not value.isdigit():
        mixed = not value.islower() and not value.istitle()
        return any(map(str.isdigit, value)) or len(value) >= _SHORT_WORD or (mixed and "." not in value[1:-1])
    if value.isdigit():
        return True
    if sign == "is":
        return len(value) >= _SAID_LENGTH and not value.islower() and not value.istitle() and not value.isupper()
    return len(value) >= _SHORT_WORD or not (value.islower() or value.istitle()) or text[end : end + 1] in {"\n", ""}


# --- what stands in a container under a name -------------------------------------------------------------------------
_LONGEST_CONTAINER: Final = 65_536
_SCHEMA: Final = re.compile(
    r"\{\s{0,64}\\{0,7}[\"'](?:\$ref|anyOf|allOf|oneOf|enum|description|title|"
    r"type\\{0,7}[\"']\s{0,4}:\s{0,4}\\{0,7}[\"'\[](?:string|integer|number|boolean|array|object|null))"
)
_PART: Final = re.compile(r"(\\{0,7}[\"'`])\1|[\[({]|[\])}]|\\{0,7}[\"'`]|-?\d[\d.eE+\-]{0,40}+")
_KEY_END: Final = re.compile(r"\\{0,7}[\"'`]\s{0,4}:")


def _container(seen: Views, at: int, kind: str) -> Iterator[Match]:
    """Yield the values in the container that opens at *at*, at any depth; the schema of a parameter holds none."""
    text = seen.text
    if at < seen.walked or _SCHEMA.match(text, at):
        return
    last, depth = min(len(text), at + _LONGEST_CONTAINER), 0
    while part := _PART.search(text, at, last):
        at = part.end()
        if part[0] in _OPEN:
            depth += 1
        elif part[0] in _CLOSE:
            depth -= 1
            if not depth:
                break
        elif part[0][-1].isdigit() or part[0][-1] == ".":
            if kind in _NUMBER_KINDS or kind == "ADDRESS":
                yield Match(*part.span(), kind, 30)
        elif part[1] is None and (quoted := _QUOTED.match(text, part.start())):
            start, end = _inside(text, quoted)
            at = end + len(part[0])
            if not _KEY_END.match(text, end) and not _PLACEHOLDER.fullmatch(text, start, end):
                yield Match(start, end, kind, 30)
    seen.walked = at


_OPEN: Final = frozenset("[({")
_CLOSE: Final = frozenset("])}")


def _inside(text: str, quoted: re.Match[str]) -> Span:
    """Return where a quoted value lies: what escapes its opening quote stands before the closing one too."""
    close = text.find(quoted[2], quoted.end(), quoted.end() + _MOST_ESCAPES)
    end = quoted.end() if close < 0 else close - len(quoted["escape"])
    return quoted.start(3), end if end > quoted.start(3) else quoted.end()


_MOST_ESCAPES: Final = 9


# --- forms and cookies -----------------------------------------------------------------------------------------------
_FIELD: Final = re.compile(
    r"\\?\"([\w\-\[\]]{1,64})\\?\"[^\r\n\\]{0,200}(?:\\r|\r)?(?:\\n|\n)"
    r"(?:(?:\\r|\r)?(?:\\n|\n))(.{1,2048}?)(?:\\r|\\n|\r|\n|\Z)"
)
_COOKIE: Final = re.compile(r"([\w\-.]{1,64}+)=([^;\s\"',]{1,4096}+)")
_MOST_COOKIES: Final = 40


def _form_field(text: str, at: int, names: Names) -> Iterator[Match]:
    field = _FIELD.match(text, at)
    if field and (kind := names.kind(field[1])) and not _PLACEHOLDER.fullmatch(field[2]):
        yield Match(*field.span(2), kind, 30)


def _cookies(text: str, at: int) -> Iterator[Match]:
    """Yield what looks random among the cookies of a header; their attributes do not."""
    end = at
    for _ in range(_MOST_COOKIES):
        cookie = _COOKIE.search(text, end, min(len(text), end + 64)) if end == at else _COOKIE.match(text, end)
        if cookie is None:
            return
        if is_random(cookie[2]) or key_kind(cookie[1]) == "SECRET":
            yield Match(*cookie.span(2), "SECRET", 30)
        end = cookie.end()
        while text[end : end + 1] in {";", " "}:
            end += 1

"""The table of what is found in text: what it takes to be there, who reads it.

A detector costs one look for a rare sign or literal (its gate) where its type is absent. Where it is present, its
anchor stops at each place that may hold a match and its reader looks at a bounded neighbourhood, so a text costs linear
time whatever it says. Every quantifier is bounded, and places inside a match already found are not read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from agent_callbacks.privacy import (
    accounts,
    assignments,
    commands,
    credentials,
    digits,
    internet,
    phones,
    prose,
    tables,
    validation,
)
from agent_callbacks.privacy.decode import second_reading
from agent_callbacks.privacy.keys import NAMES, Names
from agent_callbacks.privacy.match import Match
from agent_callbacks.privacy.views import Span, Views, views

__all__ = ["DETECTORS", "Detector", "Match", "find", "merged", "search"]


@dataclass(frozen=True, slots=True)
class Detector:
    """One way to find one or more types of personal data and secrets.

    Attributes:
        kinds: The types it may find, as markers name them.
        scan: Yields the matches of a text.
        gate: Without it in the copy named by ``view`` the text cannot hold them; empty: always scanned.
        view: ``marks``, ``lower`` or ``shape``.
        unmistakable: Also looked for in identifiers, where a false match costs a join.
    """

    kinds: tuple[str, ...]
    scan: Callable[[Views], Iterable[Match]]
    gate: str = ""
    view: str = "marks"
    unmistakable: bool = False


Read = Callable[[Views, int], Span | None]


def _anchored(
    kind: str, anchor: bytes, read: Read, rank: int = 50, view: str = "raw"
) -> Callable[[Views], list[Match]]:
    """Return a scan that reads at each place of *anchor*; an empty span says that there is nothing before its end."""
    pattern = re.compile(anchor)

    def scan(seen: Views) -> list[Match]:
        copy: bytes = getattr(seen, view)
        found: list[Match] = []
        hit = pattern.search(copy)
        while hit:
            at, end = hit.span()
            if span := read(seen, at):
                end = max(end, span[1])
                if span[0] < span[1]:
                    found.append(Match(*span, kind, rank))
            hit = pattern.search(copy, end)
        return found

    return scan


def _spelled(anchor: bytes, gate: str, view: str) -> Detector:
    at = view if gate[:1].isalpha() or gate[:1] == " " else "marks"
    return Detector(("EMAIL",), _anchored("EMAIL", anchor, internet.spelled_email, 60, view), gate, at)


_PAIRS: Final = rb"[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-"

DETECTORS: Final[tuple[Detector, ...]] = (
    Detector(
        ("PRIVATE_KEY",),
        _anchored("PRIVATE_KEY", rb"-----BEGIN ", credentials.private_key, 100),
        "-----",
        unmistakable=True,
    ),
    Detector(("SECRET", "JWT", "CRYPTO"), credentials.long_words, unmistakable=True),
    Detector(("EMAIL",), _anchored("EMAIL", rb"@(?=[\w?\[\x80-\xff])", internet.email, 60), "@", unmistakable=True),
    Detector(
        ("PHONE",), _anchored("PHONE", rb"\+\(?0[0 ().\-/]{6}", phones.plus_phone, 50, "shape"), "+", unmistakable=True
    ),
    Detector(
        ("URL_CREDENTIALS",),
        _anchored("URL_CREDENTIALS", rb"://[^\s/]{0,384}@", internet.credentials, 70),
        "@",
        unmistakable=True,
    ),
    Detector(("SECRET",), _anchored("SECRET", rb"://", credentials.webhook, 80), "://", unmistakable=True),
    Detector(
        ("CREDIT_CARD", "US_SSN", "IP", "PHONE", "ID", "DATE_OF_BIRTH"),
        digits.digit_runs,
        "0",
        "shape",
    ),
    Detector(("ID",), _anchored("ID", rb"0A(?=A?(?![0Aa]))", digits.lettered_id, 58, "shape"), "0A", "shape"),
    Detector(("IBAN",), _anchored("IBAN", rb"AA00(?=[ \-.]{0,2}[0A])", accounts.iban, 60, "shape"), "AA00", "shape"),
    Detector(("IP",), _anchored("IP", rb":(?=:|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:)", internet.ipv6), "::"),
    Detector(
        ("MAC",), _anchored("MAC", rb":(?=[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}:)", internet.mac, 56), "::"
    ),
    Detector(("MAC",), _anchored("MAC", rb"-(?=" + _PAIRS + rb")", internet.mac, 56), "--"),
    Detector(
        ("MAC",), _anchored("MAC", rb"\.(?=[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.]))", internet.dotted_mac, 56), "."
    ),
    Detector(("SECRET",), _anchored("SECRET", rb"bearer ", credentials.bearer, 40, "lower"), "earer ", "lower"),
    Detector(
        ("DATE_OF_BIRTH",), _anchored("DATE_OF_BIRTH", rb" 0000(?!0)", prose.birth, 52, "shape"), " 0000", "shape"
    ),
    Detector(
        ("DATE_OF_BIRTH",), _anchored("DATE_OF_BIRTH", rb"-0000(?!0)", prose.birth, 52, "shape"), "a-0000", "shape"
    ),
    _spelled(rb"dot(?![a-z])", "dot", "lower"),
    _spelled(rb" at (?=[\w\-]{1,40}(?:\.[a-z]{2}| ?\(| dot ))", " at ", "lower"),
    _spelled(rb"\((?= ?at ?\)| ?@ ?\)|\.\)|a\)|arroba)", "()", "lower"),
    _spelled(rb"\((?= ?@ ?\))", "(@", "lower"),
    _spelled(rb"\((?=\.\))", "(.)", "lower"),
    _spelled(rb" @ (?=[\w])", "@", "lower"),
    Detector(("IP",), _anchored("IP", rb"\((?=\.\)|dot\))", prose.defanged, 50, "lower"), "(.)"),
    Detector(("IP",), _anchored("IP", rb"\((?=dot\))", prose.defanged, 50, "lower"), "dot)", "lower"),
    Detector(("SECRET",), _anchored("SECRET", rb" -(?=-?[A-Za-z])", commands.option, 30), "-"),
    Detector(("SECRET", "ID"), assignments.named_values),
    Detector(("SECRET", "PERSON", "ID"), validation.quoted_inputs, "input_value=", "lower"),
    Detector(("PERSON", "ADDRESS"), tables.columns, "\n", "lower"),
    Detector(("PERSON", "ADDRESS"), tables.inserts, "nsert in", "lower"),
)
"""Every detector; a new type is a row here and a reader of its own."""
Scan = Callable[[Views], Iterable[Match]]
Plan = tuple[tuple[tuple[str, Scan], ...], ...]


def _plan(detectors: Iterable[Detector]) -> Plan:
    """Return *detectors* by the copy their gates look at, which is fetched once; the empty gate is always open."""
    kept = tuple(detectors)
    return tuple(
        tuple((one.gate, one.scan) for one in kept if one.view == view) for view in ("marks", "lower", "shape")
    )


_ALL: Final = _plan(DETECTORS)
_STRICT: Final = _plan(detector for detector in DETECTORS if detector.unmistakable)
_DEEPEST: Final = 2


def find(text: str, *, unmistakable: bool = False, names: Names = NAMES) -> list[Match]:
    """Return what *text* holds, in order and merged: no two matches touch the same character.

    Args:
        text: Any text.
        unmistakable: Look only for forms that no identifier takes by chance.
        names: What the names in the text say of their values.
    """
    return merged(search(text, unmistakable=unmistakable, names=names))


def search(text: str, *, unmistakable: bool = False, names: Names = NAMES) -> list[Match]:
    """Return what every detector finds in *text*, as ``find`` before merging."""
    return _found(text, _STRICT if unmistakable else _ALL, names, 0)


def _found(text: str, plan: Plan, names: Names, depth: int) -> list[Match]:
    seen = views(text, names)
    found = _scanned(seen, plan)
    if reading := second_reading(text, seen.marks):
        again = views(reading.text, names)
        found += map(reading.original, _scanned(again, plan) + _carried(again, plan, depth))
    return found + _carried(seen, plan, depth)


def _carried(seen: Views, plan: Plan, depth: int) -> list[Match]:
    """Return the pieces of *seen* whose text, in another writing, holds something."""
    found: list[Match] = []
    for start, end, text in seen.carried if depth < _DEEPEST else ():
        if inner := _found(text, plan, seen.names, depth + 1):
            found.append(Match(start, end, max(inner, key=_rank).kind, 50))
    return found


def _scanned(seen: Views, plan: Plan) -> list[Match]:
    found: list[Match] = []
    # As a str: asking bytes whether they contain bytes costs ten times as much.
    copies = (seen.marks, seen.lower.decode("latin-1"), seen.shape.decode("latin-1"))
    for copy, gates in zip(copies, plan, strict=True):
        for literal, scan in gates:
            if literal in copy:
                found += scan(seen)
    return found


def _rank(match: Match) -> int:
    return match.rank


def merged(found: list[Match]) -> list[Match]:
    """Return *found* in order, with one match for all that touch the same characters, named by the highest rank."""
    if len(found) <= 1:
        return found
    found.sort()
    result = [found[0]]
    for match in found[1:]:
        last = result[-1]
        if match.start >= last.end:
            result.append(match)
        else:
            best = max(last, match, key=_rank)
            result[-1] = Match(last.start, max(last.end, match.end), best.kind, best.rank)
    return result

"""What the words before a number announce."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_callbacks.privacy.views import Views

__all__ = ["announced"]


def _table(kinds: Mapping[str, str]) -> dict[bytes, str]:
    return {name.encode("latin-1"): kind for kind, names in kinds.items() for name in names.split()}


_WORDS: Final = _table(
    {
        "PHONE": """
        tel tlf cell cellphone fax call called calling dial ring sms text handy llama llame llamar appel appelez
        appeler gsm signal reach landline ph mob whatsapp callback chiama chiamare ligue ligar bel bellen dzwon ruf
        rufen anrufen anruf reachable phones
    """,
        "CREDIT_CARD": "card visa mastercard amex maestro tarjeta kreditkarte carte carta",
        "US_SSN": "ssn itin",
        "DATE_OF_BIRTH": "dob birth born bday geb née né nee nacido nacida nato nata urodzony urodzona ur",
        "ID": """
        passport nhs nino pesel cpf cnpj bsn cpr ahv avs nir insee dni nie nif cif sin tfn cnp egn amka oib emso jmbg
        svnr mrn curp pan rrn nric hetu rut cuit aadhaar aadhar taxpayer licence license identity medicare voter
        ppsn pps steuer idnr kennitala teudat ein tin utr
    """,
        "COUNT": """
        order orders invoice ticket ref reference sku tracking case isbn issn ean upc gtin serial part po account
        version build seq sequence job run port line pid code epoch time timestamp created updated total amount price
        batch parcel shipment transaction txn size bytes count rows records offset seed hash commit page pages
        population revenue eur usd gbp ms ns sec seconds start end dur duration step event request req trace span lot
        zip plz postcode postal function tool method model doi
    """,
    }
)
_STEMS: Final = _table(
    {
        "PHONE": "phon mobil telef celul movil móvil contac whatsa durchw ruf_nr telep",
        "CREDIT_CARD": "kredit",
        "DATE_OF_BIRTH": "birthd gebore geburt naiss nacim nasci nasce urodz",
        "ID": "passpo passep reisep pasapo licen driver nation insura steue person fødsel fodsel citize identi burger "
        "versic kimlik isikuk ausweis ausw securi sécuri",
        "COUNT": "order invoic ticket refer track serial versi transa timest creat updat amount",
    }
)
_BEGINNING: Final = 4


def _by_beginning() -> dict[bytes, tuple[tuple[bytes, str], ...]]:
    """Return the stems by their first letters, shorter ones first: most words are none, and one look tells."""
    found: dict[bytes, tuple[tuple[bytes, str], ...]] = {}
    for stem in sorted(_STEMS, key=len):
        found[stem[:_BEGINNING]] = (*found.get(stem[:_BEGINNING], ()), (stem, _STEMS[stem]))
    return found


_BY_BEGINNING: Final = _by_beginning()
_WORD: Final = re.compile(rb"[a-z\xdf-\xff]{2,20}")
_WEAK: Final = frozenset({b"id", b"ids"})
_NEUTRAL: Final = frozenset({b"number", b"card"})
_NEAR: Final = 48
_WORDS_BACK: Final = 6
_CLOSING: Final = ord(")")
_MARKER: Final = re.compile(rb"\([a-z_]{2,32}(?::[^()]{0,40})?\)")


def announced(seen: Views, start: int) -> str | None:
    """Return what the words before *start* announce: a type, ``COUNT`` for what is only counted, or None.

    The nearest word that says anything decides; a line break ends the search, and so does what has been cleaned. The
    readers of one number ask one after the other, so the last answer is kept.
    """
    if seen.asked != start:
        seen.asked, seen.said = start, _said(seen, start)
    return seen.said


def _said(seen: Views, start: int) -> str | None:
    near = seen.lower[max(0, start - _NEAR) : start]
    near = near[near.rfind(b"\n") + 1 :]
    if _CLOSING in near:
        near = _MARKER.split(near)[-1]
    words = _WORD.findall(near)
    after = b""
    for word in words[: -_WORDS_BACK - 1 : -1]:
        if word in _WORDS:
            return _WORDS[word]
        if word[:_BEGINNING] in _BY_BEGINNING and (kind := _of_stem(word)):
            return kind
        if word in _WEAK:
            return "ID" if after in _NEUTRAL or _is_personal(words) else "COUNT"
        after = word
    return "DATE_OF_BIRTH" if near.find(b"d.o.b") >= 0 else None


def _of_stem(word: bytes) -> str | None:
    return next((kind for stem, kind in _BY_BEGINNING[word[:_BEGINNING]] if word.startswith(stem)), None)


_PERSONAL: Final = frozenset(
    {b"tax", b"national", b"personal", b"citizen", b"government", b"fiscal", b"identity", b"steuer"}
)


def _is_personal(words: list[bytes]) -> bool:
    return not _PERSONAL.isdisjoint(words[-_WORDS_BACK:])

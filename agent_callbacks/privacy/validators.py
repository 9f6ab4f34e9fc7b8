"""What the digits themselves say: checksums, lengths and ranges, as pure functions."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "card",
    "iban_length",
    "international_phone",
    "ip",
    "looks_like_date",
    "luhn",
    "mod97",
    "national_phone",
    "ssn",
]

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Tell whether *digits* satisfy the Luhn checksum (ISO/IEC 7812-1)."""
    total = sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0


# Issuer ranges and lengths: without them one id in ten passes for a card, and every timestamp has a chance.
_ISSUERS: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"3(?:0[0-5]|[689]\d)\d{11}|3(?:0[0-5]|[689]\d)\d{13}|35\d{14}|(?:2131|1800)\d{11}|"
    r"6(?:011|4[4-9]\d|5\d\d|0\d\d|2\d\d|7\d\d|3\d\d)\d{12,15}|(?:50|5[6-8])\d{11,17}|9792\d{12}|220[0-4]\d{12}"
)


def card(digits: str) -> bool:
    """Tell whether *digits* are a payment card number: an issuer's range and length, and the checksum."""
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits) and len(set(digits)) > 1


def ssn(digits: str) -> bool:
    """Tell whether nine *digits* may be a US social security or taxpayer number (SSA: no 000, 666, 00, 0000)."""
    return digits[:3] not in {"000", "666"} and digits[3:5] != "00" and digits[5:] != "0000"


_IBAN_COUNTRIES: Final[Mapping[int, str]] = {
    15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
"""Length of an IBAN by country (ISO 13616 registry)."""
_IBAN_LENGTHS: Final = {code: length for length, codes in _IBAN_COUNTRIES.items() for code in codes.split()}


def iban_length(country: str) -> int:
    """Return how many characters an IBAN of *country* has, 0 when the country has none."""
    return _IBAN_LENGTHS.get(country, 0)


def mod97(iban: str) -> bool:
    """Tell whether *iban* (no separators) has the right check digits (ISO 7064, MOD 97-10)."""
    turned = iban[4:] + iban[:4]
    return turned.isascii() and turned.isalnum() and int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


def ip(text: str) -> bool:
    """Tell whether *text* is a host's address: not loopback, unspecified or a netmask.

    Documentation addresses (RFC 5737, RFC 3849) count as hosts: data sets and test systems use them for people's
    machines.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return False
    return isinstance(address, ipaddress.IPv6Address) or not text.startswith("255.")


# National digits after the country code, for countries whose numbers have one length; others 7 to 12 (ITU-T E.164).
_NATIONAL: Final[Mapping[str, tuple[int, int]]] = {
    "1": (10, 10), "7": (10, 10), "20": (8, 10), "27": (9, 9), "30": (10, 10), "31": (9, 9), "32": (8, 9), "33": (9, 9),
    "34": (9, 9), "36": (8, 9), "39": (8, 11), "40": (9, 9), "41": (9, 9), "43": (7, 12), "44": (9, 10), "45": (8, 8),
    "46": (7, 10), "47": (8, 8), "48": (9, 9), "49": (6, 12), "51": (8, 9), "52": (10, 11), "54": (10, 11),
    "55": (10, 11), "56": (9, 9), "57": (10, 10), "60": (8, 10), "61": (9, 9), "62": (8, 12),
    "63": (8, 10), "64": (8, 10), "65": (8, 8), "66": (8, 9), "81": (9, 10), "82": (8, 10), "84": (9, 10),
    "86": (10, 11), "90": (10, 10), "91": (10, 10), "92": (9, 10), "98": (10, 10),
}  # fmt: skip


def international_phone(digits: str) -> bool:
    """Tell whether *digits*, country code first, have a length that the country uses; a trunk ``(0)`` may be inside."""
    if not 8 <= len(digits) <= 16 or digits[0] == "0":  # noqa: PLR2004 - E.164: at most 15, and the trunk zero
        return False
    code = next((digits[:size] for size in (1, 2) if digits[:size] in _NATIONAL), digits[:3])
    shortest, longest = _NATIONAL.get(code, (5, 12))
    trunk = digits[len(code)] == "0" and code != "39"
    return shortest <= len(digits) - len(code) - trunk <= longest


# US; FR in pairs; IT mobile.
_NATIONAL_FORMATS: Final = re.compile(
    r"(?:1[ .\-]?)?(?:\([2-9]\d\d\)[ .\-]?|[2-9]\d\d[.\-])\d{3}[ .\-]?\d{4}|(?:1[ ])?[2-9]\d\d[ ][2-9]\d\d[ \-]\d{4}|"
    r"0[1-9](?P<sep>[ .\-])(?:\d\d(?P=sep)){3}\d\d|3[2-9]\d[ \-]\d{3}[ ]?\d{4}"
)
_TRUNK: Final = re.compile(r"\(?0[1-9]\d{0,4}\)?[ \-/]{1,2}\d{2,8}(?:[ \-]\d{2,8}){0,3}")
_ABROAD: Final = re.compile(r"00[1-9]\d{0,3}[ \-/](?:\(0\)|\d)[\d \-/()]{6,18}")
_DATE: Final = re.compile(r"\d{1,2}[./\- ]\d{1,2}[./\- ](?:19|20)\d\d|(?:19|20)\d\d[./\- ]\d")


def national_phone(text: str) -> bool:
    """Tell whether *text* is written like a phone number of the US, GB, DE, FR or IT, or with a leading 00."""
    if _NATIONAL_FORMATS.fullmatch(text):
        return True
    if text[0] not in "0(":
        return False
    if _ABROAD.fullmatch(text):
        return international_phone("".join(filter(str.isdigit, text))[2:])
    digits = sum(map(str.isdigit, text))
    return _TRUNK.fullmatch(text) is not None and 9 <= digits <= 12 and not _DATE.match(text)  # noqa: PLR2004 - digits


def looks_like_date(text: str) -> bool:
    """Tell whether *text* begins like a date with a year of four digits."""
    return _DATE.match(text) is not None

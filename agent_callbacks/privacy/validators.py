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
    "ip",
    "luhn",
    "mod97",
    "ssn",
]

_ZERO: Final = ord("0")
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")


def luhn(digits: str) -> bool:
    """Tell whether *digits* satisfy the Luhn checksum (ISO/IEC 7812-1)."""
    signs = digits.encode()
    return (sum(signs[-1::-2]) + sum(signs[-2::-2].translate(_DOUBLED)) - _ZERO * len(signs)) % 10 == 0


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
    """Tell whether *text* is a host's address: not loopback, unspecified, or a netmask."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or text.startswith("255."))

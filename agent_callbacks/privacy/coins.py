"""Addresses of crypto currencies, by their own checksums where they have one that is cheap."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["coin"]

_BITCOIN: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_RIPPLE: Final = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BASE58: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{25,52}")
# Mixed case carries a checksum (EIP-55) over Keccak-256, which the standard library has not; the form is rare enough.
_ETHEREUM: Final = re.compile(r"0[xX][0-9A-Fa-f]{40}")
_MONERO: Final = re.compile(r"[48][1-9A-HJ-NP-Za-km-z]{94}(?:[1-9A-HJ-NP-Za-km-z]{11})?")
_STELLAR: Final = re.compile(r"G[A-Z2-7]{55}")
_EXTENDED: Final = re.compile(r"[xyz]p(?:rv|ub)[1-9A-HJ-NP-Za-km-z]{100,112}")
_BECH32: Final = re.compile(
    r"((?:bc|tb|ltc|addr|stake|cosmos|osmo|nano|kaspa|celestia|inj|sei)1)([02-9ac-hj-np-z]{6,110})"
)
_BECH32_SIGNS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS: Final = frozenset({1, 0x2BC830A3})
_CHECK: Final = 4
_KEY_FIRST: Final = "5KLc"
_KEY_BYTES: Final = frozenset({33, 34})
_ADDRESS_BYTES: Final = frozenset({21, 22})
_FIRST: Final = frozenset("0123456789ADGKLMTXabciklnorstxyz")


def _double_checked(token: str, alphabet: str) -> int:
    """Return how many bytes *token* carries in base58 with a checksum, 0 when the checksum is wrong."""
    number = 0
    for sign in token:
        number = number * 58 + alphabet.index(sign)
    zeros = len(token) - len(token.lstrip(alphabet[0]))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    body, check = data[:-_CHECK], data[-_CHECK:]
    return len(body) if hashlib.sha256(hashlib.sha256(body).digest()).digest()[:_CHECK] == check else 0


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            check ^= generator if top >> place & 1 else 0
    return check


def _bech32(token: str) -> bool:
    """Tell whether *token* has the checksum of BIP 173 or BIP 350."""
    match = _BECH32.fullmatch(token.lower())
    if match is None:
        return False
    name = match[1][:-1]
    values = [ord(sign) >> 5 for sign in name] + [0] + [ord(sign) & 31 for sign in name]
    return _polymod(values + [_BECH32_SIGNS.index(sign) for sign in match[2]]) in _BECH32_SUMS


def _base58(token: str) -> str | None:
    if not _BASE58.fullmatch(token) or token.isdigit():
        return None
    size = _double_checked(token, _RIPPLE if token[0] == "r" else _BITCOIN)
    if size in _ADDRESS_BYTES:
        return "CRYPTO"
    return "SECRET" if size in _KEY_BYTES and token[0] in _KEY_FIRST else None


_FORMS: Final[Mapping[re.Pattern[str], str]] = {
    _ETHEREUM: "CRYPTO", _MONERO: "CRYPTO", _STELLAR: "CRYPTO", _EXTENDED: "SECRET",
}  # fmt: skip


def coin(token: str) -> str | None:
    """Return ``CRYPTO`` for an address, ``SECRET`` for a private key in wallet format, None for anything else."""
    if token[0] not in _FIRST:
        return None
    for form, kind in _FORMS.items():
        if form.fullmatch(token):
            return kind
    return "CRYPTO" if _bech32(token) else _base58(token)

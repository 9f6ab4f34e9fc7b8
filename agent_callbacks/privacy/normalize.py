"""Copies of a text made for looking, one code unit for each of its characters, and key names in one spelling."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Views", "encodable", "key_kind", "key_name", "views"]


def _shape_table() -> bytes:
    table = bytearray(range(256))
    for code in range(256):
        character = chr(code)
        if character in "0123456789":
            table[code] = ord("0")
        elif character.isalpha():
            table[code] = ord("A") if character.isupper() else ord("a")
    table[0xA0] = table[ord("\t")] = ord(" ")
    return bytes(table)


_SHAPES: Final = _shape_table()


@dataclass(slots=True)
class Views:
    """A text and its copies; position *n* means the same character in each.

    ``raw`` has one byte per character (``?`` outside Latin-1), ``lower`` is that in lower case, ``shape`` has ``0`` for
    every digit and ``A`` or ``a`` for every letter, so that ``000-00-0000`` is one literal.
    """

    text: str
    raw: bytes
    lower: bytes
    shape: bytes
    calls: bool | None = None
    """Whether any word announces a phone number; None until somebody asks."""


def views(text: str) -> Views:
    """Return *text* with its copies."""
    raw = text.encode("latin-1", "replace")
    return Views(text, raw, raw.lower(), raw.translate(_SHAPES))


def encodable(text: str) -> str:
    """Return *text* as a plain ``str`` that encodes to UTF-8: surrogate pairs joined, lone ones replaced by U+FFFD."""
    if type(text) is not str:
        text = str.__str__(text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_KEY: Final = 64


def key_name(key: str) -> str:
    """Return *key* in snake case: ``apiKey``, ``API-KEY`` and ``api key`` are all ``api_key``."""
    return _SEPARATORS.sub("_", _CAMEL.sub("_", key[:_LONGEST_KEY]).lower()).strip("_")


def _table(kinds: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


_WHOLE: Final[Mapping[str, str]] = _table(
    {
        "SECRET": """
        auth authorization bearer client_secret connection_string connectionstring cookie cookies cred creds credential
        credentials cvc cvc2 cvv cvv2 card_cvc card_cvv encryption_key security_code jwt pass passcode passphrase passwd
        password passwort pwd secret secret_key secrets sessionid session_id_token set_cookie sid_token sig
        signature_key signing_key token tokens_secret x_auth account_key sas_token otp pin_code webhook_url
    """,
        "EMAIL": "email emails email_address e_mail mail_address email_addresses",
        "PHONE": """
        phone phones phone_number phone_numbers telephone mobile mobile_number mobile_phone cell_phone fax tel whatsapp
    """,
        "US_SSN": "ssn social_security social_security_number",
        "CREDIT_CARD": "card_number credit_card credit_card_number cardnumber card_no creditcard pan",
        "IBAN": "iban",
        "DATE_OF_BIRTH": "date_of_birth dob birth_date birthdate birthday birth_day dateofbirth",
        "PERSON": """
        first_name last_name full_name middle_name surname given_name family_name maiden_name firstname lastname
        fullname customer_name patient_name cardholder cardholder_name card_holder
    """,
        "ADDRESS": """
        address street street_address street_name address_line address_line1 address_line2 address_line_1 address_line_2
        address1 address2 home_address billing_address shipping_address mailing_address postal_address
        residential_address delivery_address
    """,
        "ID": """
        passport passport_number passport_no tax_id national_id driver_license driver_license_number drivers_license
    """,
    }
)
_ENDINGS: Final[Mapping[str, str]] = _table(
    {
        "SECRET": """
        _password _passwd _pwd _secret _token _api_key _apikey _access_key _private_key _secret_key _signing_key
        _passphrase _credentials _account_key _authorization _cookie _session_key _auth_key _service_key _encryption_key
    """,
        "EMAIL": "_email _email_address",
        "PHONE": "_phone _phone_number _mobile _fax",
        "PERSON": "_first_name _last_name _full_name _surname",
        "US_SSN": "_ssn",
        "DATE_OF_BIRTH": "_dob _date_of_birth",
        "CREDIT_CARD": "_card_number _credit_card",
        "IBAN": "_iban",
    }
)
_ENDING: Final = re.compile(f"(?:{'|'.join(sorted(_ENDINGS, key=len, reverse=True))})\\Z")
# Words of language models and of paging, not of authentication.
_PLAIN_TOKENS: Final = re.compile(
    r"(?:bos|cls|continuation|continue|cancellation|eos|first|last|mask|next|output|input|pad|page|per|prompt|sep|"
    r"special|stop|sync|think|unk)_token\Z"
)


@functools.lru_cache(maxsize=2048)
def key_kind(key: str) -> str | None:
    """Return the type of data that stands under *key*, or None when the key says nothing."""
    name = key_name(key)
    if kind := _WHOLE.get(name):
        return kind
    ending = _ENDING.search("_" + name)
    if ending is None or _PLAIN_TOKENS.search(name):
        return None
    return "PRIVATE_KEY" if ending[0] == "_private_key" else _ENDINGS[ending[0]]

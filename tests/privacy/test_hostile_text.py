"""Text made to keep a sanitizer busy: the work grows with its length, whatever it says."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from agent_callbacks.privacy import Sanitizer, detectors

UNITS = [
    "a.", "a.a@", "token-a-a-", "@", "a@", "a@a.", "x@y.zw ", "eyJ ", "eyJ.", "eyJhbGciOi.", "eyJhbGciOiJIUzI1NiJ9.",
    "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\nabc\n", "1", "1 ", "+1", "+1 ",
    "1-",
    "1.", "1,", "1\t", "12 34 56 78 ", "12-34-56-", "0000000 ", "4111 1111 1111 111", "4111111111111112 ", "0123 ",
    "00491 ", "123-456-789 ", "(123) ", "1.1.", "A1 ", "AA00", "DE89", "00A", "AB123456", "AB 12 34 56 ", "12345678Z ",
    "password=", 'password="', 'password: \\"', "password is ", "secret token key ", "key is ",
    "token Aa1Bb2Cc3Dd4Ee5F ",
    "key", "key:", "the", "://a:", "://", "http://a:b", "hooks.slack.com/services/", "sk-", "_a", "ghp_",
    "ghp_ABCDEFGHIJ",
    "A:", "a:b:", "::", ":::1", "fe80::", "00:11:22:33:44:", "00-11-22-33-", "0011.2233.", "(", "((", "'", '"', "\\",
    '\\\\"', "bearer ", "Bearer abc ", "dob ", "born 1999 ", "1 Jan 1999 ", "March 12, 1942 ", "2026-01-01 ",
    "2026-11-22T10:11:12.345+00:00 ", "ssn 123-45-678", "phone: 123 ", "tel (0)", "Cookie: a=b; ", "cookie=a; ",
    "\u200b", "a\u200b", "%40", "%25", "%", "&#64;", "&#", "\\u0040", "\\u00", "(at)", "[at] ", "dot ", "a dot b ",
    " at ",
    "a at b.co ", "[.]", "1[.]1", '{"a":', "[[", '{"password":{', '{"a":"{\\"b\\":', "{", "}", "<password>", "<a>",
    'name="password"\r\n\r\n', 'Content-Disposition: form-data; name="password"\r\n\r\nx\r\n', "('a','b'),",
    "a,b,password\n", "|a|b|password|\n", "YWFhYWFhYWFh", "YWFh/YWFh", "YW+h", "0xabcdef", "bc1q",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf", "Aa1" * 7 + " ", "w" * 17 + " ", "\u0430a\u0430", "\u0430\u0430",
    "\uff14\uff11",
    "\ufb01", "\u6f22\u5b57", "\U0001f600", "\n", "=", "==", "a=b&", "?a=", "x-", "-", "_", " -p a", " --password x",
    "[SECRET]", "[EMAIL:12345678] ", "iban de89 3704 ",
]  # fmt: skip
PREFIXES = ["", "id,name,email,phone\n", "insert into t (name, email) values ('a', 'b'),", '{"a": "']


def calls(text: str) -> int:
    """Return how many functions, Python's own included, it takes to look through *text*."""
    count = 0

    def tick(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    detectors.find("warm up: 1 a@b.io")
    sys.setprofile(tick)
    try:
        detectors.find(text)
    finally:
        sys.setprofile(None)
    return count


def repeated(unit: str, size: int, prefix: str = "") -> str:
    """Return *prefix* and as many whole units as fit *size* characters, at least one."""
    return prefix + unit * max(1, size // len(unit))


@pytest.mark.parametrize("unit", UNITS)
def test_work_is_linear(unit: str) -> None:
    """Four times the text takes about four times the calls, and no more than a few a character."""
    small, large = calls(repeated(unit, 2_000)), calls(repeated(unit, 8_000))
    assert large <= 5 * small + 500
    assert large <= 8_000 * 20


@pytest.mark.parametrize("prefix", PREFIXES)
def test_work_is_linear_behind_a_beginning(prefix: str) -> None:
    """What a text begins with, as a heading that names its columns, does not make its rows cost more and more."""
    small, large = (calls(repeated("1,a,b,c\n('a','b'),", size, prefix)) for size in (2_000, 8_000))
    assert large <= 5 * small + 500


@pytest.mark.parametrize("unit", [unit for unit in UNITS if len(unit) > 6])
def test_hostile_text_is_cleaned(unit: str) -> None:
    """Nothing fails on it, and an address behind it is still found."""
    fresh = Sanitizer()
    cleaned = fresh.clean(repeated(unit, 3_000) + "\n\nana.lopez@example.org")
    assert "ana.lopez" not in cleaned
    assert 0 == fresh.failures

"""What is found in text, type by type, and what is left alone."""

from __future__ import annotations

import re

import pytest

from agent_callbacks.privacy import Sanitizer, detectors

SANITIZER = Sanitizer()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQ==\n-----END PRIVATE KEY-----"

FOUND = [
    ("write to maria.lopez+x@mail.example.org.", "write to [EMAIL]."),
    ("{'email':'ana@b.io','n':1}", "{'email':'[EMAIL]','n':1}"),
    ("<o'brien@b.ie>", "<[EMAIL]>"),
    ("two\\nana@b.io lines", "two\\n[EMAIL] lines"),
    ("jörg@müller.de", "[EMAIL]"),
    ("card 4111 1111 1111 1111 ok", "card [CREDIT_CARD] ok"),
    ("4111-1111-1111-1111,3782-822463-10005", "[CREDIT_CARD],[CREDIT_CARD]"),
    ("amex 378282246310005", "amex [CREDIT_CARD]"),
    ("88123 4111 1111 1111 1111", "88123 [CREDIT_CARD]"),
    ("+1 (415) 555-0132", "[PHONE]"),
    ("tel +44 (0)20 7946 0958 2024", "tel [PHONE] 2024"),
    ("or +49 151 43106484.", "or [PHONE]."),
    ("(415) 555-0132", "[PHONE]"),
    ("415.555.0132", "[PHONE]"),
    ("07942 374305", "[PHONE]"),
    ("0049 151 43106484", "[PHONE]"),
    ("01.84.17.61.18", "[PHONE]"),
    ("030 12345678", "[PHONE]"),
    ("347 1234567", "[PHONE]"),
    ("call me on 612 345 678", "call me on [PHONE]"),
    ('"phone": "5551234567"', '"phone": "[PHONE]"'),
    ("ssn 451-86-1307.", "ssn [US_SSN]."),
    ("ssn: 451861307", "ssn: [US_SSN]"),
    ("from 18.53.17.149:8080", "from [IP]:8080"),
    ("ip=2a02:8dfa:124:5f0c::e ok", "ip=[IP] ok"),
    ("from 203.0.113.77 and 2001:db8::77", "from [IP] and [IP]"),
    ("5667:7f5d:fdc4:6d6e:7c77:515f:5b52:b0eb", "[IP]"),
    ("mac 16:99:be:68:42:74", "mac [MAC]"),
    ("mac 22-4b-9d-58-ac-f6", "mac [MAC]"),
    ("iban DE89 3704 0044 0532 0130 00 thanks", "iban [IBAN] thanks"),
    ("GB82WEST12345698765432", "[IBAN]"),
    ("postgresql://bob:s3cr3t@db.internal:5432/x", "postgresql://[URL_CREDENTIALS]@db.internal:5432/x"),
    ("redis://:pw@cache:6379", "redis://[URL_CREDENTIALS]@cache:6379"),
    (f"jwt {JWT}.", "jwt [JWT]."),
    (f"cut {JWT[:30]}", "cut [JWT]"),
    (f"key:\n{PEM}\nend", "key:\n[PRIVATE_KEY]\nend"),
    (f"cut {PEM[:60]}", "cut [PRIVATE_KEY]"),
    ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer [SECRET]"),
    ("Authorization: Basic bHVrZTpuMGI0Z0pZ", "Authorization: Basic [SECRET]"),
    ('{"Authorization": "token 0a1b2c3d"}', '{"Authorization": "[SECRET]"}'),
    ("password=hunter2", "password=[SECRET]"),
    ("password=$tr0ng!", "password=[SECRET]"),
    ('"password": "a \\"quoted\\" one"', '"password": "[SECRET]"'),
    ('\\"password\\":\\"hunter2\\",\\"n\\":1', '\\"password\\":\\"[SECRET]\\",\\"n\\":1'),
    ("db_password: fine-north-993", "db_password: [SECRET]"),
    ("my password is List8306! ok", "my password is [SECRET] ok"),
    ("export GITHUB_TOKEN='abc123def'", "export GITHUB_TOKEN='[SECRET]'"),
    ("AWS_SECRET_ACCESS_KEY=/0j9lECATDx3ga", "AWS_SECRET_ACCESS_KEY=[SECRET]"),
    ("AccountName=s;AccountKey=5JH2nnksn4==;E=x", "AccountName=s;AccountKey=[SECRET];E=x"),
    ("https://a.b/c?token=vJV0FTQg54&uid=8", "https://a.b/c?token=[SECRET]&uid=8"),
    ("Cookie: theme=dark; sessionid=rW3qN8aN1vsetxf7; a=b", "Cookie: theme=dark; sessionid=[SECRET]; a=b"),
    ('"cvv": "901"', '"cvv": "[SECRET]"'),
    ("DOB 12 Feb 1975", "DOB [DATE_OF_BIRTH]"),
    ('"date_of_birth": "October 14, 1990"', '"date_of_birth": "[DATE_OF_BIRTH]"'),
]

KEYS = [
    "sk-53iE7Ic3hv3m52f9J3R7T3BlbkFJ1Vi7dhjv", "sk-ant-api03-k3_zZT6a9XJ0zGierK3wvtTm", "AKIA7TLQT2YQR65O3F6P",
    "ASIAULEHQFGSDI5WM6EL", "ghp_GCNL9Zi8ZmE9pSXNdxJ6cEtbhwMieTh66Kpd", "gho_GCNL9Zi8ZmE9pSXNdxJ6cEtbhwMieTh66Kpd",
    "ghs_GCNL9Zi8ZmE9pSXNdxJ6cEtbhwMieTh66Kpd", "github_pat_aBcBreoLyX98zO07AtkTXp_Nw", "glpat-AGh41ktrhcU3vKGb2wdj",
    "xoxb-645802034706-9332346492123-3LJk2AuRXG2r", "sk_live_Qt9fMeYyCneGyCzJsjF6Rkjp", "rk_live_Qt9fMeYyCneGyCzJsjF6",
    "AIzaplMf3stx1uzX1qp3A0bsqYUhjEaLFLYLjif", "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",
    "npm_6PTdFGrNoMWkOsKxEx81okBnjWLiEluMboPj", "SG.ZwVFj8HbRIQG0VMmQnJpz6.6b0b7lu2YQiqlRBfRFabcdefghij",
    "SK06cdd1850b776653c181ccd1b1fb40a1", "AC06cdd1850b776653c181ccd1b1fb40a1",
    "https://hooks.slack.com/services/T1FY2SSYW/BSBMTRSDZ/B8eQ1k1iIc3gKenAx",
]  # fmt: skip

LEFT = [
    "decorated with @property and self.x @ self.w", "npm install @sims-ward/sdk@8.14.2",
    "git@github.com:acme/agent.git",
    "logo@2x.png", "image: ghcr.io/a/b@sha256:f0765a8c26d4584ed346401c", "epoch_ns=1831342262296192206",
    "4111111111111112",
    "0.4111111111111111", "4bf92f3577b34da6a3ce929d0e0e4736", "order 415-555-0132", "order_id: 030 12345678",
    "2026-11-22T10:11:12.345+00:00", "22/11/2026 10:11", "run 1767276142467927483", "1, 2, 3, 415",
    "12 34 56 78 90 12 34",
    "ISBN 978-1-895-83901-1", "000-12-3456", "451-86-13070", "127.0.0.1 ::1 0.0.0.0", "255.255.255.0",
    "Chrome/123.0.0.0",
    "langchain==1.2.3.4", "version 10.2.3.4", "at 12:30:45 sharp", "std::vector<int>", "DE00370400440532013000",
    "https://a.example/b:c@d", "the secret garden; tokens per second; password hygiene", "max_tokens=2468",
    '"prompt_tokens": 2239', "password: str = None", "token=token", "api_key=os.environ['KEY']", "password=${PASSWORD}",
    "bearer of good news", "basic authentication", "next_page_token: abc123", "task-force-of-many-long-words",
    "npm_config_registry_path_name", "hf_transformers_pipeline_name", "thread_id=52d71da5-ca7a-0177-e9c3-aec41308f2ac",
    "call_psi8Q518G4LQCL4kmeFtMhg6", "secret = get_secret(name)", "born to run", "eyJ is how it begins",
]  # fmt: skip


@pytest.mark.parametrize(("text", "clean"), FOUND)
def test_replaces(text: str, clean: str) -> None:
    """Each type is replaced by its marker, and nothing around it changes."""
    assert clean == SANITIZER.clean(text)


@pytest.mark.parametrize("key", KEYS)
def test_replaces_vendor_keys(key: str) -> None:
    """A vendor's key is a secret wherever it stands, also in an identity."""
    assert "use [SECRET] now" == SANITIZER.clean(f"use {key} now")
    assert re.fullmatch(r"\[SECRET:[0-9a-f]{8}\]", SANITIZER.clean_identity(key))


@pytest.mark.parametrize("text", LEFT)
def test_leaves(text: str) -> None:
    """What only resembles personal data stays byte for byte."""
    assert text == SANITIZER.clean(text)


@pytest.mark.parametrize("text", [clean for _, clean in FOUND])
def test_markers_are_stable(text: str) -> None:
    """A cleaned text is clean."""
    assert text == SANITIZER.clean(text)


def test_overlaps_become_one_marker() -> None:
    """A secret that contains an e-mail address is one match; nothing of either is left."""
    assert "password=[EMAIL] end" == SANITIZER.clean("password=xx!ana@b.io!yy end").replace("[SECRET]", "[EMAIL]")
    merged = detectors.find("password=xx!ana@b.io!yy end")
    assert [(9, 23)] == [match[:2] for match in merged]


@pytest.mark.parametrize("character", ["é", "€", "😀", "\ud800", "ﬁ", "İ"])
def test_positions_hold_behind_any_character(character: str) -> None:
    """Characters of any width before a match do not move it."""
    assert (
        SANITIZER.clean(f"{character * 3} a@b.io 4111111111111111")
        == SANITIZER.clean(character * 3) + " [EMAIL] [CREDIT_CARD]"
    )

"""The forms in which people and programs write personal data: countries, payloads, evasions."""

from __future__ import annotations

import base64
import json

import orjson
import pytest

from agent_callbacks.privacy import Sanitizer

SANITIZER = Sanitizer()

PHONES = [
    "+49 (0) 30 901820", "0049-30-901820", "+44 20 7946 0018", "020 7946 0018", "(020) 7946 0018", "07700 900123",
    "07700900123", "0171/1234567", "030/1234-567", "06 12 34 56 78", "06.12.34.56.78", "+33612345678",
    "+34 912 345 678",
    "347 123 4567", "06-12345678", "020-1234567", "(11) 98765-4321", "11 98765-4321", "(21) 2345-6789", "601 234 567",
    "98765 43210", "+91-98765-43210", "1-800-555-0199", "(555) 867-5309 x123", "+1.415.555.0134", "8 (495) 123-45-67",
    "03-1234-5678", "+81 3-1234-5678", "+(49) 30 901820",
]  # fmt: skip
ANNOUNCED_PHONES = [
    "call 4155550134", "phone 612345678", "m\xf3vil: 612345678", "bel 0612345678", "contact no 09876543210",
    "tel 22 123 45 67", "SMS to 447700900123", '"phone": 4155550134', "Mein Handy: 3471234567", "Mon tel : 030.301912",
    "12345678 office", "(030) 123456",
]  # fmt: skip
IDS = [
    "my HETU is 260638-6070", "NIR 287032A00409796",
    "NHS no 943 476 5919", "NI number AB 12 34 56 C", "nino=AB123456C", "DNI 12345678Z", "NIE: X1234567L",
    "CF RSSMRA85T10A562S", "PESEL 44051401359", "CPF: 529.982.247-25", "cpf 52998224725", "11.222.333/0001-81",
    "PAN ABCPE1234F", "2341 2341 2346", "Steuer-ID 65 929 970 489", "2 55 08 14 168 025 38", "Passport No. C01234567",
    "BSN 111222333", "driver's license: D1234567", "811228-9874", "SIN 046 454 286", "HEGG560427MVZRRL04",
    "131052-308T",
    "756.9217.0769.85", "780123/3540", "1234567FA", "NRIC S1234567D", "my licence is 2270-66-1551",
    "tax ID: 123 456 782",
    "the ID number 943 476 5919", "passport X12345678",
]  # fmt: skip
BIRTHS = [
    "born 3 May 1984", "DOB 05/03/1984", "d.o.b. 05-03-84", "date of birth is 1984-05-03", "Geboren am 03.05.1984",
    "n\xe9 le 3 mai 1984", "fecha de nacimiento 3 de mayo de 1984", "nato il 3/5/1984", "birthday: May 3rd, 1984",
    '"birthDate": "1984-05-03T00:00:00Z"', '"dob":19840503', "born 24-Jan-2003",
]  # fmt: skip
COINS = [
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe",
    "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh", "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9", "TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeC",
    "GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWNA",
]  # fmt: skip
SECRETS = [
    "webhook_url: https://hooks.example/T1/B2", "password: hunter_two_9",
    "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss", "telegram 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "curl -u admin:S3cretPw https://x.io", "docker login -u me -p Tr1cky99 registry.io",
    "deploy --token Zx81hhqv --fast",
    "PGPASSWORD=abc123 psql", "my PIN is 4821", "the pw is Blue42Horse", "Passwort: Gehe1m!",
    "mot de passe : Soleil2024",
    "Server=db;User ID=sa;Password=Zx9!kk2;Encrypt=true", "https://x.io/?sv=2&sig=abcDEF%2B123ghi",
    "Authorization: Token 401f7ac8",
    "use this key: Zb9fQw8LmN3vXc7RtY2p", "cookie: _ga=GA1.2.3; auth_token=abcd1234efgh; theme=dark",
    "https://xHk3pQ8wLz5rT1vB@host.example/repo.git", "https://acme.webhook.office.com/webhookb2/1234abcd-1234",
]  # fmt: skip
MACHINES = [
    "ip 8.8.8.8", "[2001:4860:4860::8888]:443", "ssh root@45.33.32.156", "fe80::1c2d:3eff:fe4f:5a6b%eth0",
    "host=fe80::1",
    "3C-22-FB-4A-9D-01", "3c22.fb4a.9d01", "ether 3c:22:fb:4a:9d:01", "10[.]12[.]0[.]4", "45.33(dot)32(dot)156",
]  # fmt: skip
MAILS = [
    "jane.roe at example dot com", "jane [at] example [dot] com", "jane(at)example.com", "jane@example[.]com",
    "jane.roe at gmail.com", "e-mail me: jane_roe at example.com", "jane @ example.com", '"jane"@example.com',
    "root@[192.168.1.17]", "JANE.ROE@EXAMPLE.CO.UK",
]  # fmt: skip


@pytest.mark.parametrize("text", [*PHONES, *ANNOUNCED_PHONES])
def test_phones(text: str) -> None:
    """A number in the format of its country is a phone number; a bare one is where a word announces it."""
    assert "[PHONE]" in SANITIZER.clean(text)
    assert not any(map(str.isdigit, SANITIZER.clean(text)))


@pytest.mark.parametrize("text", IDS)
def test_national_ids(text: str) -> None:
    """A national number with its checksum, or announced where its checksum lets too much pass, is found."""
    assert not any(map(str.isdigit, SANITIZER.clean(text)))


@pytest.mark.parametrize("text", BIRTHS)
def test_births(text: str) -> None:
    """A date that a word for birth announces is a date of birth, in figures and in words."""
    assert "[DATE_OF_BIRTH]" in SANITIZER.clean(text)


@pytest.mark.parametrize("text", COINS)
def test_coins(text: str) -> None:
    """An address of a crypto currency is known by its checksum or its form; one wrong sign, and it is none."""
    assert "to [CRYPTO]." == SANITIZER.clean(f"to {text}.")
    if text[:2] not in {"0x", "GA"}:
        wrong = text[:-1] + ("q" if text[-1] != "q" else "p")
        assert wrong == SANITIZER.clean(wrong)


@pytest.mark.parametrize("text", SECRETS)
def test_secrets(text: str) -> None:
    """A secret is known by its form, its name, the option it is given to, or the words before it."""
    cleaned = SANITIZER.clean(text)
    assert "[SECRET]" in cleaned or "[URL_CREDENTIALS]" in cleaned
    assert len(cleaned) < len(text) + 9


@pytest.mark.parametrize("text", MACHINES)
def test_machines(text: str) -> None:
    """Addresses of machines are found with ports, prefixes and zones, in brackets, and with dots in brackets."""
    assert "[IP]" in SANITIZER.clean(text) or "[MAC]" in SANITIZER.clean(text)


@pytest.mark.parametrize("text", MAILS)
def test_mails(text: str) -> None:
    """An address is found in capitals, quoted, with a literal host, and spelled out."""
    assert "[EMAIL]" in SANITIZER.clean(text)
    assert "jane" not in SANITIZER.clean(text).lower()


LEFT = [
    "first_name:",
    "token: see https://x.example", "auth: https://x.example/a", "token=my_token", "first_name: a.b.C",
    "address: '10:20'",
    "MA 02111-1307", "if token == 5:", "auth:  # none", "first_name: 'pkg.mod.Name'",
    '{"properties": {"password": {"type": "string"}, "phone": {"anyOf": [{"type": "null"}]}}}',
    "f(token: dict[str, int])",
    "\u2117 sound", "YWFhYWFhYWFhYWFhYWFh/YWFhYWFhYWFhYWFhYWFh", "insert into t (name) values (NOW(), 'x')",
    "insert into t (name) select", "insert into t (name) values (", "x\\n@b.io", "\\n%@b.io",
    "DE89 3704 0044", "ssn 000-45-6789", "219 09 9999", "1 2 3 4 5 6 7 8 9", "phone 123", "phone 1234567890123456",
    "call 03 04 2026", "IX1234567A9", "order 12345678Z", "12345.6789.1234", "2026-03-04 10:11", "SG.short.x",
    "insert into t (a) values ('b')", "insert into t (name) values x, y", "a,b,c\n1,2,3",
    "insert into t (name, b) values ('null', 1)", "a: :", "x@[9", "-1234.abcd.12", "name;n",
    "UPC 036000291452", "GTIN 4006381333931", "ISBN 0-306-40615-2", "lat 52.520008, lon 13.404954", "1 234 567,89 EUR",
    "tx 0x9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "population 83 240 525",
    "see section 3.2.1.4", "a[1:2], b[::2], c[1::2]", "docs at example dot", "meet at 10 dot com era",
    "look at example.com",
    "look at example dot com", "@property @dataclass @app.route('/x')", "pin: board", "api_key: YOUR_API_KEY_HERE",
    "password=<redacted>", "password: ********", "Authorization: Bearer <token>", "auth: none", "x{5}; std::chrono::s",
    "SELECT password FROM users WHERE id = ?", "if token is None: raise", "token count: 512", "call_id=12345678",
    "calling function 12345678", "arn:aws:iam::123456789012:role/x", "session_id=123e4567-e89b-12d3-a456-426614174000",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "x --flag value -p", "grep -p abcd file", "user [at] home",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", "password: str, token: str",
    "cookies=enabled",
    "id,name\n1,2\n", "the 3 of May 1984", "deadbeefdeadbeefdeadbeef", "aGVsbG8gd29ybGQgaGVsbG8=", "chapter 8.8.8.8",
    "x@y", "a@b.png", "https://host.example/a@b.c:d", "UTC+02 and 5+5=10", "20% off, 100%25", "&copy; &amp; &nbsp;",
    "caf\xe9 \u2013 na\xefve \u2026 \u201cquoted\u201d",
    "\u041c\u043e\u0441\u043a\u0432\u0430 \u0438 \u043b\u0435\u0441",
    "insert into t (a, name) select 1", "|a|b|c|\n|-|-|-|\n",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "GB29NWBK60161331926818", "XX29 NWBK 6016 1331 9268 19", "fe80::", "00:11:22:33:44:55:66", "1234.5678.9012",
    "12345678A", "AB123456E", "not born in 1984", "eyJhbGciOiJIUzI1NiJ9 alone", "S9234567D",
]  # fmt: skip


@pytest.mark.parametrize("text", LEFT)
def test_leaves(text: str) -> None:
    """What only resembles personal data stays byte for byte."""
    assert text == SANITIZER.clean(text)


# --- payloads --------------------------------------------------------------------------------------------------------
PAYLOADS = [
    (
        '{"address": {"street": "Main St 5", "zip": 12345.}, "n": 1}',
        '{"address": {"street": "[ADDRESS]", "zip": [ADDRESS]}, "n": 1}',
    ),
    (
        '{"a": "{\\"password\\": {\\"x\\": [\\"y\\", 5, null]}, \\"phones\\": [4155550132]}", "n": "x"}',
        '{"a": "{\\"password\\": {\\"x\\": [\\"[SECRET]\\", 5, null]}, \\"phones\\": [\\"[PHONE]\\"]}", "n": "x"}',
    ),
    ("{'password': ['a1', 'none', \"\"", "{'password': ['[SECRET]', 'none', \"\""),
    (
        '{"password": {"password": "x", "y": "z"}, "to": "z"}',
        '{"password": {"password": "[SECRET]", "y": "[SECRET]"}, "to": "z"}',
    ),
    ('{"cookie": "a=b; c=d"}', '{"cookie": "[SECRET]"}'),
    ("insert into t (name) values ('a'", "insert into t (name) values ('[PERSON]'"),
    ("insert into t (name, b) values ( 'A B' , 1 ) , ('C D', 2)",
    "insert into t (name, b) values ( '[PERSON]' , 1 ) , ('[PERSON]', 2)"),
    ("iban gb29nwbk60161331926819.", "iban [IBAN]."),
    ("so\\nana@b.io", "so\\n[EMAIL]"),
    ("user:\n  first_name: Ana\n  phone: 0612345678\n", "user:\n  first_name: [PERSON]\n  phone: [PHONE]\n"),
    ("<u><password>hunter2</password><n>1</n></u>", "<u><password>[SECRET]</password><n>1</n></u>"),
    ("<u><password></password><n>none</n></u>", "<u><password></password><n>none</n></u>"),
    ("UPDATE u SET password = 'hunter2' WHERE id = 4", "UPDATE u SET password = '[SECRET]' WHERE id = 4"),
    (
        "INSERT INTO u (id, name, ssn) VALUES (1, 'Ana L', '219-09-9999'), (2, NULL, ?);",
        "INSERT INTO u (id, name, ssn) VALUES (1, '[PERSON]', '[US_SSN]'), (2, NULL, ?);",
    ),
    ('id,name,plan\n17,Ana L,gold\n18,"Lee, Bo",free', 'id,name,plan\n17,[PERSON],gold\n18,"[PERSON]",free'),
    ("| name | n |\n|---|---|\n| Ana L | 4 |\n| | 5 |\n", "| name | n |\n|---|---|\n| [PERSON] | 4 |\n| | 5 |\n"),
    ("name;n;x\nAna L;4\n", "name;n;x\nAna L;4\n"),
    (
        '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunter2\r\n--b--',
        '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n[SECRET]\r\n--b--',
    ),
    (
        '--b\nContent-Disposition: form-data; name="colour"\n\nhunter2\n--b--',
        '--b\nContent-Disposition: form-data; name="colour"\n\nhunter2\n--b--',
    ),
    ("User(id=17, first_name='Ana', password='x y')", "User(id=17, first_name='[PERSON]', password='[SECRET]')"),
    ("the customer's date of birth: 3/4/84", "the customer's date of birth: [DATE_OF_BIRTH]"),
    ("first_name=Ana last=no", "first_name=[PERSON] last=no"),
    ("first_name=get()", "first_name=get()"),
    ("passport: see file", "passport: see file"),
    ("GET /f?birthDate=18+Oct+1999&x=2 HTTP/1.1", "GET /f?birthDate=[DATE_OF_BIRTH]&x=2 HTTP/1.1"),
    ("KeyError: 'secret' in {'token': 'abc', 'n': 1}", "KeyError: 'secret' in {'token': '[SECRET]', 'n': 1}"),
    ('{"args": "{\\"phone\\": 4155550132, \\"n\\": [1]}"}', '{"args": "{\\"phone\\": \\"[PHONE]\\", \\"n\\": [1]}"}'),
    ("[4111111111111111, 5]", '["[CREDIT_CARD]", 5]'),
    ('{"cards": [4111111111111111, 5]}', '{"cards": ["[CREDIT_CARD]", 5]}'),
    ('{"email": "a@b.io", "n": 1.50, "t": "x"', '{"email": "[EMAIL]", "n": 1.50, "t": "x"'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PAYLOADS)
def test_payloads(text: str, expected: str) -> None:
    """Values are found by their names in every notation, and the notation stays what it was."""
    assert expected == SANITIZER.clean(text)
    assert expected == SANITIZER.clean(expected)


def test_json_that_cannot_be_cleaned_in_place_is_written_anew() -> None:
    """Where a replaced piece would break JSON, its values are cleaned one by one."""
    text = '{"a": 1e4111111111111111, "b": "x@y.zw"}'.replace("1e", "")
    assert {"a": "[CREDIT_CARD]", "b": "[EMAIL]"} == json.loads(SANITIZER.clean(text))
    odd = '{"phone": 415.5550132e9, "to": "call 4155550132"}'
    assert {"phone": "[PHONE]", "to": "call [PHONE]"} == orjson.loads(SANITIZER.clean(odd))


# --- evasions --------------------------------------------------------------------------------------------------------
WIDE = {ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789@.abcdefghijklmnopqrstuvwxyz"}
EVASIONS = [
    "jane\u200b@example.com", "jane\uff20example.com", "jane\\u0040example.com", "jane%40example.com",
    "jane%2540example.com",
    "jane&#64;example.com", "jane&#x40;example.com", "jane&commat;example.com", "jane\\x40example.com",
    "jane\\u{40}example.com",
    "jane@ex\u0430mple.com", "\u200d".join("jane@example.com"), "jane@example\u3002com",
    "jane@example.com".translate(WIDE),
    "j\xadane@example.com", "jane\\\\u0040example.com", base64.b64encode(b"mail jane@example.com").decode(),
    base64.urlsafe_b64encode("\xff\xfe>? jane@example.com".encode()).decode().rstrip("="),
    b"mail jane@example.com".hex(),
    base64.b64encode(base64.b64encode(b"mail to jane@example.com")).decode(), "https:\\/\\/u:pjane@h.example\\/x",
]  # fmt: skip
CARDS = [
    "4111111111111111".translate(WIDE), " ".join("4111111111111111"), "-".join("4111111111111111"),
    "4111.1111.1111.1111",
    "4111\u20111111\u20111111\u20111111", "4111\xa01111\xa01111\xa01111", "\u200b".join("4111111111111111"),
    "".join(f"&#{ord(sign)};" for sign in "4111111111111111"),
    "".join(f"%{ord(sign):02x}" for sign in "4111111111111111"),
    "4111\u20091111\u20091111\u20091111", "\u0664\u0661\u0661\u0661" + "\u0661" * 12,
]  # fmt: skip


@pytest.mark.parametrize("text", EVASIONS)
def test_evasions(text: str) -> None:
    """An address is found in every writing that a reader would undo; around it nothing changes."""
    cleaned = SANITIZER.clean(f"\u2460 so {text} \u2026 and\u200b so")
    assert cleaned.startswith("\u2460 so ")
    assert cleaned.endswith(" \u2026 and\u200b so")
    assert "[EMAIL]" in cleaned or "[URL_CREDENTIALS]" in cleaned
    assert "jane" not in cleaned


@pytest.mark.parametrize("text", CARDS)
def test_disguised_cards(text: str) -> None:
    """A card is found in the digits of any script, with gaps, and in escapes."""
    assert "card [CREDIT_CARD] ok" == SANITIZER.clean(f"card {text} ok")


def test_an_address_inside_an_escape_takes_it_whole() -> None:
    """No half of an escape stays where a match begins or ends in it."""
    assert "x [EMAIL] y" == SANITIZER.clean("x %6aane%40example.co%6d y")


def test_text_in_text_in_text_is_left_at_the_third_writing() -> None:
    """How deep encodings are followed is bounded, and that only costs recall."""
    inner = b"jane@example.com and more"
    for _ in range(4):
        inner = base64.b64encode(inner)
    assert inner.decode() == SANITIZER.clean(inner.decode())

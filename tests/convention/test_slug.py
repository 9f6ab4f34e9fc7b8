"""The segment of a span name, from any text at all."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.convention.names import check
from agent_callbacks.convention.slug import (
    LONGEST_SEGMENT,
    RULES,
    Slug,
    is_segment,
    masked_personal,
    ordered,
    prepared,
    slug,
    tidy,
    without_ids,
    without_personal,
)
from tests.effort import calls

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

ANYTHING = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=80),
    st.text("aA1bF9_-./:@% {}<>é検\u200b+4", max_size=60),
    st.lists(
        st.sampled_from(
            ["search", "Web", "null", "None", "415-555-0137", "3f2b8c1e", "a1b2ç3d4", "_at_", "_com", "48213",
             "2024-11-22", "10.0.12.7",
             "ü", "検", "_", "-", " ", "{x}", "%s", "x@y.org", "iso", "27001", "URLs", "\ud800", "٣٤٥٦٧"]
        ),
        max_size=8,
    ).map("".join),
)  # fmt: skip


@given(ANYTHING)
def test_grammar(raw: str) -> None:
    """Every text gives a segment of the grammar, of at most 64 characters."""
    assert is_segment(slug(raw).segment)


@given(ANYTHING)
def test_idempotent(raw: str) -> None:
    """A segment gives itself and breaks no rule."""
    segment = slug(raw).segment
    assert slug(segment) == Slug(segment, ())


@given(ANYTHING)
def test_reported(raw: str) -> None:
    """A name that changed says why, one that did not breaks no rule."""
    made = slug(raw)
    assert (made.segment == raw) == (not made.rules)
    assert set(made.rules) <= set(RULES)


@given(ANYTHING)
def test_no_ids_left(raw: str) -> None:
    """No id and no personal data that the detectors know stays in a segment."""
    segment = slug(raw).segment
    assert without_ids(segment) == (segment, set())


@given(st.from_regex(r"[a-z]{3,8}(_[a-z]{3,8})?", fullmatch=True), st.uuids(version=4))
def test_uuid_merges(word: str, uuid: object) -> None:
    """Names that differ in an id only are one name."""
    assert slug(f"{word}_zz_{uuid}") == Slug(f"{word}_zz", ("SPN201",))


@pytest.mark.parametrize(
    ("raw", "segment", "rules"),
    [
        ("search_web", "search_web", ()),
        ("getHTTPResponse2", "get_http_response2", ("SPN105",)),
        ("GPT4All", "gpt4_all", ("SPN105",)),
        ("listURLs", "list_urls", ("SPN105",)),
        ("Bing Search-Results", "bing_search_results", ("SPN106", "SPN105")),
        ("c++_compile", "c_compile", ("SPN107",)),
        ("naïve_søk_Größe", "naive_sok_grosse", ("SPN107", "SPN105")),
        ("\uff53\uff45\uff41", "sea", ("SPN107",)),
        ("weather☀", "weather", ("SPN107",)),
        ("2fa_verify", "n_2fa_verify", ("SPN108",)),
        ("", "unnamed", ("SPN110",)),
        ("\t", "unnamed", ("SPN110", "SPN111")),
        ("search\u200bweb", "searchweb", ("SPN111",)),
        ("a\ud800b", "ab", ("SPN111",)),
        ("tool_%s", "tool", ("SPN112",)),
        ("{{x}}", "unnamed", ("SPN112",)),
        ("(null)", "unnamed", ("SPN112", "SPN107")),
        ("get_{user_id}_orders", "get_orders", ("SPN112",)),
        ("mail_alice@example.com", "mail", ("SPN202",)),
        ("mail_alice%40example.com_now", "mail_now", ("SPN202",)),
        ("ask_jane_doe@example.com", "unnamed", ("SPN202",)),
        ("lookup_user_alice_at_example_com", "lookup_user", ("SPN202",)),
        ("look_at_this", "look_at_this", ()),
        ("call_+1-415-555-0137", "call", ("SPN202",)),
        ("card_4111111111111111_check", "card_check", ("SPN202",)),
        ("batch_4111111111111112", "batch", ("SPN201",)),
    ],
)  # fmt: skip
def test_examples(raw: str, segment: str, rules: tuple[str, ...]) -> None:
    """Each kind of change has its code, and what stays is the readable part."""
    assert slug(raw) == Slug(segment, rules)


@pytest.mark.parametrize(
    ("raw", "segment"),
    [
        ("lookup_3f2b8c1e-9a77-4f6b-8f0e-2b1d5c6a7e90_x", "lookup_x"),
        ("export_2024-11-22T10:15:00Z", "export"),
        ("report_22.11.2024", "report"),
        ("at_10:15", "at"),
        ("handler_at_0x7f8b2c1d3e50", "handler_at"),
        ("ping_10.0.12.7", "ping"),
        ("host_ip-10-0-12-7", "host_ip"),
        ("fetch_2001:db8::ff00:42:8329", "fetch"),
        ("get_https://api.example.com/v1/items?id=42", "get"),
        ("arn:aws:s3:::bucket/key", "unnamed"),
        ("C:\\Users\\x", "unnamed"),
        ("read_/var/data/users/4711/profile.json", "read"),
        ("search-7d9f8b6c5d-x2x4z", "search"),
        ("run_V1StGXR8_Z5jdHi6B-myT", "run"),
        ("call_abcd1efghij2klmn", "call"),
        ("run_01HZX3K9V7Q8M2N4P6R8S0T2W4", "run"),
        ("file_9f86d081884c7d65", "file"),
        ("customer48213", "customer"),
        ("t1732281600", "unnamed"),
        ("export20241122Csv", "export_csv"),
    ],
)
def test_high_cardinality(raw: str, segment: str) -> None:
    """Ids, hashes, dates, addresses and paths go; the words around them stay."""
    made = slug(raw)
    assert (made.segment, made.rules[0]) == (segment, "SPN201")


@pytest.mark.parametrize(
    "raw",
    [
        "facade_builder",
        "decade80",
        "effaced",
        "sha256_digest",
        "base64_encode",
        "oauth2_login",
        "gpt_4o",
        "embed_ada002",
        "ipv6_lookup",
        "sp500",
        "http_404",
        "form_1040",
        "wiki_2024",
        "iso27001_check",
        "iso_27001_audit",
        "ed25519_sign",
        "x86_64_build",
        "all_minilm_l6_v2",
        "version_1_2_3_4",
        "call_copyworkspacefiles",
        "run_describeallinstances",
        "abcdefghij_klmnopqrs_1",
    ],
)
def test_words_with_digits_stay(raw: str) -> None:
    """Words, versions and standards with digits in them are no ids."""
    assert slug(raw) == Slug(raw, ())


def test_mixed_case_of_21_letters_stays() -> None:
    """A name that happens to have the length of a NanoId is not one."""
    assert slug("list_Workspace-Files_").rules == ("SPN106", "SPN105")


def test_other_scripts() -> None:
    """Names in other scripts keep their ASCII part and differ in a suffix of eight letters."""
    first, second = slug("検索").segment, slug("поиск").segment
    assert first != second
    assert (len(first), first[:2]) == (10, "x_")
    assert slug("search_検索").segment.startswith("search_")
    assert first.replace("_", "").isalpha()


def test_suffix_does_not_depend_on_ids() -> None:
    """The suffix is made after ids went, otherwise it would be as many names as there are ids."""
    assert slug("検索_48213").segment == slug("検索_99171").segment


def test_decimals_of_other_scripts_are_digits() -> None:
    """A long number is an id in any script's digits."""
    assert slug("order_٤٨٢١٣").segment == "order"


def test_long() -> None:
    """A long name keeps 55 characters and gets a suffix that tells it from its neighbours."""
    first, second = slug("x" * 65), slug("x" * 66)
    assert first.rules == ("SPN109",)
    assert len(first.segment) == LONGEST_SEGMENT
    assert first.segment != second.segment


def test_huge_is_bounded() -> None:
    """A name of 1 MB is cut before any work, and no part of a cut word stays behind."""
    assert slug("a/@." * 300_000).rules[:1] == ("SPN109",)
    assert calls(lambda: slug("b/@." * 300_000)) == calls(lambda: slug("c/@." * 300))
    assert "alice" not in slug("\ufdfa" * 28 + " alice@example.com").segment
    assert tidy("x " * 255 + "alice@example.com")[0].endswith("x ")


def test_masked_personal() -> None:
    """Personal data can be masked where the raw name is shown."""
    assert masked_personal("lookup_bob@example.org") == "lookup_[REDACTED]"
    assert without_personal("lookup") == ("lookup", set())
    assert prepared("a" * 600)[1] == {"SPN109"}


def test_ordered() -> None:
    """Codes come gravest first, each once."""
    assert ordered(["SPN105", "SPN202", "SPN105"]) == ("SPN202", "SPN105")


def test_american_express_and_grouped_cards() -> None:
    """Card numbers go in their printed groups."""
    assert slug("pay_3782 822463 10005").segment == "pay"
    assert slug("pay_4111-1111-1111-1111").segment == "pay"


CLASSES = {
    "SPN101": "unknown_namespace", "SPN102": "missing_segment", "SPN103": "extra_segment", "SPN104": "bad_step",
    "SPN105": "case", "SPN106": "separator", "SPN107": "charset", "SPN108": "leading_digit", "SPN109": "too_long",
    "SPN110": "empty", "SPN111": "control_char", "SPN112": "unresolved_placeholder", "SPN201": "high_cardinality",
    "SPN202": "pii",
}  # fmt: skip


def _right(row: dict[str, Any]) -> bool:
    expect = row["expect"]
    if row["kind"] == "span":
        rules, segment = check(row["raw"]), None
    else:
        made = slug(row["raw"])
        rules, segment = made.rules, made.segment
    if expect["valid"] or not rules:
        return bool(expect["valid"]) and not rules
    accepted = {expect["reason_class"], *expect.get("accept", ()), *row.get("accept", ())}
    if segment is None:
        return CLASSES[rules[0]] in accepted
    kept = [text for text in row.get("must_not_contain", expect.get("must_not_contain", ())) if text in segment]
    return CLASSES[rules[0]] in accepted and expect.get("canonical", segment) == segment and not kept


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled names are not beside the repository (../shared/data)")
def test_labelled_names() -> None:
    """Every labelled name of the core tier is judged right, with its class and its only right segment."""
    rows = [json.loads(line) for line in (SHARED / "naming_dev.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) > 200
    assert [row["raw"] for row in rows if row["tier"] == "core" and not _right(row)] == []


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="the published tool names are not beside the repository (../shared/data)"
)
def test_published_tool_names_are_quiet() -> None:
    """No tool name published in a repository is taken for an id or for personal data."""
    lines = (SHARED / "real_tool_names.txt").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    loud = Counter(row[0] for row in rows if set(slug(row[0]).rules) & {"SPN201", "SPN202", "SPN112"})
    assert len(rows) > 1200
    assert set(loud) <= {"GET:/patterns/names"}  # from an issue about illegal names: an absolute path

"""Near duplicates, the lock, and the catalogue against run time's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_callbacks.convention.names import RULES as RUN_TIME
from agent_callbacks.convention.names import check, slug
from agent_callbacks.lint import lock
from agent_callbacks.lint.drift import near_duplicates
from agent_callbacks.lint.judge import Judge
from agent_callbacks.lint.policy import Policy
from agent_callbacks.lint.rules import RULES, SETS

DATA = Path(__file__).parents[3] / "shared" / "data"
SAME = (
    ("web_search", "search_web"), ("search_web_tool", "web_search"), ("search_the_docs", "docs_search"),
    ("searchWeb", "search_web"), ("websearch", "web_search"), ("serach_web", "search_web"),
    ("calender_list", "calendar_list"), ("fetch_invoice", "fetch_invioce"), ("get_wheather", "get_weather"),
    ("summarize_text", "text_summarize"), ("get_customr", "get_customer"), ("docs_search", "search_doc"),
    ("send_to_slack", "send_to_slack_tool"), ("list_companies", "company_list"),
)  # fmt: skip
DIFFERENT = (
    ("text_to_speech", "speech_to_text"), ("usd_to_eur", "eur_to_usd"), ("get_item", "put_item"),
    ("import_data", "export_data"), ("attach_file", "detach_file"), ("send_email", "send_gmail"),
    ("star_repo", "unstar_repo"), ("get_user", "get_users"), ("list_address", "list_addresses_of_user"),
    ("s3_read", "s4_read"), ("cache_get", "cache_gets"), ("encode_text", "decode_text"), ("a", "b"),
    ("plans_for_rule", "rules_for_plan"), ("open_ticket", "close_ticket"), ("the_tool", "my_tool"),
    ("asearch", "search"), ("upload_file", "unload_file"), ("the_tool", "tool"), ("the_tool", "my_func"),
    ("search_papers", "search_people"), ("list_pods_now", "list_pods"),
)  # fmt: skip


@pytest.mark.parametrize("pair", SAME)
def test_same(pair):
    """Names with the same words, letters or one slip of the finger are one name that drifted."""
    assert 1 == len(near_duplicates(pair))


@pytest.mark.parametrize("pair", DIFFERENT)
def test_different(pair):
    """Opposites, directions, plurals and short words apart are two names."""
    assert [] == near_duplicates(pair)


def test_accepted():
    """A pair that is known to be two things is not reported."""
    assert [] == near_duplicates(["a_b", "b_a"], {frozenset(("a_b", "b_a"))})


def test_typo_of_a_common_word():
    """A word that other names of the registry have too is no slip, unless its counterpart is alone."""
    assert [] == near_duplicates(["get_orders", "list_orders", "get_borders", "list_borders"])


def test_published_collisions():
    """The published tool names collide in exactly ten groups when one agent mounts them all."""
    path = DATA / "real_tool_names.txt"
    if not path.is_file():
        pytest.skip("the published tool names are not beside the repository (../shared/data)")
    judge = Judge()
    groups: dict[str, set[str]] = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            raw = line.split("\t")[0]
            groups.setdefault(judge.segment(raw).segment, set()).add(raw)
    assert 10 == sum(len(each) > 1 for each in groups.values())
    flagged = {raw for group in groups.values() for raw in group if {"SPN201", "SPN202"} & set(judge.codes(raw))}
    assert {"GET:/patterns/names"} == flagged


class TestLock:
    """The file of names that must not go."""

    def test_text(self):
        """It is sorted, explains itself, and leaves out what is numbered or closed."""
        text = lock.text_of({"tool.b", "tool.a", "agent.step.1", "llm.chat", "agent.run"})
        assert ["agent.run", "tool.a", "tool.b"] == list(lock.names_in(text))
        assert text.startswith("#")
        assert {"agent.run": 3, "tool.a": 4, "tool.b": 5} == lock.names_in(text)

    def test_compared(self):
        """A name that is gone is found at its line: what it became, or the new name that has most words of it."""
        text = lock.text_of(["tool.search_web", "tool.lookup_order", "chain.x"])
        found = lock.compared(text, "span-names.lock", {"tool.web_search", "tool.find_order", "node.y"})
        said = [each.message.partition(":")[0] for each in found]
        assert [
            "`chain.x` is gone",
            "`tool.lookup_order` is gone, and `tool.find_order` is new",
            "`tool.search_web` became `tool.web_search`",
        ] == said
        assert [3, 4, 5] == [each.line for each in found]
        assert [] == lock.compared(text, "span-names.lock", {"tool.search_web", "tool.lookup_order", "chain.x"})

    def test_some_names_only(self):
        """Where not all names are known, one is missed for the same name spelled anew, not for a shared word."""
        text = lock.text_of(["tool.search_policies", "tool.lookup_order"])
        seen = {"tool.search_web", "tool.order_lookup"}
        (found,) = lock.compared(text, "span-names.lock", seen, only_renamed=True)
        assert "`tool.lookup_order` became `tool.order_lookup`" == found.message.partition(":")[0]
        two_things = [frozenset({"lookup_order", "order_lookup"})]
        assert [] == lock.compared(text, "span-names.lock", seen, only_renamed=True, accepted=two_things)


class TestCatalogue:
    """One table for all engines."""

    def test_run_time(self):
        """What run time reports, and nothing else, is in the catalogue as a rule of run time, under the same name."""
        for code, name in RUN_TIME.items():
            assert name == RULES[code].name
        assert set(RUN_TIME) == {code for code, rule in RULES.items() if "R" in rule.engines}

    def test_sets(self):
        """Each set is part of the next, and every rule is in the strict one."""
        assert SETS["minimal"] < SETS["standard"] < SETS["strict"] == frozenset(RULES)
        assert all(RULES[code].level == "error" for code in SETS["minimal"])

    def test_examples(self):
        """The examples of the rules about names are judged as the catalogue says."""
        for code in (
            "SPN101",
            "SPN102",
            "SPN103",
            "SPN104",
            "SPN105",
            "SPN106",
            "SPN107",
            "SPN108",
            "SPN109",
            "SPN112",
            "SPN201",
            "SPN202",
        ):
            rule = RULES[code]
            assert code in check(rule.bad), rule
            assert () == check(rule.good), rule

    def test_no_such(self):
        """A set or code that does not exist is refused."""
        with pytest.raises(ValueError, match="no rule set 'loud'; there are minimal, standard, strict, otel_genai"):
            Policy("loud")
        with pytest.raises(ValueError, match="'SPN7' is no rule"):
            Policy(per_path_ignores={"*": ("SPN7",)})


def test_same_verdict_as_run_time():
    """The linter's segment and codes are those of the slug run time uses, with what the sanitizer finds added."""
    judge = Judge()
    for raw in ("searchWeb", "web-search", "c++", "kb_883920", "x" * 70):
        assert slug(raw) == judge.segment(raw)
    assert "SPN202" in judge.codes("mail_DE89370400440532013000")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("tool.x", "tools.x", "Tool.x", "toool.x", "tolo.x", "agents.run", "retreiver.x")),
        *((name, True) for name in ("retrievr.x", "chian.x", "agent", "tool", " tool.x")),
        *((name, False) for name in ("guardrail.x", "pool.x", "chan.x", "note.x", "mode.x", ".x", "llmops.x", "tools")),
        *((name, False) for name in ("", "GET /tool.x")),
    ],
)  # fmt: skip
def test_near(name, expected):
    """Names in our namespaces, their plurals and slips of the finger concern us; other words do not."""
    assert expected == Judge().concerns(name)

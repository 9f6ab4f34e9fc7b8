"""The naming convention, the names it makes at run time, and how it judges whole names."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.convention.names import (
    Finding,
    Namer,
    NamingConvention,
    SpanName,
    check,
    genai_name,
    is_valid,
)
from tests.effort import calls

EXAMPLE = Path(__file__).parents[2] / "span-names.toml"


def _as_is(text: str) -> str:
    return text


def _without_maria(text: str) -> str:
    return text.replace("Maria", "[PERSON:9f3a2c1b]")


def _namer(**keywords: Any) -> Namer:
    return Namer(NamingConvention(**keywords), _as_is)


# --- the convention --------------------------------------------------------------------------------------------------
def test_convention_is_a_value() -> None:
    """A convention can be compared, hashed, copied and pickled, and shows its values."""
    one = NamingConvention(aliases={"検索": "search"}, budgets={"tool": 3})
    assert one == NamingConvention(aliases={"検索": "search"}, budgets={"tool": 3})
    assert {one, copy.deepcopy(one), pickle.loads(pickle.dumps(one))} == {one}  # noqa: S301 - our own bytes
    assert "{'検索': 'search'}" in repr(one)
    assert len(one.aliases) == 1


def test_mapping_given_is_copied() -> None:
    """What is changed in a mapping after it was given changes no convention."""
    aliases = {"a b": "ab"}
    convention = NamingConvention(aliases=aliases)
    aliases["c d"] = "cd"
    assert dict(convention.aliases) == {"a b": "ab"}


def test_unknown_keyword() -> None:
    """An unknown keyword is an error that says which one was meant."""
    with pytest.raises(TypeError, match=r"unknown keyword 'alias'; did you mean 'aliases'\?"):
        NamingConvention(alias={})  # type: ignore[call-arg] # pyright: ignore[reportCallIssue] # the mistake under test


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"mode": "normalise"}, "did you mean 'normalize'"),
        ({"mode": 7}, "known: normalize, strict, off"),
        ({"aliases": {"Bing Search": "Bing"}}, "the alias of 'Bing Search' must be snake_case .* use 'bing'"),
        ({"aliases": {"x": "order_48213"}}, "use 'order'"),
        ({"aliases": {"x": 3}}, "must be snake_case"),
        ({"aliases": {3: "x"}}, "exact raw name, a text"),
        ({"aliases": ["x"]}, "must be a mapping"),
        ({"namespaces": "guardrail"}, "must be a tuple of texts"),
        ({"namespaces": ("",)}, "none of them empty"),
        ({"namespaces": ("tool",)}, "is a namespace already"),
        ({"namespaces": ("Guard-Rail",)}, "use 'guard_rail'"),
        ({"namespaces": ("x" * 32,)}, "at most 31 characters"),
        ({"registry": (1,)}, "must be a tuple of texts"),
        ({"max_named_steps": 0}, "whole number above 0"),
        ({"max_named_steps": True}, "whole number above 0"),
        ({"budgets": {"tools": 5}}, "did you mean 'tool'"),
        ({"budgets": {"tool": 0.5}}, r"budgets\['tool'\].* whole number"),
    ],
)
def test_bad_values(keywords: dict[str, Any], message: str) -> None:
    """A bad value is refused with its name, the rule and the way out."""
    with pytest.raises(ValueError, match=message):
        NamingConvention(**keywords)


def test_load_example() -> None:
    """The example at the repository's root is a convention that works."""
    namer = Namer(NamingConvention.load(EXAMPLE), _as_is)
    assert namer.tool("Bing Search Results JSON").name == "tool.bing_search"
    assert namer.manual("guardrail.no_refunds") == SpanName("guardrail.no_refunds")
    assert namer.convention.budget("guardrail") == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mode = 'strict'", r"unknown table or key \[mode\]"),
        ("[alias]\nx = 'y'", r"unknown table or key \[alias\]; did you mean 'aliases'\?"),
        ("[naming]\nnamespace = ['x']", r"unknown key 'namespace' in \[naming\]; did you mean 'namespaces'\?"),
        ("naming = 3", r"naming must be a table: \[naming\]"),
        ("[budgets]\ntol = 3", "did you mean 'tool'"),
        ("[naming", "Expected ']'"),
    ],
)
def test_load_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    """A file with a mistake is an error that names the file, the key and the way out."""
    path = tmp_path / "span-names.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        NamingConvention.load(path)
    assert str(path) in str(caught.value)


def test_load_missing(tmp_path: Path) -> None:
    """A file that is not there is an error with its path and the way out."""
    with pytest.raises(FileNotFoundError, match=r"give the path of a span-names.toml.*absent.toml"):
        NamingConvention.load(tmp_path / "absent.toml")


# --- whole names -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("tool.search_web", ()),
        ("agent.run", ()),
        ("agent.run.researcher", ()),
        ("agent.step.137", ()),
        ("agent.step.overflow", ()),
        ("llm.embeddings", ()),
        ("", ("SPN110",)),
        ("search_web", ("SPN101",)),
        ("agent.steps.1", ("SPN101",)),
        ("llm.rerank", ("SPN101",)),
        ("get_48213", ("SPN201", "SPN101")),
        ("tool", ("SPN102",)),
        ("agent", ("SPN102",)),
        ("agent.run.", ("SPN102",)),
        ("tool.search.web", ("SPN103",)),
        ("tool.search-it.web", ("SPN103", "SPN106")),
        ("agent.step.1.2", ("SPN103",)),
        ("agent.step.01", ("SPN104",)),
        ("agent.step.{n}", ("SPN112", "SPN104")),
        ("Tool.search_web", ("SPN105",)),
        ("AGENT.STEP.1", ("SPN105",)),
        ("tool..x", ("SPN106",)),
        (" tool.x", ("SPN106",)),
        ("tool.mail_alice@example.com", ("SPN202", "SPN103")),
    ],
)
def test_check(name: str, codes: tuple[str, ...]) -> None:
    """A whole name is judged by namespace, depth, step number and segment."""
    assert check(name) == codes
    assert is_valid(name) == (not codes)


def test_check_extra_namespace() -> None:
    """A namespace that the convention adds is known."""
    assert is_valid("guardrail.x", NamingConvention(namespaces=("guardrail",)))
    assert not is_valid("guardrail.x")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (None, "chat"),
        ("", "chat"),
        ("\u200b ", "chat"),
        ("gpt-4o", "chat gpt-4o"),
        ("a\x00b", "chat ab"),
        ("x" * 300, "chat " + "x" * 128),
    ],
)
def test_genai_name(target: str | None, name: str) -> None:
    """The standard's name is the operation and its target, safe and short."""
    assert genai_name("chat", target) == name


# --- names at run time -----------------------------------------------------------------------------------------------
def test_each_kind() -> None:
    """Each kind of span has its name."""
    namer = _namer()
    assert [
        namer.agent_run(None), namer.agent_run("support"), namer.step(2), namer.model("embeddings"),
        namer.model("rerank"), namer.tool("search_web"), namer.unknown_tool(), namer.retriever("docs"),
        namer.retriever(None), namer.chain("summary"), namer.node("model"),
    ] == [
        SpanName(name) for name in (
            "agent.run", "agent.run.support", "agent.step.2", "llm.embeddings", "llm.chat", "tool.search_web",
            "tool.unknown", "retriever.docs", "retriever.unknown", "chain.summary", "node.model",
        )
    ]  # fmt: skip


@pytest.mark.logs_expected
def test_same_name_is_the_same_value() -> None:
    """A name asked for again is not made again."""
    namer = _namer()
    assert namer.retriever("docs") is namer.retriever("docs")
    assert namer.tool("x" * 9999) is namer.tool("x" * 999)


def test_steps_overflow() -> None:
    """Steps above the cap, and what is no step number, share one name."""
    namer = _namer(max_named_steps=2)
    assert [namer.step(n).name for n in (1, 2, 3, 0)] == ["agent.step.1", "agent.step.2", *["agent.step.overflow"] * 2]
    assert namer.step(1) is namer.step(1)


def test_alias_and_prefix() -> None:
    """An alias is the name without a finding, and a prefix goes where the convention says so."""
    namer = _namer(aliases={"検索": "search"}, strip_prefixes=("mcp__", "mcp__linear__"))
    assert namer.tool("検索") == SpanName("tool.search", "検索")
    assert namer.tool("mcp__linear__list_issues") == SpanName("tool.list_issues", "mcp__linear__list_issues")
    assert namer.tool("mcp__").name == "tool.mcp"


@pytest.mark.logs_expected
def test_clean_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    """What the sanitizer finds is in neither the name, nor the raw name, nor the log."""
    made = Namer(NamingConvention(), _without_maria).tool("pay_Maria_now")
    assert made == SpanName("tool.pay_now", "pay_[PERSON:9f3a2c1b]_now", ("SPN202",))
    assert "Maria" not in caplog.text
    assert "PERSON" not in caplog.text


@pytest.mark.logs_expected
def test_machine_address_is_an_id() -> None:
    """An IP address that the sanitizer finds is reported as an id, with any person's data as personal data."""
    namer = Namer(NamingConvention(), lambda text: _without_maria(text).replace("10.0.12.7", "[IP]"))
    assert namer.tool("ping_10.0.12.7").rules == ("SPN201",)
    assert namer.tool("ping_Maria_10.0.12.7").rules == ("SPN202",)


@pytest.mark.logs_expected
def test_failing_sanitizer_marker() -> None:
    """A sanitizer that failed leaves no raw text in a name."""
    made = Namer(NamingConvention(), lambda _: "[REDACTED:error]").tool("search_web")
    assert made == SpanName("tool.unnamed", "[REDACTED:error]", ("SPN202",))


@pytest.mark.logs_expected
def test_collision(caplog: pytest.LogCaptureFixture) -> None:
    """Two raw names of one segment share the span name, and the pair is reported once."""
    namer = _namer()
    names = [namer.tool(raw).name for raw in ("c++_compile", "c#_compile", "c#_compile")]
    assert names == ["tool.c_compile"] * 3
    assert namer.tool("c#_compile").rules == ("SPN107", "SPN301")
    assert namer.tool("c++_compile").rules == ("SPN107",)
    said = [record.getMessage() for record in caplog.records if "SPN301" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(
        "span name 'tool.c_compile' stands for 'c#_compile' and was made for 'c++_compile' before:"
    )
    assert said[0].endswith("SPN301 name-collision (two raw names share it; give one of them an alias)")


def test_collision_stays_in_its_namespace() -> None:
    """A tool and a retriever may have the same segment."""
    namer = _namer()
    namer.tool("docs-index")
    assert namer.retriever("docs_index").rules == ()


@pytest.mark.logs_expected
def test_merging_ids_is_no_collision(caplog: pytest.LogCaptureFixture) -> None:
    """Names that differ in an id only are one name with one warning; other raw names of it are still told apart."""
    namer = _namer()
    assert {namer.tool(f"order_{n}") for n in range(48213, 48216)} == {
        SpanName("tool.order", f"order_{n}", ("SPN201",)) for n in range(48213, 48216)
    }
    assert len(caplog.records) == 1
    assert "4821" not in caplog.text
    assert namer.tool("order").rules == ()
    assert namer.tool("Order").rules == ("SPN105", "SPN301")


@pytest.mark.logs_expected
def test_reserved(caplog: pytest.LogCaptureFixture) -> None:
    """A tool called like a reserved name is told."""
    assert _namer().tool("unknown").rules == ("SPN301",)
    assert "'tool.unknown' is reserved" in caplog.text


@pytest.mark.logs_expected
def test_budget(caplog: pytest.LogCaptureFixture) -> None:
    """Names above the budget fold into one, known names and registered tools keep theirs, and one warning says so."""
    namer = _namer(budgets={"tool": 2}, registry=("late",))
    names = [namer.tool(raw).name for raw in ("a", "b", "c", "d", "a", "late")]
    assert names == ["tool.a", "tool.b", "tool.overflow", "tool.overflow", "tool.a", "tool.late"]
    assert namer.tool("d") == SpanName("tool.overflow", "d", ("SPN203",))
    assert ["SPN203" in record.getMessage() for record in caplog.records] == [False, False, True]


@pytest.mark.logs_expected
def test_registry(caplog: pytest.LogCaptureFixture) -> None:
    """A tool that is in no registry is told once; one that is, under any spelling or alias, and all else is not."""
    namer = _namer(mode="strict", registry=("search_web", "Bing"), aliases={"Bing": "bing_search"})
    named = [namer.tool(raw).rules for raw in ("search_web", "searchWeb", "Bing", "bing_search", "other", "other")]
    assert [(), ("SPN105", "SPN301"), (), (), ("SPN303",), ("SPN303",)] == named
    assert namer.retriever("docs").rules == namer.chain("any").rules == namer.unknown_tool().rules == ()
    assert [finding.name for finding in namer.findings if finding.code == "SPN303"] == ["tool.other"]
    (told,) = [record.getMessage() for record in caplog.records if "SPN303" in record.getMessage()]
    assert (
        told == "span name 'tool.other': SPN303 unregistered-tool (add it to registry, or take the tool from the agent)"
    )


@pytest.mark.logs_expected
def test_memory_is_bounded() -> None:
    """A stream of new names fills no table without end."""
    namer = _namer()
    for n in range(2500):
        namer.tool(f"t_{n % 100}x{n // 100}")
    held = (len(namer._made["tool"]), len(namer._taken["tool"]), len(namer._reported))  # pyright: ignore[reportPrivateUsage]
    assert max(held) <= 1100
    assert len({made.name for made in namer._made["tool"].values()}) <= 51  # pyright: ignore[reportPrivateUsage]


def test_lossless_changes_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Changes of case and separators are one INFO line, then counted."""
    caplog.set_level(logging.INFO, "agent_callbacks")
    namer = _namer()
    for raw in ("searchWeb", "get-weather", "getWeather2", "searchWeb"):
        namer.tool(raw)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert namer.lossless_changes == 3
    assert namer.findings == []


@pytest.mark.logs_expected
def test_strict_collects() -> None:
    """In strict mode every finding is collected, once, with the sanitized raw name."""
    namer = Namer(NamingConvention(mode="strict"), _without_maria)
    for raw in ("searchWeb", "searchWeb", "ask-Maria", ""):
        namer.tool(raw)
    assert namer.findings == [
        Finding("SPN105", "searchWeb", "tool.search_web"),
        Finding("SPN202", "ask-[PERSON:9f3a2c1b]", "tool.ask"),
        Finding("SPN106", "ask-[PERSON:9f3a2c1b]", "tool.ask"),
        Finding("SPN110", "tool.unnamed", "tool.unnamed"),
    ]


def test_off(caplog: pytest.LogCaptureFixture) -> None:
    """With the convention off a name stays as it is, but clean, on one line and short; nothing is reported."""
    namer = Namer(NamingConvention(mode="off"), _without_maria)
    assert namer.tool("Search-Web v2") == SpanName("tool.Search-Web v2")
    assert namer.tool("a\nMaria\u202e") == SpanName("tool.a[PERSON:9f3a2c1b]", "a[PERSON:9f3a2c1b]")
    assert namer.tool("").name == "tool.unnamed"
    assert len(namer.chain("y" * 999).name) == len("chain.") + 64
    assert namer.manual("GET /orders") == SpanName("GET /orders")
    assert caplog.records == []


@pytest.mark.logs_expected
@pytest.mark.parametrize(
    ("full", "made"),
    [
        ("tool.search_web", SpanName("tool.search_web")),
        ("tool.SearchWeb", SpanName("tool.search_web", "tool.SearchWeb", ("SPN105",))),
        ("tool.unknown", SpanName("tool.unknown")),
        ("tool", SpanName("tool.unnamed", "tool", ("SPN102", "SPN110"))),
        ("agent.run", SpanName("agent.run")),
        ("Agent.Run.Foo", SpanName("agent.run.foo", "Agent.Run.Foo", ("SPN105",))),
        ("agent.step.3", SpanName("agent.step.3")),
        ("agent.step.x", SpanName("agent.step.overflow", "agent.step.x", ("SPN104",))),
        ("llm.Chat", SpanName("llm.chat", "llm.Chat", ("SPN105",))),
        ("llm.rerank", SpanName("llm.rerank", None, ("SPN101",))),
        ("my.checkout", SpanName("my.checkout", None, ("SPN101",))),
        ("GET /orders/48213", SpanName("get", "GET /orders/48213", ("SPN201", "SPN101"))),
        ("", SpanName("unnamed", None, ("SPN110",))),
    ],
)
def test_manual(full: str, made: SpanName) -> None:
    """A user's own name is held to the grammar; outside our namespaces its parts are kept."""
    assert _namer().manual(full) == made


@pytest.mark.logs_expected
def test_manual_shares_the_tables(caplog: pytest.LogCaptureFixture) -> None:
    """A manual name that an other raw name made before is a collision, in a namespace or outside."""
    namer = _namer()
    namer.tool("search-web")
    assert namer.manual("tool.search_web").rules == ("SPN301",)
    namer.manual("my.job")
    assert namer.manual("my.Job").rules == ("SPN101", "SPN301")
    assert "was made for 'search-web' before" in caplog.text
    assert "was made for 'my.job' before" in caplog.text


@pytest.mark.logs_expected
def test_manual_long_and_many() -> None:
    """A long name of a user's own is cut, and too many fold into one."""
    namer = _namer()
    long = namer.manual(".".join(["some_very_long_part"] * 8))
    assert len(long.name) <= 64
    assert long.rules == ("SPN101", "SPN109")
    names = {namer.manual(f"mine.part_{chr(97 + n // 26)}{chr(97 + n % 26)}").name for n in range(300)}
    assert "manual.overflow" in names
    assert len(names) == 200


@pytest.mark.logs_expected
def test_tables_full() -> None:
    """When a namespace's table is full a new name folds without being remembered."""
    namer = _namer(budgets={"tool": 1})
    for n in range(1100):
        namer.tool(f"t{n}")
    assert namer.tool("new").rules == ("SPN203",)
    assert namer.tool("t0").name == "tool.t0"


@pytest.mark.logs_expected
def test_threads() -> None:
    """Many threads that ask for the same names get the same answers, never more names than the budget."""
    namer = _namer(budgets={"tool": 20})
    start = threading.Barrier(8)
    seen: list[dict[str, str]] = []

    def ask() -> None:
        start.wait()
        seen.append({f"tool_{n}": namer.tool(f"tool_{n}").name for n in range(60)})

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert all(one == seen[0] for one in seen)
    assert len(set(seen[0].values())) <= 21


def test_a_hit_is_a_look_up() -> None:
    """A name asked for again is looked up and nothing more."""
    namer = _namer()
    namer.tool("searchWeb")
    assert calls(lambda: namer.tool("searchWeb")) <= 4


@pytest.mark.logs_expected
@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_names_are_always_right(raw: str) -> None:
    """Whatever a tool or retriever is called, the span's name keeps the convention and never raises."""
    namer = _namer()
    made = [namer.tool(raw), namer.retriever(raw), namer.chain(raw), namer.node(raw), namer.agent_run(raw)]
    assert [check(each.name) for each in made] == [()] * 5
    assert len(namer.manual(raw).name) <= 96

"""``agent-callbacks demo``: a newcomer's first trace, without a key and without a network."""

from __future__ import annotations

import gc
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from opentelemetry import trace
from opentelemetry.util._once import Once

from agent_callbacks.analysis import load
from agent_callbacks.cli.demo import command, shop
from agent_callbacks.cli.demo.llm import ScriptedLLM
from agent_callbacks.cli.demo.model import ScriptedModel, asks, says
from agent_callbacks.cli.root import root
from agent_callbacks.convention import keys
from agent_callbacks.delivery import configure as configuring
from tests.features import CONTEXT_OF_SYNC_TOOLS, QUIET_AGENTS
from tests.wire.openai_payload import choice, chunk, chunks, completion, tool_call, usage
from tests.wire.server import Reply, serving

HERE = Path(__file__).parents[2]
MAIN = "from agent_callbacks.cli import main; main()"
ADDRESS = "ines.moreau"
TREE = """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  ├─ tool.query_orders
│  └─ tool.search_policies
├─ agent.step.2
│  ├─ llm.chat
│  └─ tool.ask_carrier
├─ agent.step.3
│  ├─ llm.chat
│  ├─ tool.ask_carrier
│  └─ tool.ask_returns_desk
│     └─ agent.run.returns_desk
│        ├─ agent.step.1
│        │  ├─ llm.chat
│        │  └─ tool.search_policies
│        └─ agent.step.2
│           └─ llm.chat
└─ agent.step.4
   └─ llm.chat"""


def sorted_by_name(tree: str) -> list[str]:
    """Return the lines without what is drawn before a name; tools that run side by side start in any order."""
    return sorted(re.sub(r"^[│├└─ ]*", "", line) for line in tree.splitlines())


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """Give an own home for state, no terminal's variables, no global provider; put the process back afterwards."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(configuring, "_own", None)
    monkeypatch.setattr(configuring, "_current", None)


def frameworks(*marks):
    """Have a test tell the demo in each framework, in LlamaIndex with *marks*."""
    told = [pytest.param((), id="langgraph"), pytest.param(("--llamaindex",), id="llamaindex", marks=marks)]
    return pytest.mark.parametrize("options", told)


FRAMEWORKS = frameworks()


@pytest.fixture
def store(tmp_path):
    """Return where the demo's trace will be."""
    return tmp_path / "agent-callbacks" / "traces.db"


def run(*arguments):
    """Run the command line in this process."""
    return CliRunner().invoke(root, arguments, prog_name="agent-callbacks")


def process(*arguments, **environment):
    """Run the command line as a new process; its output is no terminal."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=HERE, env={**os.environ, **environment}, capture_output=True, check=False, timeout=50, encoding="utf-8",
    )  # fmt: skip


def parts_named(trace_, name):
    """Return the spans of *trace_* called *name*."""
    return [span for span in trace_.spans if span.name == name]


# --- as a newcomer sees it -------------------------------------------------------------------------------------------
@frameworks(QUIET_AGENTS.needed)
def test_show_last_repeats_the_demo(store, options):
    """A new process shows the demo's waterfall again, character for character; nothing is said on standard error."""
    shown = process("demo", *options)
    assert (0, "") == (shown.returncode, shown.stderr)
    again = process("show", "last")
    assert f"\n\n{again.stdout}see it again: agent-callbacks show last\n" in shown.stdout
    assert again.stdout.startswith("agent.run.support · success · ")
    assert again.stdout.endswith(f"stored in {store}\n")


@FRAMEWORKS
def test_the_story(store, options):
    """Four steps, tools side by side, a tool that fails and is tried again, and a sub-agent, in each framework."""
    assert 0 == run("demo", *options).exit_code
    (found,) = load(store)
    assert sorted_by_name(TREE) == sorted_by_name(found.tree())
    failed, repeated = parts_named(found, "tool.ask_carrier")
    assert ("ConnectionError", None) == tuple(span.attributes.get(keys.ERROR_TYPE) for span in (failed, repeated))
    assert "success" == found.root.attributes[keys.OUTCOME]


@frameworks(CONTEXT_OF_SYNC_TOOLS.needed)
def test_waiting_for_others_is_known(store, options):
    """Of the tool that asks the carrier, most of the time is the carrier's."""
    run("demo", *options)
    repeated = parts_named(load(store)[0], "tool.ask_carrier")[1]
    assert 0.02 < repeated.attributes[keys.TOOL_DOWNSTREAM_DURATION] <= repeated.duration


@FRAMEWORKS
def test_tools_run_side_by_side(store, options):
    """The carrier and the returns desk are asked at the same time."""
    run("demo", *options)
    (found,) = load(store)
    carrier, desk = parts_named(found, "tool.ask_carrier")[1], parts_named(found, "tool.ask_returns_desk")[0]
    assert max(carrier.start_ns, desk.start_ns) < min(carrier.end_ns, desk.end_ns)


@FRAMEWORKS
def test_who_asked_and_what_it_took(store, options):
    """Each span says user, session and variant; each answer reads more tokens than the one before."""
    shown = run("demo", *options).output
    (found,) = load(store)
    who = {tuple(span.attributes.get(key) for key in (keys.USER_ID, keys.FEATURE_FLAG_VARIANT)) for span in found.spans}
    sessions = {span.attributes[keys.SESSION_ID] for span in found.spans}
    assert {("u-17", "prompt-b")} == who
    assert ["agent-callbacks-demo"] == list({span.resource["service.name"] for span in found.spans})
    assert f"session {sessions.pop()} · variant prompt-b" in shown
    tokens = [step.attributes[keys.STEP_INPUT_TOKENS] for step in found.children(found.root)]
    assert sorted(set(tokens)) == tokens


# --- privacy ---------------------------------------------------------------------------------------------------------
@FRAMEWORKS
def test_the_address_is_not_stored(store, options):
    """The question has an e-mail address; the trace has the marker, and no file of the store has the address."""
    shown = run("demo", *options).output
    assert ADDRESS in shown.partition("answer:")[0]
    assert re.search(r"^recorded: Ines Moreau \(\[EMAIL\]\) asks: where is my kettle", shown, re.MULTILINE)
    assert ADDRESS not in shown.partition("recorded:")[2]
    files = list(store.parent.iterdir())
    assert store in files
    assert not [file for file in files if ADDRESS.encode() in file.read_bytes()]
    assert b"[EMAIL]" in b"".join(file.read_bytes() for file in files)


# --- the terminal ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("columns", [60, 100, 200])
def test_width(monkeypatch, columns):
    """No line is wider than the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = [line for line in run("demo").output.splitlines() if not line.startswith("stored in")]
    assert columns - 10 <= max(map(len, lines)) <= columns


def test_no_color(monkeypatch):
    """NO_COLOR beats everything; without it a terminal gets colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("demo").output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("demo").output


def test_another_store(tmp_path, store):
    """With a path the trace goes there, and the line that says how to see it again names it."""
    path = tmp_path / "my traces.db"
    shown = run("demo", "--store", str(path)).output
    assert shown.endswith(f"see it again: agent-callbacks show last --store '{path}'\n")
    assert 1 == len(load(path))
    assert not store.exists()


# --- what can be missing ---------------------------------------------------------------------------------------------
@pytest.fixture
def missing(monkeypatch):
    """Return a function that hides packages."""
    found = command.importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(
            command.importlib.util, "find_spec", lambda name, package=None: None if name in names else found(name)
        )

    return hide


@pytest.mark.parametrize(
    ("options", "package", "extra"), [((), "langgraph", "demo"), (("--llamaindex",), "llama_index.core", "llamaindex")]
)
def test_without_the_frameworks(missing, options, package, extra):
    """Without its framework the line that installs it is printed."""
    missing(package)
    shown = run("demo", *options)
    assert 2 == shown.exit_code
    assert f'pip install "agent-callbacks[cli,{extra}]"' in shown.stderr


def test_without_any_part_of_a_framework():
    """A module counts as missing too where the package it is in is missing."""
    assert [True, False, False] == list(map(command._installed, ("llama_index.core", "llama_index.no", "no.core")))


@pytest.mark.parametrize(
    ("options", "module", "package"),
    [
        ((), "langchain_openai", "langchain-openai"),
        (("--llamaindex",), "llama_index.llms.openai", "llama-index-llms-openai"),
    ],
)
def test_model_says_what_is_missing(missing, store, options, module, package):
    """A real model needs its package and a key; both are named at once, and nothing runs."""
    missing(module)
    shown = run("demo", "--model", "gpt-4.1", *options)
    assert 2 == shown.exit_code
    assert f"pip install {package}" in shown.stderr
    assert "OPENAI_API_KEY" in shown.stderr
    assert not store.exists()


@pytest.mark.parametrize("variable", ["AGENT_CALLBACKS_ENABLED=0", "OTEL_SDK_DISABLED=true"])
def test_switched_off(monkeypatch, store, variable):
    """With tracing off there is nothing to show, which is said."""
    monkeypatch.setenv(*variable.split("="))
    shown = run("demo")
    assert (2, True) == (shown.exit_code, "switched off" in shown.stderr)
    assert not store.exists()


@pytest.mark.logs_expected
def test_a_store_that_cannot_be_written(tmp_path):
    """When the store cannot be opened, the cause is said instead of an older trace being shown."""
    (tmp_path / "file").write_text("no directory")
    shown = run("demo", "--store", str(tmp_path / "file" / "traces.db"))
    assert 2 == shown.exit_code
    assert "could not be stored" in shown.stderr


# --- a real model ----------------------------------------------------------------------------------------------------
@FRAMEWORKS
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_real_model(monkeypatch, store, options):
    """With a key the model decides: what it asks for is run, and its own token counts are shown."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    wanted = tool_call("call_1", "search_policies", words="returns")
    with serving() as wire:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{wire.url}/v1")
        wire.answer(*replies(wanted, streamed=bool(options)))
        shown = run("demo", "--model", "gpt-4.1", *options)
        gc.collect()  # OpenAI's client leaves its connection to whichever test is next
    assert (0, "") == (shown.exit_code, shown.stderr)
    assert "answer: Yes, within 30 days." in shown.output
    assert "2 steps · 2 model calls · 1 tool call · 700 tokens in · 50 out" in shown.output
    assert ["gpt-4.1"] * 2 == [received.body["model"] for received in wire.received]
    (found,) = load(store)
    assert ["gpt-4.1"] * 2 == [span.attributes[keys.REQUEST_MODEL] for span in parts_named(found, "llm.chat")]


def replies(wanted, *, streamed):
    """Return two answers of OpenAI's: a request for a tool, then the end."""
    if streamed:  # as LlamaIndex's agents ask for it
        asked = chunk({"role": "assistant", "tool_calls": [{"index": 0, **wanted}]})
        counts = chunk({}, "tool_calls"), chunk(None, counts=usage(300, 20)), "data: [DONE]\n\n"
        return Reply(frames=(asked, *counts)), Reply(frames=chunks("Yes, within ", "30 days.", counts=usage(400, 30)))
    return (
        Reply(completion(choice(None, "tool_calls", [wanted]), counts=usage(300, 20))),
        Reply(completion(choice("Yes, within 30 days."), counts=usage(400, 30))),
    )


@FRAMEWORKS
def test_a_model_that_cannot_be_asked(monkeypatch, store, options):
    """When the provider cannot be reached, the trace of the failure is shown and the cause named, without a stack."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{probe.getsockname()[1]}/v1")
        shown = run("demo", "--model", "gpt-4.1", *options)
    assert 1 == shown.exit_code
    assert re.search(r"the model could not be asked \(\w+ConnectionError\)", shown.stderr)
    (found,) = load(store)
    assert "ConnectionError" in found.root.attributes[keys.ERROR_TYPE]
    assert found.trace_id in shown.stdout
    assert "✗ " in shown.stdout


@pytest.mark.parametrize("name", ["gpt-of-next-year", "gpt-3.5-turbo-instruct"])
def test_a_model_that_llamaindex_does_not_know(monkeypatch, name):
    """LlamaIndex has a list of models; one that is not there, or takes no tools, is named before anything runs."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    shown = run("demo", "--llamaindex", "--model", name)
    assert 2 == shown.exit_code
    assert name in shown.stderr


def test_the_script_without_callbacks():
    """The scripted model streams its words also where nobody listens, and counts what it read."""
    pieces = list(ScriptedModel(script=[says("It is on its way.")])._stream([]))
    assert ["It", " is", " on", " its", " way.", ""] == [piece.text for piece in pieces]
    assert pieces[-1].message.usage_metadata["output_tokens"] > 0


async def test_the_script_is_said_in_every_way():
    """The scripted LLM says the same line asked for a chat or a completion, at once or in words, sync or async."""
    llm = ScriptedLLM(script=[says("It is on its way.")] * 8)
    words = ["It", " is", " on", " its", " way.", ""]
    whole = [llm.chat([]), await llm.achat([])]
    assert ["It is on its way."] * 2 == [response.message.content for response in whole]
    assert [True] * 2 == [response.raw["usage"]["completion_tokens"] > 0 for response in whole]
    assert words == [piece.delta for piece in llm.stream_chat([])]
    assert words == [piece.delta async for piece in await llm.astream_chat([])]
    assert ["It is on its way."] * 2 == [llm.complete("?").text, (await llm.acomplete("?")).text]
    assert words == [piece.delta for piece in llm.stream_complete("?")]
    assert words == [piece.delta async for piece in await llm.astream_complete("?")]


def test_the_script_asks_for_tools():
    """What the scripted LLM is asked with reaches it: history, question, tools; the script says what it wants."""
    llm = ScriptedLLM(script=[asks(("search_policies", {"words": "late"}))] * 3)
    tool = FunctionTool.from_defaults(shop.find_policies, name="search_policies")
    responses = [llm.chat_with_tools([tool], question, chat_history=history) for question, history in
                 (("Late?", None), (None, [ChatMessage("Late?")]))]  # fmt: skip
    (first,), (second,) = map(llm.get_tool_calls_from_response, responses)
    assert ("search_policies", {"words": "late"}) == (first.tool_name, first.tool_kwargs)
    assert first == second
    bare = llm.chat([ChatMessage("Late?")])
    read, again, without = (response.raw["usage"]["prompt_tokens"] for response in (*responses, bare))
    assert read == again > without


# --- the shop --------------------------------------------------------------------------------------------------------
def test_the_carrier_fails_once_and_is_gone_afterwards():
    """The first answer is a 503, an unknown parcel is a 404; the port is free and the thread over when it closes."""
    before = threading.active_count()
    with shop.carrier() as port:
        with pytest.raises(ConnectionError, match="503"):
            shop.parcel_status(port, "P-5217")
        started = time.monotonic()
        assert "Lyon" == shop.parcel_status(port, "P-5217")["place"]
        assert 0.02 < time.monotonic() - started
        with pytest.raises(ConnectionError, match="404"):
            shop.parcel_status(port, "P-0000")
    assert before == threading.active_count()
    with pytest.raises(ConnectionRefusedError):
        shop.parcel_status(port, "P-5217")


def test_each_query_has_its_own_database():
    """A model that drops a table harms nobody; a query that is wrong is SQLite's own error."""
    assert [] == shop.query_shop("DROP TABLE orders")
    assert [{"count": 4}] == shop.query_shop("SELECT count(*) AS count FROM orders")
    with pytest.raises(shop.sqlite3.OperationalError):
        shop.query_shop("SELECT nothing FROM nowhere")


def test_policies_are_found_by_their_words():
    """Whole words count, in any case."""
    assert ["delivery.txt"] == list(shop.find_policies("LATE parcels"))
    assert {} == shop.find_policies("lat")


# --- its names -------------------------------------------------------------------------------------------------------
@FRAMEWORKS
def test_its_names_keep_the_convention(options, tmp_path, monkeypatch):
    """The demo's traces have nothing that the strictest rules and the repository's own convention find."""
    monkeypatch.chdir(tmp_path)
    table = f"[tool.agent_callbacks.lint]\nrules = 'strict'\nconvention = '{HERE / 'span-names.toml'}'\n"
    (tmp_path / "pyproject.toml").write_text(table)
    assert 0 == CliRunner().invoke(root, ["demo", *options]).exit_code
    shown = CliRunner().invoke(root, ["lint", "--store"]).output
    assert ("0 files, 1 trace with 20 spans", "0 errors, 0 warnings, 0 information\n") == (
        shown.partition(", 0 span names")[0],
        shown.rpartition(": ")[2],
    )

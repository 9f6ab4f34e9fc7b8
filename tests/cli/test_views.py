"""``show``, ``tokens``, ``latency`` and ``cost``: one trace in the terminal and as JSON, from a store or a file."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import click
import jsonschema
import pytest
from click.testing import CliRunner

from agent_callbacks.analysis import cells, load
from agent_callbacks.cli import terminal
from agent_callbacks.cli.root import root
from agent_callbacks.cli.schema import schemas
from agent_callbacks.convention import keys
from agent_callbacks.store.write import StoreExporter
from tests.analysis.test_waterfall import HOSTILE
from tests.cli import story
from tests.effort import calls
from tests.report import scenes

VIEWS = ("show", "tokens", "latency", "cost")
PRICES = """
[[price]]
model = "house-1"
input = 1.0
output = 2.0
context_window = 20_000
"""


def run(*arguments, **given):
    """Run the command line in this process."""
    return CliRunner().invoke(root, arguments, prog_name="agent-callbacks", **given)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """Hide what the developer's terminal says of itself."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def file(tmp_path):
    """Give the name of a file with one run in it."""
    return story.file(tmp_path / "run.jsonl", story.told())


def said(*arguments):
    """Give what a command prints, which must have worked, without the blanks that lay it out."""
    result = run(*arguments)
    assert 0 == result.exit_code, result.output
    return re.sub(r"\s+", " ", result.output)


class TestEveryView:
    """What the four have in common."""

    @pytest.mark.parametrize("view", VIEWS)
    @pytest.mark.parametrize("columns", [1, 40, 60, 80, 100, 200, 1000])
    def test_fits(self, file, monkeypatch, view, columns):
        """No line is wider than the terminal (but at least 40 cells), and none ends in blanks."""
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = run(view, file).output.splitlines()[:-1]  # the last is the file's own name
        assert max(map(cells.width, lines)) <= max(40, columns)
        assert [line.rstrip() for line in lines] == lines

    @pytest.mark.parametrize("view", VIEWS)
    def test_colors_only_add(self, file, monkeypatch, view):
        """Colours change no character; NO_COLOR has the last word, and without a terminal there are none."""
        plain = run(view, file).output
        assert "\x1b" not in plain
        monkeypatch.setenv("FORCE_COLOR", "1")
        colored = run(view, file).output
        assert "\x1b[" in colored
        assert plain == re.sub(r"\x1b\[[0-9;]*m", "", colored)
        monkeypatch.setenv("NO_COLOR", "1")
        assert plain == run(view, file).output

    @pytest.mark.parametrize("view", VIEWS)
    @pytest.mark.parametrize("scene", ["run", "unsplit", "foreign", "hostile", "empty"])
    def test_json_is_as_its_schema_says(self, tmp_path, view, scene):
        """Whatever the trace, the JSON is what the schema promises, in ASCII, and holds no NaN."""
        made = {
            "run": story.told(), "unsplit": story.told(split=False, model="nobody-knows"), "foreign": foreign(),
            "hostile": scenes.hostile(), "empty": nothing(),
        }[scene]  # fmt: skip
        more = ["--as-if", "gpt-4.1-mini"] if view == "cost" else []
        printed = run(view, story.store(tmp_path / "x.db", made), "--json", *more)
        assert (0, True) == (printed.exit_code, printed.output.isascii()), printed.output
        found = json.loads(printed.output, parse_constant=pytest.fail)
        schema = json.loads(schemas()[view].read_text("utf-8"))
        jsonschema.Draft202012Validator(schema).validate(found)
        assert found["schema"] == schema["properties"]["schema"]["const"]

    @pytest.mark.parametrize("view", VIEWS)
    def test_hostile(self, tmp_path, view):
        """Nothing in a file can steer the terminal, by whichever view it is shown, wide or narrow."""
        who = dict.fromkeys((keys.USER_ID, keys.SESSION_ID, keys.FEATURE_FLAG_VARIANT), HOSTILE)
        attacked = story.told(model=HOSTILE, **who)
        name = story.store(tmp_path / "x.db", scenes.hostile(), attacked)
        for trace_id, columns in (("0" * 31 + "1", "60"), ("0" * 31 + "7", "60"), ("0" * 31 + "7", "200")):
            shown = run(view, name, "--trace", trace_id, env={"COLUMNS": columns})
            assert 0 == shown.exit_code
            assert all(line.isprintable() for line in shown.output.split("\n"))

    @pytest.mark.parametrize("view", VIEWS)
    @pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
    def test_persons_in_a_file(self, tmp_path, view, more):
        """What a file of others says of persons is sanitized before it is shown."""
        mail = "ines.moreau@example.com"
        scene = scenes.Scene(1, {keys.USER_ID: mail})
        top = scene.add(None, f"call {mail}", 0, 10, {keys.AGENT_NAME: mail, keys.RUN_STEPS: 1, "note": mail})
        step = scene.add(top, "agent.step.1", 0, 9, {keys.STEP_INDEX: 1, keys.STEP_INPUT_TOKENS: 5})
        scene.add(step, f"ask {mail}", 0, 9, {
            keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: f"m-{mail}", keys.USAGE_INPUT_TOKENS: 5,
        }, status="ERROR", status_message=mail)  # fmt: skip
        shown = run(view, story.file(tmp_path / "x.jsonl", scene.trace()), *more)
        assert (0, False, True) == (shown.exit_code, "moreau" in shown.output, "[EMAIL" in shown.output)

    @pytest.mark.parametrize("view", VIEWS)
    def test_other_instrumentations(self, tmp_path, view):
        """A trace without agent runs, steps, tokens or anything else is shown as far as it goes."""
        assert 0 == run(view, story.file(tmp_path / "x.jsonl", nothing())).exit_code
        assert 0 == run(view, story.file(tmp_path / "x.jsonl", foreign())).exit_code


def nothing():
    """Give a trace of one span of which nothing is known."""
    scene = scenes.Scene(3)
    scene.add(None, "job", 0, 0, {})
    return scene.trace()


def foreign():
    """Give a trace as another instrumentation makes one: model calls, no steps."""
    scene = scenes.Scene(4)
    top = scene.add(None, "workflow", 0, 2000, {})
    for number, model in enumerate(("gpt-4.1", "nobody-knows")):
        scene.add(top, "chat", 1000 * number, 1000 * number + 900, {
            keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: model, keys.USAGE_INPUT_TOKENS: 1000,
            keys.USAGE_OUTPUT_TOKENS: 10, keys.USAGE_CACHE_READ: 500, keys.TOKENS_METHOD: "estimated",
        }, kind="CLIENT")  # fmt: skip
    return scene.trace()


@pytest.mark.parametrize("view", VIEWS)
def test_effort_grows_with_the_run(tmp_path, view):
    """Four times as many steps take no more than some five times the calls of functions: no view is quadratic."""
    few, many = (effort(view, story.file(tmp_path / f"{steps}.jsonl", scenes.agent_run(steps))) for steps in (50, 200))
    assert many < 5 * few


def effort(view, name):
    """Give how many calls a view makes, once what is loaded once is loaded."""
    run(view, name)
    return calls(lambda: run(view, name))


class TestChoice:
    """Which trace."""

    @pytest.fixture
    def several(self, tmp_path):
        """Give the name of a file with three traces."""
        return story.file(tmp_path / "x.jsonl", *map(story.told, (1, 2, 0x20)))

    def test_last_of_a_file(self, several):
        """Of a file with several traces the last is shown, and how to see the others is said."""
        shown = said("show", several)
        assert f"trace {0x20:032x}" in shown
        assert "the last of 3 traces: --trace ID shows another" in shown
        assert shown == said("show", several, "--trace", "last")

    def test_one_of_a_file(self, tmp_path):
        """A beginning of an id chooses within a file; one that fits none or several is told which there are."""
        first, second = (scenes.Scene(number) for number in (1, 2))
        first.trace_id, second.trace_id = "ab" * 16, "ac" * 16
        for scene in (first, second):
            scene.add(None, "job", 0, 1, {})
        name = story.file(tmp_path / "x.jsonl", first.trace(), second.trace())
        assert f"trace {'ab' * 16}" in said("show", name, "--trace", "ABA")
        for wanted, message in (("a", "2 traces begin with 'a'"), ("ff", "no trace 'ff' in ")):
            result = run("show", name, "--trace", wanted)
            assert (2, True) == (result.exit_code, message in result.stderr)

    def test_standard_input(self, file):
        """A dash is standard input."""
        shown = run("tokens", "-", input=Path(file).read_bytes())
        assert (0, True) == (shown.exit_code, shown.output.endswith("\nread from standard input\n"))
        empty = run("tokens", "-", input=b'{"resourceSpans": []}')
        assert (1, "standard input holds no span\n") == (empty.exit_code, empty.stderr)

    def test_store_as_a_file(self, tmp_path):
        """A trace store can be named as a file, too."""
        assert "agent.run.support" in said("cost", story.store(tmp_path / "traces.db", story.told()))

    @pytest.mark.parametrize("view", VIEWS)
    def test_faults(self, tmp_path, file, monkeypatch, view):
        """A file that is none, is foreign or empty, an unknown id, an empty store: each is named, with the way out."""
        monkeypatch.chdir(tmp_path)
        Path("broken.json").write_text("{", "utf-8")
        Path("text.txt").write_text("hello", "utf-8")
        StoreExporter("empty.db").shutdown()
        story.store("full.db", story.told())
        for arguments, code, message in (
            (["broken.json"], 2, "broken.json, line 1: expected JSON"), (["text.txt"], 2, "text.txt, line 1"),
            (["gone/run.json", "--store", "none.db"], 2, "no file 'gone/run.json'"),
            (["last", "--store", "none.db"], 1, "agent-callbacks demo"),
            (["last", "--store", "empty.db"], 1, "agent-callbacks demo"),
            (["0000000000000000000000000000000f", "--store", "full.db"], 2, f"did you mean {1:032x}?"),
            ([file, "--user", "u-17"], 2, "leave them out with a TRACE_ID or a FILE"),
            (["last", "--trace", "abcd"], 2, "--trace chooses a trace in a FILE"),
        ):  # fmt: skip
            result = run(view, *arguments)
            assert (code, True) == (result.exit_code, message in re.sub(r"\s+", " ", result.stderr)), result.output


class TestShow:
    """The waterfall and what is asked of it first."""

    def test_answers(self, file):
        """A newcomer's questions are answered below the waterfall, in words."""
        shown = said("show", file)
        assert "cost most Step 3 of support: $0.0114 of $0.0295 (38 %)" in shown
        assert "grew The input of support, from 4,212 tokens in step 1 to 9,512 in step 3 (2.3 times)" in shown
        assert "waited tool.search_web waited 450 ms of 600 ms on crm.internal" in shown
        assert "in parallel The finding above" in shown
        assert "failed tool.open_return (TimeoutError)." in shown

    def test_answer_of_its_own(self, tmp_path):
        """What could run in parallel is said in full where the finding above is another."""
        name = story.file(tmp_path / "x.jsonl", foreign())
        assert "in parallel Nothing was found" in said("show", name)

    def test_depth(self, file):
        """Folded, a step says how many spans are in it."""
        assert "agent.step.1 +5 2.28 s" in said("show", file, "--depth", "1")

    def test_json(self, file):
        """The JSON has the sums, the critical path, what each span cost and where failures are."""
        found = json.loads(run("show", file, "--json").output)
        assert ("success", 4, 1, 1) == tuple(
            found["summary"][key] for key in ("outcome", "model_calls", "embeddings", "failures")
        )
        names = {span["span_id"]: span["name"] for span in found["spans"]}
        assert "agent.run.support" == names[found["critical_path"][0]]
        assert [1] * 5 == list(found["failed_below"].values())
        assert pytest.approx(0.0295, abs=1e-4) == found["costs"][found["spans"][0]["span_id"]]

    def test_recorded_costs(self, tmp_path):
        """What a trace says it cost is shown, whatever price lists say."""
        scene = scenes.Scene(9)
        scene.add(None, "llm.chat", 0, 10, {keys.OPERATION_NAME: "chat", keys.LLM_COST: 1.25})
        assert "llm.chat · 10 ms · $1.25" in said("show", story.file(tmp_path / "x.jsonl", scene.trace()))


class TestTokens:
    """Where the tokens went."""

    def test_steps(self, file):
        """Each step has its tokens, what it sent more, what came from a cache, the share of the window, and a bar."""
        lines = run("tokens", file).output.splitlines()
        assert "step 2  6,512    +2,300  120    58 %   0.7 %  ████▓▓▓▓▓▓▓▓▓▓▒▒▒░░░░░░" in lines
        assert "step 3  9,512  +3,000 ▲  260    68 %   1.0 %  ████▓▓▓▓▓▓▓▓▓▓▒▒▒▒▒░░░░░░░░░░░░░░░" in lines

    def test_buckets(self, file):
        """Each bucket has its sum, its share, and how it grew from the first step to the last."""
        lines = run("tokens", file).output.splitlines()
        assert "▓ tool schemas       7,800   39 %   2,600   2,600       0" in lines
        assert "░ tool outputs       6,000   30 %       0   4,200  +4,200" in lines

    def test_wide(self, file, monkeypatch):
        """Where there is room, every step lists its buckets, all of them or none."""
        monkeypatch.setenv("COLUMNS", "140")
        assert "█ system ▓ schemas ▒ history ░ outputs ▪ other" in said("tokens", file)
        assert "step 2 6,512 +2,300 120 58 % 0.7 % 1,200 2,600 900 1,800 12" in said("tokens", file)

    def test_told(self, file):
        """Alerts and the projection are said in words; how many steps are projected can be chosen."""
        shown = said("tokens", file, "--more", "2")
        assert (
            "→ all steps together sent 4.7 times the input of the first call, each step of the last third 2.3 times: "
            in shown
        )
        assert "compounding → the input rose faster than the alert allows at step 3 (▲)" in shown
        assert "2 more steps would send 26,974 tokens, the last of them 14,812" in shown
        assert "more steps" not in said("tokens", file, "--more", "0")
        found = json.loads(run("tokens", file, "--json", "--more", "2").output)
        assert [12162, 14812] == found["runs"][0]["projected"]

    def test_not_split(self, tmp_path):
        """A trace that carries no buckets says so; its bars are of one kind, and nothing is made up."""
        shown = said("tokens", story.file(tmp_path / "x.jsonl", story.told(split=False)))
        assert "this trace carries no buckets" in shown
        assert ("▓" in shown, "tool schemas" in shown) == (False, False)

    def test_window_of_your_own(self, tmp_path, monkeypatch):
        """A model nobody knows has no window, unless your own file of prices names it."""
        name = story.file(tmp_path / "x.jsonl", story.told(model="house-1"))
        assert "takes" not in said("tokens", name)
        (tmp_path / "prices.toml").write_text(PRICES, "utf-8")
        monkeypatch.setenv("AGENT_CALLBACKS_PRICES", str(tmp_path / "prices.toml"))
        shown = said("tokens", name)
        assert "house-1 takes 20,000" in shown
        assert "step 3 9,512 +3,000 ▲ 260 68 % 48 %" in shown

    def test_without_steps(self, tmp_path):
        """A trace of another instrumentation lists its model calls, estimates marked."""
        shown = said("tokens", story.file(tmp_path / "x.jsonl", foreign()))
        assert "2 model calls" in shown
        assert "call 1 gpt-4.1 ~1,000 10 50 % 0.1 %" in shown
        assert "~ estimated here" in shown
        split = scenes.Scene(5)
        split.add(None, "llm.chat", 0, 1, {keys.OPERATION_NAME: "chat", keys.USAGE_INPUT_TOKENS: 30,
                                           **dict(zip(keys.LLM_TOKENS, (10, 0, 20, 0, 0), strict=True))})  # fmt: skip
        assert "▒ history 20 67 %" in said("tokens", story.file(tmp_path / "y.jsonl", split.trace()))
        assert "no model call in this trace" in said("tokens", story.file(tmp_path / "z.jsonl", nothing()))

    def test_notes(self, tmp_path):
        """What the figures leave out is said: the framework's own calls, assumed encodings, unexplained reports."""
        scene = scenes.Scene(6)
        top = scene.add(None, "agent.run", 0, 9, {keys.RUN_STEPS: 0})
        scene.add(top, "llm.chat", 0, 1, {
            keys.OPERATION_NAME: "chat", keys.INTERNAL_CALL: True, keys.USAGE_INPUT_TOKENS: 70,
            keys.TOKENS_ENCODING_ASSUMED: True, keys.TOKENS_MISMATCH: True,
        })  # fmt: skip
        shown = said("tokens", story.file(tmp_path / "x.jsonl", scene.trace()))
        assert "1 call of the framework's own sent 70 tokens, in no step" in shown
        assert "the model's own encoding is not known" in shown
        assert "of 1 call the report is not explained" in shown


class TestLatency:
    """Where the time went."""

    def test_components(self, file):
        """The components are listed, the longest first, with their shares, under one bar of all."""
        lines = run("latency", file).output.splitlines()
        listed = lines[lines.index("Where the time went") + 3 : lines.index("Critical path") - 1]
        assert ["Output tokens", "5.07 s", "56 %"] == re.split(r"  +", listed[0][2:])[:3]
        assert 80 == cells.width(lines[lines.index("Where the time went") + 1])

    def test_path(self, file):
        """The critical path is told in the order of time, a tool's own requests as the tool's, with agent and step."""
        shown = run("latency", file).output
        path = re.findall(r"^ *[0-9.]+ m?s  (\S.*?)  +[0-9.]+ m?s", shown.partition("Critical path")[2], re.MULTILINE)
        assert [
            "step 1 \u203a llm.chat", "step 1 \u203a tool.search_web", "step 1 \u203a tool.lookup_order",
            "step 1 itself", "step 2 \u203a llm.chat", "returns_desk step 1 \u203a llm.chat",
        ] == path[:6]  # fmt: skip
        assert re.search(r"and \d+ shorter, \d+ ms together", shown)

    def test_findings(self, file):
        """Findings come with the most they could save; what cannot be seen is said."""
        shown = said("latency", file)
        assert "What could be faster ≤ 600 ms 1.2 of 9.0 s in 2 sequential calls" in shown
        assert "What cannot be seen · request serialization and connect of 5 model calls" in shown
        assert "agent-callbacks itself took 4.0 ms of the run" in shown

    def test_models(self, file, monkeypatch):
        """Each model call says how long it took, how long for its first token, and how fast it wrote."""
        monkeypatch.setenv("COLUMNS", "100")
        assert "step 3 \u203a llm.chat (gpt-4.1) 3.59 s 300 ms 79 9,512 260" in said("latency", file)

    def test_many_models(self, tmp_path):
        """Of many model calls the slowest are listed."""
        name = story.file(tmp_path / "x.jsonl", scenes.agent_run(20))
        assert "and 8 faster" in said("latency", name)

    def test_in_parallel(self, tmp_path):
        """What ran beside something longer is told apart from what the run waited for."""
        scene = scenes.Scene(8)
        top = scene.add(None, "chain.x", 0, 1000, {keys.OPERATION_NAME: "invoke_workflow"})
        for length in (1000, 400):
            scene.add(top, "tool.x", 0, length, {keys.OPERATION_NAME: "execute_tool"})
        shown = said("latency", story.file(tmp_path / "x.jsonl", scene.trace()))
        assert "all calls ▓ Tools' own work 1.00 s 100 % 1.40 s" in shown
        assert "nothing was found" in shown


class TestCost:
    """What it cost."""

    def test_steps(self, file):
        """Each step says what it cost, what more than the one before, and what sending the tools' schemas took."""
        shown = said("cost", file)
        assert "tool schemas 7,800 tokens $0.0107 (39 % of its input) · caching saved $0.0155" in shown
        assert "step 2 $0.00828 \u2212$0.000860 6,512 120 $0.00292" in shown

    def test_paid_for(self, file):
        """What was paid for what is listed, the dearest first; all of it is the total."""
        found = json.loads(run("cost", file, "--json").output)
        shown = said("cost", file)
        assert "What it was paid for cost share ▓ tool schemas $0.0110 37 %" in shown
        assert "By model cost calls in out gpt-4.1 $0.0295 4 20,536 490" in shown
        assert pytest.approx(found["total"]) == sum(call["cost"] for call in found["calls"])

    def test_as_if(self, file):
        """The same tokens are priced as other models', the cheapest first, each asked for once."""
        options = ["--as-if", "claude-haiku-4-5", "--as-if", "gpt-4.1-mini", "--as-if", "gpt-4.1-mini"]
        shown = said("cost", file, *options)
        assert re.search(
            r"as it ran \$0.0295 █+ gpt-4.1-mini \$0.00591 \u221280 % █+\S? claude-haiku-4-5 \$0.0137", shown
        )
        found = json.loads(run("cost", file, "--json", *options).output)
        assert ["claude-haiku-4-5", "gpt-4.1-mini"] == [each["priced_as"] for each in found["as_if"]]

    def test_as_if_dearer(self, file):
        """A dearer model has a plus."""
        assert re.search(r"claude-opus-4-1 \$[0-9.]+ \+[0-9]+ %", said("cost", file, "--as-if", "claude-opus-4-1"))

    @pytest.mark.parametrize(
        ("asked", "meant"), [("gpt-41-mni", "gpt-4.1-mini"), ("openai/gpt-41-mni", "gpt-4.1-mini")]
    )
    def test_as_if_unknown(self, file, asked, meant):
        """A model without a price is named with the nearest that have one."""
        result = run("cost", file, "--as-if", asked)
        assert (2, True, True) == (
            result.exit_code, f"no price is known for '{asked}'; did you mean" in result.stderr, meant in result.stderr,
        )  # fmt: skip
        assert "did you mean" not in run("cost", file, "--as-if", "0" * 40).stderr

    def test_unpriced(self, tmp_path):
        """A model without a price is named, its calls cost nothing that is known, and the rest is a lower bound."""
        shown = said("cost", story.file(tmp_path / "x.jsonl", story.told(model="nobody-knows")))
        assert "agent.run.support · success · at least $0.00000080" in shown
        assert "nobody-knows not known 4 20,536 490" in shown
        assert "no price is known for nobody-knows: give prices in a file" in shown

    def test_model_not_said(self, tmp_path):
        """Calls that do not say their model are said to be so; no price is asked for a model that has no name."""
        scene = scenes.Scene(2)
        scene.add(None, "llm.chat", 0, 1, {keys.OPERATION_NAME: "chat", keys.USAGE_INPUT_TOKENS: 9})
        shown = said("cost", story.file(tmp_path / "x.jsonl", scene.trace()))
        assert "· some calls do not say which model they asked: they have no price" in shown
        assert "no price is known for unknown" not in shown

    def test_part_of_a_model_priced(self, tmp_path):
        """What some calls of a model say they cost is shown, and that others do not say."""
        scene = scenes.Scene(2)
        for cost in ({keys.LLM_COST: 0.5}, {}):
            scene.add(None, "llm.chat", 0, 1, {keys.OPERATION_NAME: "chat", keys.REQUEST_MODEL: "house-1",
                                               keys.USAGE_INPUT_TOKENS: 9, **cost})  # fmt: skip
        shown = said("cost", story.file(tmp_path / "x.jsonl", scene.trace()), "--as-if", "gpt-4.1")
        assert "house-1 $0.500 2 18 0 no price is known for 1 of the calls" in shown
        assert "▁ not split $0.500 100 %" in shown
        assert "not split: the trace says what house-1 cost, but the price is not known here" in shown
        assert "as it ran at least $0.500 █" in shown

    def test_not_split(self, tmp_path):
        """A trace without buckets says that what the schemas cost is not known."""
        shown = said("cost", story.file(tmp_path / "x.jsonl", story.told(split=False)))
        assert "tool schemas too, is not known: this trace carries no buckets" in shown
        assert "█ input, not split" in shown

    def test_run_without_steps(self, tmp_path):
        """An agent run that asked no model has no table of steps."""
        scene = scenes.Scene(2)
        top = scene.add(None, "chain.x", 0, 9, {})
        scene.add(top, "agent.run.idle", 0, 1, {keys.RUN_STEPS: 0, keys.AGENT_NAME: "idle"})
        scene.add(top, "llm.chat", 1, 9, {keys.OPERATION_NAME: "chat", keys.USAGE_INPUT_TOKENS: 9})
        assert "idle" not in said("cost", story.file(tmp_path / "x.jsonl", scene.trace()))

    def test_nothing_called(self, tmp_path):
        """A trace without a model call says so."""
        assert "no model call in this trace says what it used" in said("cost", story.file(tmp_path / "x", nothing()))

    @pytest.mark.parametrize("view", ["show", "tokens", "cost"])
    def test_prices_that_cannot_be_used(self, file, monkeypatch, tmp_path, view):
        """A file of prices that cannot be used is named."""
        (tmp_path / "prices.toml").write_text("nonsense", "utf-8")
        monkeypatch.setenv("AGENT_CALLBACKS_PRICES", str(tmp_path / "prices.toml"))
        result = run(view, file)
        assert (2, True) == (result.exit_code, "prices.toml" in result.stderr)


def test_long_views_are_paged(file, monkeypatch):
    """On a terminal a view longer than it goes to the user's pager; not where it fits, or where there is none."""
    paged: list[str] = []
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setattr(click, "echo_via_pager", paged.append)
    monkeypatch.setenv("LINES", "12")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("PAGER", "more")
    assert "" == run("show", file).output
    assert ["agent.run.support"] == [text.partition(" ")[0] for text in paged]
    for more in ({"PAGER": ""}, {"PAGER": None}, {"LINES": "500"}):
        assert paged == [run("show", file, env=more).output.removesuffix("\n")]


class TestUsageNotSaid:
    """A model call that does not say how many tokens it used: not known is not nothing."""

    @pytest.fixture
    def silent(self, tmp_path):
        """Give a run whose model call, recorded by another instrumentation, says what it is and no more."""
        scene = scenes.Scene(2)
        run = scene.add(None, "agent", 0, 2, {"openinference.span.kind": "AGENT"})
        scene.add(run, "ChatOpenAI", 0, 1, {"openinference.span.kind": "LLM"})
        return story.file(tmp_path / "x.jsonl", scene.trace())

    def test_show(self, silent):
        """Such spans are told by their kind, and what cost most is not known."""
        shown = said("show", silent)
        assert "0 steps · 1 model call · 0 tool calls" in shown
        assert "M └─ ChatOpenAI" in shown
        assert "cost most Not known: no model call says how many tokens it used." in shown

    def test_tokens(self, silent):
        """No count is shown."""
        shown = said("tokens", silent)
        assert "no model call in this trace says how many tokens it used" in shown
        assert "tokens in" not in shown


def test_step_without_its_number(tmp_path):
    """A span that is a step by its name alone is called by it."""
    scene = scenes.Scene(2)
    run = scene.add(None, "agent.run", 0, 2, {})
    scene.add(scene.add(run, "agent.step.1", 0, 2, {}), "tool.x", 0, 1, {})
    assert "agent.step.1 \u203a tool.x" in said("latency", story.file(tmp_path / "x.jsonl", scene.trace()))


def test_run_that_goes_on(tmp_path):
    """A run whose root is not stored yet is running in every view, however what is there of it ended."""
    whole = story.told()
    part = dataclasses.replace(whole, spans=tuple(span for span in whole.spans if span.parent_id is not None))
    store = story.store(tmp_path / "x.db", part)
    for view in ("show", "tokens", "latency", "cost"):
        assert " · running" in run(view, "--store", store).output.splitlines()[0]
    assert "running" == json.loads(run("show", "--json", "--store", store).output)["summary"]["outcome"]
    assert ", running, " in run("copy", "--store", store).output
    from_a_file = run("show", story.file(tmp_path / "x.jsonl", part)).output.splitlines()[0]
    assert " · success" in from_a_file  # as its first span says: a file does not tell whether more is to come


class TestSchemas:
    """What is in the JSON."""

    def test_printed(self):
        """Every schema is listed, printed, valid, and named as the command whose JSON it describes."""
        listed = run("schema").output.split()
        assert set(VIEWS) <= set(listed)
        assert set(listed) <= set(root.list_commands(None))
        for name in listed:
            jsonschema.Draft202012Validator.check_schema(json.loads(run("schema", name).output))

    def test_unknown(self):
        """A command without a schema is told which have one."""
        result = run("schema", "nope")
        assert (2, True) == (result.exit_code, "there are: compare, copy, cost" in result.stderr)

    def test_strict(self, file):
        """A schema refuses what it does not name, so a field cannot be forgotten in it."""
        found = json.loads(run("tokens", file, "--json").output)
        found["runs"][0]["steps"][0]["new"] = 1
        with pytest.raises(jsonschema.ValidationError, match="new"):
            jsonschema.validate(found, json.loads(schemas()["tokens"].read_text("utf-8")))

    def test_finite(self, capsys):
        """Numbers that JSON does not have become null."""
        terminal.echo_json({"a": [float("nan"), (float("-inf"), 1.5)], "b": {"c": float("inf")}})
        assert {"a": [None, [None, 1.5]], "b": {"c": None}} == json.loads(capsys.readouterr().out)


def test_source_of_kinds_nobody_has(tmp_path):
    """A span whose kind or status nobody has heard of is read as one of no special kind."""
    span = {
        "name": "x", "context": {"trace_id": "0x" + "ab" * 16, "span_id": "0x" + "cd" * 8}, "kind": "SpanKind.ODD",
        "parent_id": None, "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
        "status": {"status_code": "ODD"},
    }  # fmt: skip
    path = tmp_path / "console.json"
    path.write_text(json.dumps(span), "utf-8")
    assert "x" == load(path)[0].root.name
    assert "trace " + "ab" * 16 in said("show", str(path))


def test_ids_that_are_none(tmp_path):
    """A file whose ids are none is refused by its line, not by a traceback."""
    span = {"name": "x", "context": {"trace_id": "0xnone", "span_id": "0x1"}, "start_time": "2026-01-01T00:00:00Z"}
    (tmp_path / "console.json").write_text(json.dumps(span), "utf-8")
    refused = run("show", str(tmp_path / "console.json"))
    assert (2, True) == (
        refused.exit_code,
        "line 1: expected a span as the console exporter prints it" in refused.stderr,
    )

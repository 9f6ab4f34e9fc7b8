"""The commands over many runs: ``ls``, ``compare`` and ``tail``."""

from __future__ import annotations

import csv
import io
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from agent_callbacks.analysis import cells
from agent_callbacks.cli import tail as tail_module
from agent_callbacks.cli.root import root
from agent_callbacks.cli.schema import schemas
from agent_callbacks.cli.tail import Follower
from agent_callbacks.store.erase import erase
from agent_callbacks.store.summary import Filter
from agent_callbacks.store.write import StoreExporter
from tests.analysis.test_waterfall import HOSTILE
from tests.store.story import START, support, told

HERE = Path(__file__).parents[2]
MAIN = "from agent_callbacks.cli import main; main()"
SECOND = 10**9
# A shell lets what it runs in the background ignore the signal, and so would what the tests start there.
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
TABLE = """\
80 runs by variant · 2025-11-24 16:00:00 to 2025-11-24 16:01:19 UTC

b against a: cheaper at equal success (within 0.1)

                        a         b  change  95 % interval
runs                   40        40
cost, mean        $0.0102  $0.00510   \N{MINUS SIGN}50 %  \N{MINUS SIGN}50 to \N{MINUS SIGN}50 %
latency, median    1.02 s    1.02 s     0 %  \N{MINUS SIGN}1.0 to +1.0 %
tokens, mean          110       110     0 %  0 to 0 %
completed, share   95.0 %    95.0 %  0.0 pt  \N{MINUS SIGN}12.1 to +12.1 pt
resolved, mean       0.95      0.95  0.0 pt  \N{MINUS SIGN}12.1 to +12.1 pt
latency, p95       1.04 s    1.04 s
latency, p99            -         -  40 runs; p99 needs 100

· 5 values are compared: of 20 intervals at 95 %, one misses by chance
"""


def write(path, *batches):
    """Write a store."""
    exporter = StoreExporter(path, max_age_seconds=1e9)
    for batch in batches:
        exporter.export(batch)
    exporter.shutdown()
    assert exporter.dropped == 0


def sides(count_a=40, count_b=40, *, cost_b=0.005, resolved=True, first=1):
    """Give the batches of two variants: b costs *cost_b* for a's cent, all else is alike; half a run more or less."""
    batches = []
    for number in range(count_a + count_b):
        side, place = ("a", number) if number < count_a else ("b", number - count_a)
        more = 1 + (place % 5) / 100
        batches += told(
            first + number, variant=side, cost=(0.01 if side == "a" else cost_b) * more, seconds=1.0 * more,
            resolved=float(place % 20 != 0) if resolved else None, start_ns=START + number * SECOND,
            model="gpt-x" if side == "a" else "gpt-y", failed=place % 20 == 1, user=f"u-{number % 3}",
        )  # fmt: skip
    return batches


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """Hide what the developer's terminal says of itself."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Give a store with 40 runs of each of two variants; b is cheaper at the same success."""
    path = tmp_path_factory.mktemp("compared") / "traces.db"
    write(path, *sides())
    return path


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Give the path of a store to write, named by the variable."""
    monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(tmp_path / "traces.db"))
    return tmp_path / "traces.db"


def run(*arguments, **environment):
    """Run the command line in this process."""
    return CliRunner().invoke(root, list(map(str, arguments)), prog_name="agent-callbacks", env=environment)


def valid(command, text):
    """Give the JSON in *text*, which is as the command's schema says."""
    found = json.loads(text, parse_constant=pytest.fail)
    jsonschema.Draft202012Validator(json.loads(schemas()[command].read_text("utf-8"))).validate(found)
    return found


# --- ls --------------------------------------------------------------------------------------------------------------
class TestLs:
    """Many runs as a table."""

    @pytest.fixture
    def three(self, path):
        """Give a store with three runs that differ in everything."""
        write(
            path,
            *told(1, seconds=2.5, cost=0.25, variant="b", model="gpt-y", agent="sales", failed=True, user="u-18"),
            *told(2, cost=None, start_ns=START + SECOND),
            *told(3, rooted=False, start_ns=START + 2 * SECOND),
        )
        return path

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ([], [3, 2, 1]), (["--variant", "b"], [1]), (["--model", "gpt-y"], [1]), (["--agent", "support"], [3, 2]),
            (["--outcome", "success"], [2]), (["--failed"], [1]), (["--min-duration", "1500ms"], [1]),
            (["--min-cost", "$0.1"], [1]), (["--experiment", "tone", "--user", "u-18"], [1]),
            (["--since", "2025-11-24T16:00:01", "--until", "2025-11-24T16:00:02"], [2]),
            (["--sort", "cost"], [1, 3, 2]), (["--sort", "duration", "--limit", "1"], [1]),
        ],
    )  # fmt: skip
    def test_filters(self, three, options, expected):
        """Each filter leaves the runs that it is about, in the order asked for."""
        found = valid("ls", run("ls", "--json", *options).output)
        assert expected == [int(each["trace_id"], 16) for each in found["traces"]]

    def test_what_a_line_says(self, three):
        """A run that goes on is marked; a cost stands where it is known, and a failure with where it began."""
        lines = [line.split() for line in run("ls", COLUMNS="200").output.splitlines()]
        assert ["running", "success", "failure"] == [next(w for w in line if w in {"running", "success", "failure"})
                                                     for line in lines[1:]]  # fmt: skip
        assert [["$0.0100"], [], ["$0.250"]] == [[word for word in line if word.startswith("$")] for line in lines[1:]]
        assert "llm.chat" == lines[3][-1]

    def test_cost_that_is_not_whole(self, path):
        """A star says that a call of the run has no recorded cost."""
        first, second = told(1, cost=0.5)[0], told(1, cost=None)[0]
        other = next(span for span in second if span.name == "llm.chat")
        other._context = type(other.context)(other.context.trace_id, 77, is_remote=False)
        write(path, [*first, other])
        assert "$0.500*" in run("ls").output

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--user", "u-19"], "no trace of user 'u-19' in {path}; did you mean u-18, u-17?"),
            (["--model", "gpt-z"], "did you mean gpt-"),
            (["--variant", "zzz"], "no trace of variant 'zzz' in {path}; see agent-callbacks ls"),
            (["--user", "u-18", "--variant", "a"], "no trace of user 'u-18' and variant 'a' in {path}"),
            (["--min-cost", "5"], "no trace of --min-cost in {path}"),
        ],
    )
    def test_nothing_found(self, three, options, words):
        """What is not there is named, with what may have been meant, and the code is 1."""
        found = run("ls", *options)
        assert (1, True) == (found.exit_code, words.format(path=three) in found.stderr), found.stderr
        assert 1 == run("ls", "--json", *options).exit_code

    def test_a_persons_id_that_is_stored_as_a_tag(self, three, monkeypatch):
        """Whoever asks for an e-mail address without the key is told why it is not found."""
        monkeypatch.delenv("AGENT_CALLBACKS_PSEUDONYM_KEY", raising=False)
        assert "AGENT_CALLBACKS_PSEUDONYM_KEY" in run("ls", "--user", "ines@example.com").stderr

    @pytest.mark.parametrize(
        ("option", "value", "words"),
        [
            ("--min-duration", "long", "500ms, 2s"), ("--min-cost", "dear", "0.05, 2"), ("--until", "never", "30m, 1h"),
            ("--sort", "colour", "'start'"), ("--limit", "0", "x>=1"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read(self, three, option, value, words):
        """A value that cannot be read is a mistake in the call, with examples."""
        found = run("ls", option, value)
        assert (2, True) == (found.exit_code, words in found.stderr), found.stderr

    def test_csv(self, three):
        """CSV has a line a run; numbers are numbers, and what is unknown is empty."""
        rows = list(csv.DictReader(io.StringIO(run("ls", "--csv").output)))
        assert ["0.01", "", "0.25"] == [row["cost"] for row in rows]
        assert ["true", "false", "false"] == [row["running"] for row in rows]
        assert 2 == run("ls", "--csv", "--json").exit_code

    def test_csv_of_several_experiments(self, path):
        """Several variants of one run stand in one cell."""
        write(path, *told(1, variants={"tone": "brief", "length": "short"}))
        (row,) = csv.DictReader(io.StringIO(run("ls", "--csv").output))
        assert "tone: brief + length: short" == row["variants"]

    def test_hostile(self, path):
        """Nothing that a run carries steers the terminal or is a formula, in any form of the list."""
        formula = '=HYPERLINK("http://evil","x")'
        write(path, *told(1, agent=HOSTILE, variant=formula, user=HOSTILE, session="@SUM(1)", model=f"a;{formula}"))
        for columns in (60, 200):
            assert all(line.isprintable() for line in run("ls", COLUMNS=str(columns)).output.split("\n"))
        (row,) = csv.DictReader(io.StringIO(run("ls", "--csv").output))
        assert ["'" + formula, "'@SUM(1)", f"'a;{formula}"] == [
            row[name] for name in ("variant", "session_id", "models")
        ]
        assert all(value.isprintable() for value in row.values())
        assert run("ls", "--json").output.isascii()

    def test_colors(self, three):
        """How a run ended is painted, unless NO_COLOR says no."""
        assert "\x1b[31mfailure\x1b[0m" in run("ls", FORCE_COLOR="1", COLUMNS="200").output
        assert "\x1b" not in run("ls", FORCE_COLOR="1", NO_COLOR="1").output


# --- compare ---------------------------------------------------------------------------------------------------------
class TestCompare:
    """Groups of runs."""

    def test_table(self, compared):
        """The answer comes first, then a line a value: both sides, the change and its interval."""
        output = run("compare", "--store", compared, COLUMNS="80").output
        assert output.splitlines() == TABLE.splitlines()

    def test_equal_success(self, tmp_path):
        """With enough runs cheaper is said to be at equal success, in words."""
        write(tmp_path / "x.db", *sides(150, 150))
        output = run("compare", "--store", tmp_path / "x.db", COLUMNS="80").output
        assert "b against a: cheaper at equal success (within 0.1)\n" in output
        assert "resolved, mean" in output
        assert "latency, p99" in output
        assert "p99 needs 100" not in output

    def test_not_enough(self, path):
        """With few runs nothing is concluded: how many there are, how many are needed, and how many are missing."""
        write(path, *sides(30, 12))
        lines = run("compare", COLUMNS="120").output.splitlines()
        said = {line.split(",")[0]: line for line in lines if "," in line}
        assert "not enough: 12 of 30 runs; 18 more needed" in said["cost"]
        assert "12 runs; p99 needs 100" in next(line for line in lines if line.startswith("latency, p99"))
        narrow = run("compare", COLUMNS="60").output
        assert "\n  not enough: 12 of 30 runs; 18 more needed\n" in narrow

    @pytest.mark.parametrize("by", ["variant", "experiment", "user", "session", "agent", "model", "hour"])
    def test_by(self, compared, by):
        """Whatever a run says of itself can group runs; where all say the same there is nothing to compare."""
        found = valid("compare", run("compare", "--by", by, "--json", "--store", compared).output)
        expected = {
            "variant": ["a", "b"], "experiment": ["tone"], "user": ["u-0", "u-1", "u-2"], "session": ["s-9"],
            "agent": ["support"], "model": ["gpt-x", "gpt-y"], "hour": ["2025-11-24T16:00Z"],
        }  # fmt: skip
        assert expected[by] == [group["name"] for group in found["groups"]]
        assert len(expected[by]) - 1 == len(found["comparisons"])
        assert 80 == sum(group["runs"] for group in found["groups"])
        shown = run("compare", "--by", by, "--store", compared).output
        assert (len(expected[by]) == 1) == (f"only one {by}, {expected[by][0]} (80 runs)" in shown)

    def test_json(self, compared):
        """The whole of the comparison, with how the values of each group are spread."""
        found = valid("compare", run("compare", "--json", "--store", compared).output)
        (one,) = found["comparisons"]
        assert ("lower", [40, 40]) == (one["cost"]["verdict"], one["cost"]["n"])
        assert 0.5 == pytest.approx(one["cost"]["ratio"])
        assert ("resolved", 0.95) == (one["outcome"]["value"], one["outcome"]["means"][0])
        spread = found["groups"][0]["duration"]
        assert (40, None, "40 runs; p99 needs 100") == (spread["n"], spread["p99"], spread["withheld"])

    def test_csv(self, compared):
        """A line a value, all of it numbers but for the words."""
        rows = list(csv.DictReader(io.StringIO(run("compare", "--csv", "--store", compared).output)))
        assert ["cost", "duration", "tokens", "completed", "resolved"] == [row["value"] for row in rows]
        assert ("40", "b", "lower") == (rows[0]["n_other"], rows[0]["other"], rows[0]["verdict"])
        assert 2 == run("compare", "--csv", "--json", "--store", compared).exit_code

    def test_chosen(self, compared):
        """The newest runs, a filter, another baseline, the groups that are largest."""
        last = valid("compare", run("compare", "--last", "30", "--json", "--store", compared).output)
        assert (30, ["b"]) == (last["runs"], [group["name"] for group in last["groups"]])
        failed = valid("compare", run("compare", "--failed", "--json", "--store", compared).output)
        assert 4 == failed["runs"]
        turned = valid("compare", run("compare", "--baseline", "b", "--json", "--store", compared).output)
        assert ("b", 2.0) == (turned["groups"][0]["name"], pytest.approx(turned["comparisons"][0]["cost"]["ratio"]))
        most = run("compare", "--by", "user", "--most", "2", "--store", compared).output
        assert "1 groups with fewer runs are left out" in most
        unknown = run("compare", "--baseline", "c", "--store", compared)
        assert (2, True) == (unknown.exit_code, "baseline='c' is not known; use one of a, b" in unknown.stderr)

    def test_costs_that_were_not_recorded(self, path, tmp_path):
        """What was not priced when it was recorded is priced now, where a price is known; else it is missing."""
        write(path, *[batch for number in range(1, 61) for batch in told(
            number, variant="ab"[number % 2], cost=None, tokens=1000 * (1 + number % 2), model="mine",
        )])  # fmt: skip
        (tmp_path / "prices.toml").write_text('[[price]]\nmodel = "mine"\ninput = 1.0\noutput = 0.0\n', "utf-8")
        priced = run("compare", "--prices", tmp_path / "prices.toml", "--json")
        assert [0.001, 0.002] == pytest.approx(valid("compare", priced.output)["comparisons"][0]["cost"]["means"])
        unknown = valid("compare", run("compare", "--json").output)["comparisons"][0]["cost"]
        assert ("not recorded", [30, 30]) == (unknown["verdict"], unknown["missing"])
        assert "not recorded on both sides (0 and 0 runs)" in run("compare", COLUMNS="120").output
        (tmp_path / "prices.toml").write_text("nonsense", "utf-8")
        broken = run("compare", "--prices", tmp_path / "prices.toml")
        assert (2, True) == (broken.exit_code, "prices.toml" in broken.stderr)

    def test_of_one_experiment(self, path):
        """Of runs in several experiments the variants of the one that is asked for are compared."""
        for number in range(1, 9):
            write(
                path,
                *told(number, variants={"tone": "brief", "length": ("short", "long")[number % 2]}, variant="brief"),
            )
        found = valid("compare", run("compare", "--experiment", "length", "--json").output)
        assert ["long", "short"] == [group["name"] for group in found["groups"]]
        assert ["brief"] == [group["name"] for group in valid("compare", run("compare", "--json").output)["groups"]]

    def test_nothing(self, path):
        """An empty store, a filter that leaves none, and runs that say no variant are told apart."""
        assert "agent-callbacks demo" in run("compare").stderr
        write(path, *told(1, variant=None))
        none = run("compare")
        assert (1, True) == (none.exit_code, "none of 1 run says its variant; pass metadata=" in none.stderr)
        assert "no trace of user 'x'" in run("compare", "--user", "x").stderr
        assert (
            "says its model" in run("compare", "--by", "model").stderr or run("compare", "--by", "model").exit_code == 0
        )

    @pytest.mark.parametrize("columns", [1, 40, 60, 80, 200])
    def test_fits(self, compared, columns):
        """No line is wider than the terminal, but at least 40 cells, and none ends in blanks."""
        lines = run("compare", "--by", "user", "--store", compared, COLUMNS=str(columns)).output.splitlines()
        assert [] == [line for line in lines if cells.width(line) > max(60, columns) or line != line.rstrip()]

    def test_hostile(self, path):
        """A group's name steers neither the terminal nor a spreadsheet."""
        write(path, *told(1, variant=HOSTILE), *told(2, variant="=1+1"), *told(3, variant="=1+1"))
        assert all(line.isprintable() for line in run("compare").output.split("\n"))
        assert all("'=1+1" == row["baseline"] for row in csv.DictReader(io.StringIO(run("compare", "--csv").output)))


# --- tail ------------------------------------------------------------------------------------------------------------
class TestFollower:
    """What a look at the store tells."""

    @pytest.fixture
    def exporter(self, path):
        """Give what writes the store."""
        made = StoreExporter(path, max_age_seconds=1e9)
        yield made
        made.shutdown()

    @staticmethod
    def numbers(runs):
        """Give the numbers of runs, and which go on."""
        return [(int(run.trace_id, 16), "running") if run.running else int(run.trace_id, 16) for run in runs]

    def test_what_is_there_and_what_comes(self, path, exporter):
        """At first the last few are told, the oldest first; then each once, when it comes, however early it began."""
        exporter.export([span for number in (1, 2, 3) for span in told(number, start_ns=START + number)[0]])
        follower = Follower(path, Filter(), 2)
        assert [2, 3] == self.numbers(follower.look(0))
        assert [] == follower.look(1)
        exporter.export(told(4, start_ns=START - SECOND)[0])
        exporter.export(told(5)[0])
        assert [4, 5] == self.numbers(follower.look(2))
        for batch in told(5, resolved=1):
            exporter.export(batch)
        assert [] == follower.look(3)

    def test_none_at_first(self, path, exporter):
        """Whoever wants none of those that are there sees the next one only."""
        exporter.export(told(1)[0])
        follower = Follower(path, Filter(), 0)
        assert [] == follower.look(0)
        exporter.export(told(2)[0])
        assert [2] == self.numbers(follower.look(1))

    def test_a_run_that_goes_on(self, path, exporter):
        """It is told when it has gone on for ten seconds, once, and once more when it has ended."""
        follower = Follower(path, Filter(), 0)
        exporter.export(told(9)[0])
        follower.look(0)
        spans = told(1)[0]
        exporter.export(spans[:1])
        assert [] == follower.look(1)
        exporter.export(spans[1:2])
        assert [] == follower.look(10)
        assert [(1, "running")] == self.numbers(follower.look(11))
        exporter.export(spans[:1])
        assert [] == follower.look(30)
        exporter.export(spans[2:])
        assert [1] == self.numbers(follower.look(31))

    def test_filters(self, path, exporter):
        """Only runs that are wanted are told, and others are not looked at twice."""
        follower = Follower(path, Filter(failed=True), 5)
        exporter.export(told(1)[0])
        assert [] == follower.look(0)
        exporter.export(told(2, failed=True)[0])
        exporter.export(told(3)[0])
        assert [2] == self.numbers(follower.look(1))

    def test_more_than_one_look_takes(self, path, exporter, monkeypatch):
        """A rush is told over several looks, without one left out."""
        monkeypatch.setattr(tail_module, "_MOST", 3)
        follower = Follower(path, Filter(), 0)
        exporter.export(told(99)[0])
        follower.look(0)
        for number in range(1, 8):
            exporter.export(told(number)[0])
        assert [[1, 2, 3], [4, 5, 6], [7]] == [self.numbers(follower.look(at)) for at in (1, 2, 3)]

    def test_what_was_told_is_forgotten_some_day(self, path, exporter, monkeypatch):
        """What is remembered of the past is bounded."""
        monkeypatch.setattr(tail_module, "_REMEMBERED", 2)
        follower = Follower(path, Filter(), 10)
        exporter.export([span for number in (1, 2, 3) for span in told(number)[0]])
        follower.look(0)
        assert 2 == len(follower._told)

    def test_the_store_comes_goes_and_is_replaced(self, path, capsys):
        """A store that is not there is waited for, said once; of a new file all is new."""
        follower = Follower(path, Filter(), 5)
        assert [[], []] == [follower.look(0), follower.look(1)]
        assert 1 == capsys.readouterr().err.count("no trace store at")
        path.touch()
        assert [] == follower.look(2)
        write(path, *told(1))
        assert [1] == self.numbers(follower.look(3))
        for each in path.parent.glob("traces.db*"):
            each.unlink()
        assert [] == follower.look(4)
        assert "no trace store at" in capsys.readouterr().err
        write(path, *told(2))
        assert [2] == self.numbers(follower.look(5))
        path.rename(path.with_name("old.db"))
        write(path, *told(3), *told(4))
        assert [3, 4] == self.numbers(follower.look(6))

    def test_an_empty_file_is_waited_for(self, path, capsys):
        """A file that nothing was written to yet is said once."""
        path.touch()
        follower = Follower(path, Filter(), 5)
        assert [[], []] == [follower.look(0), follower.look(1)]
        assert 1 == capsys.readouterr().err.count("nothing in")

    def test_erased_meanwhile(self, path, exporter):
        """What gc erases, and the file it writes anew, disturb nothing."""
        exporter.export(told(1)[0])
        follower = Follower(path, Filter(), 5)
        assert [1] == self.numbers(follower.look(0))
        erase(path, user="u-17")
        assert [] == follower.look(1)
        exporter.export(told(2)[0])
        assert [2] == self.numbers(follower.look(2))

    def test_writers_never_wait(self, path, exporter):
        """Between two looks nothing is held: the file can be locked for writing at once, and no connection is left."""
        exporter.export(told(1)[0])
        Follower(path, Filter(), 5).look(0)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
            assert (0, 0) == other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[:2]
            other.execute("BEGIN EXCLUSIVE")

    def test_a_fault_that_stays(self, path, monkeypatch):
        """A store that cannot be read for five looks is given up; one look is not enough."""
        write(path, *told(1))
        content = path.read_bytes()
        path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
        follower = Follower(path, Filter(), 5)
        assert [[]] * 4 == [follower.look(at) for at in range(4)]
        with pytest.raises(Exception, match="2"):
            follower.look(4)

    def test_a_foreign_file(self, path):
        """A file that is no store is a mistake in the call."""
        path.write_text("my diary")
        found = run("tail")
        assert (2, True) == (found.exit_code, "is not a trace store" in found.stderr)


class TestTail:
    """The command."""

    def test_lines(self, path):
        """A line a run, wide enough for a pipe: when it ended, what, how, how long, how much, and what failed first."""
        write(path, *told(1, cost=0.5, failed=True), *told(2, cost=None, start_ns=START + SECOND))
        assert [
            ["16:00:01", "agent.run.support", "failure", "1.00", "s", "1", "110", "$0.500", "llm.chat"],
            ["16:00:02", "agent.run.support", "success", "1.00", "s", "1", "110"],
        ] == [line.split() for line in run("tail", "--once").output.splitlines()]

    @pytest.mark.parametrize("columns", [1, 40, 60, 80, 200])
    def test_fits(self, path, columns):
        """One line stays one line, however narrow; the error's type outlives its place."""
        write(path, *told(1, failed=True, agent="an_agent_with_a_very_long_name_indeed"))
        (line,) = run("tail", "--once", COLUMNS=str(columns)).output.splitlines()
        assert cells.width(line) <= max(60, columns)
        assert "failure" in line

    def test_outcomes_are_told_whole(self, path):
        """No outcome is cut, on any width."""
        write(path, support(outcome="interrupted"))
        assert "  interrupted  " in run("tail", "--once", COLUMNS="60").output

    def test_json(self, path):
        """With --json each line is one object."""
        write(path, *told(1), *told(2, start_ns=START + 1))
        assert [1, 2] == [
            int(valid("tail", line)["trace_id"], 16) for line in run("tail", "--once", "--json").output.splitlines()
        ]

    def test_hostile(self, path):
        """Nothing that a run carries steers the terminal or makes a second line."""
        write(path, *told(1, agent=HOSTILE, failed=True))
        (line,) = run("tail", "--once").output.splitlines()
        assert line.isprintable()

    def test_interrupted(self, path, monkeypatch):
        """Ctrl-C ends it, and all is well."""
        write(path, *told(1))

        def interrupted(_):
            raise KeyboardInterrupt

        monkeypatch.setattr(tail_module.time, "sleep", interrupted)
        found = run("tail")
        assert (0, 1) == (found.exit_code, len(found.output.splitlines()))

    @pytest.fixture
    def started(self, path):
        """Give a function that starts ``tail`` as a process with its output in a pipe."""
        made = []

        def start(*arguments):
            made.append(subprocess.Popen(
                [sys.executable, "-c", INTERRUPTIBLE + MAIN, "tail", *arguments], cwd=HERE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=os.environ,
            ))  # fmt: skip
            return made[-1]

        yield start
        for each in made:
            each.kill()
            each.communicate()

    def line(self, process):
        """Give the next line of a process's output, which may take a while."""
        ready, _, _ = select.select([process.stdout], [], [], 50)
        assert ready
        return process.stdout.readline().decode()

    def test_follows(self, path, started):
        """A run that is written while it follows is a line at once, in a pipe too; SIGINT ends it with 0."""
        write(path, *told(1))
        process = started("--json")
        assert 1 == int(json.loads(self.line(process))["trace_id"], 16)
        write(path, *told(2))
        assert 2 == int(json.loads(self.line(process))["trace_id"], 16)
        process.send_signal(signal.SIGINT)
        assert (b"", 0) == (process.communicate(timeout=50)[1], process.returncode)

    def test_a_reader_that_goes(self, path, started):
        """When nobody reads the pipe any more it ends, also where there is nothing to write."""
        write(path, *told(1))
        process = started()
        assert "agent.run.support" in self.line(process)
        process.stdout.close()
        assert 0 == process.wait(timeout=50)

    def test_reader_gone(self, monkeypatch):
        """A pipe whose other end is closed is told from one that is only not read."""
        reading, writing = os.pipe()
        with os.fdopen(writing, "w") as output:
            monkeypatch.setattr(sys, "stdout", output)
            assert not tail_module._reader_gone()
            os.close(reading)
            assert tail_module._reader_gone()

    def test_heading(self, path, monkeypatch):
        """On a terminal the columns have titles, once; a pipe gets lines only."""
        write(path, *told(1), *told(2))
        monkeypatch.setattr(tail_module.terminal, "is_terminal", lambda: True)
        lines = run("tail", "--once", COLUMNS="100", NO_COLOR="1").output.splitlines()
        assert ["end", "run", "outcome", "time", "steps", "tokens", "cost", "first", "error"] == lines[0].split()
        assert 3 == len(lines)

    def test_slow_reader_is_no_reader_gone(self, path, monkeypatch):
        """Outputs that are no pipes are never taken for closed ones."""
        monkeypatch.setattr(sys, "stdout", None)
        assert not tail_module._reader_gone()
        with (path.with_name("out")).open("w") as file:
            monkeypatch.setattr(sys, "stdout", file)
            assert not tail_module._reader_gone()


def test_a_closed_pipe_is_no_error(path):
    """Whoever reads only the beginning, as head does, gets it without a complaint and with exit status 0."""
    write(path, *[batch for number in range(1, 60) for batch in told(number)])
    for command in (["export", "otlp"], ["ls", "--limit", "59", "--csv"]):
        process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.stdin.read(1); {MAIN}", *command], cwd=HERE, env=os.environ,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        process.stdout.close()  # before anything is written
        _, errors = process.communicate(b"x", timeout=50)
        assert (b"", 0) == (errors, process.returncode)


def test_a_pipe_that_closes_in_a_command(path, monkeypatch):
    """In whichever command the pipe closes, the exit status is 0."""
    write(path, *told(1))

    def closed(_):
        raise BrokenPipeError

    monkeypatch.setattr(tail_module.terminal, "echo", closed)
    for command in ("ls", "tail", "compare"):
        assert (0, "") == (run(command).exit_code, run(command).output)

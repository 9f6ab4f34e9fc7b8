"""Reading the local store."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from agent_callbacks.convention import keys
from agent_callbacks.store import schema
from agent_callbacks.store.erase import erase
from agent_callbacks.store.read import Filter, Store, Summary
from agent_callbacks.store.schema import StoreForeignError, StoreMissingError, StoreUnreadableError
from agent_callbacks.store.summary import COLUMNS
from agent_callbacks.store.write import StoreExporter
from tests.store.story import START, Teller, support, told

ONE, TWO, THREE = "1a" * 16, "1b" * 16, "2c" * 16
SECOND = 10**9


@pytest.fixture
def path(tmp_path):
    """Give the path of a store to write."""
    return tmp_path / "traces.db"


@pytest.fixture
def store(path):
    """Give a store with three traces, one second apart."""
    exporter = StoreExporter(path, max_age_seconds=1e9)
    exporter.export(support(ONE))
    exporter.export(support(TWO, START + 2 * SECOND, **{keys.USER_ID: "u-18"}))
    exporter.export(support(THREE, START + SECOND, **{keys.SESSION_ID: "s-10"}))
    exporter.shutdown()
    with Store(path) as opened:
        yield opened


def write(path, *batches):
    """Write a store."""
    exporter_of(StoreExporter(path, max_age_seconds=1e9), *batches).close()


def exporter_of(exporter, *batches):
    """Export batches; what is given back closes the exporter."""
    for batch in batches:
        assert exporter.export(batch) is SpanExportResult.SUCCESS
    return SimpleNamespace(close=exporter.shutdown)


def ids(summaries):
    """Give the ids only."""
    return [summary.trace_id for summary in summaries]


class TestTraces:
    """The list."""

    def test_newest_first(self, store):
        """Traces come in the order of their start, the newest first, and no more than asked for."""
        assert ids(store.traces()) == [TWO, THREE, ONE]
        assert ids(store.traces(2)) == [TWO, THREE]
        assert [TWO, THREE, ONE] == store.trace_ids()

    def test_chosen(self, store):
        """Session, user and time narrow the list, together when given together."""
        assert ids(store.traces(session="s-10")) == [THREE]
        assert ids(store.traces(user="u-17")) == [THREE, ONE]
        assert ids(store.traces(user="u-17", session="s-9")) == [ONE]
        assert ids(store.traces(since_ns=START + SECOND)) == [TWO, THREE]
        assert ids(store.traces(user="nobody")) == []

    def test_summary(self, store):
        """A summary adds the model calls' tokens up once, not again for steps and runs."""
        assert store.traces(session="s-9", user="u-17") == [
            Summary(
                ONE,
                "agent.run.support",
                START,
                START + 3420 * 10**6,
                7,
                2,
                3120,
                188,
                "success",
                "u-17",
                "s-9",
                unpriced=2,
                errors=1,
                error="tool.lookup_order: ValueError",
                agent="support",
                experiment="variant",
                variant="prompt-b",
            )
        ]

    def test_summary_of_an_unfinished_trace(self, path):
        """A trace whose root never came is listed by its first span."""
        exporter = StoreExporter(path, max_age_seconds=1e9)
        exporter.export([span for span in support() if span.name.startswith(("llm", "tool"))])
        exporter.shutdown()
        with Store(path) as store:
            (summary,) = store.traces()
        assert (summary.name, summary.spans, summary.steps) == ("llm.chat", 5 - 1, 0)

    def test_summary_of_a_foreign_trace(self, path):
        """Where no span has an outcome, the status speaks; tokens nobody reported are unknown, not zero."""
        teller = Teller(who={})
        teller.tell("GET /", 0, 5, {}, failed=True)
        exporter = StoreExporter(path, max_age_seconds=1e9)
        exporter.export(teller.spans())
        exporter.shutdown()
        with Store(path) as store:
            (summary,) = store.traces()
        assert (summary.outcome, summary.input_tokens, summary.user_id) == ("error", None, None)

    def test_a_summary_is_worked_out_the_same_before_and_after_the_root(self, path):
        """What is known of a run that goes on is summed up when asked for; with its root the sum is stored."""
        going_on, ended = path, path.with_name("ended.db")
        spans = told(1, failed=True, variants={"tone": "brief", "length": "short"}, rooted=False)[0]
        write(going_on, spans)
        write(ended, told(1, failed=True, variants={"tone": "brief", "length": "short"})[0])
        with Store(going_on) as store:
            (before,) = store.summaries()
            assert [] == store.summaries(Filter(running=False))
        with Store(ended) as store:
            (after,) = store.summaries()
        assert before == dataclasses.replace(
            after, name="agent.step.1", spans=2, outcome="error", errors=1, running=True
        )
        assert (after.outcome, after.error, after.models, after.agent) == ("failure", "llm.chat", ("gpt-x",), "support")
        assert {"tone": "brief", "length": "short"} == after.variants

    def test_of_spans_that_start_together_the_outer_speaks(self, path):
        """While the root is not there, the outermost of the spans that started first says how it goes."""
        teller = Teller(who={})
        inner = ("tool.look", 0, 5, {keys.OUTCOME: "failure"})
        teller.tell("agent.run", 0, 9, {}, ("agent.step.1", 0, 5, {keys.OUTCOME: "success"}, inner))
        write(path, [span for span in teller.spans() if span.parent is not None])
        with Store(path) as store:
            assert ["success"] == [each.outcome for each in store.summaries()]

    def test_a_run_that_an_earlier_release_wrote(self, path):
        """A process that still runs an earlier release writes no sum; it is worked out, and the run has ended."""
        write(path, told(1)[0])
        with Store(path) as store:
            (expected,) = store.summaries()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(f"UPDATE traces SET {', '.join(f'{name} = NULL' for name in COLUMNS)}")  # noqa: S608 - constants
        with Store(path) as store:
            assert [expected] == store.summaries()

    def test_spans_that_come_after_the_root_are_summed_up_too(self, path):
        """What another process adds to a run that has ended changes its summary; a span that came twice counts once."""
        write(path, told(1)[0], [span for span in support(f"{1:032x}") if span.name.startswith("llm")])
        with Store(path) as store:
            (summary,) = store.summaries()
        assert (summary.spans, summary.input_tokens, summary.unpriced) == (4, 3120, 2)

    def test_filters(self, path):
        """Each field of a filter narrows the list, and all of them together."""
        write(
            path,
            *told(1, seconds=2.0, cost=0.5, variant="b", model="gpt-y", agent="sales", failed=True),
            *told(2, seconds=1.0, cost=None, variants={"tone": "brief", "length": "short"}, start_ns=START + SECOND),
            *told(3, rooted=False, cost=0.5, start_ns=START + 2 * SECOND),
        )
        with Store(path) as store:

            def numbers(order="start", limit=-1, **wanted):
                return [int(each.trace_id, 16) for each in store.summaries(Filter(**wanted), limit, order)]

            assert [3, 2, 1] == numbers()
            assert [[1], [2], [1], [1]] == [
                numbers(variant="b"), numbers(variant="short"), numbers(model="gpt-y"), numbers(agent="sales")
            ]  # fmt: skip
            assert [[1], [2, 1], [3, 1], [1]] == [
                numbers(failed=True), numbers(running=False), numbers(cost=0.5), numbers(seconds=2.0)
            ]  # fmt: skip
            assert [[2], [1], [2]] == [
                numbers(experiment="length"), numbers(outcome="failure"),
                numbers(since_ns=START + 1, until_ns=START + 2 * SECOND),
            ]  # fmt: skip
            assert [3] == numbers(cost=0.5, since_ns=START + 1)
            assert [[1, 3, 2], [1, 2], [1, 2, 3]] == [
                numbers("cost"), numbers("duration", 2), numbers("written"),
            ]  # fmt: skip

    def test_written(self, path):
        """What came after something else is found by its number, in the order it came, also after a removal."""
        exporter = StoreExporter(path, max_age_seconds=1e9)
        with closing(exporter_of(exporter, *told(1))):
            with Store(path) as store:
                seen = store.written()
                exporter.export(told(2)[0])
                exporter.export(told(3, start_ns=START - SECOND)[0])
                exporter.export(told(1, seconds=3.0)[0])
                found = store.summaries(Filter(written_after=seen), order="written")
            assert [2, 3, 1] == [int(each.trace_id, 16) for each in found]
            erase(path, user="u-17")
            exporter.export(told(4)[0])
            with Store(path) as store:
                assert store.written() > found[-1].written

    def test_evaluations(self, path):
        """What was said of runs is read in the order it was said, and goes with its run."""
        write(path, *told(1, resolved=1), *told(2, resolved=0, start_ns=START - SECOND))
        with Store(path) as store:
            assert [(2, "resolved", 0.0), (1, "resolved", 1.0)] == [
                (int(each.trace_id, 16), each.name, each.score) for each in store.evaluations()
            ]
            assert 1 == len(store.evaluations(START + 60 * SECOND))
        erase(path, user="u-17")
        with Store(path) as store:
            assert [] == store.evaluations()

    @pytest.mark.parametrize("metadata", ['no JSON "variants"', '["variants"]', '{"variants": 1}'])
    def test_metadata_of_others(self, path, metadata):
        """Metadata that is not as ours is names no variants."""
        teller = Teller(who={})
        teller.tell("GET /", 0, 5, {keys.METADATA: metadata})
        write(path, teller.spans())
        with Store(path) as store:
            assert {} == store.summaries()[0].variants

    def test_last(self, store):
        """The last trace is the one started last, of somebody when asked so."""
        assert store.last_trace_id() == TWO
        assert store.last_trace_id(session="s-10") == THREE
        assert store.last_trace_id(user="nobody") is None


class TestIds:
    """Finding an id."""

    def test_matching(self, store):
        """A beginning finds the ids that have it, in either case."""
        assert store.matching("1") == [ONE, TWO]
        assert store.matching("2C2C") == [THREE]
        assert store.matching("ff") == []

    def test_nearest(self, store):
        """A slip of the finger finds the id that was meant; a beginning unlike any finds none."""
        assert [THREE] == store.nearest("2c2c2c2d")
        assert store.nearest("ffffffff") == []


class TestInterrupted:
    """Finding what a resumed run continues."""

    def test_outermost_of_the_newest(self, path):
        """The newest interrupted run of a conversation is found by its outermost span, and only there."""
        exporter = StoreExporter(path, max_age_seconds=1e9)
        exporter.export(support(ONE, START, "interrupted"))
        exporter.export(support(TWO, START + SECOND, "interrupted"))
        exporter.export(support(THREE, START + 2 * SECOND, "success"))
        exporter.shutdown()
        with Store(path) as store:
            assert store.find_interrupted("t-3") == (TWO, f"{1:016x}")
            assert store.find_interrupted("t-4") is None


class TestFaults:
    """What can be wrong with the file."""

    def test_missing(self, tmp_path):
        """A store that is not there is its own error, with the path and the way out."""
        with pytest.raises(StoreMissingError, match=r"no trace store at .*none\.db; agent_callbacks.configure\(\)"):
            Store(tmp_path / "none.db")

    def test_empty(self, tmp_path):
        """An empty file is a store nothing was written to yet."""
        (tmp_path / "empty.db").touch()
        with pytest.raises(StoreMissingError, match="is empty"):
            Store(tmp_path / "empty.db")

    def test_foreign(self, tmp_path):
        """A file that is no store of ours is refused."""
        (tmp_path / "x").write_text("text")
        with pytest.raises(StoreForeignError, match="is not a trace store"):
            Store(tmp_path / "x")

    def test_directory(self, tmp_path):
        """A path that cannot be read as a file is said so."""
        with pytest.raises(StoreUnreadableError, match="IsADirectoryError"):
            Store(tmp_path)

    def test_newer(self, store, path):
        """A store of a newer release is refused, with both versions named."""
        with closing(sqlite3.connect(path)) as writer:
            writer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        with pytest.raises(StoreForeignError, match="upgrade, or name another path"):
            Store(path)

    def test_damaged_row(self, store, path):
        """A row whose JSON is broken is an error that names the file, not a traceback of the parser."""
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("UPDATE spans SET attributes = '{'")
        with pytest.raises(StoreUnreadableError, match="is damaged"):
            store.spans(ONE)

    def test_damaged_file(self, store, path):
        """A store whose pages are garbage is unreadable."""
        store.close()
        content = path.read_bytes()
        path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
        with pytest.raises(StoreUnreadableError, match="cannot be read"), Store(path) as damaged:
            damaged.traces()

    @pytest.mark.parametrize(
        ("table", "column", "value"),
        [
            ("spans", "start_ns", "yesterday"), ("spans", "end_ns", b"\x01"), ("spans", "name", b"\xff"),
            ("spans", "kind", "SIDEWAYS"), ("spans", "status", "SO-SO"), ("spans", "events", "7"),
            ("spans", "events", '[{"name": 1, "time_ns": 1, "attributes": {}}]'),
            ("spans", "events", '[{"name": "x", "time_ns": true, "attributes": {}}]'),
            ("spans", "links", '[{"trace_id": "x"}]'), ("spans", "links", '["x"]'), ("spans", "links", "{}"),
            ("traces", "cost", "free"), ("traces", "cost", float("inf")), ("traces", "models", "[1]"),
            ("traces", "models", "{"), ("traces", "variants", '{"a": 1}'), ("traces", "variants", "[]"),
            ("traces", "start_ns", "yesterday"), ("traces", "spans", 0.5),
        ],
    )  # fmt: skip
    def test_value_of_another_kind(self, store, path, table, column, value):
        """SQLite holds anything in any column: what no store of ours holds is refused, and never reaches a reader."""
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute(f"UPDATE {table} SET {column} = ?", (value,))  # noqa: S608 - names of this file
        read = {"spans": lambda: store.spans(ONE), "traces": store.summaries}[table]
        with pytest.raises(StoreUnreadableError, match="holds what no trace store does"):
            read()

    @pytest.mark.parametrize(
        "change",
        [
            "CREATE TRIGGER t AFTER UPDATE ON traces BEGIN DELETE FROM spans; END",
            "ALTER TABLE spans RENAME TO other; CREATE VIEW spans AS SELECT * FROM other",
            "DROP TABLE traces; CREATE VIRTUAL TABLE traces USING fts5(trace_id, start_ns)",
        ],
    )
    def test_what_runs(self, store, path, change):
        """A file whose schema runs something when it is read or written is none of ours."""
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.executescript(change)
        with pytest.raises(StoreForeignError, match="a view or a trigger"):
            Store(path)

    def test_view_of_somebody(self, store, path):
        """A view under a name of its own hurts nobody: who made one for their own look at the store keeps both."""
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("CREATE VIEW mine AS SELECT name FROM spans")
        with Store(path) as opened:
            assert 3 == len(opened.trace_ids())

    def test_the_schema_is_not_trusted(self, store):
        """What the schema may call has no effect beyond the file, and a value has a longest size."""
        assert (0, True) == (
            store._connection.execute("PRAGMA trusted_schema").fetchone()[0],
            store._connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) < 10**8,
        )

    def test_huge_value(self, store, path):
        """A value larger than any span is refused before it is read."""
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("UPDATE spans SET attributes = replace(hex(zeroblob(33554433)), '0', 'x')")
        with pytest.raises(StoreUnreadableError, match=r"too big.*delete it if it is damaged"):
            store.spans(ONE)

    def test_pipe(self, tmp_path):
        """A pipe is refused, and not waited for."""
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(StoreForeignError, match="is no file"):
            Store(tmp_path / "pipe")

    def test_read_only(self, store):
        """The connection cannot write, even by mistake."""
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store._connection.execute("DELETE FROM spans")

"""What the store gives up, what it never breaks, and what erasing leaves behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from agent_callbacks.analysis import load
from agent_callbacks.convention import keys
from agent_callbacks.store import file, layout, retention, schema, summary
from agent_callbacks.store.erase import erase
from agent_callbacks.store.read import Store
from agent_callbacks.store.write import StoreExporter
from tests.store.story import START, support, told

SECOND = 10**9
SECRET = "u-erase-me-4711"


def trace_id(number):
    """Give a trace id that can be told apart."""
    return f"{number:032x}"


@pytest.fixture
def path(tmp_path):
    """Give the path of a store to write."""
    return tmp_path / "traces.db"


def write(path, *batches, **options):
    """Write batches into the store."""
    exporter = StoreExporter(path, **{"max_age_seconds": 1e9, **options})
    for batch in batches:
        exporter.export(batch)
    exporter.shutdown()
    assert exporter.dropped == 0


def kept(path):
    """Give the number of spans of each trace in the store."""
    return {trace.trace_id: len(trace.spans) for trace in load(path)}


def plan(path, query, values):
    """Give what SQLite would do for *query*."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]


class TestPlans:
    """Nothing that is done often walks a table."""

    @pytest.mark.parametrize("arguments", [{}, {"user": "u-17"}, {"session": "s-9", "user": "u-17"}, {"since_ns": 5}])
    def test_listing(self, path, monkeypatch, arguments):
        """A list reads the newest traces from an index and their spans by key, and stops at its limit."""
        write(path, support())
        asked = []
        with Store(path) as store:
            rows = store._rows
            monkeypatch.setattr(
                store, "_rows", lambda query, values: asked.append((query, values)) or rows(query, values)
            )
            assert len(store.traces(5, **arguments)) == 1
        steps = plan(path, *asked[0])
        tables = ("SCAN traces", "SCAN spans", "SCAN askers", "SCAN one", "SCAN parent")
        walked = [step for step in steps if step.startswith(tables) and "USING" not in step]
        assert [] == walked
        by_asker = [step for step in steps if "SEARCH askers USING PRIMARY KEY (role=? AND id=?)" in step]
        assert 2 * len({"user", "session"} & set(arguments)) == len(by_asker)  # of what has ended, and of what goes on
        indices = ["traces_by_start", "traces_going_on"]
        assert indices * (not by_asker) == [name for step in steps for name in indices if f"INDEX {name}" in step]

    def test_many(self, path):
        """A choice by what traces come to reads no span of those that have ended, and those that go on by an index."""
        write(path, support())
        steps = plan(path, summary.query(summary.Filter(cost=1.0), "cost"), {"cost": 1.0, "limit": 5, "running": True})
        assert ["SCAN traces", "SCAN traces USING INDEX traces_going_on"] == [
            step for step in steps if step.startswith("SCAN traces")
        ]

    def test_opening(self, path):
        """A trace is opened by its key."""
        write(path, support())
        (step, *_) = plan(path, "SELECT * FROM spans WHERE trace_id = ? ORDER BY start_ns", ("x",))
        assert "SEARCH spans USING INDEX" in step

    @pytest.mark.parametrize("query", [retention._OLDEST, retention._OLDEST_ENDED])
    def test_what_goes_next(self, path, query):
        """The trace that goes next is found in an index on the age, without sorting."""
        write(path, support())
        steps = plan(path, query, (1,) * query.count("?"))
        assert ["SCAN traces USING COVERING INDEX traces_by_age"] == steps

    def test_work_does_not_grow_with_the_store(self, path):
        """Twenty times the traces cost a listing and an opening the same number of SQLite's steps, nearly."""
        steps = {}
        for number in (50, 1000):
            write(path, *(support(trace_id(each), START + each) for each in range(1, number + 1)))
            with Store(path) as store:
                counted = [0]

                def count(counted=counted):
                    counted[0] += 1

                store._connection.set_progress_handler(count, 10)
                assert len(store.traces(20)) == 20
                assert len(store.spans(trace_id(7))) == 7
                steps[number] = counted[0]
        assert steps[1000] < 1.5 * steps[50]


class TestSize:
    """The oldest go first, whole, and their space with them."""

    def test_a_run_that_goes_on_stays(self, path):
        """A run whose root has not ended is not given up for its size while another can go."""
        now = time.time_ns()
        running = [span for span in support(trace_id(1), now - 60 * SECOND) if span.parent is not None]
        exporter = StoreExporter(path, max_bytes=150_000)
        exporter.export(running)
        for number in range(2, 200):
            exporter.export(support(trace_id(number), now - 30 * SECOND + number))
        exporter.export([span for span in support(trace_id(1), now - 60 * SECOND) if span.parent is None])
        exporter.shutdown()
        found = kept(path)
        assert trace_id(1) in found or trace_id(199) in found
        assert {7} == set(found.values())
        assert path.stat().st_size <= 150_000

    def test_a_killed_run_does_not_stay_for_ever(self, path):
        """What a killed process left without a root goes like all others an hour later."""
        old = time.time_ns() - 3700 * SECOND
        exporter = StoreExporter(path, max_bytes=150_000)
        exporter.export([span for span in support(trace_id(1), old) if span.parent is not None])
        for number in range(2, 200):
            exporter.export(support(trace_id(number), time.time_ns()))
        exporter.shutdown()
        assert trace_id(1) not in kept(path)

    def test_one_batch_pays_for_a_slice(self, path, monkeypatch):
        """A store far beyond its limit shrinks by a slice a batch, never all at once."""
        monkeypatch.setattr(retention, "SLICE_SPANS", 14)
        write(path, *(support(trace_id(number)) for number in range(1, 101)), max_bytes=2**30)
        exporter = StoreExporter(path, max_bytes=1, max_age_seconds=1e9)
        counts = []
        for number in range(101, 104):
            exporter.export(support(trace_id(number), START + SECOND))
            counts.append(len(kept(path)))
        exporter.shutdown()
        assert [99, 98, 97] == counts

    def test_many_free_pages_are_given_back(self, path):
        """What went for its age leaves the file too, at the next batches, not only at the end."""
        write(path, *(support(trace_id(number), time.time_ns() - 50 * SECOND) for number in range(1, 301)))
        before = path.stat().st_size
        exporter = StoreExporter(path, max_age_seconds=40)
        for number in range(5):
            exporter.export(support(trace_id(1000 + number), time.time_ns()))
        with Store(path) as store:
            assert store.statistics().file_bytes < before / 2
            assert store.statistics().traces == 5
        exporter.shutdown()

    def test_an_imported_trace_is_as_old_as_its_import(self, path):
        """What was recorded long ago stays for as long as what is recorded today."""
        write(path, support(trace_id(1), START), max_age_seconds=3600, not_older_than_ns=time.time_ns())
        assert [trace_id(1)] == list(kept(path))


class TestErase:
    """Erasing on request."""

    def test_of_a_user(self, path):
        """All traces of a user go, and no byte of them stays in the file, its free pages or its log."""
        writer = StoreExporter(path, max_age_seconds=1e9)
        for number in range(1, 41):
            who = {keys.USER_ID: SECRET} if number % 2 else {}
            writer.export(support(trace_id(number), START + number, **who))
        assert any(SECRET.encode() in each.read_bytes() for each in path.parent.iterdir())
        found = erase(path, user=SECRET)
        assert (20, 140, START + 1, START + 39) == (found.traces, found.spans, found.oldest_ns, found.newest_ns)
        assert found.bytes_after < found.bytes_before
        assert [] == [each.name for each in path.parent.iterdir() if SECRET.encode() in each.read_bytes()]
        assert [trace_id(number) for number in range(2, 41, 2)] == list(kept(path))
        writer.export(support(trace_id(50), START + 50))
        writer.shutdown()
        assert trace_id(50) in kept(path)

    def test_age_and_user(self, path):
        """Together an age and a user narrow what goes."""
        now = time.time_ns()
        write(path, support(trace_id(1), now - 100 * SECOND), support(trace_id(2), now), max_age_seconds=1e9)
        assert erase(path, user="u-17", older_than_seconds=50).traces == 1
        assert [trace_id(2)] == list(kept(path))
        assert erase(path, older_than_seconds=50).traces == 0
        assert erase(path, older_than_seconds=0, user="nobody").traces == 0

    def test_limits(self, path):
        """Without an age or a user what is beyond the limits goes."""
        now = time.time_ns()
        write(path, support(trace_id(1), now - 100 * SECOND), support(trace_id(2), now), max_age_seconds=1e9)
        assert erase(path).traces == 0
        told = []
        assert erase(path, limits=retention.Limits(max_age_seconds=50), progress=told.append).traces == 1
        assert told == [1]

    def test_dry_run(self, path):
        """A dry run tells exactly what would go, and leaves it."""
        write(path, *(support(trace_id(number), START + number) for number in range(1, 4)))
        would = erase(path, user="u-17", dry_run=True)
        assert (3, 21) == (would.traces, would.spans)
        assert len(kept(path)) == 3

    def test_a_reader_in_the_way(self, path, monkeypatch):
        """A reader that keeps the log in use is said, since remains stay in it; afterwards nothing does."""
        monkeypatch.setattr("agent_callbacks.store.erase._BUSY_SECONDS", 0.1)
        write(path, support(trace_id(1), START, **{keys.USER_ID: SECRET}), support(trace_id(2)))
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM spans").fetchone()
            with pytest.raises(schema.StoreUnreadableError, match="run this again"):
                erase(path, user=SECRET)
        erase(path, user=SECRET)
        assert [] == [each.name for each in path.parent.iterdir() if SECRET.encode() in each.read_bytes()]

    def test_a_locked_store(self, path, monkeypatch):
        """A store that another process keeps locked is an error with a way out."""
        monkeypatch.setattr("agent_callbacks.store.erase._BUSY_SECONDS", 0.1)
        write(path, support())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(schema.StoreUnreadableError, match="close what holds it"):
                erase(path, user="u-17")

    def test_no_store(self, path):
        """Where there is no store nothing is made."""
        with pytest.raises(schema.StoreMissingError, match="nothing to erase"):
            erase(path, user="u-17")
        assert not path.exists()


class TestUpgrade:
    """Files of earlier releases."""

    @pytest.fixture
    def old(self, path):
        """Give a store as the first release wrote it, with two traces and what was said of one."""
        write(path, support(), *told(1, variants={"tone": "brief", "length": "short"}, resolved=1))
        with closing(sqlite3.connect(path)) as new, closing(sqlite3.connect(path.with_name("old.db"))) as connection:
            for statement in layout.MIGRATIONS[0]:
                connection.execute(statement)
            names = ", ".join(row[1] for row in connection.execute("PRAGMA table_info(spans)"))
            rows = new.execute(f"SELECT {names} FROM spans").fetchall()  # noqa: S608 - constants
            connection.executemany(f"INSERT INTO spans VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608 - constants
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute("PRAGMA user_version = 1")
            connection.commit()
        return path.with_name("old.db")

    def test_read(self, path, old):
        """A store of an earlier release is read like one of this."""
        assert load(path) == load(old)
        with Store(path) as new, Store(old) as store:
            assert len(store.traces(user="u-17", session="s-9")) == 2
            assert new.summaries() == store.summaries()
            assert new.evaluations() == store.evaluations()
            assert [{"tone": "brief", "length": "short"}] == [
                each.variants for each in store.summaries() if each.variants
            ]

    def test_written(self, old):
        """A store of an earlier release is written on."""
        write(old, support(trace_id(2)))
        assert len(kept(old)) == 3

    def test_not_writable(self, old):
        """Where it cannot be brought up to date, that is said."""
        with closing(sqlite3.connect(old, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(schema.StoreUnreadableError, match="cannot be read"):
                Store(old)

    def test_a_file_that_fails_while_opened_is_closed(self, path, monkeypatch):
        """A fault on opening leaves no connection behind."""
        write(path, support())

        def refuse(*_):
            raise sqlite3.OperationalError("no")

        monkeypatch.setattr(file, "_write_ahead", refuse)
        with pytest.raises(sqlite3.OperationalError):
            file.open_for_writing(path, 1.0)


WRITER = """
import sys, time
from tests.store.story import support
from agent_callbacks.store.write import StoreExporter
exporter = StoreExporter(sys.argv[1], max_bytes=int(sys.argv[3]))
for number in range(int(sys.argv[4])):
    exporter.export(support("%016x%016x" % (int(sys.argv[2]), number), time.time_ns()))
    print(number, flush=True)
exporter.shutdown()
sys.exit(min(exporter.dropped, 100))
"""


def start(path, who, max_bytes, batches):
    """Start a process that writes into the store."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(who), str(max_bytes), str(batches)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


def sound(path):
    """Say whether SQLite finds the file whole, and its tables agree."""
    with closing(sqlite3.connect(path)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
        strays = connection.execute(
            "SELECT count(*) FROM spans LEFT JOIN traces USING (trace_id) WHERE traces.start_ns IS NULL"
        ).fetchone()[0]
        empty = connection.execute(
            "SELECT count(*) FROM traces WHERE trace_id NOT IN (SELECT trace_id FROM spans)"
        ).fetchone()[0]
    return answer, strays, empty


class TestProcesses:
    """Real processes on one file."""

    def test_four_writers_that_trim(self, path):
        """Four processes that write and trim at once lose no span and leave whole traces within the limit."""
        writers = [start(path, number, 300_000, 60) for number in range(1, 5)]
        assert [0, 0, 0, 0] == [writer.wait(50) for writer in writers]
        for writer in writers:
            writer.stdout.close()
        assert ("ok", 0, 0) == sound(path)
        assert {7} == set(kept(path).values())
        assert path.stat().st_size <= 300_000

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this platform has no SIGKILL")
    def test_a_killed_writer(self, path):
        """A process killed while it writes leaves a sound file; what it had exported is there, others write on."""
        killed, other = start(path, 1, 2**28, 100_000), start(path, 2, 2**28, 40)
        done = 0
        for line in killed.stdout:
            done = int(line)
            if done >= 25:
                os.kill(killed.pid, signal.SIGKILL)
                break
        assert -signal.SIGKILL == killed.wait(30)
        assert other.wait(50) == 0
        for writer in (killed, other):
            writer.stdout.close()
        assert ("ok", 0, 0) == sound(path)
        found = kept(path)
        assert {7} == set(found.values())
        assert {f"{1:016x}{number:016x}" for number in range(done + 1)} <= set(found)
        assert 40 == len([each for each in found if each.startswith(f"{2:016x}")])
        write(path, support(trace_id(9)))

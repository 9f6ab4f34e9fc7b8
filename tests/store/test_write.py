"""The exporter that writes the local store."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from agent_callbacks.analysis import load
from agent_callbacks.store import file, layout, retention, schema, write
from agent_callbacks.store.read import Store
from agent_callbacks.store.write import StoreExporter
from tests.features import MAPPINGS
from tests.store.story import support

FOREVER = 1e9
SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


def trace_id(number: int) -> str:
    """Give a trace id that can be told apart."""
    return f"{number:032x}"


@pytest.fixture
def path(tmp_path):
    """Give the path of a store in a directory that is not there yet."""
    return tmp_path / "state" / "traces.db"


@pytest.fixture
def exporter(path):
    """Give an exporter that keeps traces of any age."""
    made = StoreExporter(path, max_age_seconds=FOREVER)
    yield made
    made.shutdown()


def stored(exporter, path, attributes):
    """Return the span with *attributes*, and a name that cannot be encoded, that is read back from the store."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("n\ud800", attributes=attributes).end()
    return load(path)[0].root


class TestWriting:
    """What arrives in the file."""

    def test_round_trip(self, exporter, path):
        """What the SDK finished and what the store gives back are the same trace, field by field."""
        assert exporter.export(support()) is SUCCESS
        assert load(support()) == load(path)

    def test_odd_values(self, exporter, path):
        """What JSON cannot hold is kept as text, and costs neither its span nor its batch."""
        root = stored(exporter, path, {"nan": float("nan"), "big": 2**70, "text": "a\ud800"})
        assert dict(root.attributes) == {"nan": "NaN", "big": str(2**70), "text": "a?"}
        assert root.name == "n?"

    @MAPPINGS.needed
    def test_odd_shapes(self, exporter, path):
        """Bytes are kept as text, mappings as they are, and what is nested too deep is cut."""
        deep: object = "bottom"
        for _ in range(300):
            deep = [deep]
        found = dict(stored(exporter, path, {"bytes": b"a\xff", "map": {"k": (1, None)}, "deep": deep}).attributes)
        assert "bottom" not in str(found.pop("deep"))
        assert found == {"bytes": "a\ufffd", "map": {"k": (1, None)}}

    def test_batch_sent_twice(self, exporter, path):
        """A batch that a processor sends again is stored once."""
        exporter.export(support())
        exporter.export(support())
        assert len(load(path)[0].spans) == 7

    def test_private_files(self, exporter, path):
        """The directory is 0700 and every file in it 0600, whatever the umask."""
        before = os.umask(0)
        try:
            exporter.export(support())
        finally:
            os.umask(before)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes["traces.db"] == 0o600
        assert set(modes.values()) == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_many_threads(self, exporter, path):
        """Threads that export at once lose no span."""
        batches = [support(trace_id(number)) for number in range(1, 41)]
        threads = [
            threading.Thread(target=lambda part=part: [exporter.export(batch) for batch in batches[part::4]])
            for part in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(load(path)) == 40
        assert exporter.dropped == 0

    def test_file_deleted_meanwhile(self, exporter, path):
        """A store deleted under the exporter is made anew; spans do not vanish into the deleted file."""
        exporter.export(support(trace_id(1)))
        for each in path.parent.iterdir():
            each.unlink()
        assert exporter.export(support(trace_id(2))) is SUCCESS
        assert [trace.trace_id for trace in load(path)] == [trace_id(2)]

    def test_empty_file(self, exporter, path):
        """An empty file at the path becomes a store."""
        path.parent.mkdir()
        path.touch()
        assert exporter.export(support()) is SUCCESS
        assert len(load(path)) == 1

    def test_flush(self, exporter):
        """A flush has nothing left to do."""
        assert exporter.force_flush() is True

    def test_default_path(self, monkeypatch, tmp_path):
        """The variable wins over XDG, XDG over the home directory; a relative XDG path is ignored."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("XDG_STATE_HOME", "relative")
        assert tmp_path / ".local/state/agent-callbacks/traces.db" == schema.default_path()
        monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
        assert Path("/xdg/agent-callbacks/traces.db") == schema.default_path()
        monkeypatch.setenv("AGENT_CALLBACKS_STORE", "~/mine.db")
        assert tmp_path / "mine.db" == schema.default_path()
        assert StoreExporter().path == tmp_path / "mine.db"


FORK = """
import os, signal, sys
from tests.store.story import support
from agent_callbacks.store.write import StoreExporter
exporter = StoreExporter(sys.argv[1], max_age_seconds=1e9)
exporter.export(support("%032x" % 1))
exporter._writer.lock.acquire()  # as if another thread were writing while this one forks
child = os.fork()
signal.alarm(20)  # in both: a child that waits for its parent's lock must not outlive the test
if child == 0:
    exporter.export(support("%032x" % 2))
    exporter.shutdown()
    os._exit(exporter.dropped)
exporter._writer.lock.release()
assert os.waitpid(child, 0)[1] == 0
exporter.export(support("%032x" % 3))
exporter.shutdown()
assert exporter.dropped == 0
"""
WRITER = """
import sys
from tests.store.story import support
from agent_callbacks.store.write import StoreExporter
exporter = StoreExporter(sys.argv[1], max_age_seconds=1e9)
for number in range(40):
    exporter.export(support("%016x%016x" % (int(sys.argv[2]), number)))
exporter.shutdown()
sys.exit(exporter.dropped)
"""


def python(script, *arguments):
    """Start a process that runs *script*."""
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], cwd=Path(__file__).parents[2])


class TestProcesses:
    """Several processes and one file."""

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
    def test_fork(self, path):
        """A forked child writes through a connection of its own, even when its parent held the lock."""
        assert python(FORK, path).wait(30) == 0
        assert [trace.trace_id for trace in load(path)] == [trace_id(number) for number in (1, 2, 3)]

    def test_inherited_connection(self, exporter, path):
        """After a fork the parent's connection is kept untouched and another one is opened."""
        exporter.export(support(trace_id(1)))
        parents = exporter._writer
        parents.pid = -1
        assert exporter.export(support(trace_id(2))) is SUCCESS
        assert exporter._writer is not parents
        assert parents in write._inherited
        assert parents._connection.execute("SELECT count(*) FROM spans").fetchone() == (14,)
        write._inherited.remove(parents)
        parents.discard()

    def test_two_writers_and_a_reader(self, path):
        """Two processes that start on no file at all both write everything, while a third reads."""
        writers = [python(WRITER, path, number) for number in (1, 2)]
        seen = [0]
        while any(writer.poll() is None for writer in writers):
            if path.exists() and path.stat().st_size:
                with Store(path) as store:
                    seen.append(len(store.traces(100)))
            time.sleep(0.01)
        assert [0, 0] == [writer.returncode for writer in writers]
        assert seen == sorted(seen)
        assert len(load(path)) == 80


class TestPruning:
    """What goes when there is too much."""

    def test_too_old(self, path):
        """Traces whose last span is older than the limit go, whole; the others stay."""
        now = time.time_ns()
        exporter = StoreExporter(path, max_age_seconds=3600)
        exporter.export(support(trace_id(1), now - 3700 * 10**9))
        exporter.export(support(trace_id(2), now - 3601 * 10**9))  # its last span started within the hour
        exporter.export(support(trace_id(3), now))
        exporter.shutdown()
        assert {trace.trace_id: len(trace.spans) for trace in load(path)} == {trace_id(2): 7, trace_id(3): 7}

    def test_too_big(self, path, monkeypatch):
        """The file stays bounded: the oldest traces go, the newest stays, and the space is given back."""
        monkeypatch.setattr(retention, "SLICE_SPANS", 21)
        limit = 200_000
        exporter = StoreExporter(path, max_bytes=limit, max_age_seconds=FOREVER)
        sizes = []
        for number in range(1, 201):
            exporter.export(support(trace_id(number), time.time_ns() + number))
            sizes.append(path.stat().st_size)
        exporter.shutdown()
        kept = [trace.trace_id for trace in load(path)]
        assert path.stat().st_size <= limit
        assert max(sizes) < 2 * limit
        assert 5 < len(kept) < 100
        assert kept == [trace_id(number) for number in range(201 - len(kept), 201)]

    def test_one_giant_trace(self, path):
        """A single trace beyond the limit goes too: the bound holds before anything else."""
        exporter = StoreExporter(path, max_bytes=1, max_age_seconds=FOREVER)
        exporter.export(support())
        exporter.shutdown()
        assert [] == load(path)

    @pytest.mark.logs_expected
    def test_pruning_fails(self, exporter, path, monkeypatch, caplog):
        """Pruning that fails loses no span: the batch counts as written, one warning is logged."""

        def refuse(*_):
            raise sqlite3.OperationalError("no")

        monkeypatch.setattr(retention, "next_doomed", refuse)
        assert [SUCCESS, SUCCESS] == [exporter.export(support(trace_id(number))) for number in (1, 2)]
        assert exporter.dropped == 0
        assert ["old traces stay for now" in record.message for record in caplog.records] == [True]
        assert len(load(path)) == 2


def made_up(code):
    """Give the error SQLite raises with *code*."""
    error = sqlite3.OperationalError("made up")
    error.sqlite_errorcode = code
    return error


@pytest.mark.logs_expected
class TestFaults:
    """What costs spans, and only spans."""

    @pytest.fixture(autouse=True)
    def warnings_only(self, caplog):
        """Leave out what is said below WARNING."""
        caplog.set_level(logging.WARNING)

    def test_foreign_database(self, exporter, path, caplog):
        """Somebody else's SQLite file is recognised and left as it is, byte for byte."""
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as foreign:
            foreign.execute("CREATE TABLE mine (x)")
        before = path.read_bytes()
        assert exporter.export(support()) is FAILURE
        assert path.read_bytes() == before
        assert [path] == list(path.parent.iterdir())
        assert exporter.dropped == 7
        assert exporter.last_fault == "not ours"
        assert "no store of this release" in caplog.text

    def test_foreign_text(self, exporter, path):
        """A file that is no database is left as it is."""
        path.parent.mkdir()
        path.write_text("my diary")
        assert exporter.export(support()) is FAILURE
        assert path.read_text() == "my diary"

    def test_newer_store(self, exporter, path):
        """A store written by a newer release is not written to."""
        exporter.export(support(trace_id(1)))
        exporter.shutdown()
        with closing(sqlite3.connect(path)) as store:
            store.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        newer = StoreExporter(path)
        assert newer.export(support(trace_id(2))) is FAILURE
        assert newer.last_fault == "not ours"

    def test_directory_not_creatable(self, tmp_path, caplog):
        """A path below a file costs spans and one warning, which names the way out and no path."""
        (tmp_path / "file").touch()
        exporter = StoreExporter(tmp_path / "file" / "below" / "traces.db")
        assert [FAILURE, FAILURE] == [exporter.export(support()) for _ in range(2)]
        assert exporter.dropped == 14
        assert exporter.last_fault == "NotADirectoryError"
        (record,) = caplog.records
        assert record.name == "agent_callbacks"
        assert "set AGENT_CALLBACKS_STORE to a writable path" in record.message
        assert str(tmp_path) not in record.message

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    def test_no_room_for_the_file(self, exporter, monkeypatch, caplog, code):
        """A disk or a quota without room for the file itself is as full as one without room for a span."""

        def refuse(*_):
            raise OSError(code, "no room")

        monkeypatch.setattr(file, "_create", refuse)
        assert exporter.export(support()) is FAILURE
        assert exporter.last_fault == "disk full"
        assert "the disk is full" in caplog.text

    def test_path_is_a_directory(self, tmp_path, caplog):
        """A directory at the path is a fault like any other."""
        assert StoreExporter(tmp_path).export(support()) is FAILURE
        assert len(caplog.records) == 1

    @pytest.mark.parametrize(
        ("code", "what"),
        [
            (sqlite3.SQLITE_FULL, "the disk is full"),
            (sqlite3.SQLITE_IOERR_SHMSIZE, "the disk is full"),
            (sqlite3.SQLITE_READONLY, "it cannot be written"),
            (sqlite3.SQLITE_IOERR, "SQLite refused the write"),
            (sqlite3.SQLITE_BUSY | 1 << 8, "another process keeps it locked"),
        ],
    )
    def test_sqlite_refuses(self, exporter, path, monkeypatch, caplog, code, what):
        """Each fault is named in one warning, and the next batch after it is over is written."""
        exporter.export(support(trace_id(1)))
        with monkeypatch.context() as patch:
            patch.setattr(write._Writer, "write", lambda *_: (_ for _ in ()).throw(made_up(code)))
            assert [FAILURE, FAILURE] == [exporter.export(support(trace_id(2))) for _ in range(2)]
        assert [True] == [what in record.message for record in caplog.records]
        assert exporter.export(support(trace_id(3))) is SUCCESS
        assert [trace_id(1), trace_id(3)] == [trace.trace_id for trace in load(path)]

    def test_real_full_disk(self, exporter, path, caplog):
        """When SQLite itself runs out of room, nothing of the batch is stored and the warning says so."""
        exporter.export(support(trace_id(1)))
        connection = exporter._writer._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [span for number in range(2, 60) for span in support(trace_id(number))]
        assert exporter.export(many) is FAILURE
        assert exporter.dropped == len(many)
        assert "the disk is full" in caplog.text
        assert exporter.export(support(trace_id(2))) is SUCCESS
        assert len(load(path)) == 2

    def test_locked(self, exporter, path, monkeypatch, caplog):
        """A lock that another holds is waited for, briefly; then the spans are dropped and the agent runs on."""
        exporter.export(support(trace_id(1)))
        exporter._writer.discard()
        monkeypatch.setattr(write, "_BUSY_SECONDS", 0.2)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            assert exporter.export(support(trace_id(2))) is FAILURE
            assert 0.15 < time.monotonic() - started
        assert "another process keeps it locked" in caplog.text
        assert exporter.export(support(trace_id(2))) is SUCCESS

    def test_locked_while_created(self, exporter, path, monkeypatch):
        """A store whose switch to WAL stays blocked is a fault, not a hang."""
        path.parent.mkdir()
        monkeypatch.setattr(write, "_BUSY_SECONDS", 0.1)
        path.touch()
        with closing(sqlite3.connect(path, isolation_level=None)) as store:
            layout.migrate(store, path)
            store.execute("BEGIN")
            store.execute("SELECT * FROM spans")  # a reader in the old journal mode blocks the switch
            assert exporter.export(support()) is FAILURE
        assert exporter.last_fault == "locked"

    def test_switch_to_wal_retried(self):
        """Another process that makes the same switch at the same moment is waited for."""
        answers = [made_up(sqlite3.SQLITE_BUSY), None]

        class Connection:
            """Busy once."""

            def execute(self, _):
                """Give the next answer."""
                if error := answers.pop(0):
                    raise error
                return SimpleNamespace(fetchall=list)

        file._write_ahead(Connection(), 5.0)
        assert answers == []

    def test_damaged(self, exporter, path, caplog):
        """A store whose pages are garbage is reported as damaged."""
        exporter.export(support())
        exporter.shutdown()
        content = path.read_bytes()
        path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
        assert StoreExporter(path).export(support()) is FAILURE
        assert "the file is damaged" in caplog.text

    def test_after_shutdown(self, exporter, path, caplog):
        """Spans that come after the shutdown are counted and said, never silently lost."""
        exporter.shutdown()
        exporter.shutdown()
        assert exporter.export(support()) is FAILURE
        assert exporter.dropped == 7
        assert "has been shut down" in caplog.text
        assert not path.exists()

    def test_place_is_named(self, monkeypatch, tmp_path, caplog):
        """The warning says where the path came from: the variable, the default or the caller."""
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
        StoreExporter().export(support())
        monkeypatch.setenv("AGENT_CALLBACKS_STORE", str(tmp_path / "file" / "x"))
        StoreExporter().export(support())
        StoreExporter(tmp_path / "file" / "y").export(support())
        places = [record.message.split("(")[1].split(")")[0] for record in caplog.records]
        assert places == ["the default path", "$AGENT_CALLBACKS_STORE", "the path it was given"]

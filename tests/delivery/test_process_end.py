"""What a process delivers when it ends, in real processes."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from agent_callbacks.delivery import shutdown
from tests.delivery.process import ROOT, end, start, stored

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGTERM"),
    pytest.mark.measures_processes,
]

BEGIN = """
import os, signal, sys, threading, time
from agent_callbacks.delivery.configure import configure
from opentelemetry import trace
handle = configure(store=sys.argv[1])
def record(name):
    trace.get_tracer("app").start_span(name).end()
"""


def run(script, *arguments, **environment):
    """Run *script* after the common beginning; return its exit code, output and errors."""
    return end(start(BEGIN + script, *arguments, **environment))


def test_exit_without_flush_stores_the_spans(tmp_path):
    """A script that just ends has its spans in the store."""
    code, _, errors = run("record('one')", tmp_path / "t.db")
    assert (0, "") == (code, errors)
    assert ["one"] == stored(tmp_path / "t.db")


def test_exit_starts_no_thread(tmp_path):
    """At exit no thread is started: the interpreter would refuse."""
    script = """
def forbidden(self): raise SystemError("thread started at exit")
import atexit
record('one')
threading.Thread.start = forbidden
"""
    assert (0, "", "") == run(script, tmp_path / "t.db")
    assert ["one"] == stored(tmp_path / "t.db")


def test_exit_closes_open_operations_first(tmp_path):
    """What is still open at exit is closed, and what that ends is stored."""
    script = """
from agent_callbacks.recording import process
process.close_all = lambda reason: record("closed at " + reason)
"""
    assert 0 == run(script, tmp_path / "t.db")[0]
    assert ["closed at exit"] == stored(tmp_path / "t.db")


def test_an_exception_delivers_too(tmp_path):
    """A script that dies of an exception has its spans in the store, and its exit code."""
    assert 1 == run("record('one'); raise ValueError", tmp_path / "t.db")[0]
    assert ["one"] == stored(tmp_path / "t.db")


@pytest.mark.parametrize("busy", ["time.sleep(30)", "while True: pass"])
def test_sigterm_delivers_and_kills(tmp_path, busy):
    """SIGTERM closes and stores, and the process still dies of the signal."""
    script = (
        """
from agent_callbacks.recording import process
process.close_all = lambda reason: record("closed at " + reason)
record('one'); print("ready", flush=True)
"""
        + busy
    )
    process = start(BEGIN + script, tmp_path / "t.db")
    assert "ready\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert (-signal.SIGTERM, "", "") == end(process)
    assert ["closed at sigterm", "one"] == stored(tmp_path / "t.db")


def test_sigterm_while_a_lock_is_held_ends_in_time(tmp_path):
    """A signal that interrupts code holding our own lock costs the limit, never the process."""
    script = """
(ledger,) = [place.ledger for place in handle._destinations.values()]
from agent_callbacks.recording import process
held = threading.Lock()
process.close_all = lambda reason: held.acquire()
record('one')
with held:
    print("ready", flush=True)
    time.sleep(600)
"""
    process = start(BEGIN + script, tmp_path / "t.db")
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert -signal.SIGTERM == end(process)[0]


def test_sigterm_while_the_process_is_ending_lets_it_deliver(tmp_path):
    """A signal during the last two seconds changes what the process dies of, not what it delivers."""
    script = """
close = type(handle).close
def interrupted(self, timeout):
    os.kill(os.getpid(), signal.SIGTERM)
    close(self, timeout)
type(handle).close = interrupted
record('one')
"""
    assert (-signal.SIGTERM, "", "") == run(script, tmp_path / "t.db")
    assert ["one"] == stored(tmp_path / "t.db")


class Ended:
    """Notes how it was ended."""

    def __init__(self):
        self.calls = []

    def flush(self, timeout):
        """Note it."""
        self.calls.append("flush")
        return True

    def close(self, timeout):
        """Note it."""

    def renew(self):
        """Note it."""


@pytest.fixture
def immortal(monkeypatch):
    """Let this process survive what it does to itself, as process 1 of a container does; return the signals."""
    sent = []
    monkeypatch.setattr(shutdown.os, "kill", lambda pid, signum: sent.append((pid, signum)))
    before = signal.getsignal(signal.SIGTERM)
    yield sent
    signal.signal(signal.SIGTERM, before)


def test_process_1_goes_on_and_hears_the_next_signal(immortal, monkeypatch):
    """The default action does not end it: what it had is delivered, and its handler stands again."""
    monkeypatch.setattr(shutdown._thread, "start_new_thread", lambda function, arguments: function(*arguments))
    ended = Ended()
    end = shutdown.ProcessEnd(ended)
    end._terminated(signal.SIGTERM, None)
    assert ["flush"] == ended.calls
    assert [(os.getpid(), signal.SIGTERM)] == immortal
    assert signal.getsignal(signal.SIGTERM) == end._terminated


def test_without_a_thread_to_be_had_it_dies_in_time(immortal, monkeypatch):
    """A process that can start no thread is not kept from dying: what is queued is lost."""

    def refuse(function, arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(shutdown._thread, "start_new_thread", refuse)
    ended = Ended()
    shutdown.ProcessEnd(ended, limit=600)._terminated(signal.SIGTERM, None)
    assert ([], [(os.getpid(), signal.SIGTERM)]) == (ended.calls, immortal)


def test_a_handler_of_the_application_stays(tmp_path):
    """Where the application handles SIGTERM itself, its handler stays and decides."""
    script = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
handle.shutdown(); handle = configure(store=sys.argv[1])
record('one'); print("ready", flush=True)
time.sleep(30)
"""
    process = start(BEGIN + script, tmp_path / "t.db")
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert (7, "", "") == end(process)
    assert ["one"] == stored(tmp_path / "t.db")


def test_no_handler_off_the_main_thread(tmp_path):
    """configure() on another thread installs no signal handler, and neither does a shutdown leave one."""
    script = """
handle.shutdown()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "left behind"
thread = threading.Thread(target=lambda: configure(store=sys.argv[1])); thread.start(); thread.join()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "installed"
record('one')
"""
    assert (0, "", "") == run(script, tmp_path / "t.db")
    assert ["one"] == stored(tmp_path / "t.db")


def test_a_forked_child_delivers_its_own_spans_only(tmp_path, receiver):
    """A child delivers what the child recorded; what waits in the parent is delivered once, by the parent."""
    script = """
record('parent before')
pid = os.fork()
if not pid:
    record('child')
    ok = handle.flush(5) and handle.delivery['store'].sent == 1 == handle.delivery['otlp'].sent
    sys.exit(0 if ok else 9)
assert os.waitpid(pid, 0)[1] == 0, 'child failed'
record('parent after')
"""
    assert (0, "", "") == run(script, tmp_path / "t.db", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert ["child", "parent after", "parent before"] == stored(tmp_path / "t.db")
    assert ["child", "parent after", "parent before"] == sorted(receiver.names)


def test_a_forked_child_delivers_at_its_exit(tmp_path):
    """A child that just exits has its spans in the store, a grandchild too."""
    script = """
record('parent')
handle.flush(5)
if not os.fork():
    record('child')
    if not os.fork():
        record('grandchild')
    else:
        os.wait()
    sys.exit(0)
os.wait()
"""
    assert (0, "", "") == run(script, tmp_path / "t.db")
    assert ["child", "grandchild", "parent"] == stored(tmp_path / "t.db")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_multiprocessing_child_delivers_at_its_end(tmp_path, method):
    """Children of multiprocessing, which run no atexit functions, deliver at their end."""
    (tmp_path / "script.py").write_text(f"""
import multiprocessing, sys
from agent_callbacks.delivery.configure import configure
from opentelemetry import trace

def work(path, name):
    configure(store=path)
    trace.get_tracer("app").start_span(name).end()

if __name__ == "__main__":
    configure(store=sys.argv[1])
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=work, args=(sys.argv[1], name)) for name in ("a", "b")]
    for child in children: child.start()
    for child in children: child.join()
    assert [0, 0] == [child.exitcode for child in children]
    trace.get_tracer("app").start_span("parent").end()
""")
    script = "import runpy, sys; runpy.run_path(sys.argv[2], run_name='__main__')"
    if method != "fork":  # such a child imports the main module by its path
        script = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, sys.argv[2], sys.argv[1]]))"
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    code, _, errors = end(start(script, tmp_path / "t.db", tmp_path / "script.py", PYTHONPATH=paths))
    assert (0, "") == (code, errors)
    assert ["a", "b", "parent"] == stored(tmp_path / "t.db")


def test_exit_with_a_hanging_receiver_is_bounded(tmp_path, receiver):
    """A receiver that never answers costs the limit at exit; the store has everything, and the loss is said."""
    receiver.hangs = True
    code, _, errors = run("record('one')", tmp_path / "t.db", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert 0 == code
    assert "not everything was delivered: otlp: 1 failed (timeout)" in errors
    assert ["one"] == stored(tmp_path / "t.db")

"""The examples: each runs as its README says, and shows what it is about."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# A row of a waterfall, or a line of a tree, up to the name; the waterfall's head has a dot after it.
ROW = re.compile(
    r"^(?:[ASMETRCN·] )?[ │├└─]*((?:agent|llm|tool|retriever|chain)\.[\w.]+|SELECT customers)(?! · )(?:\s|$)"
)

STEP = ("agent.step.1", "llm.chat")
EXPECTED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "llamaindex_agent": (
        ("agent.run.support", *STEP, "tool.find_order", "agent.step.2", "llm.chat", "tool.where_is", "tool.shop_hours",
         "agent.step.3", "llm.chat", "tool.where_is", "agent.step.4", "llm.chat"),
        ("Your kettle is in Lyon.", "tool.where_is ✗ ConnectionError", "user u-17 · session s-9 · variant prompt-b"),
    ),
    "llamaindex_handoff": (
        ("agent.run", "agent.run.reception", *STEP, "tool.find_order", "agent.step.2", "llm.chat", "tool.handoff",
         "agent.run.returns_desk", *STEP, "tool.open_return", "agent.step.2", "llm.chat"),
        ("Your label is on its way.", "user u-17 · session s-9"),
    ),
    "llamaindex_in_langgraph": (
        ("agent.run.support", *STEP, "tool.ask_handbook", "retriever.handbook", "llm.chat", "agent.step.2", "llm.chat"),
        ("within 30 days", "user u-17 · session s-9", "T │  └─ tool.ask_handbook", "R │     ├─ retriever.handbook",
         "M │     └─ llm.chat"),
    ),
    "llamaindex_rag": (
        ("chain.retriever_query_engine", "retriever.simple_vector_store", "llm.embeddings", "llm.chat"),
        ("Within 30 days of arrival", "user u-17", "M └─ llm.chat "),
    ),
    "otlp_backend": ((), (
        "everything arrived: True", "the backend has: chain.greeting, llm.chat", "delivery says: sent 2, failed {}",
        "everything arrived: False", "delivery says: sent 2, failed {'refused': 2}",
    )),
    "own_provider": (
        ("agent.run.support", *STEP, "tool.lookup_customer", "SELECT customers", "agent.step.2", "llm.chat"),
        ("its statement, as exported: SELECT name FROM customers WHERE email = '[EMAIL]'", "its user: u-17"),
    ),
    "presidio_recognizer": ((), (
        "patterns alone: Dear Ines Moreau, Bo Lee ([EMAIL]) will call you on [PHONE].",
        "with Presidio:  Dear [PERSON], [PERSON] ([EMAIL]) will call you on [PHONE].",
    )),
    "quickstart": (
        ("agent.run.support", *STEP, "tool.lookup_order", "tool.shop_hours", "agent.step.2", "llm.chat"),
        ("Order 1042 has left the warehouse", "user u-17 · session s-9 · variant prompt-b"),
    ),
    "rag_chain": (
        ("chain.answer", "retriever.handbook", "llm.chat"),
        ("Within 30 days of arrival", "user u-17"),
    ),
    "research_agent": (
        ("agent.run.researcher", *STEP, "tool.search_web", "tool.search_web", "agent.step.2", "llm.chat",
         "tool.search_notes", "retriever.notes", "agent.step.3", "llm.chat", "tool.run_python", "agent.step.4",
         "llm.chat"),
        ("about 750 cups", "session s-research"),
    ),
    "streaming_web": (
        ("agent.run.support", *STEP, "tool.lookup_order", "agent.step.2", "llm.chat"),
        ("u-1 got 6 pieces: It has left the warehouse today.", "u-2 got 6 pieces: It has left the warehouse today.",
         "tone brief", "still open: 0"),
    ),
}  # fmt: skip
"""Example -> the names in its picture, and what else it says."""
NEEDS: dict[str, str] = {"presidio_recognizer": "presidio_analyzer"}
"""What an example needs that the tests of the others do not: it has an environment of its own in tox.ini."""
LOGS = frozenset({"otlp_backend"})
"""These show a failure on purpose, about which the exporter logs."""


def test_every_example_is_run() -> None:
    """Each folder has a program and a README that names its command, and an entry above."""
    folders = {path.parent.name for path in EXAMPLES.glob("*/main.py")}
    assert folders == set(EXPECTED)
    for name in folders:
        readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
        assert f"python -m examples.{name}.main" in readme


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example(name: str, tmp_path: Path) -> None:
    """The example runs offline to its end and prints its picture."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"runs in the tox environment {NEEDS[name].partition('_')[0]}")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", f"examples.{name}.main"], cwd=ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True, encoding="utf-8", timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert name in LOGS or done.stderr == ""
    names, lines = EXPECTED[name]
    found = [match[1] for match in map(ROW.match, done.stdout.splitlines()) if match]
    assert sorted(names) == sorted(found)
    assert list(names[:1]) == found[:1]
    assert [line for line in lines if line not in done.stdout] == []

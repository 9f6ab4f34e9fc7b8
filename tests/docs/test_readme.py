"""The README: what it shows runs, what it names exists."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import agent_callbacks
from agent_callbacks import Settings
from agent_callbacks.cli.root import root

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")

PRELUDE = """
import asyncio
from llama_index.core.agent.workflow import FunctionAgent
from agent_callbacks.cli.demo.llm import ScriptedLLM
from agent_callbacks.cli.demo.model import ScriptedModel, asks, says

answers = [line for _ in range(2) for line in (asks(("lookup_order", {"order": "1042"})), says("It is on its way."))]
model = ScriptedModel(script=answers)
llm = ScriptedLLM(script=answers)
question = {"messages": [{"role": "user", "content": "Where is order 1042?"}]}
orders = {"1042": "has left the warehouse"}
async def ask(agent):
    return await agent.run(user_msg="Where is order 1042?")
"""
EPILOGUE = """
from agent_callbacks.analysis import load
for found in load(handle.store_path):
    said = found.root.attributes
    print(found.tree())
    print([said[key] for key in ("user.id", "session.id", "feature_flag.key", "feature_flag.result.variant")])
print(handle.delivery.sent, handler.open_runs, handler.internal_errors)
"""
FIRST = ["u-17", "s-9", "variant", "prompt-b"]
STEPS = """\
agent.run.support
├─ agent.step.1
│  ├─ llm.chat
│  └─ tool.lookup_order
└─ agent.step.2
   └─ llm.chat
"""


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def run(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run *code* in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", code], cwd=ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True, text=True, encoding="utf-8", timeout=50, check=False,
    )  # fmt: skip


def test_every_block_runs(tmp_path: Path) -> None:
    """The blocks run one after the other, as somebody who reads from the top would type them."""
    code = "\n".join([PRELUDE, *blocks("python"), EPILOGUE])
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == (f"{STEPS}{FIRST}\n{STEPS}{FIRST}\n{STEPS}['u-18', 's-10', 'tone', 'brief']\n18 0 0\n")
    assert (tmp_path / "agent-callbacks" / "traces.db").exists()


def test_disabled_means_no_file(tmp_path: Path) -> None:
    """AGENT_CALLBACKS_ENABLED=0: the same blocks run, and nothing is written."""
    switch = "import os; os.environ['AGENT_CALLBACKS_ENABLED'] = '0'"
    done = run("\n".join([switch, PRELUDE, *blocks("python")]), tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_picture_is_there_and_small() -> None:
    """What the README shows is in the repository, and loads at once."""
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", TEXT)
    assert pictures
    assert all(0 < (ROOT / name).stat().st_size < 150_000 for name in pictures)


def test_every_command_exists() -> None:
    """Each agent-callbacks command, tox label and extra that the README names is there."""
    known = root.list_commands(None)  # type: ignore[arg-type]  # its argument is not read
    assert set(re.findall(r"(?:^|[`&] ?)agent-callbacks ([a-z]+)", TEXT, re.MULTILINE)) <= {*known}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {name for found in re.findall(r'"(?:\.|agent-callbacks)\[([a-z,]+)\]"', TEXT) for name in found.split(",")}
    assert asked
    assert asked <= {*project["optional-dependencies"]}
    assert "full =" in (ROOT / "tox.ini").read_text(encoding="utf-8")


def test_every_link_and_path_leads_somewhere() -> None:
    """Links to files and the path given to pytest exist; there are no links to elsewhere that could die."""
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert all((ROOT / path).is_dir() for path in re.findall(r"`pytest (\S+)`", TEXT))
    assert {f"examples/{folder.parent.name}" for folder in (ROOT / "examples").glob("*/main.py")} <= {*links}


def test_every_setting_and_name_exists() -> None:
    """Settings in the table, and names imported in blocks, are public."""
    table = TEXT.partition("| field | default |")[2]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")]
    named = set(re.findall(r"`(\w+)`", " ".join(first_cells)))
    named |= set(re.findall(r"Settings\((\w+)=", TEXT)) | set(re.findall(r"Settings\.(\w+)", TEXT))
    assert {"content", "naming", "baggage_keys"} <= named
    assert named <= {field.name for field in dataclasses.fields(Settings)}
    imported = {name for line in re.findall(r"from agent_callbacks import (.+)", TEXT) for name in line.split(", ")}
    assert imported <= {*agent_callbacks.__all__}


def test_length() -> None:
    """A page that is read: 80 to 160 lines."""
    assert 80 <= len(TEXT.splitlines()) <= 160

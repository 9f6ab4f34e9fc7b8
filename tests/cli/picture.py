"""Take the pictures of the terminal views anew, in a real terminal's colours: ``python -m tests.cli.picture``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from tests.cli import story

FOLDER: Final = Path(__file__).parents[2] / "examples" / "terminal"
COMMAND: Final = "from agent_callbacks.cli import main; main()"
VIEWS: Final = {
    "show": [], "tokens": [], "latency": [], "cost": ["--as-if", "gpt-4.1-mini", "--as-if", "claude-haiku-4-5"],
}  # fmt: skip


def drawn(arguments: list[str], columns: int) -> str:
    """Give what the command prints on a terminal of *columns*, as an SVG picture."""
    environment = {**os.environ, "COLUMNS": str(columns), "FORCE_COLOR": "1"}
    environment.pop("NO_COLOR", None)
    printed = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], check=True, env=environment, stdout=subprocess.PIPE
    ).stdout.decode()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(printed), soft_wrap=True)
        return console.export_svg(title=f"agent-callbacks {arguments[0]}", theme=SVG_EXPORT_THEME)


def pictures(folder: Path, columns: int, trace: list[str] | None = None) -> None:
    """Take a picture of each view of one trace, the tests' own run unless *trace* says which, into *folder*."""
    with tempfile.TemporaryDirectory() as work, sync_playwright() as library:
        file = trace or [story.file(Path(work) / "run.jsonl", story.told())]
        browser = library.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 700})
        for view, options in VIEWS.items():
            page.set_content(
                "<style>body{margin:0}svg{width:1060px;height:auto;font-family:'DejaVu Sans Mono'!important}"
                "svg *{font-family:'DejaVu Sans Mono',monospace!important}</style>"
                + drawn([view, *file, *options], columns)
            )
            page.locator("svg").first.screenshot(path=folder / f"{view}.png")
        browser.close()


if __name__ == "__main__":
    pictures(Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER, int(sys.argv[1]) if len(sys.argv) > 1 else 100)

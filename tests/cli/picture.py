"""Take the pictures of the terminal views anew, in a real terminal's colours: ``python -m tests.cli.picture``."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from tests.cli import story

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "examples" / "terminal"
WIDTH: Final = 1060
COLORS: Final = 64
TRACE_ID: Final = b"4bf92f3577b34da6a3ce929d0e0e4736"
STYLE: Final = (
    f"body{{margin:0}} svg{{width:{WIDTH}px;height:auto}} svg *{{font-family:'DejaVu Sans Mono',monospace!important}}"
)
COMMAND: Final = "from agent_callbacks.cli import main; main()"
VIEWS: Final = {
    "show": [], "tokens": [], "latency": [], "cost": ["--as-if", "gpt-4.1-mini", "--as-if", "claude-haiku-4-5"],
}  # fmt: skip


def drawn(arguments: list[str], columns: int, folder: Path) -> str:
    """Give what the command prints on a terminal of *columns* that stands in *folder*, as an SVG picture."""
    environment = {**os.environ, "COLUMNS": str(columns), "FORCE_COLOR": "1", "PYTHONPATH": str(ROOT)}
    environment.pop("NO_COLOR", None)
    printed = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], check=True, env=environment, stdout=subprocess.PIPE, cwd=folder
    ).stdout.decode()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(printed), soft_wrap=True)
        return console.export_svg(title=f"agent-callbacks {' '.join(arguments)}", theme=SVG_EXPORT_THEME)


def pictures(folder: Path, columns: int) -> None:
    """Take a picture of each view of the tests' own run, into *folder*."""
    with tempfile.TemporaryDirectory() as work, sync_playwright() as library:
        file = Path(work) / "run.jsonl"
        story.file(file, story.told())
        file.write_bytes(file.read_bytes().replace(b"0" * 31 + b"1", TRACE_ID))
        browser = library.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 700})
        for view, options in VIEWS.items():
            page.set_content(f"<style>{STYLE}</style>" + drawn([view, file.name, *options], columns, Path(work)))
            taken = Image.open(io.BytesIO(page.locator("svg").first.screenshot()))
            taken.convert("RGB").quantize(COLORS).save(folder / f"{view}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    pictures(Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER, int(sys.argv[1]) if len(sys.argv) > 1 else 100)

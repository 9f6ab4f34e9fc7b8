"""Make the README's picture of the page anew, from a run of the demo: ``python -m tests.report.picture``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

PICTURE: Final = Path(__file__).parents[2] / "examples" / "report" / "report.png"
HEIGHT: Final = 930
COMMAND: Final = "from agent_callbacks.cli import main; main()"


def picture() -> None:
    """Run the demo, make its page, and take its picture."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        environment = {**os.environ, "AGENT_CALLBACKS_STORE": f"{folder}/traces.db"}
        for arguments in (["demo"], ["report", "-o", str(page)]):
            subprocess.run(
                [sys.executable, "-c", COMMAND, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL
            )
        with sync_playwright() as library:
            browser = library.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            shown = browser.new_page(viewport={"width": 1200, "height": HEIGHT}, reduced_motion="reduce")
            shown.goto(page.as_uri())
            shown.wait_for_selector("#tokens-body > *", state="attached")
            shown.screenshot(path=PICTURE)
            browser.close()


if __name__ == "__main__":
    picture()

"""A real browser, where the machine has one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import sync_playwright

from agent_callbacks.analysis.report import page as page_of
from agent_callbacks.analysis.report import render
from tests.report import scenes

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Browser, Page

    from agent_callbacks.analysis.trace import Trace

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Opened:
    """A page in the browser, and what went wrong in it."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def active(self) -> str:
        """The name of the row the keyboard stands on."""
        self.settle()
        row = self.page.locator("#tree").get_attribute("aria-activedescendant")
        return self.page.locator(f"#{row} .label").inner_text()

    def names(self) -> list[str]:
        """Give the names of the rows in sight, from the top."""
        rows = self.page.locator("#tree [data-place]:not([hidden])")
        return rows.evaluate_all(
            "rows => rows.sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))"
            ".map(row => row.querySelector('.label').textContent)"
        )

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


# A package's scope and no longer one: the library keeps an event loop in this thread, which others' tests need.
@pytest.fixture(scope="package")
def browser() -> Generator[Browser]:
    """Give Chromium, started once."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH (Debian: apt-get install chromium)")
    with sync_playwright() as library:
        started = library.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def show(browser, tmp_path) -> Generator[Any]:
    """Give a function that opens traces; what the page asks of the network or complains of fails the test."""
    shown: list[Opened] = []
    contexts = []

    def opened(
        *traces: Trace, width: int = 1280, height: int = 900, theme: str = "light", at: str = "", **more: Any
    ) -> Opened:
        file = tmp_path / f"{len(shown)}.html"
        file.write_text(render(page_of(traces, scenes.START)), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", **more
        )
        contexts.append(context)
        found = Opened(context.new_page())
        shown.append(found)
        context.on("request", lambda request: found.asked.append(request.url))
        context.on("page", lambda other: found.complaints.append("another window was opened"))
        found.page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("dialog", lambda dialog: (found.complaints.append("a dialog"), dialog.dismiss()))
        found.page.goto(file.as_uri() + at)
        found.page.wait_for_selector("#tokens-body > *", state="attached")
        return found

    yield opened
    for each in shown:
        assert [each.page.url.split("#")[0]] == [url.split("#")[0] for url in each.asked]
        assert [] == each.complaints
    for context in contexts:
        context.close()

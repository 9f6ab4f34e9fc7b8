"""The page as text: one template, one style sheet, one script, the model as data; nothing is fetched.

The Content-Security-Policy allows the one script and the one style sheet by their hashes and nothing else, so what a
span carries could not run even if it got out of the data.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from agent_callbacks.analysis.report.amount import said
from agent_callbacks.analysis.report.model import SCHEMA

if TYPE_CHECKING:
    import jinja2

    from agent_callbacks.analysis.report.model import Page

__all__ = ["ReportError", "data", "document", "render"]

_PACKAGE: Final = "agent_callbacks.analysis.report"
_TEMPLATE: Final = "page.html"
# In the order they are put together; what a file uses stands in an earlier one.
_SCRIPTS: Final = (
    "dom.js", "format.js", "tree.js", "window.js", "rows.js", "waterfall.js", "overview.js", "search.js", "detail.js",
    "chart.js", "tokens.js", "latency.js", "runs.js", "page.js",
)  # fmt: skip
_STYLES: Final = ("theme.css", "page.css", "waterfall.css", "chart.css", "medium.css")
# All that can end a script element or a comment, and what old JavaScript takes for a line's end.
_ESCAPES: Final = (
    (b"&", rb"\u0026"), (b"<", rb"\u003c"), (b">", rb"\u003e"),
    ("\u2028".encode(), rb"\u2028"), ("\u2029".encode(), rb"\u2029"),
)  # fmt: skip


class ReportError(Exception):
    """The page cannot be made; the message says what is missing and how to get it."""


def render(page: Page) -> str:
    """Return *page* as one HTML document.

    Raises:
        ReportError: The template engine is not installed.
    """
    style, script = _style(), _script()
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(page=page, said=said, data=data(page), style=style, script=script, policy=_policy(style, script))
    )


def data(page: Page) -> str:
    """Return *page* as JSON that may stand in a script element."""
    encoded = orjson.dumps(page)
    for character, escape in _ESCAPES:
        encoded = encoded.replace(character, escape)
    return encoded.decode()


def document(page: Page) -> dict[str, Any]:
    """Return *page* as one JSON object: ``schema`` and the fields of ``model.Page``."""
    return {"schema": SCHEMA, **cast("dict[str, Any]", orjson.loads(orjson.dumps(page)))}


@functools.cache
def _environment() -> jinja2.Environment:
    if importlib.util.find_spec("jinja2") is None:
        raise ReportError("the page needs the extra 'cli': pip install \"agent-callbacks[cli]\"")
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _style() -> str:
    return _joined(_STYLES)


@functools.cache
def _script() -> str:
    return _joined(_SCRIPTS)


def _joined(names: tuple[str, ...]) -> str:
    folder = resources.files(_PACKAGE) / "assets"
    return "\n" + "\n".join((folder / name).read_text(encoding="utf-8").strip() for name in names) + "\n"


def _policy(style: str, script: str) -> str:
    return "; ".join((
        "default-src 'none'",
        f"script-src {_hash(script)}",
        f"style-src {_hash(style)}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ))  # fmt: skip


def _hash(text: str) -> str:
    """Return the source expression that allows one inline element (https://www.w3.org/TR/CSP3/#external-hash)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

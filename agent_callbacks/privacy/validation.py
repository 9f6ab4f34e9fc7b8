"""What pydantic quotes of a rejected input: its error names the field on one line and shows the value on the next.

A long value it shows with its middle left out, so what may have been an address or a card is there in halves that
nobody can tell any more: such a value goes whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy.match import Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_callbacks.privacy.views import Views

__all__ = ["quoted_inputs"]

_QUOTED: Final = re.compile(r"input_value=(?=[^\s,\]])")
_ENDS: Final = re.compile(r", input_type=|\]\n|\Z")
_LONGEST_LINE: Final = 512
_TORN: Final = 45  # pydantic-core shows 50 bytes of a value, the dots included
_RANK: Final = 75


def quoted_inputs(seen: Views) -> Iterator[Match]:
    """Yield the values quoted for fields whose name says what they hold, as ``password`` does, and those torn."""
    text, end = seen.text, 0
    for hit in _QUOTED.finditer(text):
        start = hit.end()
        if start < end:
            continue
        closing = _ENDS.search(text, start, start + _LONGEST_LINE)
        end = min(start + _LONGEST_LINE, len(text)) if closing is None else closing.start()
        torn = end - start >= _TORN and "..." in text[start:end]
        kind = seen.names.rule(_field(text, hit.start())) or ("SECRET" if torn else None)
        if kind is not None:
            yield Match(start, end, kind, _RANK)


def _field(text: str, at: int) -> str:
    """Return the last part of the name on the line above that of *at*: ``creds.api_key`` is an ``api_key``."""
    line = text.rfind("\n", max(0, at - _LONGEST_LINE), at)
    above = text.rfind("\n", max(0, line - _LONGEST_LINE), max(line, 0))
    return text[above + 1 : max(line, 0)].rpartition(".")[2]

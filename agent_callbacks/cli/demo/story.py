"""The demo's story, which every framework tells: what is asked, what the models answer, how long they take."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CHUNK_SECONDS", "DESK_INSTRUCTIONS", "DESK_LINES", "FIRST_CHUNK_SECONDS", "INSTRUCTIONS", "LINES", "QUESTION",
    "Line", "Request", "Script", "Tokens", "asks", "says",
]  # fmt: skip

FIRST_CHUNK_SECONDS: Final = 0.06
CHUNK_SECONDS: Final = 0.004
_CHARS_PER_TOKEN: Final = 4


# --- a script --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Request:
    """A tool that a model asks for."""

    name: str
    arguments: dict[str, Any]
    id: str

    @property
    def json(self) -> str:
        """The arguments, as a model writes them."""
        return json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Line:
    """One answer of a model: text, or the tools it asks for."""

    text: str = ""
    requests: tuple[Request, ...] = ()

    @property
    def words(self) -> list[str]:
        """The text in the pieces it is streamed in."""
        return re.findall(r"\s*\S+", self.text)

    @property
    def finish_reason(self) -> str:
        """Why a model stops here, in OpenAI's words."""
        return "tool_calls" if self.requests else "stop"

    @property
    def chars(self) -> int:
        """How long the answer is."""
        return len(self.text) + len(json.dumps([asdict(request) for request in self.requests]))


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a real model would have counted; *cached* is part of what was *read*."""

    read: int
    cached: int
    written: int


class Script:
    """Lines, said one a call, and the tokens of each call; what the call before has read comes from a cache."""

    def __init__(self, lines: Sequence[Line]) -> None:
        """Begin with the first of *lines*."""
        self._lines = iter(lines)
        self._already_read = 0

    def answer(self, chars: int) -> tuple[Line, Tokens]:
        """Return the next line, and the tokens of a call that sent *chars* characters."""
        line = next(self._lines)
        read = chars // _CHARS_PER_TOKEN
        cached, self._already_read = self._already_read, read
        return line, Tokens(read, cached, line.chars // _CHARS_PER_TOKEN)


def says(text: str) -> Line:
    """Return an answer."""
    return Line(text)


def asks(*calls: tuple[str, dict[str, Any]]) -> Line:
    """Return an answer that asks for tools, each a name and its arguments."""
    wanted = (Request(name, arguments, f"call_{name}_{number}") for number, (name, arguments) in enumerate(calls))
    return Line(requests=tuple(wanted))


# --- the story -------------------------------------------------------------------------------------------------------
QUESTION: Final = (
    "Ines Moreau (ines.moreau@example.com) asks: where is my kettle, and may I send it back if it comes too late?"
)
INSTRUCTIONS: Final = (
    "You answer customers of a shop for coffee makers. Look orders up in the database (tables customers: id, name, "
    "email, since; orders: id, customer_id, placed, item, price, parcel), ask the carrier where a parcel is, read the "
    "policies before you promise anything, and leave returns to the returns desk. A tool that fails may be tried once "
    "more."
)
DESK_INSTRUCTIONS: Final = "You decide whether goods may be returned. Quote the policy you rely on. Be brief."

_SQL: Final = (
    "SELECT orders.id, placed, item, price, parcel FROM orders JOIN customers ON customers.id = customer_id "
    "WHERE email = 'ines.moreau@example.com'"
)
_PARCEL: Final = ("ask_carrier", {"parcel": "P-5217"})
_DESK: Final = ("ask_returns_desk", {"question": "May order 1042, a kettle that arrives late, be returned?"})

LINES: Final = (
    asks(("query_orders", {"sql": _SQL}), ("search_policies", {"words": "late delivery"})),
    asks(_PARCEL),
    asks(_PARCEL, _DESK),
    says(
        "Your kettle (order 1042) is in Lyon and should arrive on 13 March. That is more than three days late, so you "
        "get the shipping fee back. If you do not want it any more, send it back unused within 30 days of arrival; "
        "return shipping is free."
    ),
)
"""What the agent's model answers."""
DESK_LINES: Final = (
    asks(("search_policies", {"words": "returns kettles"})),
    says("Yes: unused, within 30 days of arrival, in its packaging; return shipping is free above 50."),
)
"""What the returns desk's model answers."""

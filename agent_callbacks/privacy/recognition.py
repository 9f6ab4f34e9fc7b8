"""What recognizers answer, checked; and which addresses belong to networks that may be shown."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy.match import Match
from agent_callbacks.privacy.policy import KIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_callbacks.privacy.policy import Networks, Recognizer

__all__ = ["outside_networks", "recognized"]

_RANK: Final = 20


def recognized(recognizers: Sequence[Recognizer], text: str, seconds: float) -> list[Match]:
    """Return what *recognizers* find in *text*.

    Raises:
        ValueError: An answer that lies outside the text or names no type.
        TimeoutError: They took longer than *seconds*.
    """
    begun = time.monotonic()
    found: list[Match] = []
    for recognizer in recognizers:
        for start, end, kind in recognizer.recognize(text):
            if not 0 <= start < end <= len(text) or not KIND.fullmatch(kind):
                message = (
                    f"{type(recognizer).__name__} answered with positions outside the text or a type not in capitals"
                )
                raise ValueError(message)
            found.append(Match(start, end, kind, _RANK))
        if time.monotonic() - begun > seconds:
            message = f"{type(recognizer).__name__} took too long"
            raise TimeoutError(message)
    return found


def outside_networks(text: str, found: list[Match], networks: Networks) -> list[Match]:
    """Return *found* without the addresses that lie in *networks*."""
    return [match for match in found if match.kind != "IP" or not _is_inside(text[match.start : match.end], networks)]


def _is_inside(text: str, networks: Networks) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # written in another way, which nobody does with an example
        return False
    return any(address in network for network in networks)

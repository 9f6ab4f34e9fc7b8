"""Bank accounts by their check digits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.privacy import validators
from agent_callbacks.privacy.views import closes, opens

if TYPE_CHECKING:
    from agent_callbacks.privacy.views import Span, Views

__all__ = ["iban"]

_IBAN: Final = re.compile(r"[A-Z]{2}\d\d(?:[ \xa0\-.]{0,2}[A-Z0-9]){11,30}", re.ASCII | re.IGNORECASE)


def iban(seen: Views, at: int) -> Span | None:
    """Return the IBAN at *at*, in groups or not, in either case."""
    text = seen.text
    length = validators.iban_length(text[at : at + 2].upper())
    if not length or not opens(seen, at):
        return None
    match = _IBAN.match(text, at)
    kept = [(place, sign) for place, sign in enumerate(match[0] if match else "") if sign.isalnum()][:length]
    if len(kept) < length:
        return None
    end = at + kept[-1][0] + 1
    number = "".join(sign for _, sign in kept).upper()
    return (at, end) if closes(seen, end) and validators.mod97(number) else None

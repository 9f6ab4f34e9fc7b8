"""Secrets on a command line: ``curl -u name:password``, ``--token value``, ``mysql -pvalue``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent_callbacks.privacy.views import Span, Views

__all__ = ["option"]

_USER: Final = re.compile(r" (?:-u|--user|--proxy-user)[ =][\"']?[^\s:\"']{1,64}:([^\s\"']{1,256})")
_NAMED: Final = re.compile(r" --?([A-Za-z][\w\-]{1,40}+)[ ]{1,2}[\"']?([^\s\"'\-][^\s\"']{0,511})")
_SHORT: Final = re.compile(r" -[pa][ ]?[\"']?([^\s\"'\-][^\s\"']{2,255})")
_TAKES_SHORT: Final = re.compile(
    rb"\b(?:mysql\w{0,8}|mariadb\w{0,8}|sshpass|(?:docker|podman|helm registry) login|redis-cli|mongo\w{0,8})\b"
    rb"[^\n|;]{0,160}\Z"
)
_BEFORE: Final = 192


def option(seen: Views, at: int) -> Span | None:
    """Return the secret that the option behind the blank at *at* is given."""
    text = seen.text
    if match := _USER.match(text, at):
        return match.span(1)
    named = _NAMED.match(text, at)
    if named and seen.names.rule(named[1]) == "SECRET":
        return named.span(2)
    short = _SHORT.match(text, at)
    if short and _TAKES_SHORT.search(seen.lower, max(0, at - _BEFORE), at):
        return short.span(1)
    return None

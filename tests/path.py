"""What the tables of leak paths share: how a path is entered, and what it may raise."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.features import Feature

__all__ = ["Expected", "Paths", "quietly"]


@dataclass(frozen=True)
class Paths:
    """Every way a value of the user's can reach a span of one framework."""

    all: dict[str, Any] = field(default_factory=dict)
    """Name -> what is done."""
    identities: set[str] = field(default_factory=set)
    """Paths into ids of users, sessions, conversations, calls: only unmistakable forms are looked for there."""
    untold: set[str] = field(default_factory=set)
    """Paths that end nowhere: what is put in is not exported, sanitizer or not."""

    needs: dict[str, Feature] = field(default_factory=dict)
    """What the framework must have for a path to exist."""

    def enter(
        self, *, identity: bool = False, untold: bool = False, needs: Feature | None = None
    ) -> Callable[[Any], Any]:
        """Enter a function into the table."""

        def entered(function: Any) -> Any:
            name = function.__name__
            assert name not in self.all
            self.all[name] = function
            if identity:
                self.identities.add(name)
            if untold:
                self.untold.add(name)
            if needs is not None:
                self.needs[name] = needs
            return function

        return entered


class Expected(Exception):  # noqa: N818 - what a path raises on purpose
    """What a path raises."""


@contextlib.contextmanager
def quietly(*more: type[BaseException]) -> Iterator[None]:
    """Let what was raised on purpose pass."""
    with contextlib.suppress(Expected, *more):
        yield

"""A span that writes nothing itself: every mutator of the API goes to a receiver, which cleans what it is given."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.trace import Span, SpanContext, Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import Attributes, AttributeValue

__all__ = ["ForwardingSpan", "Receiver"]


class Receiver(Protocol):
    """What writes on a span for user code."""

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Write *attributes*."""
        ...

    def add_event(self, name: str, attributes: Attributes, timestamp: int | None) -> None:
        """Add an event; *timestamp* in nanoseconds since the epoch, None is now."""
        ...

    def add_link(self, context: SpanContext, attributes: Attributes) -> None:
        """Add a link."""
        ...

    def record_exception(self, exception: BaseException, attributes: Attributes) -> None:
        """Record *exception* as an event."""
        ...

    def set_status(self, status: Status | StatusCode, description: str | None) -> None:
        """Set the status."""
        ...

    def update_name(self, name: str) -> None:
        """Ask for another name."""
        ...


class ForwardingSpan(Span):
    """A span of the API whose writing goes to ``receiver()``, or nowhere where that is None."""

    __slots__ = ()

    @abstractmethod
    def receiver(self) -> Receiver | Span | None:
        """Return what writes now."""

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set one attribute."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes."""
        if receiver := self.receiver():
            receiver.set_attributes(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event."""
        if receiver := self.receiver():
            receiver.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link."""
        if receiver := self.receiver():
            receiver.add_link(context, attributes)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,  # noqa: ARG002 - the API's signature
        escaped: bool = False,  # noqa: ARG002, FBT001, FBT002 - the API's signature
    ) -> None:
        """Record an exception as an event."""
        if receiver := self.receiver():
            receiver.record_exception(exception, attributes)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status."""
        if receiver := self.receiver():
            receiver.set_status(status, description)

    def update_name(self, name: str) -> None:
        """Ask for another name."""
        if receiver := self.receiver():
            receiver.update_name(name)

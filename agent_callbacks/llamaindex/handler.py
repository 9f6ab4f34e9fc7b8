"""The LlamaIndex handler: event handler and span handler in one object, which hands on what it hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast, final

from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.span_handlers import BaseSpanHandler

from agent_callbacks.llamaindex import install, propagation
from agent_callbacks.llamaindex.message import Reader
from agent_callbacks.llamaindex.spans import Spans
from agent_callbacks.recording.guard import attempted
from agent_callbacks.recording.recorder import Recorder
from agent_callbacks.recording.watched import Watched
from agent_callbacks.settings import HANDLER_ARGUMENTS, check_arguments

if TYPE_CHECKING:
    import inspect
    from typing import Never

    from llama_index_instrumentation.base import BaseEvent
    from llama_index_instrumentation.dispatcher import Dispatcher
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from agent_callbacks.llamaindex.place import Place
    from agent_callbacks.settings import Settings

__all__ = ["AgentEventHandler"]

_READER: Final = Reader()


@final
class AgentEventHandler(Watched, BaseEventHandler, BaseSpanHandler[Any]):
    """Records LlamaIndex agents, engines and workflows as OpenTelemetry spans; one instance serves all threads.

    Call ``install()`` once per process, or use it as a context manager: ``with AgentEventHandler().install(): ...``.

    Args:
        tracer_provider: Where spans go; the global provider unless given.
        meter_provider: Where metrics go; the global provider unless given.
        settings: ``Settings.load()`` unless given.
        **unknown: Refused.

    Raises:
        TypeError: An unknown argument, with the nearest known one.
    """

    # Not fields: a handler is no data, and an attribute that pydantic keeps costs a microsecond to read.
    __slots__ = ("_recorder", "_spans")
    _recorder: Recorder
    _spans: Spans

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        settings: Settings | None = None,
        **unknown: Never,
    ) -> None:
        check_arguments("AgentEventHandler", unknown, HANDLER_ARGUMENTS, settings)
        BaseSpanHandler.__init__(self)  # pyright: ignore[reportUnknownMemberType]
        recorder = Recorder(_READER, tracer_provider, meter_provider, settings)
        object.__setattr__(self, "_recorder", recorder)
        # ``dispatcher.shutdown()`` drops what is in open_spans: the table itself stands there, so it is true.
        object.__setattr__(self, "_spans", Spans(recorder, cast("dict[str, Place]", self.open_spans)))

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex knows the handler by."""
        return "AgentEventHandler"

    # --- what is known -------------------------------------------------------------------------------------------

    @property
    def unclassified_spans(self) -> int:
        """How many spans were of a kind this version does not know; what happened inside them is recorded."""
        return self._spans.unclassified

    # --- installing ----------------------------------------------------------------------------------------------

    def install(self, dispatcher: Dispatcher | None = None) -> AgentEventHandler:
        """Hear what LlamaIndex does from now on; doing it again changes nothing.

        Args:
            dispatcher: Where to listen; the root, which hears of everything, unless given.

        Returns:
            The handler, which is a context manager: leaving it calls ``uninstall()``.
        """
        install.install(self, dispatcher)
        return self

    def uninstall(self) -> None:
        """Hear nothing any more, wherever it was installed; what is open closes as abandoned: its end is not heard."""
        install.uninstall(self)
        self.close()

    def __enter__(self) -> AgentEventHandler:
        return self

    def __exit__(self, *_: object) -> None:
        self.uninstall()

    def close(self) -> None:
        """End what is open as abandoned; providers belong to who made them and are left alone."""
        self._recorder.abandon_all()
        self._spans.places.clear()

    # --- hearing -------------------------------------------------------------------------------------------------

    def handle(self, event: BaseEvent, **_: Any) -> None:
        """Hear an event."""
        self._spans.event(event)

    def span_enter(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any = None,
        parent_id: str | None = None,
        tags: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Hear that a span was entered."""
        self._spans.enter(id_, bound_args.arguments, instance, parent_id, tags)

    def span_exit(
        self, id_: str, bound_args: inspect.BoundArguments, instance: Any = None, result: Any = None, **_: Any
    ) -> None:
        """Hear that a span was left."""
        del bound_args, instance
        self._spans.leave(id_, result)

    def span_drop(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any = None,
        err: BaseException | None = None,
        **_: Any,
    ) -> None:
        """Hear that a span was dropped because of an error."""
        del bound_args, instance
        self._spans.drop(id_, err)

    def capture_propagation_context(self) -> dict[str, Any]:
        """Return the trace (W3C) and who asks, as plain data for another process."""
        return attempted(self, dict[str, Any](), propagation.capture, self._recorder.settings.baggage_keys)

    def restore_propagation_context(self, context: dict[str, Any]) -> None:
        """Go on in the trace that ``capture_propagation_context`` described, unless this is it already."""
        attempted(self, None, propagation.restore, context)

    # --- what the base class asks of those who do not override the three methods above ---------------------------

    def new_span(self, *_: Any, **__: Any) -> None:
        """Return nothing: spans are kept elsewhere."""

    def prepare_to_exit_span(self, *_: Any, **__: Any) -> None:
        """Return nothing: spans are kept elsewhere."""

    def prepare_to_drop_span(self, *_: Any, **__: Any) -> None:
        """Return nothing: spans are kept elsewhere."""

"""Where a LlamaIndex span stands: the adapter's bookkeeping of one span and of one agent's run, no decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_callbacks.llamaindex.tag import asked_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent_callbacks.llamaindex.role import Role
    from agent_callbacks.metadata import Request
    from agent_callbacks.reading.shape import Loose
    from agent_callbacks.recording.values import Key

__all__ = ["Call", "Place", "Run"]


class Call:
    """What LlamaIndex says when a span is entered, and where that is."""

    __slots__ = ("arguments", "id", "instance", "late", "method", "parent", "tags")

    def __init__(
        self,
        id_: str,
        method: str,
        instance: object,
        arguments: Mapping[str, Any],
        tags: Loose,
        parent: Place | None,
        late: Key | None = None,
    ) -> None:
        """Note the span's id, the method and its instance and *arguments*, its *tags*, and the span around it.

        *late* is the operation around it where that is over already.
        """
        self.id = id_
        self.method = method
        self.instance = instance
        self.arguments = arguments
        self.tags = tags
        self.parent = parent
        self.late = late

    @property
    def request(self) -> Request:
        """Who asks, as the tags say."""
        return asked_by(self.tags)

    @property
    def parent_key(self) -> Key | None:
        """The operation around it, None where LlamaIndex names none."""
        return self.late if self.parent is None else self.parent.key


class Run:
    """One run of an agent, or of a workflow of several: whose turn it is, and what is offered to the model.

    ``key`` is the run's operation, ``stay`` that of the member whose turn it is. ``turn`` counts decisions and
    ``attempt`` the tries at the present one. ``offered`` names the ``tools`` the model was given,
    ``told`` holds the ones it named in its answer, ``again`` how often a tool call that has to be repeated was made,
    ``answer`` is what was said last, ``waiting`` holds the tool calls that wait for a human. Only LlamaIndex's own
    agents say which decision a model call is part of (``decides``).
    """

    __slots__ = (
        "again", "answer", "attempt", "decides", "key", "many", "member", "offered", "present", "request", "stay",
        "told", "tools", "turn", "waiting", "workflow",
    )  # fmt: skip

    def __init__(self, key: Key, workflow: object, request: Request, *, many: bool, decides: bool) -> None:
        """Begin the run *key* of *workflow*, which has *many* agents or is one."""
        self.key = key
        self.workflow = workflow
        self.request = request
        self.many = many
        self.decides = decides
        self.stay: Key | None = None
        self.member: str | None = None
        self.present: object = None
        self.turn = 0
        self.attempt = 0
        self.offered: frozenset[str] = frozenset()
        self.tools: tuple[object, ...] = ()
        self.told: frozenset[str] = frozenset()
        self.answer: object = None
        self.again: dict[str, int] = {}
        self.waiting: set[str] = set()

    @property
    def current(self) -> Key:
        """The operation whose decisions are being made."""
        return self.key if self.stay is None else self.stay


class Place:
    """One open span.

    ``key`` is what children hang on: its own operation if it ``owns`` one, else that of the nearest span around it that
    does, which is at ``around``. ``scope`` is the agent's run while no tool, model or retriever lies between, and
    ``step`` the workflow step around. ``forms`` says that inside an answer is put into the form that was asked for,
    which LlamaIndex does by calling a tool that is none. ``holder`` is the chain that lasts as long as what runs below
    it, in ``below``. A ``twin`` is the inner half of what ``around`` has reported already.
    """

    __slots__ = (
        "__weakref__", "announced", "around", "attempts", "below", "call_id", "cancelled", "error",
        "forms", "held", "holder", "id", "instance", "key", "last", "name", "owns", "previous", "role", "run",
        "said", "scope", "step", "twin", "watched",
    )  # fmt: skip

    def __init__(self, call: Call, role: Role) -> None:
        """Stand where *call* is, hidden: everything is as around it."""
        parent = call.parent
        self.id = call.id
        self.role: Role = role
        self.instance = call.instance
        self.name: str | None = None
        self.call_id: str | None = None
        self.run: Run | None = None
        self.key: Key | None = call.late
        self.owns = False
        self.around: Place | None = None
        self.scope: Run | None = None
        self.step: str | None = None
        self.forms = False
        self.holder: Place | None = None
        if parent is not None:
            self.key, self.scope, self.step, self.forms = parent.key, parent.scope, parent.step, parent.forms
            self.around = parent if parent.owns else parent.around
            self.holder = parent if parent.below is not None else parent.holder
        self.below: set[str] | None = None
        self.held = False
        self.twin = False
        self.cancelled = False
        self.announced = False
        self.error: BaseException | None = None
        self.attempts = 0
        self.last: object = None
        self.previous: object = None
        self.said: list[str] | None = None
        self.watched: Callable[[], object] | None = None

    def own(self) -> Place:
        """Have an operation of its own, which nothing of the agent's lies below directly."""
        self.key, self.owns, self.scope, self.forms = self.id, True, None, False
        return self

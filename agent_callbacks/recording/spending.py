"""What an agent run spends, while it runs: its model calls priced and added up to steps and runs.

A sum is what could be priced. Where something could not be, ``agent_callbacks.cost.unpriced_models`` names it beside
the sum, which is then a lower bound; where nothing could be, there is no sum, never a 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.recording.values import ModelCall
from agent_callbacks.tokens.prices import Call

if TYPE_CHECKING:
    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.recording.operation import AgentScope, Operation
    from agent_callbacks.recording.values import ModelResult, Usage
    from agent_callbacks.tokens.prices import PriceBook

__all__ = ["Ledger", "Spending", "spent"]

_WAIT_SECONDS: Final = 0.02
_MAX_NAMES: Final = 32
_UNNAMED: Final = "unknown"
_NOTHING: Final = Decimal(0)
_Waiting = tuple[Call, "Usage", int, str]


class Spending:
    """What some model calls cost together, in USD: ``cost`` is None before anything could be priced.

    ``unpriced`` names the models that could not be, ``waiting`` holds calls that ended before the prices were there: a
    later sum has them.
    """

    __slots__ = ("cost", "unpriced", "waiting")

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self.cost: Decimal | None = None
        self.unpriced: dict[str, None] = {}
        self.waiting: list[_Waiting] = []

    def add(self, cost: Decimal | None, name: str) -> None:
        """Add what a call of the model *name* cost; None is what is not known."""
        if cost is None:
            if len(self.unpriced) < _MAX_NAMES:
                self.unpriced[name] = None
        else:
            self.cost = cost if self.cost is None else self.cost + cost

    def merge(self, other: Spending) -> None:
        """Add all of *other*."""
        if other.cost is not None:
            self.add(other.cost, "")
        for name in other.unpriced:
            self.add(None, name)
        self.waiting += other.waiting

    def settle(self, book: PriceBook) -> Spending:
        """Price what was waiting, as far as *book* can by now, and return this."""
        if not self.waiting or not book.loaded:
            return self
        waiting, self.waiting = self.waiting, []
        for call, usage, at_ns, name in waiting:
            self.add(book.cost(call, usage, at_ns), name)
        return self

    @property
    def known(self) -> Decimal | None:
        """The cost where it is the whole of it."""
        return None if self.unpriced or self.waiting else self.cost

    def attributes(self, key: str) -> Attributes:
        """Return the cost under *key*, in USD, and the names of what is missing from it."""
        found: Attributes = {} if self.cost is None else {key: float(self.cost)}
        if missing := dict.fromkeys((*self.unpriced, *(name for *_, name in self.waiting))):
            found[keys.UNPRICED_MODELS] = tuple(missing)[:_MAX_NAMES]
        return found


class Ledger:
    """What one agent run spends: on each of its steps, on all of them, and with sub-agents and internal calls."""

    __slots__ = ("own", "steps", "total")

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self.own = Spending()
        self.total = Spending()
        self.steps: dict[int, Spending] = {}

    def accounts(self, step: int | None) -> tuple[Spending, ...]:
        """Return what a call of *step*, or of no step, adds to."""
        if step is None:
            return (self.total,)
        return self.steps.setdefault(step, Spending()), self.own, self.total

    def step(self, index: int, book: PriceBook) -> Attributes:
        """Return what step *index* cost, and how much more that was than the step before."""
        spending = self.steps.get(index)
        if spending is None:
            return {}
        found = spending.settle(book).attributes(keys.STEP_COST)
        before = self.steps.get(index - 1)
        now, then = spending.known, None if before is None else before.settle(book).known
        if now is not None and then is not None:
            found[keys.STEP_MARGINAL_COST] = float(now - then)
        return found

    def run(self, book: PriceBook) -> Attributes:
        """Return what the run cost, by itself and with everything it called; models missing from either are named."""
        own = self.own.settle(book).attributes(keys.RUN_COST)
        return {**own, **self.total.settle(book).attributes(keys.RUN_TOTAL_COST)}


def spent(
    operation: Operation, result: ModelResult, usage: Usage | None, book: PriceBook, *, partial: bool = False
) -> Attributes:
    """Return what a model call cost, and add it to its step and runs.

    Args:
        operation: The call, whose identity is written already.
        result: What it answered.
        usage: Its tokens; None where they are not known, and so neither is what it cost.
        book: The prices.
        partial: Whether the call did not come to its end: without tokens it is then taken to cost nothing.
    """
    value = operation.value
    if not isinstance(value, ModelCall) or (usage is None and partial):
        return {}
    call = Call(value.provider, result.model or value.model, value.model, value.server_address, result.service_tier)
    name = str(operation.identity.get(keys.REQUEST_MODEL, _UNNAMED))
    accounts = _accounts(operation)
    if result.from_cache:
        for account in accounts:
            account.add(_NOTHING, name)
        return {keys.LLM_COST: float(_NOTHING)}
    if usage is not None and not (book.loaded or book.wait(_WAIT_SECONDS)):
        for account in accounts:
            account.waiting.append((call, usage, operation.start_ns, name))
        return {keys.UNPRICED_MODELS: (name,)}
    cost = None if usage is None else book.cost(call, usage, operation.start_ns)
    for account in accounts:
        account.add(cost, name)
    return {keys.UNPRICED_MODELS: (name,)} if cost is None else {keys.LLM_COST: float(cost)}


def _accounts(operation: Operation) -> tuple[Spending, ...]:
    scope = operation.scope
    agent: AgentScope | None = None if scope is None else scope.agent
    if agent is None:
        return ()
    step = operation.placed if operation.key in agent.calls else None
    return agent.ledger.accounts(None if step is None else step.index)

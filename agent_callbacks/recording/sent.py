"""What steps and runs send to models, while they run: their calls' input tokens by what they are, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.tokens import economics
from agent_callbacks.tokens.buckets import Buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_callbacks.convention.attributes import Attributes
    from agent_callbacks.settings import Settings
    from agent_callbacks.tokens.composition import Split

__all__ = ["Alert", "Growth", "Sent", "call_tokens"]

_WEAKER: Final = {"reported": 0, "reconciled": 1, "estimated": 2}
"""A sum is as good as its weakest part."""
Alert = tuple[str, "Attributes"]
"""Name and attributes of an event."""


class Sent:
    """The input tokens of some model calls together: ``input`` all of them, ``cached`` those read from a cache.

    The buckets of the calls are added up when they are asked for.
    """

    __slots__ = ("_splits", "_unsplit", "cached", "input", "method")

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.input = 0
        self.cached: int | None = None
        self.method: str | None = None
        self._splits: list[Buckets] = []
        self._unsplit = 0

    def add(self, given: int, cached: int | None, split: Split | None, method: str) -> None:
        """Add a call of *given* input tokens, *cached* of them from a cache, that are what *split* says."""
        self.input += given
        if split is None:
            self._unsplit += given
        else:
            self._splits.append(split.buckets)
        if cached is not None:
            self.cached = (self.cached or 0) + cached
        if self.method is None or (method is not self.method and _WEAKER[method] > _WEAKER[self.method]):
            self.method = method

    @property
    def buckets(self) -> Buckets | None:
        """What they are; None where no call was split. One that was not is in ``other``."""
        if not self._splits:
            return None
        if len(self._splits) == 1 and not self._unsplit:  # nearly every step
            return self._splits[0]
        counts = [sum(column) for column in zip(*self._splits, strict=True)]
        return Buckets(*counts) + Buckets(other=self._unsplit)

    def attributes(self, names: Sequence[str]) -> Attributes:
        """Return the buckets under *names*, and how they were found."""
        found: Attributes = {} if self.method is None else {keys.TOKENS_METHOD: self.method}
        if (buckets := self.buckets) is not None:
            found.update(zip(names, buckets, strict=True))
        return found


class Growth:
    """The input tokens of a run's steps, by index, and of its first call."""

    __slots__ = ("_inputs", "first")

    def __init__(self) -> None:
        """Begin before the first call."""
        self._inputs: dict[int, int] = {}
        self.first: int | None = None

    def add(self, step: int, given: int) -> None:
        """Add a call of *given* input tokens to *step*."""
        self._inputs[step] = self._inputs.get(step, 0) + given
        if self.first is None:
            self.first = given

    def step(self, index: int) -> Attributes:
        """Return how much more step *index* sent than the one before."""
        now = self._inputs.get(index)
        more = None if now is None else economics.marginal(self._inputs.get(index - 1), now)
        if more is None:
            return {}
        found: Attributes = {keys.STEP_MARGINAL_TOKENS: more.tokens}
        if more.ratio is not None:
            found[keys.STEP_MARGINAL_RATIO] = more.ratio
        return found

    def step_alert(self, index: int, settings: Settings) -> Alert | None:
        """Return the alert where step *index* and the one before both sent much more than the one before them."""
        last = [self._inputs[at] for at in range(index - 2, index + 1) if at in self._inputs]
        if not economics.is_rising(last, settings.marginal_ratio_alert):
            return None
        before, now = last[-2:]
        ratio = (now - before) / before
        words = f"step {index} sent {ratio:.0%} more than the step before, which had sent more, too"
        return keys.MARGINAL_ALERT_EVENT, {
            keys.STEP_MARGINAL_RATIO: ratio,
            keys.ALERT_THRESHOLD: settings.marginal_ratio_alert,
            keys.ALERT_MESSAGE: words,
        }

    def run(self) -> Attributes:
        """Return how many times its first input the run has sent, and how much its steps have grown."""
        inputs = self._in_order()
        pairs = (
            (keys.RUN_CONTEXT_MULTIPLE, economics.context_multiple(inputs, self.first)),
            (keys.RUN_CONTEXT_GROWTH, economics.context_growth(inputs, self.first)),
        )
        return {key: value for key, value in pairs if value is not None}

    def run_alert(self, settings: Settings) -> Alert | None:
        """Return the alert where the run has sent more than many times its first input."""
        inputs = self._in_order()
        multiple = economics.context_multiple(inputs, self.first)
        growth = economics.context_growth(inputs, self.first)
        if multiple is None or growth is None or multiple <= settings.context_multiple_alert:
            return None
        words = f"{economics.growth_kind(growth)}: {len(inputs)} steps sent {multiple:.1f} times the first call's input"
        return keys.CONTEXT_ALERT_EVENT, {
            keys.RUN_CONTEXT_MULTIPLE: multiple,
            keys.RUN_CONTEXT_GROWTH: growth,
            keys.ALERT_THRESHOLD: settings.context_multiple_alert,
            keys.ALERT_MESSAGE: words,
        }

    def _in_order(self) -> list[int]:
        return [self._inputs[index] for index in sorted(self._inputs)]


def call_tokens(split: Split) -> Attributes:
    """Return what the input tokens of one model call are."""
    found: Attributes = dict(zip(keys.LLM_TOKENS, split.buckets, strict=True))
    if split.cached is not None:
        found.update(zip(keys.LLM_CACHED_TOKENS, split.cached, strict=True))
    if split.assumed:
        found[keys.TOKENS_ENCODING_ASSUMED] = True
    if split.mismatch:
        found[keys.TOKENS_MISMATCH] = True
    return found

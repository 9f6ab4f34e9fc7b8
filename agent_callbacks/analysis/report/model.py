"""What the page shows, as frozen values: the one thing that its script and its templates read.

Seconds are float seconds, money is US dollars, tokens are ints; a moment within a run counts from the run's start. All
text has been through ``shown.visible``. ``agent-callbacks report --json`` prints a ``Page`` as it stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from agent_callbacks.analysis.report.amount import Unit
    from agent_callbacks.analysis.row import Kind
    from agent_callbacks.analysis.shown import Shown

SCHEMA: Final = "agent_callbacks.report/1"

Bucket: TypeAlias = Literal["system_prompt", "tool_schemas", "history", "tool_outputs", "other", "unsplit"]
"""What input tokens are made of; ``unsplit`` where nobody counted the parts."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A title and what stands beside it, such as ``user`` and ``u-17``."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of a reader, answered in words; *run* and *span* are places in the lists to jump to."""

    question: str
    text: str
    run: int | None = None
    span: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened during a span, or another span it points to; *at* is seconds into the run."""

    name: str
    at: float | None
    attributes: dict[str, Shown]


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One line of the waterfall, depth first.

    ``parent`` is the place of its parent's row, -1 for a root; ``begin``, ``first_token`` and ``end`` are seconds into
    the run, ``end`` None when it never ended; ``failed_below`` counts the failures under it; ``critical`` are the
    pieces of the critical path that are its own, as begin, end, begin, end.
    """

    span_id: str
    parent: int
    depth: int
    name: str
    kind: Kind
    begin: float
    end: float | None
    first_token: float | None
    input_tokens: int | None
    output_tokens: int | None
    estimated: bool
    cost: float | None
    failed: bool
    mark: str | None
    failed_below: int
    critical: tuple[float, ...]
    status: str
    otel_kind: str
    scope: str
    attributes: dict[str, Shown]
    events: tuple[Note, ...]
    links: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step read and wrote, and what it added to the step before.

    ``span`` is its row, ``run`` the span id of its agent run, which tells two runs of one agent apart; in a trace
    without steps these are model calls, ``agent`` is the model and ``run`` is empty. ``alert`` is ``"rising"`` where
    the alert on growing steps was raised.
    """

    span: int
    label: str
    agent: str
    run: str
    buckets: dict[Bucket, int]
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost: float | None
    marginal_tokens: int | None
    marginal_cost: float | None
    estimated: bool
    alert: str | None


@dataclass(frozen=True, slots=True)
class Component:
    """Where a part of the run's seconds went; *note* says what the data cannot show."""

    key: str
    title: str
    seconds: float
    share: float
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to change, in words; *saving* is an upper bound in seconds, *evidence* says how sure it is."""

    kind: str
    title: str
    text: str
    evidence: str | None
    saving: float | None
    spans: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of the bill: a model's calls, or what the tool schemas cost."""

    title: str
    calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One trace; ``missing`` says by section, in sentences, what it cannot show and why."""

    trace_id: str
    name: str
    started: str
    facts: tuple[Fact, ...]
    variant: str | None
    outcome: str | None
    duration: float
    cost: float | None
    steps_count: int
    model_calls: int
    tool_calls: int
    failures: int
    input_tokens: int | None
    output_tokens: int | None
    answers: tuple[Answer, ...]
    spans: tuple[SpanRow, ...]
    steps: tuple[Step, ...]
    components: tuple[Component, ...]
    findings: tuple[Finding, ...]
    charges: tuple[Charge, ...]
    missing: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How one quantity is spread over *n* things; a percentile that n cannot carry is None, and ``note`` says why."""

    title: str
    unit: Unit
    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One variant against the one with most runs: ``answer`` says which is cheaper, ``lines`` the figures behind it."""

    variant: str
    against: str
    answer: str
    lines: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """The runs of one variant; times, costs and tokens are means over the runs where they are known."""

    name: str
    runs: int
    succeeded: int
    duration: float | None
    cost: float | None
    input_tokens: float | None
    output_tokens: float | None


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page."""

    title: str
    made: str
    version: str
    answers: tuple[Answer, ...]
    runs: tuple[Run, ...]
    percentiles: tuple[Percentiles, ...]
    variants: tuple[Variant, ...]
    differences: tuple[Difference, ...]
    missing: dict[str, tuple[str, ...]]

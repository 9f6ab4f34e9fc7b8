"""``agent-callbacks show``: one trace as a waterfall, with what is asked of it first, or as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis.cost import cost_report, costs_of
from agent_callbacks.analysis.latency import latency_report
from agent_callbacks.analysis.row import rows, totals
from agent_callbacks.cli import chosen, terminal

if TYPE_CHECKING:
    from agent_callbacks.analysis.trace import Trace

SCHEMA: Final = "agent_callbacks.trace/1"


@click.command(epilog="Example: agent-callbacks show last --session s-9")
@chosen.trace_options
@click.option("--depth", type=click.IntRange(0), metavar="N", help="Fold what is deeper than N levels below a root.")
@terminal.json_option
def show(
    *,
    trace: str,
    within: str | None,
    session: str | None,
    user: str | None,
    store: str | None,
    depth: int | None,
    as_json: bool,
) -> None:
    """Show one trace: the last, the one whose id begins with TRACE_ID (four characters or more), or one in a FILE.

    The bars say when: thin until a model's first token, faint beside the critical path. What a FILE (or standard input)
    holds is sanitized first. Its letter says what a span is: A agent run, S step, M model call, E embedding, T tool,
    R retriever, C chain, N node.
    """
    found = chosen.choose(trace, within=within, session=session, user=user, store=store)
    with terminal.prices():
        if as_json:
            terminal.echo_json(document(found.trace))
        else:
            terminal.page(terminal.trace_view(found.trace, found.source, depth=depth))


def document(trace: Trace) -> dict[str, Any]:
    """Return *trace* as one JSON object: ``schemas/trace.json`` says what is in it."""
    costs, latency = cost_report(trace, parts=False), latency_report(trace)
    top = latency.findings[0] if latency.findings else None
    return {
        "schema": SCHEMA,
        "trace_id": trace.trace_id,
        "summary": {
            "name": trace.root.name,
            "outcome": trace.outcome,
            "duration": trace.duration,
            **dataclasses.asdict(totals(trace)),
            "cost": None if costs.total is None else float(costs.total),
            "unpriced": list(costs.unpriced),
            "finding": None if top is None else top.text,
        },
        "critical_path": list(latency.critical_path),
        "costs": costs_of(costs),
        "failed_below": {
            span.span_id: row.failed_below
            for (span, _), row in zip(trace.walk(), rows(trace), strict=True)
            if row.failed_below
        },
        "spans": [dataclasses.asdict(span) for span in trace.spans],
    }

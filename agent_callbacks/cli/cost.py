"""``agent-callbacks cost``: what one trace cost, step by step and by what for, and what it would cost elsewhere."""

from __future__ import annotations

import dataclasses
import difflib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.cost import cost_report, known_models, reprice_all
from agent_callbacks.analysis.drawing.bar import Part, share, stacked
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.drawing.prose import bullets, joined
from agent_callbacks.analysis.drawing.table import Column, flexible, legend, numbers, table, texts
from agent_callbacks.analysis.figure import counted, dollars, percent
from agent_callbacks.analysis.report.bill import charges_of
from agent_callbacks.analysis.tokens import token_report
from agent_callbacks.analysis.waterfall import clamped, headline
from agent_callbacks.cli import chosen, terminal
from agent_callbacks.cli.tokens import GLYPHS
from agent_callbacks.tokens.buckets import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent_callbacks.analysis.cost import CallCost, CostReport, RunCost, StepCost
    from agent_callbacks.analysis.drawing.ink import Paint
    from agent_callbacks.analysis.trace import Trace

SCHEMA: Final = "agent_callbacks.cost/1"
_MIN_BAR: Final = 14
_MOST_BAR: Final = 80
_MIN_LABEL: Final = 8
_SUGGESTED: Final = 3
_NO_BUCKETS: Final = "what the parts of the input cost, tool schemas too, is not known: this trace carries no buckets"
_AS_IF: Final = "as if: the tokens are those of the original; other models count and answer differently"
_TITLES: Final = {
    "system_prompt": "system prompt", "tool_schemas": "tool schemas", "history": "history",
    "tool_outputs": "tool outputs", "other": "other input", "input": "input, not split", "output": "output",
    "unknown": "not split",
}  # fmt: skip
_GLYPHS: Final = {**GLYPHS, "input": "█", "output": "▄", "unknown": "▁"}
_STYLES: Final = {**dict(zip(BUCKETS, BUCKETS, strict=True)), "input": "unsplit", "output": "bold", "unknown": "faint"}


@click.command(epilog="Example: agent-callbacks cost last --as-if gpt-4.1-mini --as-if claude-haiku-4-5")
@chosen.trace_options
@click.option(
    "--as-if", "models", multiple=True, metavar="MODEL", help="Price the same tokens as MODEL's too; may be repeated."
)
@terminal.json_option
def cost(
    *,
    trace: str,
    within: str | None,
    session: str | None,
    user: str | None,
    store: str | None,
    models: Sequence[str],
    as_json: bool,
) -> None:
    """Show what one trace cost: each step, each model, what sending the tools' schemas took, and other models' prices.

    MODEL is a name as its provider spells it, or provider/name. Tokenizers differ, and so would answers: --as-if counts
    the tokens of the original. What cannot be priced is named and never counted as nothing.
    """
    found = chosen.choose(trace, within=within, session=session, user=user, store=store)
    with terminal.prices():
        report = cost_report(found.trace)
        others = reprice_all(found.trace, dict.fromkeys(models))
        for other in others:
            _check(other)
    if as_json:
        terminal.echo_json(document(report, others))
    else:
        width, paint = clamped(terminal.width()), ink(color=terminal.color())
        terminal.page("\n".join([*view(found.trace, report, others, width, paint), "", found.source]))


def _check(other: CostReport) -> None:
    """Leave with a message where the model to compare with has no price."""
    model = other.priced_as
    if model is None or model not in other.unpriced:
        return
    known, missing = known_models()
    names = {name.rpartition("/")[2]: name for name in reversed(known)}
    close = difflib.get_close_matches(model.lower().rpartition("/")[2], names, _SUGGESTED, 0.5)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    reason = f"; {missing}" if missing else ""
    terminal.stop(f"no price is known for {model!r}{hint}{reason}", terminal.USAGE_ERROR)


def document(report: CostReport, others: Sequence[CostReport]) -> dict[str, Any]:
    """Return the reports as one JSON object: ``schemas/cost.json`` says what is in it."""
    return {"schema": SCHEMA, **_report_document(report), "as_if": [_report_document(other) for other in others]}


def _report_document(report: CostReport) -> dict[str, Any]:
    runs = [
        {
            **dataclasses.asdict(run),
            "tool_schemas_cost": run.tool_schemas_cost,
            "tool_schemas_share": run.tool_schemas_share,
        }
        for run in report.runs
    ]
    return {**dataclasses.asdict(report), "runs": runs}


# --- the view --------------------------------------------------------------------------------------------------------


def view(trace: Trace, report: CostReport, others: Sequence[CostReport], width: int, paint: Paint) -> list[str]:
    """Return the lines of the view, at most *width* cells wide."""
    lines = headline(trace, width, paint, _total(report.total, report.unpriced))
    if not report.calls:
        return [*lines, "", "no model call in this trace says what it used"]
    for run in report.runs:
        if run.steps:
            lines += ["", *_run(run, width, paint)]
    if amounts := _amounts(report.calls):
        lines += ["", paint("What it was paid for", "bold"), *_parts_table(amounts, width, paint)]
    lines += ["", paint("By model", "bold"), *_models(report, width, paint)]
    if others:
        lines += ["", paint("As if", "bold"), *_others(report, others, width, paint)]
    notes = [*report.notes, *_reminders(trace, report), *([_AS_IF] if others else [])]
    return [*lines, *([""] if notes else []), *(paint(line, "faint") for line in bullets(notes, width))]


def _total(cost: Decimal | None, unpriced: Sequence[str]) -> str:
    if cost is None:
        return "cost not known"
    return ("at least " if unpriced else "") + dollars(float(cost))


def _run(run: RunCost, width: int, paint: Paint) -> Iterator[str]:
    facts = [run.agent or run.name, counted(len(run.steps), "step"), _total(run.cost, run.unpriced)]
    if run.tool_schemas_tokens is not None:
        money = "" if run.tool_schemas_cost is None else f" {dollars(float(run.tool_schemas_cost))}"
        part = "" if run.tool_schemas_share is None else f" ({percent(run.tool_schemas_share)} of its input)"
        facts.append(f"tool schemas {run.tool_schemas_tokens:,} tokens{money}{part}")
    if run.cached_saving:
        facts.append(f"caching saved {dollars(float(run.cached_saving))}")
    yield from (paint(line, "bold") for line in joined(facts, width))
    yield from _steps(run.steps, width, paint)


def _steps(steps: Sequence[StepCost], width: int, paint: Paint) -> list[str]:
    """Return the table of steps: one bar each, what was paid for one after the other, all to one scale."""
    most = max((float(step.cost) for step in steps if step.cost is not None), default=0.0)
    schemas = [step.buckets.tool_schemas if step.buckets is not None else None for step in steps]
    columns = [
        flexible("", [f"step {step.index}" for step in steps], paint, least=_MIN_LABEL),
        *([numbers("cost", [_money(step.cost) for step in steps], paint)] if most else []),
        *([numbers("more", [_change(step.marginal_cost) for step in steps], paint, rank=2)] if most else []),
        numbers("in", [f"{step.input_tokens:,}" for step in steps], paint, rank=3),
        numbers("out", [f"{step.output_tokens:,}" for step in steps], paint, rank=4),
    ]
    if any(schemas):
        columns.append(numbers("schemas", [_money(each) for each in schemas], paint, rank=5))
    if most:
        columns.append(
            Column("", lambda row, room: stacked(_of_calls(steps[row].calls), most, room, paint), _MOST_BAR, _MIN_BAR,
                   grows=True)
        )  # fmt: skip
    return table(columns, len(steps), width, paint)


def _amounts(calls: Iterable[CallCost]) -> dict[str, Decimal]:
    """Return what *calls* cost by what it was paid for, those of nothing left out; the sum is what is known."""
    found: dict[str, Decimal] = {}
    for call in calls:
        for title, amount in _of_call(call):
            found[title] = found.get(title, Decimal(0)) + amount
    return {title: found[title] for title in _TITLES if found.get(title)}


def _of_call(call: CallCost) -> Iterator[tuple[str, Decimal]]:
    if call.cost is None:
        return
    if call.parts is None:
        yield "unknown", call.cost
        return
    yield "output", call.parts.output + call.parts.reasoning
    if call.buckets is None:
        yield "input", call.parts.all_input
    else:
        yield from ((bucket, getattr(call.buckets, bucket)) for bucket in BUCKETS)


def _of_calls(calls: Iterable[CallCost]) -> list[Part]:
    return [Part(float(amount), _GLYPHS[title], _STYLES[title]) for title, amount in _amounts(calls).items()]


def _parts_table(known: Mapping[str, Decimal], width: int, paint: Paint) -> list[str]:
    amounts = sorted(known.items(), key=lambda pair: -pair[1])
    whole, most = float(sum(amount for _, amount in amounts)), float(amounts[0][1])
    columns = [
        legend([_GLYPHS[title] for title, _ in amounts], [_STYLES[title] for title, _ in amounts], paint),
        dataclasses.replace(
            flexible("", [_TITLES[title] for title, _ in amounts], paint, least=_MIN_LABEL), gap=1
        ),
        numbers("cost", [_money(amount) for _, amount in amounts], paint),
        numbers("share", [percent(float(amount) / whole) for _, amount in amounts], paint, rank=1),
        Column("", lambda row, room: paint(share(float(amounts[row][1]), most, room), _STYLES[amounts[row][0]]),
               _MOST_BAR, _MIN_BAR, grows=True),
    ]  # fmt: skip
    return table(columns, len(amounts), width, paint)


def _models(report: CostReport, width: int, paint: Paint) -> list[str]:
    lines = charges_of(report)
    columns = [
        flexible("", [cells.printable(line.title) for line in lines], paint, least=_MIN_LABEL),
        numbers("cost", ["not known" if line.cost is None else dollars(line.cost) for line in lines], paint),
        numbers("calls", ["" if line.calls is None else f"{line.calls:,}" for line in lines], paint, rank=3),
        numbers("in", ["" if line.input_tokens is None else f"{line.input_tokens:,}" for line in lines], paint, rank=1),
        numbers("out", ["" if line.output_tokens is None else f"{line.output_tokens:,}" for line in lines], paint,
                rank=2),
        texts("", [line.note or "" for line in lines], paint, style="faint", rank=4),
    ]  # fmt: skip
    return table(columns, len(lines), width, paint)


def _others(report: CostReport, others: Sequence[CostReport], width: int, paint: Paint) -> list[str]:
    """Return the table of prices: as it ran, then the others, the cheapest first."""
    order = [report, *sorted(others, key=lambda other: other.total or Decimal(0))]
    most = max(float(each.total or 0) for each in order)
    columns = [
        flexible("", [each.priced_as or "as it ran" for each in order], paint, least=_MIN_LABEL),
        numbers("cost", [_total(each.total, each.unpriced) for each in order], paint),
        numbers("change", [_against(each, report) for each in order], paint, rank=1),
        Column("", lambda row, room: paint(share(float(order[row].total or 0), most, room), "cost"), _MOST_BAR,
               _MIN_BAR, grows=True),
    ]  # fmt: skip
    return table(columns, len(order), width, paint)


def _against(other: CostReport, report: CostReport) -> str:
    if other is report or not report.total or other.total is None or report.unpriced:
        return ""
    change = float(other.total / report.total) - 1
    return f"{'+' if change > 0 else ''}{percent(change)}".replace("-", "\u2212")


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else dollars(float(amount))


def _change(amount: Decimal | None) -> str:
    return "" if amount is None else f"{'+' if amount > 0 else ''}{dollars(float(amount))}"


def _reminders(trace: Trace, report: CostReport) -> Iterator[str]:
    """Yield why what was paid is not divided into what it was paid for, as far as that is so."""
    calls = token_report(trace).calls
    if calls and all(call.buckets is None for call in calls):
        yield _NO_BUCKETS
    recorded = dict.fromkeys(call.model for call in report.calls if call.cost is not None and call.parts is None)
    if recorded:
        yield f"not split: the trace says what {', '.join(recorded)} cost, but the price is not known here"

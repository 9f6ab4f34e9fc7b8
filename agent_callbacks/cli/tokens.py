"""``agent-callbacks tokens``: where the input tokens of one trace went, step by step."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.drawing.bar import Part, stacked
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.drawing.prose import bullets, joined
from agent_callbacks.analysis.drawing.table import Column, flexible, legend, numbers, table, texts
from agent_callbacks.analysis.figure import counted, percent, signed
from agent_callbacks.analysis.tokens import token_report
from agent_callbacks.analysis.waterfall import clamped, headline
from agent_callbacks.analysis.window import fullest, windows
from agent_callbacks.cli import chosen, terminal
from agent_callbacks.tokens.buckets import BUCKETS, Buckets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.analysis.drawing.ink import Paint
    from agent_callbacks.analysis.tokens import CallTokens, RunTokens, StepTokens, TokenReport
    from agent_callbacks.analysis.trace import Trace
    from agent_callbacks.analysis.window import Window

SCHEMA: Final = "agent_callbacks.tokens/1"
_TITLES: Final[Mapping[str, str]] = {
    "system_prompt": "system prompt", "tool_schemas": "tool schemas", "history": "history",
    "tool_outputs": "tool outputs", "other": "other", "unsplit": "input",
}  # fmt: skip
GLYPHS: Final[Mapping[str, str]] = {
    "system_prompt": "█", "tool_schemas": "▓", "history": "▒", "tool_outputs": "░", "other": "▪", "unsplit": "█",
}  # fmt: skip
"""What each bucket is drawn with: told apart without colours, too."""
_COLUMNS: Final[Mapping[str, str]] = {
    "system_prompt": "system", "tool_schemas": "schemas", "history": "history", "tool_outputs": "outputs",
    "other": "other",
}  # fmt: skip
_NOT_SPLIT: Final = (
    "the input is not split by what it is: this trace carries no buckets (recorded with count_tokens off, by an "
    "earlier release or by another instrumentation)"
)
_NO_CALL: Final = "no model call in this trace"
_MIN_BAR: Final = 16
_MOST_BAR: Final = 80
_MIN_LABEL: Final = 8


@click.command(epilog="Example: agent-callbacks tokens last --more 10")
@chosen.trace_options
@click.option(
    "--more", default=5, show_default=True, type=click.IntRange(0, 1000), metavar="N", help="Project N more steps."
)
@terminal.json_option
def tokens(
    *,
    trace: str,
    within: str | None,
    session: str | None,
    user: str | None,
    store: str | None,
    more: int,
    as_json: bool,
) -> None:
    """Show where the input tokens of one trace went: what each step sent, what it was, what grew, and what comes next.

    The share of the model's context window is shown where a price list knows the window, or your own file of prices.
    """
    found = chosen.choose(trace, within=within, session=session, user=user, store=store)
    report = token_report(found.trace)
    with terminal.prices():
        known = windows(found.trace, report)
    if as_json:
        terminal.echo_json(document(report, known, more))
    else:
        width, paint = clamped(terminal.width()), ink(color=terminal.color())
        terminal.page("\n".join([*view(found.trace, report, known, more, width, paint), "", found.source]))


def document(report: TokenReport, known: Mapping[str, Window], more: int) -> dict[str, Any]:
    """Return *report* as one JSON object: ``schemas/tokens.json`` says what is in it."""
    return {
        "schema": SCHEMA,
        "trace_id": report.trace_id,
        "runs": [_run_document(run, known, more) for run in report.runs],
        "calls": [_call_document(call, known) for call in report.calls],
        "notes": list(_notes(report)),
    }


def _run_document(run: RunTokens, known: Mapping[str, Window], more: int) -> dict[str, Any]:
    steps = [
        {
            **_named(step),
            "window": _window_document(fullest(step.calls, known)),
            "calls": [_call_document(call, known) for call in step.calls],
        }
        for step in run.steps
    ]
    return {**_named(run), "steps": steps, "projected": list(run.projected(more))}


def _call_document(call: CallTokens, known: Mapping[str, Window]) -> dict[str, Any]:
    return {**_named(call), "window": _window_document(known.get(call.span_id))}


def _window_document(window: Window | None) -> dict[str, Any] | None:
    return None if window is None else dataclasses.asdict(window)


def _named(value: Any) -> dict[str, Any]:
    """Return a value of the report as a dict, its buckets by name."""
    return dataclasses.asdict(value, dict_factory=_fields)


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value._asdict() if isinstance(value, Buckets) else value for name, value in pairs}


# --- the view --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """One step, or of a trace without steps one call."""

    label: str
    input: int
    output: int
    buckets: Buckets | None
    marginal: int | None
    cached: float | None
    window: Window | None
    estimated: bool
    rising: bool

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """What the input was, by bucket."""
        if self.buckets is None:
            return (("unsplit", self.input),)
        return tuple(zip(BUCKETS, self.buckets, strict=True))


def view(
    trace: Trace, report: TokenReport, known: Mapping[str, Window], more: int, width: int, paint: Paint
) -> list[str]:
    """Return the lines of the view, at most *width* cells wide."""
    sent, made = sum(call.input for call in report.calls), sum(call.output for call in report.calls)
    if not sent + made + sum(run.input + run.output for run in report.runs):
        missing = "no model call in this trace says how many tokens it used" if report.calls else _NO_CALL
        return [*headline(trace, width, paint), "", missing]
    lines = headline(trace, width, paint, f"{sent:,} tokens in", f"{made:,} out")
    for run in report.runs:
        lines += ["", *_run(run, known, more, width, paint)]
    if not report.runs:
        lines += ["", *_calls(report.calls, known, width, paint)]
    notes = list(_notes(report))
    return [*lines, *([""] if notes else []), *(paint(line, "faint") for line in bullets(notes, width))]


def _run(run: RunTokens, known: Mapping[str, Window], more: int, width: int, paint: Paint) -> Iterator[str]:
    steps = [_of_step(step, known) for step in run.steps]
    window = fullest([call for step in run.steps for call in step.calls], known)
    facts = [run.agent or run.name, counted(len(steps), "step"), f"{run.input:,} tokens in", f"{run.output:,} out"]
    if run.cached_share is not None:
        facts.append(f"{percent(run.cached_share)} cached")
    if window is not None:
        facts.append(f"{window.model} takes {window.tokens:,}")
    yield from (paint(line, "bold") for line in joined(facts, width))
    if steps:
        yield from _steps(steps, width, paint)
        if any(step.buckets for step in steps):
            yield ""
            yield from _list(steps, width, paint)
        told = bullets(_told(run, more), width, "→")
        yield from ["", *told] if told else []


def _calls(calls: Sequence[CallTokens], known: Mapping[str, Window], width: int, paint: Paint) -> Iterator[str]:
    yield paint(counted(len(calls), "model call"), "bold")
    lines = [
        _Line(
            f"call {number} {cells.printable(call.model or call.name)}", call.input, call.output, call.buckets, None,
            None if call.cache_read is None or not call.input else call.cache_read / call.input,
            known.get(call.span_id), call.usage_estimated, rising=False,
        )
        for number, call in enumerate(calls, 1)
    ]  # fmt: skip
    yield from _steps(lines, width, paint)
    if any(line.buckets for line in lines):
        yield ""
        yield from _list(lines, width, paint)


def _of_step(step: StepTokens, known: Mapping[str, Window]) -> _Line:
    return _Line(
        f"step {step.index}", step.input, step.output, step.buckets,
        None if step.marginal is None else step.marginal.tokens, step.cached_share, fullest(step.calls, known),
        any(call.usage_estimated for call in step.calls), step.rising,
    )  # fmt: skip


def _steps(lines: Sequence[_Line], width: int, paint: Paint) -> list[str]:
    """Return the table of steps: one bar each, the buckets one after the other, all to one scale."""
    most = max(line.input for line in lines)
    columns = [
        flexible("", [line.label for line in lines], paint, least=_MIN_LABEL),
        numbers("in", [("~" if line.estimated else "") + f"{line.input:,}" for line in lines], paint),
        numbers("out", [f"{line.output:,}" for line in lines], paint, rank=2),
    ]
    if any(line.marginal is not None for line in lines):
        columns.insert(2, numbers("more", [_more(line) for line in lines], paint, rank=1))
    if any(line.cached is not None for line in lines):
        shares = ["" if line.cached is None else percent(line.cached) for line in lines]
        columns.append(numbers("cached", shares, paint, rank=4))
    if any(line.window is not None for line in lines):
        shares = ["" if line.window is None else percent(line.window.share) for line in lines]
        columns.append(numbers("window", shares, paint, rank=3))
    if any(line.buckets for line in lines):
        columns += [_bucket(bucket, lines, paint) for bucket in BUCKETS]
    columns.append(
        Column("", lambda row, room: stacked(_parts(lines[row]), most, room, paint), _MOST_BAR, _MIN_BAR, grows=True)
    )
    return table(columns, len(lines), width, paint)


def _bucket(bucket: str, lines: Sequence[_Line], paint: Paint) -> Column:
    counts = [f"{dict(line.parts)[bucket]:,}" if line.buckets else "" for line in lines]
    made = numbers(f"{GLYPHS[bucket]} {_COLUMNS[bucket]}", counts, paint, rank=5)
    return dataclasses.replace(made, style=bucket)


def _more(line: _Line) -> str:
    return "" if line.marginal is None else signed(line.marginal) + (" ▲" if line.rising else "")


def _parts(line: _Line) -> list[Part]:
    return [Part(amount, GLYPHS[bucket], bucket) for bucket, amount in line.parts]


def _list(lines: Sequence[_Line], width: int, paint: Paint) -> list[str]:
    """Return the table of buckets: all steps together, and the first against the last."""
    whole = sum(line.input for line in lines)
    sums: dict[str, int] = {}
    for line in lines:
        for bucket, amount in line.parts:
            sums[bucket] = sums.get(bucket, 0) + amount
    names = [bucket for bucket in (*BUCKETS, "unsplit") if bucket in sums]
    first, last = dict(lines[0].parts), dict(lines[-1].parts)
    columns = [
        legend([GLYPHS[each] for each in names], names, paint),
        dataclasses.replace(texts("", [_TITLES[each] for each in names], paint), gap=1),
        numbers("all steps", [f"{sums[each]:,}" for each in names], paint),
        numbers("share", [percent(sums[each] / whole) if whole else "" for each in names], paint),
    ]
    if len(lines) > 1:
        columns += [
            numbers(lines[0].label, [f"{first.get(each, 0):,}" for each in names], paint, rank=2),
            numbers(lines[-1].label, [f"{last.get(each, 0):,}" for each in names], paint, rank=2),
            numbers("grew", [signed(last.get(each, 0) - first.get(each, 0)) for each in names], paint, rank=1),
        ]
    return table(columns, len(names), width, paint)


def _told(run: RunTokens, more: int) -> Iterator[str]:
    """Yield what the numbers say: what the run sent as a multiple of its first call, alerts, and what comes next."""
    if run.context_multiple is not None and len(run.steps) > 1:
        growth = "" if run.context_growth is None else f", each step of the last third {run.context_growth:.1f} times"
        kind = "" if run.alert is None else f": {run.alert}"
        yield f"all steps together sent {run.context_multiple:.1f} times the input of the first call{growth}{kind}"
    rising = [f"{step.index}" for step in run.steps if step.rising]
    if rising:
        yield f"the input rose faster than the alert allows at step {', '.join(rising)} (▲)"
    if more and len(run.steps) > 1:
        next_ = run.projected(more)
        yield (
            f"{counted(more, 'more step')} would send {sum(next_):,} tokens, the last of them {next_[-1]:,}, "
            "were they to grow as the run has so far"
        )


def _notes(report: TokenReport) -> Iterator[str]:
    """Yield what the figures leave out, and why."""
    if report.calls and all(call.buckets is None for call in report.calls):
        yield _NOT_SPLIT
    if internal := [call for call in report.calls if call.internal]:
        yield (
            f"{counted(len(internal), 'call')} of the framework's own sent {sum(call.input for call in internal):,} "
            "tokens, in no step"
        )
    if any(call.usage_estimated for call in report.calls):
        yield "~ estimated here: the provider reported no usage"
    if any(call.encoding_assumed for call in report.calls):
        yield "the model's own encoding is not known: the parts are counted with another and scaled to the report"
    if mismatched := sum(call.mismatch for call in report.calls):
        yield f"of {counted(mismatched, 'call')} the report is not explained by the text that was sent: see other"

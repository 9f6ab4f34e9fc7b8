"""``agent-callbacks latency``: where the seconds of one trace went, and what could be faster."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import click

from agent_callbacks.analysis import cells
from agent_callbacks.analysis.drawing.bar import Part, share, stacked, stretch
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.drawing.prose import bullets, pairs, wrapped
from agent_callbacks.analysis.drawing.table import Column, flexible, legend, numbers, table
from agent_callbacks.analysis.figure import percent
from agent_callbacks.analysis.latency import MODEL, TOOLS, Component, latency_report
from agent_callbacks.analysis.report.latency import TITLES, unseen
from agent_callbacks.analysis.row import kind_of
from agent_callbacks.analysis.waterfall import clamped, duration, headline
from agent_callbacks.cli import chosen, terminal
from agent_callbacks.convention import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_callbacks.analysis.drawing.ink import Paint
    from agent_callbacks.analysis.latency import ComponentTime, Finding, LatencyReport, ModelTiming
    from agent_callbacks.analysis.trace import Trace

SCHEMA: Final = "agent_callbacks.latency/1"
_NANOSECONDS: Final = 1e9
_MIN_BAR: Final = 12
_MOST_BAR: Final = 80
_MIN_NAME: Final = 16
_NAMES: Final = 0.55  # of the width: where something happened is what these tables are about
_STEPS_OF_PATH: Final = 12
_MODELS: Final = 12
_CALLS: Final = frozenset("MTRE")
_RUN: Final = "agent.run."
_IN: Final = " \u203a "  # a single angle
_GLYPHS: Final[Mapping[str, str]] = {"model": "█", "waiting": "▒", "own": "▓", "framework": "░"}


def _group(component: Component) -> str:
    if component in MODEL or component is Component.REQUEST_SERIALIZATION:
        return "model"
    if component is Component.TOOL_MARSHALING:
        return "own"
    return "waiting" if component in TOOLS else "framework"


@click.command(epilog="Example: agent-callbacks latency last")
@chosen.trace_options
@terminal.json_option
def latency(
    *, trace: str, within: str | None, session: str | None, user: str | None, store: str | None, as_json: bool
) -> None:
    """Show where the seconds of one trace went: components, critical path, what could be faster, what is not seen.

    The components are the time the run waited, so they add up to it exactly. What could be saved is an upper bound.
    """
    found = chosen.choose(trace, within=within, session=session, user=user, store=store)
    report = latency_report(found.trace)
    if as_json:
        terminal.echo_json(document(report))
    else:
        width, paint = clamped(terminal.width()), ink(color=terminal.color())
        terminal.page("\n".join([*view(found.trace, report, width, paint), "", found.source]))


def document(report: LatencyReport) -> dict[str, Any]:
    """Return *report* as one JSON object: ``schemas/latency.json`` says what is in it."""
    return {"schema": SCHEMA, **dataclasses.asdict(report)}


# --- the view --------------------------------------------------------------------------------------------------------


def view(trace: Trace, report: LatencyReport, width: int, paint: Paint) -> list[str]:
    """Return the lines of the view, at most *width* cells wide."""
    lines = headline(trace, width, paint, duration(report.duration_ns / _NANOSECONDS))
    for title, body in (
        ("Where the time went", _components(report, width, paint)),
        ("Critical path", _path(trace, report, width, paint)),
        ("How fast models answered", _models(trace, report, width, paint)),
        ("What could be faster", _findings(report.findings, width, paint)),
        ("What cannot be seen", [paint(line, "faint") for line in bullets(unseen(report), width)]),
    ):
        if body:
            lines += ["", paint(title, "bold"), *body]
    return lines


def _components(report: LatencyReport, width: int, paint: Paint) -> list[str]:
    """Return one bar of all components, and each with its time; those of no time are left out."""
    shown = [one for one in report.components if one.time_ns]
    parts = [Part(one.time_ns, _GLYPHS[_group(one.component)], _group(one.component)) for one in _grouped(shown)]
    whole = [stacked(parts, report.duration_ns, min(width, _MOST_BAR), paint)] if shown else []
    order = sorted(shown, key=lambda one: -one.time_ns)
    groups = [_group(one.component) for one in order]
    most = order[0].time_ns if order else 1
    columns = [
        legend([_GLYPHS[each] for each in groups], groups, paint),
        dataclasses.replace(flexible("", [TITLES[one.component] for one in order], paint, least=_MIN_NAME), gap=1),
        numbers("time", [_said(one.time_ns) for one in order], paint),
        numbers("share", [percent(one.share) for one in order], paint, rank=1),
    ]
    if any(_parallel(one) for one in order):
        work = [_said(one.work_ns) if _parallel(one) else "" for one in order]
        columns.append(numbers("all calls", work, paint, rank=2, style="faint"))
    columns.append(
        Column("", lambda row, room: paint(share(order[row].time_ns, most, room), _group(order[row].component)),
               _MOST_BAR, _MIN_BAR, grows=True)
    )  # fmt: skip
    return [*whole, *table(columns, len(order), width, paint)] if order else []


def _grouped(shown: Sequence[ComponentTime]) -> list[ComponentTime]:
    order = list(_GLYPHS)
    return sorted(shown, key=lambda one: order.index(_group(one.component)))


def _parallel(one: ComponentTime) -> bool:
    """Say whether calls of this component ran beside something longer, by more than a hundredth."""
    return one.work_ns - one.time_ns > one.work_ns / 100


def _said(nanoseconds: int) -> str:
    return duration(nanoseconds / _NANOSECONDS)


@dataclasses.dataclass(slots=True)
class _Stay:
    """Time the run spent in one span without a break: nanoseconds from its start."""

    span_id: str
    begin: int
    end: int


def _stays(trace: Trace, report: LatencyReport) -> list[_Stay]:
    """Return where the run stayed, in the order of time; what is inside a call is the call's."""
    around = _calls_around(trace)
    found: list[_Stay] = []
    for segment in report.segments:
        span_id = around[segment.span_id]
        begin, end = segment.start_ns - report.start_ns, segment.end_ns - report.start_ns
        if found and found[-1].span_id == span_id:
            found[-1].end = end
        else:
            found.append(_Stay(span_id, begin, end))
    return found


def _calls_around(trace: Trace) -> dict[str, str]:
    """Return for each span the call it is an unnamed part of, such as a tool's request; itself where it is in none."""
    kinds = {span.span_id: kind_of(span) for span in trace.spans}
    found: dict[str, str] = {}
    for span, _ in trace.walk():
        around = found.get(span.parent_id or "")
        part = around is not None and kinds[span.span_id] == "·" and kinds[around] in _CALLS
        found[span.span_id] = around if part and around is not None else span.span_id
    return found


def _path(trace: Trace, report: LatencyReport, width: int, paint: Paint) -> list[str]:
    """Return the spans the run waited for one after the other, the longest stays only, in the order of time."""
    stays = _stays(trace, report)
    longest = sorted(stays, key=lambda stay: stay.begin - stay.end)[:_STEPS_OF_PATH]
    shown = sorted(longest, key=lambda stay: stay.begin)
    names, kinds = _names(trace), {span.span_id: kind_of(span) for span in trace.spans}
    whole = max(1, report.duration_ns)
    columns = [
        numbers("at", [_said(stay.begin) for stay in shown], paint, rank=2, style="faint"),
        flexible("", [names[stay.span_id] for stay in shown], paint, least=_MIN_NAME, most=_NAMES),
        numbers("time", [_said(stay.end - stay.begin) for stay in shown], paint),
        numbers("share", [percent((stay.end - stay.begin) / whole) for stay in shown], paint, rank=1),
        Column("", lambda row, room: paint(
                stretch(shown[row].begin / whole, None, shown[row].end / whole, room), kinds[shown[row].span_id]
            ),
               _MOST_BAR, _MIN_BAR, grows=True),
    ]  # fmt: skip
    rest = len(stays) - len(shown)
    left = sum(stay.end - stay.begin for stay in stays) - sum(stay.end - stay.begin for stay in shown)
    lines = table(columns, len(shown), width, paint) if shown else []
    return [*lines, *([paint(f"and {rest:,} shorter, {_said(left)} together", "faint")] if rest else [])]


def _names(trace: Trace) -> dict[str, str]:
    """Return each span's name, after the agent (unless it is the outermost) and the step that it is in."""
    places: dict[str, tuple[str, str]] = {}
    found: dict[str, str] = {}
    for span, path in trace.walk():
        kind, name = kind_of(span), cells.printable(span.name)
        agent, step = places.get(span.parent_id or "", ("", ""))
        if kind == "A":
            agent, step = name.removeprefix(_RUN) if path else "", ""
        elif kind == "S":
            index = span.attributes.get(keys.STEP_INDEX)
            step = name if index is None else f"step {index}"
        within = " ".join(filter(None, (agent, step)))
        own = f"{within or name} itself" if kind in {"A", "S"} else name
        found[span.span_id] = own if kind in {"A", "S"} or not within else f"{within}{_IN}{name}"
        places[span.span_id] = agent, step
    return found


def _models(trace: Trace, report: LatencyReport, width: int, paint: Paint) -> list[str]:
    """Return how fast each model call answered, the slowest only where there are many."""
    if not report.models:
        return []
    slowest = sorted(report.models, key=lambda call: -call.duration_ns)[:_MODELS]
    shown = [call for call in report.models if call in slowest]
    names = _names(trace)
    columns = [
        flexible("", [_model(names[call.span_id], call) for call in shown], paint, least=_MIN_NAME, most=_NAMES),
        numbers("time", [_said(call.duration_ns) for call in shown], paint),
        numbers("first token", [_optional(call.first_token_ns) for call in shown], paint, rank=1),
        numbers("tokens/s", [_pace(call) for call in shown], paint, rank=2),
        numbers("in", [_count(call.input_tokens) for call in shown], paint, rank=3),
        numbers("out", [_count(call.output_tokens) for call in shown], paint, rank=3),
    ]
    rest = len(report.models) - len(shown)
    return [*table(columns, len(shown), width, paint), *([paint(f"and {rest:,} faster", "faint")] if rest else [])]


def _model(name: str, call: ModelTiming) -> str:
    return f"{name} ({cells.printable(call.model)})" if call.model else name


def _optional(nanoseconds: int | None) -> str:
    return "" if nanoseconds is None else _said(nanoseconds)


def _pace(call: ModelTiming) -> str:
    return "" if call.tokens_per_second is None else f"{call.tokens_per_second:,.0f}"


def _count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


_NO_FINDING: Final = "nothing was found: no calls in line that could run side by side, no wait that stands out"


def _findings(found: Sequence[Finding], width: int, paint: Paint) -> list[str]:
    if not found:
        return wrapped(_NO_FINDING, width)
    told = [("–" if each.saving_ns is None else f"≤ {_said(each.saving_ns)}", each.text) for each in found]  # noqa: RUF001 - a dash for nothing
    return pairs(told, width, paint)

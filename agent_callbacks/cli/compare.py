"""``agent-callbacks compare``: groups of runs against each other, as tables, as JSON or as CSV."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from agent_callbacks.analysis import cells, sheet
from agent_callbacks.analysis.compare import compared
from agent_callbacks.analysis.drawing.ink import paint as ink
from agent_callbacks.analysis.drawing.prose import bullets, wrapped
from agent_callbacks.analysis.figure import MINUS, counted, dollars, percent
from agent_callbacks.analysis.observation import VALUES, stored
from agent_callbacks.analysis.percentiles import spreads
from agent_callbacks.analysis.sample import BY, NO_GROUP
from agent_callbacks.analysis.statistic import Interval
from agent_callbacks.analysis.waterfall import clamped, duration, utc
from agent_callbacks.cli import terminal
from agent_callbacks.cli.progress import watched
from agent_callbacks.cli.wanted import filter_options, nothing, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_callbacks.analysis.compare import Comparison, Effect
    from agent_callbacks.analysis.drawing.ink import Paint
    from agent_callbacks.analysis.observation import Observation
    from agent_callbacks.analysis.percentiles import Distribution, Quantile
    from agent_callbacks.analysis.sample import By

SCHEMA: Final = "agent_callbacks.comparison/1"


@click.command(epilog="Example: agent-callbacks compare --by variant --since 1d --agent support")
@click.option("--by", default="variant", show_default=True, type=click.Choice(BY), help="What groups the runs.")
@click.option("--baseline", metavar="NAME", help="What others are compared with (default: the group with most runs).")
@click.option(
    "--success", "success", metavar="NAME", help="The recorded outcome that is success (default: the commonest)."
)
@click.option(
    "--equal-within", default=0.1, show_default=True, type=click.FloatRange(0, min_open=True), metavar="POINTS",
    help="How far apart success may be and still be called equal.",
)  # fmt: skip
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N of the runs that are chosen.")
@click.option(
    "--most", default=8, show_default=True, type=click.IntRange(2), help="How many groups, the largest first."
)
@click.option("--prices", metavar="FILE", help="Prices for calls whose cost was not recorded.")
@filter_options
@terminal.store_option
@terminal.json_option
@terminal.csv_option
def compare(
    *,
    by: By,
    baseline: str | None,
    success: str | None,
    equal_within: float,
    last: int | None,
    most: int,
    prices: str | None,
    store: str | None,
    as_json: bool,
    as_csv: bool,
    **given: Any,
) -> None:
    """Compare groups of runs: cost, latency, tokens, how many ended without failure, and what record_outcome said.

    Each group is compared with the baseline. Intervals are of 95 % (bootstrap; Newcombe's for shares), wider where
    several groups are compared; without 30 runs on both sides nothing is concluded, and below 100 no p99 is shown. With
    --experiment variants are those of that experiment.
    """
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    with terminal.opened(store) as opened, terminal.prices():
        runs = stored(
            opened, wanted(given), by, limit=last or -1, experiment=given["experiment"], prices=prices,
            watch=lambda ids: watched(ids, "working out costs"),
        )  # fmt: skip
        if not runs:
            nothing(opened, given)
    try:
        found = compared(runs, by, baseline=baseline, outcome=success, equal_within=equal_within, most_groups=most)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    view = _View(by, runs, found)
    if not view.groups:
        terminal.stop(_ungrouped(by, len(runs)), terminal.NOTHING_FOUND)
    if as_json:
        terminal.echo_json(view.document())
    elif as_csv:
        terminal.echo(sheet.written(_TITLES, [row for each in found for row in _rows(each)]))
    else:
        terminal.page("\n".join(view.lines(clamped(terminal.width()), ink(color=terminal.color()))))


_HOW: Final[Mapping[str, str]] = {
    "variant": 'pass metadata={"variant": ...} or request_metadata(variant=...)',
    "experiment": 'pass metadata={"variant": {"experiment": "variant"}} or request_metadata(variant={...})',
    "user": 'pass metadata={"user_id": ...} or request_metadata(user_id=...)',
    "session": 'pass metadata={"session_id": ...} or request_metadata(session_id=...)',
}


def _ungrouped(by: str, runs: int) -> str:
    return "; ".join(filter(None, (f"none of {counted(runs, 'run')} says its {by}", _HOW.get(by))))


# --- JSON and CSV ----------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True, slots=True)
class _View:
    by: str
    runs: Sequence[Observation]
    comparisons: Sequence[Comparison]

    @property
    def groups(self) -> list[str]:
        """The groups that are shown, the baseline first; the largest where there is one only."""
        if self.comparisons:
            return [self.comparisons[0].baseline, *(each.other for each in self.comparisons)]
        return [name for name in self._sizes() if name != NO_GROUP]

    def _sizes(self) -> Counter[str]:
        return Counter(run.group for run in self.runs)

    def document(self) -> dict[str, Any]:
        """Return the comparison as one JSON object: ``schemas/compare.json`` says what is in it."""
        sizes = self._sizes()
        shown = set(self.groups)
        kept = [run for run in self.runs if run.group in shown]
        spread = {value: spreads(kept, value) for value in VALUES}
        return {
            "schema": SCHEMA,
            "by": self.by,
            "runs": len(self.runs),
            "first_ns": min(run.start_ns for run in self.runs),
            "last_ns": max(run.start_ns for run in self.runs),
            "groups": [
                {"name": name, "runs": sizes[name],
                 **{value: _spread(spread[value][name]) for value in VALUES}}
                for name in self.groups
            ],
            "comparisons": [dataclasses.asdict(each) for each in self.comparisons],
        }  # fmt: skip

    def lines(self, width: int, paint: Paint) -> Iterator[str]:
        """Yield the lines of the view."""
        first, last = (pick(run.start_ns for run in self.runs) for pick in (min, max))
        head = f"{counted(len(self.runs), 'run')} by {self.by} · {utc(first)} to {utc(last)} UTC"
        yield from (paint(line, "bold") for line in wrapped(head, width))
        shown = set(self.groups)
        latency = spreads([run for run in self.runs if run.group in shown], "duration")
        if not self.comparisons:
            (only, *_) = self.groups
            runs = counted(latency[only].runs, "run")
            yield ""
            yield from wrapped(f"only one {self.by}, {only} ({runs}): nothing to compare it with", width)
            return
        for each in self.comparisons:
            yield ""
            yield from _block(each, latency, width, paint)
        yield ""
        yield from (paint(line, "faint") for line in bullets(self.comparisons[0].notes, width))


def _spread(one: Distribution) -> dict[str, Any]:
    quantiles = {f"p{each.share * 100:.0f}": each.value for each in (one.p50, one.p95, one.p99)}
    withheld = next((each.withheld for each in (one.p50, one.p95, one.p99) if each.withheld), None)
    return {"unit": one.unit, "n": one.n, "missing": one.missing, "mean": one.mean, **quantiles, "withheld": withheld}


_TITLES: Final = (
    "by", "baseline", "other", "value", "unit", "statistic", "n_baseline", "n_other", "missing_baseline",
    "missing_other", "mean_baseline", "mean_other", "median_baseline", "median_other", "difference", "difference_low",
    "difference_high", "ratio", "ratio_low", "ratio_high", "confidence", "verdict", "needed", "lacking", "answer",
)  # fmt: skip


def _rows(one: Comparison) -> Iterator[Sequence[sheet.Cell]]:
    for effect in effects(one):
        difference, ratio = effect.difference_interval or _UNKNOWN, effect.ratio_interval or _UNKNOWN
        confidence = None if effect.difference_interval is None else difference.confidence
        yield (
            one.by, one.baseline, one.other, effect.value, effect.unit, effect.statistic, *effect.n, *effect.missing,
            *(effect.means or (None, None)), *(effect.medians or (None, None)), effect.difference, difference.low,
            difference.high, effect.ratio, ratio.low, ratio.high, confidence, effect.verdict, effect.needed,
            effect.lacking, one.answer,
        )  # fmt: skip


_UNKNOWN: Final = Interval(None, None, 0)


def effects(one: Comparison) -> list[Effect]:
    """Return what was compared, in the order it is shown."""
    return [one.cost, one.latency, one.tokens, one.completed, *([one.outcome] if one.outcome is not None else [])]


# --- the table -------------------------------------------------------------------------------------------------------
_MOST_NAME: Final = 24
_LEAST_LABEL: Final = 16
_GAP: Final = "  "
_LABELS: Final[Mapping[str, str]] = {"duration": "latency"}
_STYLES: Final[Mapping[str, str]] = {"not enough": "marked", "not recorded": "faint", "no difference shown": "faint"}


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """One value of both sides; ``said`` stands where change and interval would."""

    label: str
    one: str
    two: str
    change: str = ""
    interval: str = ""
    said: str = ""
    style: str = ""


def _block(one: Comparison, latency: Mapping[str, Distribution], width: int, paint: Paint) -> Iterator[str]:
    """Yield one comparison: the answer, then a line a value."""
    baseline, other = (cells.printable(name) for name in (one.baseline, one.other))
    yield from (paint(line, "bold") for line in wrapped(f"{other} against {baseline}: {one.answer}", width))
    yield ""
    sides = latency[one.baseline], latency[one.other]
    runs = tuple(each.n + each.missing for each in sides)
    lines = [
        _Line("runs", *(f"{each:,}" for each in runs)),
        *(_line(each, runs) for each in effects(one)),
        *_percentiles(*sides),
    ]
    sizes = _sizes(lines, (baseline, other), width)
    head = _Line("", cells.cut(baseline, sizes[1]), cells.cut(other, sizes[2]), "change", _interval(one), style="faint")
    yield from (paint(line, "faint") for line in _drawn(head, sizes, width, _plainly))
    for each in lines:
        yield from _drawn(each, sizes, width, paint)


def _plainly(text: str, style: str) -> str:
    del style
    return text


def _interval(one: Comparison) -> str:
    known = [each.difference_interval for each in effects(one) if each.difference_interval is not None]
    return f"{100 * known[0].confidence:.4g} % interval" if known else ""


_Sizes: TypeAlias = tuple[int, int, int, int]


def _sizes(lines: Sequence[_Line], names: tuple[str, str], width: int) -> _Sizes:
    """Return the cells of label, both sides and change; labels and names are cut where there is no room for them."""
    label, one, two, change, interval = (
        max(cells.width(getattr(line, part)) for line in lines)
        for part in ("label", "one", "two", "change", "interval")
    )
    change = max(change, len("change"))
    spare = width - label - one - two - change - interval - 4 * len(_GAP)
    if spare < 0:  # the interval says what the change does; then the label gives way
        spare += change + len(_GAP)
        change = 0
        label = max(_LEAST_LABEL, min(label, label + spare))
    one, two = (
        max(size, min(cells.width(name), _MOST_NAME, size + max(0, spare) // 2))
        for size, name in zip((one, two), names, strict=True)
    )
    return label, one, two, change


def _drawn(line: _Line, sizes: _Sizes, width: int, paint: Paint) -> Iterator[str]:
    """Yield *line*: what has no room beside the two sides stands below them."""
    texts = (cells.left(line.label, sizes[0]), cells.right(line.one, sizes[1]), cells.right(line.two, sizes[2]))
    start = _GAP.join(texts)
    room = width - cells.width(start) - len(_GAP)
    change = f"{cells.right(line.change, sizes[3])}{_GAP}{line.interval}" if sizes[3] else line.interval
    waiting = [text for text in (change if line.interval else "", line.said) if text]
    beside = waiting.pop(0) if waiting and cells.width(waiting[0]) <= room else ""
    yield f"{start}{_GAP}{paint(beside, line.style) if beside else ''}".rstrip()
    for text in waiting:
        yield from (paint(f"{_GAP}{part}", line.style) for part in wrapped(text, width - len(_GAP)))


def _line(effect: Effect, runs: Sequence[int]) -> _Line:
    label = f"{_LABELS.get(effect.value, cells.printable(effect.value))}, {_statistic(effect)}"
    values = effect.means if effect.statistic == "mean" else effect.medians
    one, two = (_amount(each, effect) for each in values) if values is not None else ("-", "-")
    style = _STYLES.get(effect.verdict, "bold")
    if effect.difference_interval is None:
        return _Line(label, one, two, said=_shortage(effect), style=style)
    if effect.ratio_interval is not None and effect.ratio is not None:
        ratios = (effect.ratio, effect.ratio_interval.low, effect.ratio_interval.high)
        change, low, high = (_relative(each) for each in ratios)
    else:
        interval = effect.difference_interval
        change, low, high = (_points(each, effect) for each in (effect.difference, interval.low, interval.high))
    of = "" if effect.n == tuple(runs) else f"of {effect.n[0]:,} and {effect.n[1]:,} runs; others do not say"
    return _Line(label, one, two, change, f"{_bare(low)} to {high}", of, style)


def _bare(amount: str) -> str:
    """Return the lower end of an interval without the unit, which stands at the upper."""
    number, _, unit = amount.partition(" ")
    return number if unit in {"%", "pt"} else amount


def _statistic(effect: Effect) -> str:
    return "share" if effect.value == "completed" else effect.statistic


def _shortage(effect: Effect) -> str:
    if effect.verdict == "not recorded":
        return f"not recorded on both sides ({effect.n[0]:,} and {effect.n[1]:,} runs)"
    return f"not enough: {min(effect.n):,} of {effect.needed:,} runs; {effect.lacking:,} more needed"


def _amount(number: float, effect: Effect) -> str:
    match effect.unit:
        case "score":
            return f"{number * 100:.1f} %" if effect.value == "completed" else f"{number:.3g}"
        case "USD":
            return dollars(number)
        case "s":
            return duration(number)
        case _:
            return f"{number:,.0f}"


def _signed(text: str, number: float) -> str:
    return f"{MINUS}{text}" if number < 0 else f"+{text}" if number > 0 else text


def _relative(ratio: float | None) -> str:
    return "-" if ratio is None else _signed(percent(abs(ratio - 1)), ratio - 1)


def _points(number: float | None, effect: Effect) -> str:
    number = number or 0.0
    shown = f"{abs(number) * 100:.1f} pt" if effect.unit == "score" else _amount(abs(number), effect)
    return _signed(shown, number)


def _percentiles(one: Distribution, two: Distribution) -> Iterator[_Line]:
    """Yield the tails; the median is shown with its interval."""
    fewer = min(one, two, key=lambda side: side.runs)
    for name in ("p95", "p99"):
        first, second, why = (getattr(side, name) for side in (one, two, fewer))
        yield _Line(f"latency, {name}", _seconds(first), _seconds(second), said=why.withheld or "", style="faint")


def _seconds(quantile: Quantile) -> str:
    return "-" if quantile.value is None else duration(quantile.value)

"""Rules about what a span says: SPN501 to SPN509."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agent_callbacks.convention import keys
from agent_callbacks.convention.slug import without_ids
from agent_callbacks.lint.view import View, number, space_of, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent_callbacks.analysis.span import Span, Value
    from agent_callbacks.lint.finding import Finding

__all__ = ["attributes"]

_LONGEST_BYTES: Final = 32 * 1024
_LONGEST_TYPE: Final = 128
_ALWAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "agent.step": (keys.STEP_INDEX,),
    "llm": (keys.REQUEST_MODEL, keys.PROVIDER_NAME),
    "retriever": (keys.DATA_SOURCE_ID,),
    "tool": (keys.TOOL_NAME,),
}
# What only an operation that succeeded knows.
_WHEN_DONE: Final[Mapping[str, tuple[str, ...]]] = {
    "llm.chat": (keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS, keys.RESPONSE_FINISH_REASONS),
    "retriever": (keys.RETRIEVER_DOCUMENT_COUNT,),
}
_ASKER: Final = (keys.USER_ID, keys.SESSION_ID, keys.FEATURE_FLAG_VARIANT)
_IDENTITY: Final = frozenset({
    keys.USER_ID, keys.SESSION_ID, keys.CONVERSATION_ID, keys.TOOL_CALL_ID, keys.RESPONSE_ID, keys.RUN_THREAD_ID,
    keys.CHECKPOINT_ID,
})  # fmt: skip
_KINDS: Final = {
    "agent.run": "INTERNAL", "agent.step": "INTERNAL", "chain": "INTERNAL", "llm": "CLIENT", "node": "INTERNAL",
    "retriever": "CLIENT", "tool": "INTERNAL",
}  # fmt: skip
_RESERVED: Final = re.compile(r"(?:tool|retriever)\.(?:unknown|overflow)")


def attributes(view: View) -> Iterator[Finding]:
    """Yield what is wrong with what the spans of one trace say."""
    concerned = {span.span_id for span in view.concerned()}
    for span in view.trace.spans:
        for rule in (*_OF_ANY, *(_OF_OURS if span.span_id in concerned else ())):
            yield from rule(view, span)


def _missing(view: View, span: Span) -> Iterator[Finding]:
    space = space_of(span.name)
    manual = span.scope == keys.SCOPE_NAME and keys.OPERATION_NAME not in span.attributes and space != "agent.step"
    if manual or _RESERVED.fullmatch(span.name):
        return
    wanted = _ALWAYS.get(space, ())
    if span.status != "ERROR" and text(span, keys.OUTCOME) in {None, "success"}:
        wanted += _WHEN_DONE.get(space, ()) + _WHEN_DONE.get(span.name, ())
    for key in wanted:
        if key not in span.attributes:
            yield view.finding("SPN501", span, f"`{view.judge.shown(span.name)}` has no {key}", f"set {key}")


def _asker(view: View, span: Span) -> Iterator[Finding]:
    missing = [key for key in _ASKER if key not in span.attributes]
    if span.parent_id is None and space_of(span.name) in {"agent.run", "chain"} and missing:
        message = f"`{view.judge.shown(span.name)}` has no {', '.join(missing)}"
        yield view.finding("SPN505", span, message, "give them in metadata or with request_metadata()")


def _error(view: View, span: Span) -> Iterator[Finding]:
    error = span.attributes.get(keys.ERROR_TYPE)
    name = view.judge.shown(span.name)
    if span.status == "ERROR" and error is None:
        yield view.finding("SPN502", span, f"`{name}` has status ERROR and no {keys.ERROR_TYPE}")
    if span.status != "ERROR" and error is not None:
        message = f"`{name}` has {keys.ERROR_TYPE} and status {span.status}"
        yield view.finding("SPN502", span, message, "set the status ERROR, or leave error.type out")
    if isinstance(error, str) and (len(error) > _LONGEST_TYPE or " " in error or without_ids(error)[1]):
        message = f"{keys.ERROR_TYPE} of `{name}` is a message or holds an id"
        yield view.finding("SPN509", span, message, "use the exception's type, or a code out of a short list")


def _values(view: View, span: Span) -> Iterator[Finding]:
    """Yield attributes of the span and its events that are too long or hold personal data, never their values."""
    held = [(key, value) for key, value in span.attributes.items()]
    held += [(f"{event.name}: {key}", value) for event in span.events for key, value in event.attributes.items()]
    for key, value in held:
        strings = list(_strings(value))
        if sum(len(each.encode("utf-8", "replace")) for each in strings) > _LONGEST_BYTES:
            message = f"{key} of `{view.judge.shown(span.name)}` is longer than {_LONGEST_BYTES} bytes"
            yield view.finding("SPN503", span, message, "cut it, or keep it elsewhere")
        kinds = sorted({kind for each in strings for kind in _personal(view, key, each)})
        if kinds:
            message = f"{view.judge.shown(key)} of `{view.judge.shown(span.name)}` holds {', '.join(kinds)}"
            way_out = "clean it where it is set, or wrap the exporter in SanitizingSpanExporter"
            yield view.finding("SPN504", span, message, way_out)


def _strings(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)


def _personal(view: View, key: str, value: str) -> set[str]:
    """Return the kinds of personal data in *value*; an identifier is one only where it cannot be mistaken."""
    return {match.kind for match in view.judge.sanitizer.matches(value, identity=key in _IDENTITY)}


def _kind(view: View, span: Span) -> Iterator[Finding]:
    wanted = _KINDS.get(space_of(span.name), span.kind)
    if span.kind != wanted:
        message = f"`{view.judge.shown(span.name)}` is of kind {span.kind}, not {wanted}"
        yield view.finding("SPN506", span, message, f"start it with kind=SpanKind.{wanted}")


# --- tokens and time -------------------------------------------------------------------------------------------------
_PART_OF: Final = (
    (keys.USAGE_CACHE_READ, keys.USAGE_INPUT_TOKENS),
    (keys.USAGE_CACHE_WRITE, keys.USAGE_INPUT_TOKENS),
    (keys.USAGE_REASONING, keys.USAGE_OUTPUT_TOKENS),
)
_COUNTS: Final = (
    keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS, keys.USAGE_CACHE_READ, keys.USAGE_CACHE_WRITE,
    keys.USAGE_REASONING, keys.STEP_INPUT_TOKENS, keys.STEP_OUTPUT_TOKENS, keys.RUN_INPUT_TOKENS,
    keys.RUN_OUTPUT_TOKENS,
)  # fmt: skip
_TOTALS: Final = ("llm.token_count.total", keys.USAGE_TOTAL)
_BELOW: Final = ((keys.STEP_INPUT_TOKENS, keys.USAGE_INPUT_TOKENS), (keys.STEP_OUTPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS))


def _tokens(view: View, span: Span) -> Iterator[Finding]:
    for wrong in _token_faults(view, span):
        yield view.finding("SPN507", span, f"`{view.judge.shown(span.name)}`: {wrong}")


def _token_faults(view: View, span: Span) -> Iterator[str]:
    held = {key: found for key in _COUNTS if (found := number(span.attributes.get(key))) is not None}
    yield from (f"{key} is {value:g}" for key, value in held.items() if value < 0)
    for part, whole in _PART_OF:
        if part in held and whole in held and held[part] > held[whole]:
            yield f"{part} {held[part]:g} is more than {whole} {held[whole]:g}"
    read, write = held.get(keys.USAGE_CACHE_READ, 0), held.get(keys.USAGE_CACHE_WRITE, 0)
    whole_input = held.get(keys.USAGE_INPUT_TOKENS)
    if whole_input is not None and max(read, write) <= whole_input < read + write:
        yield f"cached tokens {read + write:g} are more than {keys.USAGE_INPUT_TOKENS} {whole_input:g}"
    for key in _TOTALS:
        total = number(span.attributes.get(key))
        parts = [held.get(each) for each in (keys.USAGE_INPUT_TOKENS, keys.USAGE_OUTPUT_TOKENS)]
        if total is not None and None not in parts and total != sum(filter(None, parts)):
            yield f"{key} {total:g} is not input plus output"
    for own, of_model in _BELOW:
        below = [number(each.attributes.get(of_model)) for each in view.trace.children(span) if _is_model(each)]
        if own in held and below and None not in below and held[own] != sum(filter(None, below)):
            yield f"{own} {held[own]:g} is not the sum {sum(filter(None, below)):g} of its model calls"


def _is_model(span: Span) -> bool:
    return space_of(span.name) == "llm" and not span.attributes.get(keys.INTERNAL_CALL)


def _first_chunk(view: View, span: Span) -> Iterator[Finding]:
    if space_of(span.name) != "llm":
        return
    first = number(span.attributes.get(keys.TIME_TO_FIRST_CHUNK))
    name = view.judge.shown(span.name)
    streamed = span.attributes.get(keys.REQUEST_STREAM) is True
    if first is None and streamed and span.status != "ERROR" and text(span, keys.OUTCOME) in {None, "success"}:
        yield view.finding("SPN508", span, f"`{name}` was streamed and has no {keys.TIME_TO_FIRST_CHUNK}")
    if first is not None and span.end_ns and first > span.duration + _SLACK:
        message = f"{keys.TIME_TO_FIRST_CHUNK} of `{name}` is {first:.3g} s, longer than the call"
        yield view.finding("SPN508", span, message)


_SLACK: Final = 0.001
_Rule = "Callable[[View, Span], Iterator[Finding]]"
_OF_ANY: Final = (_error, _values)
_OF_OURS: Final = (_missing, _asker, _kind, _tokens, _first_chunk)

"""Source: what is named where, what the names can be, and what is left alone.

A line of a snippet that breaks rules says so in a comment: ``#: SPN105``; every other finding is wrong.
"""

from __future__ import annotations

import re

import pytest

from agent_callbacks.lint.policy import Policy
from agent_callbacks.lint.run import Settings, lint_source

TRACER = "from opentelemetry import trace\ntracer = trace.get_tracer(__name__)\n"

SPANS = {
    "literal": """
        with tracer.start_as_current_span("tool.fetch_page"): ...
        with tracer.start_as_current_span("tool.FetchPage"): ...  #: SPN105
        tracer.start_span(name="retriever.price list")  #: SPN106
        tracer.start_span("agent.step.01")  #: SPN104
        tracer.start_span("agent.steps.1")  #: SPN101
        tracer.start_span("tools.fetch")  #: SPN101
        tracer.start_span("retreiver.docs")  #: SPN101
        tracer.start_span("llm.guess")  #: SPN101
        tracer.start_span("llm.chat")
        tracer.start_span("agent.run")
        tracer.start_span("agent.run.Boss")  #: SPN105
        tracer.start_span("agent.run.boss.helper")  #: SPN103
        tracer.start_span("retriever")  #: SPN102
        tracer.start_span("tool.")  #: SPN102
        tracer.start_span("tool.naïve")  #: SPN107
        tracer.start_span("tool.2fa")  #: SPN108
        tracer.start_span("tool.read\\u200bfile")  #: SPN111
        tracer.start_span("tool.%s")  #: SPN112
        tracer.start_span("tool.None")  #: SPN112
        tracer.start_span("tool.run_3f2b8c1e-9a77-4a6e-8f21-0a5f6f1e2d3c")  #: SPN201
        tracer.start_span("tool.report_2024-11-22")  #: SPN201
        tracer.start_span("tool.call_415-555-0137")  #: SPN202
    """,
    "long": 'tracer.start_span("tool.' + "x" * 65 + '")  #: SPN109',
    "others_names": """
        tracer.start_span("GET /orders/{id}")
        tracer.start_span("pool.acquire")
        tracer.start_span("code.execute")
        tracer.start_span("toll.pay")
        tracer.start_span("cook.noodles")
        tracer.start_span("chair.move")
        tracer.start_span("process payment")
        tracer.start_span("tools")
        tracer.start_span("")
        tracer.start_span(f"{method} {route}")
        tracer.start_span(f"chat {model}")
        tracer.start_span(f"request_{request_id}")
    """,
    "f_string": """
        def go(user_id, order, tool_name, fn, index, thing, request):
            tracer.start_span(f"tool.{user_id}")  #: SPN204
            tracer.start_span(f"tool.lookup_{order.id}")  #: SPN204
            tracer.start_span(f"tool.lookup_{order['session_id']}")  #: SPN204
            tracer.start_span(f"tool.{tool_name}")
            tracer.start_span(f"tool.{fn.__name__}")
            tracer.start_span(f"tool.{tool_name.lower()}")
            tracer.start_span(f"tool.{type(thing).__name__}")
            tracer.start_span(f"tool.get_{thing}")  #: SPN205
            tracer.start_span(f"tool.Get_{tool_name}")  #: SPN105
            tracer.start_span(f"tool.{tool_name}.{fn.__name__}")  #: SPN103
            tracer.start_span(f"agent.step.{index}")
            tracer.start_span(f"agent.step.{index + 1}")
            tracer.start_span(f"agent.step.{len(thing)}")
            tracer.start_span(f"agent.step.{thing}")  #: SPN205
            tracer.start_span(f"agent.step.{request.headers['x-n']}")  #: SPN204
            tracer.start_span(f"agent.{thing}")  #: SPN205
            tracer.start_span(f"llm.{tool_name}")
            tracer.start_span(f"tool.{user_id[:8]}")  #: SPN204
            tracer.start_span(f"tool.{str(user_id).strip()}")  #: SPN204
            tracer.start_span(f"retriever.{thing.get('tenant')}")  #: SPN204
            tracer.start_span(f"tool.{order.customer.name}")  #: SPN204
            tracer.start_span(f"tool.{orderId}")  #: SPN204
            tracer.start_span(f"tool.{'fetch'}_{1}")
            tracer.start_span(f"tool.{thing.tool.name}")
    """,
    "called": """
        import time, uuid
        from datetime import datetime
        tracer.start_span(f"tool.x_{uuid.uuid4()}")  #: SPN204
        tracer.start_span(f"tool.x_{uuid.uuid4().hex[:6]}")  #: SPN204
        tracer.start_span(f"tool.x_{time.time()}")  #: SPN204
        tracer.start_span(f"tool.x_{datetime.now():%Y%m%d}")  #: SPN204
        tracer.start_span(f"tool.x_{datetime.now().isoformat()}")  #: SPN204
        tracer.start_span("tool.x_" + str(uuid.uuid4()))  #: SPN204
    """,
    "concatenated": """
        def go(session_id, email, query, name, thing):
            tracer.start_span("tool.fetch_" + session_id)  #: SPN204
            tracer.start_span("tool." + name)
            tracer.start_span("tool.mail_%s" % email)  #: SPN204
            tracer.start_span("tool.%s_%d" % (name, 3))
            tracer.start_span("tool.%(who)s" % {"who": email})  #: SPN204
            tracer.start_span("retriever.{}".format(query))  #: SPN204
            tracer.start_span("retriever.{0}_{0}".format("a"))
            tracer.start_span("retriever.{what}".format(what="Docs"))  #: SPN105
            tracer.start_span("retriever.{missing}".format(what="docs"))  #: SPN112
            tracer.start_span(".".join(["tool", "Search"]))  #: SPN105
            tracer.start_span(".".join(("tool", session_id)))  #: SPN204
            tracer.start_span("_".join(thing))  #: SPN205
            tracer.start_span("tool.%s" % thing)  #: SPN205
            tracer.start_span("tool." "search" "-web")  #: SPN106
            tracer.start_span("tool.x" * 2)  #: SPN205
    """,
    "constants": """
        PREFIX = "tool"
        GOOD = f"{PREFIX}.fetch_url"
        BAD = f"{PREFIX}.Fetch"
        class Names:
            SEARCH = "tool.search"
            BAD = "tool.Bad"
        NAMES = {"a": "tool.a", "b": "tool.B"}
        LISTED = ["tool.a", "tool.B"]
        def go(x):
            tracer.start_span(GOOD)
            tracer.start_span(BAD)  #: SPN105
            tracer.start_span(Names.SEARCH)
            tracer.start_span(Names.BAD)  #: SPN105
            tracer.start_span(NAMES["a"])
            tracer.start_span(NAMES["b"])  #: SPN105
            tracer.start_span(NAMES[x])  #: SPN105
            tracer.start_span(NAMES.get("a"))
            tracer.start_span(NAMES.get("b"))  #: SPN105
            tracer.start_span(NAMES.get("a", "tool.Default"))  #: SPN105
            tracer.start_span(x.get("a"))  #: SPN205
            tracer.start_span(x().get("a"))  #: SPN205
            tracer.start_span(NAMES.get())  #: SPN205
            tracer.start_span(".".join())  #: SPN205
            tracer.start_span(LISTED[0])
            tracer.start_span(LISTED[1])  #: SPN105
            tracer.start_span(GOOD.replace("fetch", "Fetch"))  #: SPN105
            tracer.start_span(BAD.lower())
            tracer.start_span(str(BAD))  #: SPN105
    """,
    "enums": """
        import enum
        from enum import Enum, StrEnum, auto
        class Tool(str, Enum):
            SEARCH = "search"
            FETCH = "Fetch"
        class Good(StrEnum):
            SEARCH = auto()
            READ = "read_file"
        class Plain(enum.Enum):
            ONE = "tool.one"
        def go(kind: Tool, good: Good, maybe: "Good"):
            tracer.start_span(f"tool.{Tool.SEARCH.value}")
            tracer.start_span(f"tool.{Tool.FETCH.value}")  #: SPN105
            tracer.start_span(f"tool.{Tool.SEARCH}")
            tracer.start_span(f"tool.{kind.value}")  #: SPN105
            tracer.start_span(f"tool.{good}")
            tracer.start_span(f"tool.{good.value}")
            tracer.start_span(f"tool.{Tool.SEARCH.name}")  #: SPN105
            tracer.start_span(Plain.ONE.value)
            for each in Good:
                tracer.start_span(f"tool.{each.value}")
            for each in Tool:
                tracer.start_span(f"tool.{each.value}")  #: SPN105
    """,
    "arms": """
        def go(fast):
            name = "tool.quick" if fast else "tool.Slow"
            tracer.start_span(name)  #: SPN105
            tracer.start_span("tool.quick" if fast else "tool.slow")
            if fast:
                other = "tool.Bad"
                tracer.start_span(other)  #: SPN105
            else:
                other = "tool.good"
                tracer.start_span(other)
            tracer.start_span(other)  #: SPN105
            other = "tool.good"
            tracer.start_span(other)
            tracer.start_span(fast or "tool.Default")  #: SPN105 SPN205
            if (found := "tool.Walrus"):
                tracer.start_span(found)  #: SPN105
            try:
                third = "tool.Tried"
            except ValueError:
                third = "tool.caught"
            tracer.start_span(third)  #: SPN105
            match fast:
                case 1:
                    tracer.start_span("tool.One")  #: SPN105
                case _ if fast:
                    tracer.start_span("tool.two")
            while fast:
                tracer.start_span("tool.Three")  #: SPN105
    """,
    "loops": """
        SOURCES = ("faq", "wiki")
        TABLE = {"faq": 1, "Wiki": 2}
        for source in ("faq", "wiki", "Price-List"):
            tracer.start_span(f"retriever.{source}")  #: SPN105 SPN106
        for source in SOURCES:
            tracer.start_span(f"retriever.{source}")
        for source in TABLE:
            tracer.start_span(f"retriever.{source}")  #: SPN105
        for source in sorted(TABLE.keys()):
            tracer.start_span(f"retriever.{source}")  #: SPN105
        for source, number in TABLE.items():
            tracer.start_span(f"retriever.{source}")  #: SPN105
            tracer.start_span(f"agent.step.{number}")
        for number, source in enumerate(["faq", "wiki"], start=1):
            tracer.start_span(f"retriever.{source}")
            tracer.start_span(f"agent.step.{number}")
        for name, (kind, _) in (("one", ("A", 1)), ("two", ("b", 2))):
            tracer.start_span(f"tool.{name}")
            tracer.start_span(f"tool.{kind}")  #: SPN105
        for left, right in zip(["a"], ["B"]):
            tracer.start_span(f"tool.{left}")
            tracer.start_span(f"tool.{right}")  #: SPN105
        for number in range(3):
            tracer.start_span(f"agent.step.{number}")
        spans = [tracer.start_span(f"tool.{name}") for name in ("a", "B")]  #: SPN105
        found = {name: tracer.start_span(f"tool.{name}") for name in ["a"]}
        for thing in unknown():
            tracer.start_span(f"tool.{thing}")  #: SPN205
        else:
            tracer.start_span("tool.After")  #: SPN105
    """,
    "literal_types": """
        from typing import Annotated, Literal, Optional
        import typing as t
        Source = Literal["faq", "Wiki"]
        def go(
            a: Literal["faq", "wiki"], b: Literal["faq", "Wiki"], c: Source, d: Optional[Literal["x"]],
            e: "Literal['Y']", f: Literal["z"] | None, g: Annotated[Literal["q"], 1], h: int, i: t.Literal["w"], j: str,
        ):
            tracer.start_span(f"retriever.{a}")
            tracer.start_span(f"retriever.{b}")  #: SPN105
            tracer.start_span(f"retriever.{c}")  #: SPN105
            tracer.start_span(f"retriever.{d}")
            tracer.start_span(f"retriever.{e}")  #: SPN105
            tracer.start_span(f"retriever.{f}")
            tracer.start_span(f"retriever.{g}")
            tracer.start_span(f"agent.step.{h}")
            tracer.start_span(f"retriever.{i}")
            tracer.start_span(f"retriever.{j}_")  #: SPN205 SPN106
    """,
    "aliases": """
        import functools
        from functools import partial
        start = tracer.start_as_current_span
        begin = partial(tracer.start_span)
        named = partial(tracer.start_span, "tool.Bad")  #: SPN105
        bound = partial(tracer.start_span, name="tool.good")
        twice = functools.partial(begin, "tool.Twice")  #: SPN105
        with start("tool.Fetch"): ...  #: SPN105
        with start("tool.fetch"): ...
        begin("tool.Fetch")  #: SPN105
        named()
        bound()
        @tracer.start_as_current_span("tool.Decorated")  #: SPN105
        def work(): ...
        class Service:
            def __init__(self, tracer):
                self._span = tracer.start_as_current_span
                self._name = "tool.Held"
            def go(self):
                with self._span("tool.Inner"): ...  #: SPN105
                with self._span(self._name): ...  #: SPN105
                with self._span(self.name): ...
        with (start("tool.A"), start("tool.b")): ...  #: SPN105
    """,
    "leaves": """
        import secrets
        async def go(thing, user, headers, self_id, count, names, x):
            tracer.start_span(f"agent.step.{int(thing)}")
            tracer.start_span(f"agent.step.{-count}")
            tracer.start_span(f"agent.step.{thing * 2}")
            tracer.start_span(f"agent.step.{count * 2}")
            tracer.start_span(f"agent.step.{3}")
            tracer.start_span(f"agent.step.{count / 2}")  #: SPN205
            tracer.start_span(f"tool.{await thing.user_id}")  #: SPN204
            tracer.start_span(f"tool.{getattr(thing, 'user_id')}")  #: SPN204
            tracer.start_span(f"tool.{getattr(thing)}")  #: SPN205
            tracer.start_span(f"tool.{repr(user)}")  #: SPN204
            tracer.start_span(f"tool.{hash(thing)}")  #: SPN204
            tracer.start_span(f"tool.{open(thing)}")  #: SPN205
            tracer.start_span(f"tool.{thing.get(x)}")  #: SPN205
            tracer.start_span(f"tool.{thing.pop('order_id')}")  #: SPN204
            tracer.start_span(f"tool.{thing.call(x)}")  #: SPN205
            tracer.start_span(f"tool.{secrets.token_hex(4)}")  #: SPN204
            tracer.start_span(f"tool.{thing[x]}")  #: SPN205
            tracer.start_span(f"tool.{thing[0]}")  #: SPN205
            tracer.start_span(f"tool.{headers[x]}")  #: SPN204
            tracer.start_span(f"tool.{thing()()}")  #: SPN205
            tracer.start_span(f"tool.{thing.name}_{'a'}")
            tracer.start_span(f"tool.{user.name}")  #: SPN204
            tracer.start_span(f"tool.{thing().name}")
            tracer.start_span(f"tool.{'a' if x else thing}")  #: SPN205
            tracer.start_span(f"tool.{user_name}")  #: SPN204
            tracer.start_span(f"tool.{not x}")  #: SPN205
            tracer.start_span(f"tool.{(lambda: x)}")  #: SPN205
            tracer.start_span(user + thing)  #: SPN205
            tracer.start_span(thing % 3)  #: SPN205
            tracer.start_span(f"{x}.{thing} %s" % user)  #: SPN205
            tracer.start_span(f"tool.a_{thing}" % user)  #: SPN205
    """,
    "scopes": """
        from typing import get_args, Literal
        Kind = Literal["one", "Two"]
        NAME = "tool.Outer"
        ONE, (TWO, *REST) = pair = ("tool.Bad", ("tool.Bad", "tool.Bad"))
        NAME += ""
        class Holder:
            NAME = "tool.inner"
            def go(self, *args, **kwargs):
                tracer.start_span(NAME)
                tracer.start_span(args)  #: SPN205
                self.a, self.b = "tool.Bad", 3
                tracer.start_span(self.a)  #: SPN205
                self.other.c = "tool.Bad"
                tracer.start_span(self.NAME)
                tracer.start_span(self.missing)  #: SPN205
        def use(kwarg, kind: "broken type(", other: list[str], third: Kind):
            self = kwarg
            self.x = 3
            tracer.start_span(f"tool.{kind}")  #: SPN205
            tracer.start_span(f"tool.{other}")  #: SPN205
            tracer.start_span(f"tool.{third}")  #: SPN105
            tracer.start_span(ONE)  #: SPN205
            tracer.start_span(REST)  #: SPN205
            tracer.start_span(use)
            tracer.start_span(f"tool.{Holder}")  #: SPN205
            tracer.start_span(f"tool.{Holder.go}")  #: SPN205
            for each in get_args(Kind):
                tracer.start_span(f"tool.{each}")  #: SPN105
            for each in get_args():
                tracer.start_span(f"tool.{each}")  #: SPN205
            for pair in enumerate(other):
                tracer.start_span(f"tool.{pair}")  #: SPN205
            for pair in zip(other):
                tracer.start_span(f"tool.{pair}")  #: SPN205
            for a, b in ("ab", ("c", "D")):
                tracer.start_span(f"tool.{b}")  #: SPN105 SPN205
            for a in other.items():
                tracer.start_span(f"tool.{a}")  #: SPN205
            for a in {"x": 1}.values():
                tracer.start_span(f"agent.step.{a}")
            for a in {**other}.items():
                tracer.start_span(f"tool.{a}")
            with open("x") as (left, right):
                tracer.start_span(f"tool.{left}")  #: SPN205
            declared: int
            early = later
            later = "tool.Late"
            tracer.start_span(early)  #: SPN105
            loop = loop_too
            loop_too = loop
            tracer.start_span(loop)  #: SPN205
            tracer.start_span({"a": "tool.A"}["a"])  #: SPN105
            tracer.start_span({"a": "tool.a"}["b"])  #: SPN205
            tracer.start_span(("tool.A",)[0])  #: SPN105
            tracer.start_span(("tool.A",)[3])  #: SPN205
            tracer.start_span(kwarg[0])  #: SPN205
            tracer.start_span("%(a)s.%(b)s" % {"a": "tool", **kwarg})  #: SPN112
            tracer.start_span(" tool.a".strip())
            tracer.start_span("tool.a".replace(kwarg, "b"))
            tracer.start_span(f"tool.{kwarg}".lower())  #: SPN205
            first = lambda kwarg: tracer.start_span(f"tool.{kwarg}")  #: SPN205
            if kwarg:
                value = "tool.one"
            if other:
                tracer.start_span(value)
    """,
    "long_chains": """
        """
    + "\n        ".join(f"v{n + 1} = v{n}" for n in range(30))
    + """
        tracer.start_span(v30)  #: SPN205
        tracer.start_span(f"{v30}")  #: SPN205
        v0 = "tool.x"
    """,
    "more": """
        from typing import Literal
        from enum import Enum
        Self = "Self"
        class Plain: ...
        class Good(str, Enum):
            ONE = "tool.one"
            def method(self): ...
        def go(user_id, order_id, x, name, a: "Self", b: Undefined, c: Plain, d: 3):
            tracer.start_span("tool.a" if x else None)
            tracer.start_span(f"tool.{(y := 'B')}")  #: SPN105
            tracer.start_span(f"tool.{a}")  #: SPN205
            tracer.start_span(f"tool.{b}")  #: SPN205
            tracer.start_span(f"tool.{c}")  #: SPN205
            tracer.start_span(f"tool.{d}")  #: SPN205
            tracer.start_span(f"tool.{Good.method.value}")  #: SPN205
            tracer.start_span(f"tool.{Good.missing.value}")  #: SPN205
            for each in Good:
                tracer.start_span(each)
            tracer.start_span(f"tool.{user_id if x else order_id}")  #: SPN204
            tracer.start_span(f"tool.{user_id.split('-')[0]}")  #: SPN204
            value = "tool.ok"
            if x:
                value = "tool.Bad"
            else:
                tracer.start_span(value)
            name = name or "tool.Default"
            tracer.start_span(name)  #: SPN105
            aa = bb
            bb = aa
            aa("tool.Bad")
            aa.start("tool.Bad")
        class Holder:
            def go(self):
                self.nothing("tool.Bad")
                self.tool("tool.Bad")
    """,
    "renamed": """
        def go(span, request_id):
            span.update_name("tool.fetch_url")
            span.update_name("tool.Fetch")  #: SPN105
            span.update_name(f"tool.{request_id}")  #: SPN204
            span.update_name(f"GET {request_id}")
    """,
    "ours": """
        import agent_callbacks
        from agent_callbacks import span
        from agent_callbacks import span as mine
        with span("chain.check_refund"): ...
        with span("chain.Check"): ...  #: SPN105
        with mine("chain.Check"): ...  #: SPN105
        with agent_callbacks.span("chain.Check"): ...  #: SPN105
        @span("tool.Work")  #: SPN105
        def work(): ...
        def other(span):
            with span("chain.Check"): ...
    """,
    "computed": """
        from .names import build_name
        def go(kind, name, span_name):
            tracer.start_span(build_name(kind))  #: SPN205
            tracer.start_span(name)
            tracer.start_span(span_name)
            tracer.start_span(f"{kind}.search")  #: SPN205
            tracer.start_span(*kind)
            tracer.start_span()
    """,
    "suppressed": """
        tracer.start_span("tool.Legacy")  # noqa: SPN105
        tracer.start_span("tool.Legacy")  # noqa
        tracer.start_span("tool.Legacy")  # agent-callbacks: ignore[SPN105] an old dashboard wants it
        tracer.start_span("tool.fine")  # noqa: SPN105 #: SPN901
        tracer.start_span("tool.fine")  # noqa: E501
        tracer.start_span("tool.fine")  # noqa: SPN999 #: SPN902
        tracer.start_span("tool.Other-one")  # noqa: SPN105 #: SPN106
        tracer.start_span("tool.fine")  # agent-callbacks: ignore[SPN106] #: SPN901
    """,
}

SPANS |= {
    "format_specifications": """
        WIDTH = 2
        def go(i, name, order_id, start, attempts):
            tracer.start_span(f"agent.step.{i:02d}")  #: SPN104
            tracer.start_span("agent.step.%02d" % i)  #: SPN104
            tracer.start_span("agent.step.{:03}".format(i))  #: SPN104
            tracer.start_span(f"agent.step.{start:0>3}")  #: SPN104
            tracer.start_span(f"agent.step.{i:0{WIDTH}d}")  #: SPN104
            tracer.start_span(f"agent.step.{3:02d}")  #: SPN104
            tracer.start_span(f"agent.step.{start:d}")
            tracer.start_span(f"agent.step.{i:{start}}")
            tracer.start_span(f"agent.step.{start:,}")  #: SPN205
            tracer.start_span(f"tool.part_{7:02d}")
            tracer.start_span(f"tool.{'web':>5}")  #: SPN106
            tracer.start_span(f"tool.{'web':d}")
            tracer.start_span(f"tool.{'web':>9999999}")
            tracer.start_span(f"tool.part_{i:02d}")  #: SPN205
            tracer.start_span(f"tool.lookup_{order_id:05d}")  #: SPN204
            tracer.start_span(f"tool.{name:20}")
    """,
    "defaults": """
        BAD = "tool.From-Above"
        def go(name="tool.Bad", *, other=BAD, good="tool.good", empty="", none=None, given, **rest):
            tracer.start_span(name)  #: SPN105
            tracer.start_span(other)  #: SPN105 SPN106 SPN205
            tracer.start_span(good)  #: SPN205
            tracer.start_span(empty)  #: SPN205
            tracer.start_span(none)  #: SPN205
            tracer.start_span(given)  #: SPN205
            tracer.start_span(rest)  #: SPN205
        later = lambda name="tool.Bad": tracer.start_span(name)
    """,
    "returned": """
        import functools
        def name_of(kind="Web"):
            if kind == "x":
                return "tools.x"
            return f"tool.{kind}"
        def twice(kind): return name_of(kind)
        def made(kind):
            def inner(): return "tool.Inner"
            return other(kind)
        def yielded():
            yield "tool.Never"
            return "tool.Never"
        def nothing(kind):
            if kind: return
            return "tool.Never"
        def endless(kind): return endless(kind) + endless(kind)
        def nobody(kind): raise NotImplementedError
        async def later(): return "tool.Never"
        @functools.cache
        def kept(): return "tool.Never"
        def unique(): return uuid4().hex
        class Own:
            def name(self): return "tool.Never"
            def go(self): tracer.start_span(self.name())  #: SPN205
            @staticmethod
            def plain(): return "tool.Never"
        def go(kind, more):
            tracer.start_span(name_of("page"))  #: SPN101
            tracer.start_span(name_of())  #: SPN101 SPN105
            tracer.start_span(twice("Page"))  #: SPN101 SPN105
            tracer.start_span(name_of(*more))  #: SPN101 SPN105 SPN205
            tracer.start_span(name_of(**more))  #: SPN101 SPN105 SPN205
            tracer.start_span(made(kind))  #: SPN205
            tracer.start_span(yielded())  #: SPN205
            tracer.start_span(nothing(kind))  #: SPN205
            tracer.start_span(endless(kind))  #: SPN205
            tracer.start_span(nobody(kind))  #: SPN205
            tracer.start_span(later())  #: SPN205
            tracer.start_span(kept())  #: SPN205
            tracer.start_span(Own.plain())  #: SPN205
            tracer.start_span(f"tool.lookup_{unique()}")  #: SPN204
    """,
    "wrappers": """
        import contextlib
        @contextlib.contextmanager
        def traced(name, /, prefix="tool"):
            with tracer.start_as_current_span(f"{prefix}.{name}"):  #: SPN205
                yield
        async def whole(*, name):
            tracer.start_span(name)
        def spelled(name):
            name = tidy(name)
            tracer.start_span(name)  #: SPN205
        def plain(name): return name
        def go(unknown, order_id, more):
            with traced("fetch_page"): ...
            with traced("Fetch Page"): ...  #: SPN105 SPN106
            with traced("docs", "retrievers"): ...  #: SPN101
            with traced("docs", prefix="retrievers"): ...  #: SPN101
            with traced(unknown): ...
            with traced(order_id): ...  #: SPN204
            with traced(*more): ...
            with traced("Docs", **more): ...
            for each in ("good", "Bad"):
                with traced(each): ...  #: SPN105
            whole(name="GET /orders")
            whole(name="tool.Bad")  #: SPN105
            spelled("tool.Bad")
            plain("tool.Bad")
            unheard("tool.Bad")
            whole()
    """,
}

TOOLS = {
    "wrappers": """
        from langchain_core.tools import StructuredTool, tool
        def make(name, func=None):
            return StructuredTool.from_function(func, name=name)
        make("search_web")
        make("lookup_3f2b8c1e9a77")  #: SPN201
        make(name="Bing Search")  #: SPN105 SPN106
        make(unknown)
    """,
    "langchain": """
        from langchain_core.tools import BaseTool, StructuredTool, Tool, create_retriever_tool, tool
        from langchain.tools import tool as lc
        import langchain_core.tools as lct
        from langchain.agents import create_agent
        def plain(q): return q
        def camelCase(q): return q
        @tool
        def search(q): ...
        @tool
        def getWeather(city): ...  #: SPN105
        @tool("web-search")  #: SPN106
        def web(q): ...
        @tool("fine_name", return_direct=True)
        def Web(q): ...
        @tool(return_direct=True)
        def readFile(q): ...  #: SPN105
        @tool()
        async def writeFile(q): ...  #: SPN105
        @lc("Read Mail")  #: SPN105 SPN106
        def read_mail(q): ...
        @lct.tool("Send Mail")  #: SPN105 SPN106
        def send_mail(q): ...
        @tool(name_or_callable="List.Mail")  #: SPN105 SPN106
        def list_mail(q): ...
        a = StructuredTool.from_function(plain, name="fetch page")  #: SPN106
        b = StructuredTool.from_function(camelCase)  #: SPN105
        c = StructuredTool.from_function(func=plain, name="fetch_it")
        d = StructuredTool.from_function(plain, None, "Third")  #: SPN105
        e = Tool("Calculator!", plain, "d")  #: SPN105 SPN107
        f = Tool(name="calculate", func=plain, description="d")
        g = Tool.from_function(plain, "Sum-Up", "d")  #: SPN105 SPN106
        h = create_retriever_tool(plain, "Search Docs", "d")  #: SPN105 SPN106
        i = lct.StructuredTool(name="deep.name")  #: SPN106
        j = create_agent(model, [], name="Research Agent")  #: SPN105 SPN106
        k = create_agent(model, [], name="researcher")
        l = create_agent(model, [], name=None)
        m = tool(camelCase)  #: SPN105
        def build(tenant_id, kind, tool_name):
            StructuredTool.from_function(plain, name=f"kb_{tenant_id}")  #: SPN204
            StructuredTool.from_function(plain, name=tool_name)
            StructuredTool.from_function(plain, name=kind)  #: SPN205
            return StructuredTool.from_function(plain, name=f"Kb_{tool_name}")  #: SPN105
    """,
    "classes": """
        from typing import ClassVar
        from langchain_core.tools import BaseTool
        from pydantic import BaseModel, Field
        import langchain.tools
        class Good(BaseTool):
            name: str = "get_quote"
        class Bad(BaseTool):
            name: str = "QuoteTool"  #: SPN105
        class Base(BaseTool):
            name: str = ""
        class Derived(Base):
            name = "Derived-Tool"  #: SPN105 SPN106
        class Fielded(BaseTool):
            name: str = Field("Fielded")  #: SPN105
        class Defaulted(BaseTool):
            name: str = Field(default="Defaulted", description="d")  #: SPN105
        class Dotted(langchain.tools.BaseTool):
            name: str = "Dotted"  #: SPN105
        class Annotated(BaseTool):
            name: str
        class Shape(BaseModel):
            name: str = "Some Display Name"
        class NotATool:
            name: str = "Some Display Name"
        Good(name="Other Name")  #: SPN105 SPN106
        Good(name="other_name")
        Shape(name="Other Name")
    """,
    "initialised": """
        from langchain_core.tools import BaseTool
        class Named(BaseTool):
            def __init__(self, **given):
                super().__init__(name="Own Name", **given)  #: SPN105 SPN106
        class Other:
            def __init__(self):
                super().__init__(name="Own Name")
                Other.__init__(name="Own Name")
        super().__init__(name="Own Name")
    """,
    "llamaindex": """
        from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
        from llama_index.core.tools import FunctionTool, QueryEngineTool, ToolMetadata, RetrieverTool
        def add(a, b): ...
        def addUp(a, b): ...
        FunctionTool.from_defaults(add, name="add_numbers")
        FunctionTool.from_defaults(add, "Add")  #: SPN105
        FunctionTool.from_defaults(fn=addUp)  #: SPN105
        FunctionTool.from_defaults(async_fn=addUp)  #: SPN105
        FunctionTool.from_defaults(add, name="add.numbers/v2")  #: SPN106
        ToolMetadata(name="Vector Tool", description="d")  #: SPN105 SPN106
        ToolMetadata("d", "vector_tool")
        RetrieverTool.from_defaults(add, name="docs-tool")  #: SPN106
        FunctionAgent(name="Agent Smith", tools=[])  #: SPN105 SPN106
        ReActAgent(name="smith", tools=[])
        def build(engine, customer):
            return QueryEngineTool.from_defaults(engine, name=f"kb_{customer}")  #: SPN204
    """,
    "mcp": """
        from mcp.server.fastmcp import FastMCP
        import fastmcp
        from mcp import types
        mcp = FastMCP("demo")
        other = fastmcp.FastMCP("demo")
        @mcp.tool()
        def listTables(): ...  #: SPN105
        @mcp.tool(name="describe-table")  #: SPN106
        def describe(): ...
        @mcp.tool("Query Table")  #: SPN105 SPN106
        def query(): ...
        @other.tool
        async def dropTable(): ...  #: SPN105
        @mcp.tool(description="d")
        def fine_tool(): ...
        mcp.add_tool(describe, name="Added")  #: SPN105
        types.Tool(name="raw-tool", inputSchema={})  #: SPN106
        def register(server: FastMCP, foreign):
            @server.tool()
            def innerTool(): ...  #: SPN105
        def quoted(a: "FastMCP", b: FastMCP | None, c: FastMCP[int], d: "FastMCP(", e: 3):
            @a.tool()
            def oneTool(): ...  #: SPN105
            @b.tool()
            def twoTool(): ...  #: SPN105
            @c.tool()
            def threeTool(): ...  #: SPN105
            @d.tool()
            def fourTool(): ...
            @e.tool()
            def fiveTool(): ...
        with FastMCP("x") as served:
            @served.tool()
            def servedTool(): ...  #: SPN105
            @foreign.tool()
            def alienTool(): ...
        class Server:
            def __init__(self):
                self.mcp = FastMCP("x")
            def register(self):
                @self.mcp.tool()
                def selfTool(): ...  #: SPN105
    """,
    "not_ours": """
        import logging
        from mylib import Tool, StructuredTool, create_agent
        def tool(fn): return fn
        @tool
        def mixedCase(x): ...
        Tool(name="Some Name")
        StructuredTool.from_function(mixedCase, name="Some Name")
        create_agent(name="Some Name")
        logging.info("tool.searchWeb took %s", 1)
        METRIC = "tool.search-web.count"
        print({"tool.Fetch": 1})
        class Bad:
            name = "tool.Some"
    """,
    "together": """
        from langchain_core.tools import StructuredTool, tool
        @tool
        def search_web(q): ...
        @tool
        def web_search(q): ...  #: SPN302
        @tool
        def text_to_speech(q): ...
        @tool
        def speech_to_text(q): ...
        @tool
        def get_item(q): ...
        @tool
        def put_item(q): ...
        @tool
        def serach_docs(q): ...
        @tool
        def search_docs(q): ...  #: SPN302
        one = StructuredTool.from_function(search_web, name="github_create_issue")
        two = StructuredTool.from_function(search_web, name="github__create_issue")  #: SPN106 SPN301
        same = StructuredTool.from_function(web_search, name="github_create_issue")
        id1 = StructuredTool.from_function(web_search, name="kb_883920")  #: SPN201
        id2 = StructuredTool.from_function(web_search, name="kb_883921")  #: SPN201
    """,
}


def dedented(text: str) -> str:
    """Return a snippet of the tables without its indentation."""
    lines = text.strip("\n").splitlines()
    return "\n".join(line.removeprefix(" " * 8) for line in lines) + "\n"


def expected(source: str) -> list[tuple[int, str]]:
    """Return line and code of every finding that the comments of *source* ask for."""
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        if match := re.search(r"#: (SPN[0-9 SPN]*)$", line):
            found += [(number, code) for code in match[1].split()]
    return sorted(found)


def lint(source: str, path: str = "snippet.py", **given):
    """Lint one file."""
    return lint_source([(path, source)], Settings(**given))


def codes(source: str, path: str = "snippet.py", **given) -> list[tuple[int, str]]:
    """Return line and code of what is found."""
    return [(each.line, each.code) for each in lint(source, path, **given).findings]


@pytest.mark.parametrize("name", SPANS)
def test_span_names(name):
    """Names of spans are followed to their literals, and each fault is reported where the span is started."""
    source = TRACER + dedented(SPANS[name])
    assert expected(source) == codes(source, policy=Policy(ignore=("SPN302",)))


@pytest.mark.parametrize("name", TOOLS)
def test_tool_names(name):
    """Tools and agents are found by what they are imported from, and judged by the name they get."""
    source = dedented(TOOLS[name])
    assert expected(source) == codes(source, policy=Policy(ignore=() if name == "together" else ("SPN301", "SPN302")))


def test_renaming_is_reported_on_request():
    """A name given after the start is reported in the set strict, and only where the name is ours."""
    source = TRACER + dedented(SPANS["renamed"])
    found = [line for line, code in codes(source, policy=Policy("strict", ignore=("SPN302",))) if code == "SPN408"]
    assert [4, 5, 6] == found


def test_collision_points_at_the_one_that_changed():
    """The name that had to change is the one reported, whichever comes first; of two changed ones, the later."""
    head = "from langchain_core.tools import StructuredTool as S\n"
    for names, line in ((("a__b", "a_b"), 2), (("a_b", "a__b"), 3), (("a__b", "A_b"), 3)):
        text = head + "".join(f"S.from_function(f, name='{name}')\n" for name in names)
        assert [line] == [at for at, code in codes(text) if code == "SPN301"]


def test_projects_are_compared_as_a_whole(tmp_path):
    """A package is one registry, a script alone is another."""
    text = "from langchain_core.tools import tool\n@tool\ndef {}(x): ...\n"
    package = tmp_path / "app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for folder, expected in ((package, ["SPN302"]), (tmp_path, [])):
        files = [(str(folder / f"{name}.py"), text.format(name)) for name in ("search_web", "web_search")]
        assert expected == [each.code for each in lint_source(files, Settings()).findings]


def test_a_wrapper_of_another_module(tmp_path):
    """A wrapper is followed into the module that it is imported from, and the caller's line is the one reported."""
    helpers = "from langchain_core.tools import Tool\ndef make(name): return Tool(name=name, func=None)\n"
    (tmp_path / "helpers.py").write_text(helpers)
    (tmp_path / "silent.py").write_text("def make(name): return name\n")
    text = "from langchain_core.tools import tool\nfrom helpers import make\nfrom silent import make as no\n"
    text += "make('Bad')\nno('Bad')\n"
    (found,) = lint(text, str(tmp_path / "main.py")).findings
    assert (4, "make('Bad')", "'Bad'") == (found.line, found.excerpt, found.excerpt[found.column - 1 :][:5])


def test_a_script_has_the_names_it_imports(tmp_path):
    """A script and what it imports from its folder are one registry; two scripts that share a module are two."""
    tool = "from langchain_core.tools import tool\n{}@tool\ndef {}(x): ...\n"
    shared = tool.format("", "search_docs")
    deeper = tool.format("import shared\n", "docs_search")
    one = tool.format("import os, deeper\nfrom .missing import x\n", "web_search")
    two = tool.format("from shared import search_docs\n", "search_web")
    sources = {"shared": shared, "deeper": deeper, "one": one, "two": two}
    files = [(str(tmp_path / f"{name}.py"), text) for name, text in sources.items()]
    for path, text in files:
        (tmp_path / path).write_text(text)
    found = lint_source(files, Settings()).findings
    assert [("SPN302", "`tool.docs_search` and `tool.search_docs`")] == [
        (each.code, each.message.partition(" (")[0]) for each in found
    ]


def test_scripts_that_import_each_other(tmp_path):
    """Scripts in a circle are one registry, and what is found there is said once."""
    tool = "import {}\nfrom langchain_core.tools import tool\n@tool\ndef {}(x): ...\n"
    files = [
        (str(tmp_path / "a.py"), tool.format("b", "search_web")),
        (str(tmp_path / "b.py"), tool.format("a", "web_search")),
    ]
    for path, text in files:
        (tmp_path / path).write_text(text)
    assert ["SPN302"] == [each.code for each in lint_source(files, Settings()).findings]


def test_imports_that_lead_nowhere(tmp_path):
    """Folders without modules, files of no Python and huge ones are no reason to stop."""
    (tmp_path / "data").mkdir()
    (tmp_path / "huge.py").write_text("#" * 2_000_001)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "empty.py").write_text("")
    names = ("data", "huge", "broken", "empty")
    text = TRACER + "".join(f"from {name} import {name}_x\n{name}_x('tool.Bad')\n" for name in names)
    text += "from .data import y\nfrom ....far import z\ny('tool.Bad')\nz('tool.Bad')\ntracer.start_span('tool.a')\n"
    assert [] == codes(text, str(tmp_path / "main.py"))

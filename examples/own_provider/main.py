"""Your own tracer provider, its exporter behind the fence, and another instrumentation's span inside a tool."""

from __future__ import annotations

import time

from langchain.agents import create_agent
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_callbacks import AgentCallbackHandler, SanitizingSpanExporter
from agent_callbacks.analysis import load
from agent_callbacks.cli.demo.model import ScriptedModel
from examples._shared import asks, says

exporter = InMemorySpanExporter()  # yours: OTLP, console, a vendor's
provider = TracerProvider(resource=Resource.create({"service.name": "own-provider"}))
provider.add_span_processor(BatchSpanProcessor(SanitizingSpanExporter(exporter)))
trace.set_tracer_provider(provider)
database = trace.get_tracer("some.database.instrumentation")


def lookup_customer(email: str) -> str:
    """Look a customer up by e-mail address."""
    statement = f"SELECT name FROM customers WHERE email = '{email}'"  # noqa: S608 - only for the span
    with database.start_as_current_span("SELECT customers", kind=trace.SpanKind.CLIENT) as span:
        span.set_attribute("db.query.text", statement)
        time.sleep(0.02)
    return "Ines Moreau"


def main() -> None:
    """Run an agent whose tool is watched by another instrumentation."""
    model = ScriptedModel(
        script=[asks(("lookup_customer", {"email": "ines.moreau@example.com"})), says("It is Ines Moreau.")]
    )
    agent = create_agent(model, [lookup_customer], name="support")
    agent.invoke(
        {"messages": [{"role": "user", "content": "Who is ines.moreau@example.com?"}]},
        config={"callbacks": [AgentCallbackHandler()], "metadata": {"user_id": "u-17"}},
    )

    provider.force_flush()
    (found,) = load(exporter.get_finished_spans())
    print(found.tree(), end="\n\n")
    spans = {span.name: span.attributes for span in found.spans}
    print("its statement, as exported:", spans["SELECT customers"]["db.query.text"])
    print("its user:", spans["SELECT customers"]["user.id"])
    waited = spans["tool.lookup_customer"]["agent_callbacks.tool.downstream_duration"]
    print(f"the tool waited for it: {waited:.3f} s")


if __name__ == "__main__":
    main()

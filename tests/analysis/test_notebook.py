"""A trace in a notebook's cell."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.report import scenes


class Elements(HTMLParser):
    """Collects elements, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Keep an element."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        """Keep a text."""
        self.texts.append(data)


class TestTable:
    """``Trace._repr_html_``."""

    def test_rows(self):
        """Each span is a row: its place in the tree, its time and tokens, its bar."""
        found = Elements(scenes.agent_run(1)._repr_html_())
        assert [
            "agent.run.support · 1.32 s · 1 step · 8,712 tokens in", "span", "time", "in", "out",
            "agent.run.support", "1.32 s", "└─ agent.step.1", "1.30 s", "8,712", "600",
            "   ├─ llm.chat", "900 ms", "8,712", "600", "   └─ tool.lookup_order", "400 ms", "      └─ GET", "300 ms",
        ] == found.texts  # fmt: skip

    def test_inert(self):
        """Nothing a span carries becomes an element or an attribute: there are tables, texts and styles of ours."""
        found = Elements(scenes.hostile()._repr_html_())
        assert ({"div", "table", "tr", "th", "td"}, {"style"}) == (
            set(found.tags),
            {name for name, _ in found.attributes},
        )
        assert not any("evil" in str(value) or "pwned" in str(value) for _, value in found.attributes)

    def test_failure(self):
        """A failure is said beside the name, as is what else became of a span."""
        texts = Elements(scenes.hostile()._repr_html_()).texts
        assert any(" ✗ " in text for text in texts)

    def test_cap(self):
        """Two hundred rows are shown, and how many more there are is said."""
        found = Elements(scenes.agent_run(60)._repr_html_())
        assert (201, "and 41 more spans; agent-callbacks report shows all") == (found.tags.count("tr"), found.texts[-1])

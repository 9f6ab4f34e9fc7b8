"""Bars, tables and prose for the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.analysis.cells import width
from agent_callbacks.analysis.drawing.bar import Part, share, stacked, stretch
from agent_callbacks.analysis.drawing.ink import paint
from agent_callbacks.analysis.drawing.prose import bullets, joined, pairs, wrapped
from agent_callbacks.analysis.drawing.table import Column, flexible, numbers, table, texts
from agent_callbacks.analysis.figure import dollars, percent, signed

PLAIN = paint(color=False)
COLORED = paint(color=True)


class TestInk:
    """Colours."""

    def test_styles(self):
        """A style colours a text and is switched off again; several go together; none leaves the text alone."""
        assert ("\x1b[31mx\x1b[0m", "\x1b[35;2mx\x1b[0m", "x", "  ") == (
            COLORED("x", "failed"), COLORED("x", "M faint"), COLORED("x", ""), COLORED("  ", "failed"),
        )  # fmt: skip
        assert "x" == PLAIN("x", "failed")


class TestBars:
    """Bars."""

    @pytest.mark.parametrize(
        ("begin", "head", "end", "expected"),
        [
            (0, None, 1, "━━━━"), (0, 0.5, 1, "──━━"), (0.5, None, 1, "  ━━"), (0, None, 0, "╸"), (1, None, 1, "   ╺"),
            (0.125, 0.375, 0.5, "╶╼"), (0, 5, 1, "───╼"), (0.5, 0.1, 1, "  ━━"),
        ],
    )  # fmt: skip
    def test_stretch(self, begin, head, end, expected):
        """A stretch of time begins and ends within half a cell of where it should, its head thin; it is always seen."""
        assert expected == stretch(begin, head, end, 4)

    @pytest.mark.parametrize(
        ("amount", "expected"),
        [(0, ""), (-1, ""), (1e-9, "▏"), (50, "██"), (51, "██"), (55, "██▎"), (100, "████"), (9e9, "████")]
    )  # fmt: skip
    def test_share(self, amount, expected):
        """A share is drawn to an eighth of a cell; what is not nothing is seen, nothing is longer than the whole."""
        assert expected == share(amount, 100, 4)

    def test_share_of_nothing(self):
        """Of nothing there is no share."""
        assert "" == share(1, 0, 4)

    @given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6), st.integers(0, 80))
    def test_stacked_to_its_sum(self, amounts, room):
        """Stacked parts take as many cells as their sum does, whatever rounding does to each."""
        whole = max(1, 2 * sum(amounts))
        drawn = stacked([Part(amount, "x", "") for amount in amounts], whole, room, PLAIN)
        assert round(room * sum(amounts) / whole) == drawn.count("x")

    def test_stacked_parts(self):
        """Each part is drawn with its own character, in order."""
        parts = [Part(2, "█", "system_prompt"), Part(0, "▓", "history"), Part(1, "░", "other")]
        assert "██░" == stacked(parts, 4, 4, PLAIN)
        assert "\x1b[34m██\x1b[0m\x1b[33m░\x1b[0m" == stacked(parts, 4, 4, COLORED)

    def test_stacked_too_small(self):
        """A sum too small for a cell is still seen; nothing is not."""
        assert ("▎", "", "") == (
            stacked([Part(1, "█", "")], 1000, 4, PLAIN), stacked([Part(0, "█", "")], 10, 4, PLAIN),
            stacked([Part(1, "█", "")], 0, 4, PLAIN),
        )  # fmt: skip


def columns():
    """Give a table of every kind of column."""
    return [
        flexible("name", ["a long name of something", "short"], PLAIN, least=6),
        numbers("n", ["1", "1,000"], PLAIN),
        numbers("more", ["5", "6"], PLAIN, rank=2),
        texts("twin", ["left", "l"], PLAIN, rank=2),
        numbers("less", ["7", "8"], PLAIN, rank=1),
        Column("", lambda row, room: ("#" * room)[: room if row else 1], 20, 5, grows=True),
    ]


class TestTable:
    """Tables."""

    def test_room_for_all(self):
        """Where there is room, everything is as wide as it wants, and the bars take the rest up to their most."""
        assert [
            "name                          n  more  twin  less",
            "a long name of something      1     5  left     7  #",
            "short                     1,000     6  l        8  ####################",
        ] == table(columns(), 2, 100, PLAIN)

    def test_columns_go_by_rank(self):
        """Columns go by their rank, those of one rank together; then what can be cut is cut."""
        assert [
            "name                n  less",
            "a long name o…      1     7  #",
            "short           1,000     8  ######",
        ] == table(columns(), 2, 35, PLAIN)
        assert ["name        n", "a lon…      1  #", "short   1,000  #####"] == table(columns(), 2, 20, PLAIN)

    def test_no_titles(self):
        """Without a title there is no line of titles."""
        assert ["1"] == table([numbers("", ["1"], PLAIN)], 1, 10, PLAIN)

    @given(st.integers(20, 200))
    def test_fits(self, cells):
        """No line is wider than asked for, and none ends in blanks."""
        lines = table(columns(), 2, cells, PLAIN)
        assert max(map(width, lines)) <= cells
        assert [line.rstrip() for line in lines] == lines


class TestProse:
    """Sentences."""

    @given(st.text(), st.integers(1, 60), st.integers(0, 8))
    def test_wrapped(self, text, cells, hanging):
        """Whatever the text, no line is wider than asked for or holds what a terminal obeys."""
        for line in wrapped(text, cells, min(hanging, cells - 1)):
            assert width(line) <= cells
            assert line.isprintable()

    def test_wrapped_at_words(self):
        """Lines break between words; all but the first hang; a word too long for a line is cut."""
        assert ["→ one two", "  three", "  unbreak…"] == wrapped("→ one two three unbreakable", 10, 2)
        assert [] == wrapped("  ", 10)

    def test_joined(self):
        """Items stand side by side on as many lines as they need."""
        assert ["a · b", "longer item"] == joined(["a", "b", "longer item"], 12)

    def test_bullets(self):
        """Each sentence has its mark, and hangs from it."""
        assert ["· one two", "  three", "· four"] == bullets(["one two three", "four"], 9)

    def test_pairs(self):
        """Titles stand aside, once."""
        assert ["grew    a b", "        c", "failed  d"] == pairs([("grew", "a b c"), ("failed", "d")], 11, PLAIN)
        assert [] == pairs([], 11, PLAIN)


class TestFigures:
    """Figures."""

    @pytest.mark.parametrize(
        ("value", "places", "expected"),
        [
            (0, 8, "$0.00"), (1234.5, 8, "$1,234.50"), (0.0295, 8, "$0.0295"), (-0.5, 8, "\u2212$0.500"),
            (8e-7, 8, "$0.00000080"), (8e-7, 5, "<$0.00001"), (0.00082, 5, "$0.00082"),
        ],
    )  # fmt: skip
    def test_dollars(self, value, places, expected):
        """Dollars have as many places as they need, and never read as nothing unless they are."""
        assert expected == dollars(value, places)

    @pytest.mark.parametrize(
        ("share_", "expected"), [(0, "0 %"), (0.0001, "< 0.1 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (-0.8, "-80 %")]
    )
    def test_percent(self, share_, expected):
        """Shares have one place below ten percent."""
        assert expected == percent(share_)

    def test_signed(self):
        """A change has a sign, nothing has none."""
        assert ("+1,200", "\u22121,200", "0") == (signed(1200), signed(-1200), signed(0))

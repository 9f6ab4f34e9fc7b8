"""Tables for spreadsheets: no cell is a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_callbacks.analysis.sheet import written


def cell(value):
    """Give what a reader of the table gets for *value*."""
    _, row = csv.reader(io.StringIO(written(["a"], [[value]])))
    return row[0]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "|cmd",
        "%0a",
        "\uff1d1",
        "a;=1",
        "a, @x",
        "\x1b[31m=1",
    ],
)
def test_formulas_become_text(text):
    """What a spreadsheet takes for a formula, at the beginning or behind a separator, gets an apostrophe before it."""
    assert cell(text).startswith("'")


@pytest.mark.parametrize(
    "text", ["a", "u-17", "gpt-4o + gpt-5", "2025-11-24", "a=b", "it's", 'say "x", twice', "héllo"]
)
def test_other_texts_stay(text):
    """What no spreadsheet takes for a formula stays as it is."""
    assert text == cell(text)


@pytest.mark.parametrize(
    ("value", "expected"), [(-1.5, "-1.5"), (-3, "-3"), (0.0, "0.0"), (None, ""), (True, "true"), (False, "false")]
)
def test_numbers_stay_numbers(value, expected):
    """A number is no text, also where it is below 0; nothing is an empty cell."""
    assert expected == cell(value)


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_any_text(rows):
    """Whatever the texts, the table has as many lines as rows, and no cell begins as a formula does."""
    lines = list(csv.reader(io.StringIO(written(["a", "b"], rows))))
    assert len(rows) + 1 == len(lines) == len(written(["a", "b"], rows).split("\n"))
    assert all(not each or each[0] not in "=+-@\t\r" for line in lines for each in line)

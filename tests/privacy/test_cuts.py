"""What is cut is cleaned first; what an error quotes is read by the name of its field, an argument by its option."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from agent_callbacks import Sanitizer

MAIL = "zelda.quux@seedmail-inc.example"


class Login(BaseModel):
    """Somebody who comes in."""

    password: int
    name: str


def quoted(**given: object) -> str:
    """Return what pydantic says of a value that does not fit, cleaned."""
    with pytest.raises(ValidationError) as caught:
        Login.model_validate({"password": 1, "name": "x", **given})
    return Sanitizer().clean(str(caught.value))


def test_an_identity_is_replaced_before_it_is_cut() -> None:
    """Wherever the cut falls: what begins before it is a tag, as it is without a cut."""
    own = Sanitizer(pseudonym_key="k")
    tag = own.clean_identity(MAIL)
    for bound in range(20, 60):
        cut = own.clean_identity("x" * 10 + " " + MAIL + " tail" * 9, bound)
        assert "zelda" not in cut
        assert f"{'x' * 10} {tag} tail"[:bound].startswith(cut[: 11 + len(tag)])
        assert len(cut) <= bound


def test_a_long_identity_is_cut() -> None:
    """A bound holds in bytes of UTF-8, and without one nothing is cut."""
    assert "x" * 256 == Sanitizer().clean_identity("x" * 9000, 256)
    assert "é" * 128 == Sanitizer().clean_identity("é" * 9000, 257)
    assert "x" * 9000 == Sanitizer().clean_identity("x" * 9000)
    assert MAIL[:9] == Sanitizer.disabled(reason="tests").clean_identity(MAIL, 9)


def test_a_rejected_secret_is_not_quoted() -> None:
    """The name on the line above says what the value is."""
    said = quoted(password="correct horse")
    assert "input_value=[SECRET], input_type=str" in said
    assert "password\n  Input should be a valid integer" in said


def test_a_rejected_value_with_its_middle_left_out_goes_whole() -> None:
    """Of an address in two halves neither is one."""
    assert "input_value=[SECRET], input_type=list" in quoted(name=[MAIL, MAIL])
    assert "input_value=['a', 'b'], input_type=list" in quoted(name=["a", "b"])


def test_many_quoted_values() -> None:
    """Each is read by its own field, and one without a line above by none."""
    text = "input_value='x', input_type=str\n" + "a.password\n  no [type=x, input_value=horse]\n" * 2
    assert 2 == Sanitizer().clean(text).count("input_value=[SECRET]]\n")
    assert "input_value=[SECRET]" in Sanitizer().clean("password\n  no input_value=" + "x y " * 400)
    nested = "password\n  no [input_value=input_value='x', input_type=str]"
    assert "password\n  no [input_value=[SECRET], input_type=str]" == Sanitizer().clean(nested)


def test_what_an_option_is_given_goes() -> None:
    """A list of arguments is read like a command line; what is no option's, or an option itself, stays."""
    own = Sanitizer()
    assert ["x", "--password", "[SECRET]", "-v"] == own.clean_value(["x", "--password", "horse", "-v"])
    given = ["--token", "--verbose", "--password", "", "--name", "x", "--password", 7]
    assert given == own.clean_value(given)


def test_a_whole_number_as_a_fraction_is_a_number() -> None:
    """A spreadsheet's card is a card; a large count is none, and what is not finite is nothing."""
    own = Sanitizer()
    assert "[CREDIT_CARD]" == own.clean_value(4111111111111111.0)
    assert [1e300, 2.5e9, 0.5] == own.clean_value([1e300, 2.5e9, 0.5])
    assert [None, None] == own.clean_value([float("inf"), float("nan")])


def test_a_tag_is_not_tagged_again() -> None:
    """What was replaced under a key stays, or it would join nothing; what only looks like it does not."""
    own = Sanitizer(modes={"SECRET": "tag"}, pseudonym_key="k")
    once = own.clean_value({"password": "horse"})
    assert once == own.clean_value(once)
    assert {"password": "[SECRET]"} == own.clean_value({"password": "[SECRET]"})
    assert own.clean_value({"password": "[SECRET:correct horse]"}) != {"password": "[SECRET:correct horse]"}

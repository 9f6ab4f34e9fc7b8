"""Settings: every value is checked where it is made, and a variable that cannot be read stops nobody."""

from __future__ import annotations

from typing import Any

import pytest

from agent_callbacks import Sanitizer, Settings, settings


@pytest.fixture(autouse=True)
def said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what another test has had reported be reported again."""
    monkeypatch.setattr(settings, "_reported", set())


# --- arguments -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"contnet": "all"}, "unknown setting 'contnet'; did you mean 'content'?"),
        ({"xyzzy": 1}, "unknown setting 'xyzzy'; known settings: attributes, baggage_keys"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(given: dict[str, Any], message: str) -> None:
    """A misspelt setting is an error that names the right one, or all there are."""
    with pytest.raises(TypeError) as caught:
        Settings(**given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"content": "al"},
            "Settings(content='al'): use one of 'off', 'arguments', 'tools', 'all'; did you mean 'all'?",
        ),
        ({"span_names": 7}, "Settings(span_names=7): use one of 'agent', 'otel_genai'"),
        ({"max_span_bytes": 0}, "Settings(max_span_bytes=0): must be a number above 0"),
        ({"max_idle_seconds": True}, "Settings(max_idle_seconds=True): must be a number above 0"),
        ({"marginal_ratio_alert": "x"}, "Settings(marginal_ratio_alert='x'): must be a number above 0"),
        ({"inner_spans": 1}, "Settings(inner_spans=1): must be True or False"),
    ],
)
def test_a_bad_value_is_refused(given: dict[str, Any], message: str) -> None:
    """An error names the setting, its value, the rule and, where there is one, what was meant."""
    with pytest.raises(ValueError, match="Settings") as caught:
        Settings(**given)
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"naming": "strict"}, "Settings(naming=...): must be a NamingConvention, not str"),
        ({"sanitizer": None}, "Settings(sanitizer=...): must be a Sanitizer, not NoneType"),
        ({"baggage_keys": ["user_id"]}, "Settings(baggage_keys=...): must be a tuple, not list"),
    ],
)
def test_a_value_of_another_kind_is_refused(given: dict[str, Any], message: str) -> None:
    """What is no value but an object is named by its kind, never quoted."""
    with pytest.raises(TypeError) as caught:
        Settings(**given)
    assert message == str(caught.value)


# --- variables -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("CONTENT", " All ", "all"),
        ("INNER_SPANS", "yes", True),
        ("COUNT_TOKENS", "off", False),
        ("MAX_SPAN_BYTES", "1000", 1000),
        ("MAX_IDLE_SECONDS", "1.5", 1.5),
        ("BAGGAGE_KEYS", "user.id, , tenant", ("user.id", "tenant")),
    ],
)
def test_a_variable_is_a_setting(name: str, text: str, expected: object) -> None:
    """Each setting that fits in a word can be given by a variable; an argument goes before it."""
    environ = {f"AGENT_CALLBACKS_{name}": text}
    assert expected == getattr(Settings.load(environ), name.lower())
    default = getattr(Settings(), name.lower())
    assert default == getattr(Settings.load(environ, **{name.lower(): default}), name.lower())


def test_the_naming_mode_can_be_given() -> None:
    """Of the naming convention, the mode fits in a word."""
    assert "strict" == Settings.load({"AGENT_CALLBACKS_NAMING": "Strict"}).naming.mode


@pytest.mark.logs_expected
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CONTENT", "some"),
        ("INNER_SPANS", "perhaps"),
        ("MAX_SPAN_BYTES", "-1"),
        ("MAX_SPAN_BYTES", "many"),
        ("NAMING", "loud"),
    ],
)
def test_a_variable_that_cannot_be_read_is_reported_once(
    name: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, never quoted, and the default holds."""
    for _ in range(2):
        assert Settings() == Settings.load({f"AGENT_CALLBACKS_{name}": text, "AGENT_CALLBACKS_STORE": "a path"})
    (record,) = caplog.records
    assert f"AGENT_CALLBACKS_{name}: unreadable value; the default holds" == record.getMessage()


@pytest.mark.logs_expected
def test_an_unknown_variable_is_reported_with_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt variable says which was meant."""
    Settings.load({"AGENT_CALLBACKS_CONTNET": "all", "UNRELATED": "x"})
    assert ["AGENT_CALLBACKS_CONTNET: unknown setting 'contnet'; did you mean 'content'?"] == caplog.messages


@pytest.mark.parametrize(
    ("text", "expected"), [("SPAN_ONLY", "all"), ("no_content", "off"), ("EVENT_ONLY", "off"), ("true", "arguments")]
)
def test_the_standards_variable_says_how_much_content(text: str, expected: str) -> None:
    """OpenTelemetry's variable is read; ours goes before it, and an argument before both."""
    variable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    assert expected == Settings.load({variable: text}).content
    assert "tools" == Settings.load({variable: text, "AGENT_CALLBACKS_CONTENT": "tools"}).content


def test_tracing_can_be_switched_off_for_all() -> None:
    """The standard's switch turns everything off."""
    assert not Settings.load({"OTEL_SDK_DISABLED": "true"}).enabled
    assert Settings.load({"OTEL_SDK_DISABLED": "false"}).enabled


def test_settings_are_compared_by_what_they_say() -> None:
    """Two that say the same are one: ``configure()`` called again is no contradiction."""
    sanitizer = Sanitizer()
    assert Settings(content="all", sanitizer=sanitizer) == Settings(content="all", sanitizer=sanitizer)

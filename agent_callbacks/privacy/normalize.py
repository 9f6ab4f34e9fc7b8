"""Any text as text that can leave the process."""

from __future__ import annotations

__all__ = ["encodable"]


def encodable(text: str) -> str:
    """Return *text* as a plain ``str`` that encodes to UTF-8: surrogate pairs joined, lone ones replaced by U+FFFD."""
    if type(text) is not str:
        text = str.__str__(text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text

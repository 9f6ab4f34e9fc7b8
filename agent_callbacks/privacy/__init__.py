"""Remove personal data and secrets from text and from any value, before it reaches a span."""

from __future__ import annotations

from agent_callbacks.privacy.plain import Plain
from agent_callbacks.privacy.sanitizer import Sanitizer

__all__ = ["Plain", "Sanitizer"]

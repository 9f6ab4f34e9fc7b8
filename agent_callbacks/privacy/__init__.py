"""Remove personal data and secrets from text and from any value, before it reaches a span.

The seam for the rest of the package and for users is ``Sanitizer`` (``clean``, ``clean_value``, ``clean_json``,
``clean_identity``, ``matches``, ``report``), the ``Recognizer`` protocol, the ``Mode`` names and the markers
``FAILED`` and ``OVERSIZED``. Everything else in this room may change.
"""

from __future__ import annotations

from agent_callbacks.privacy.findings import Finding, Report
from agent_callbacks.privacy.match import Match
from agent_callbacks.privacy.plain import Plain
from agent_callbacks.privacy.policy import Mode, Recognizer
from agent_callbacks.privacy.sanitizer import FAILED, OVERSIZED, Sanitizer

__all__ = ["FAILED", "OVERSIZED", "Finding", "Match", "Mode", "Plain", "Recognizer", "Report", "Sanitizer"]

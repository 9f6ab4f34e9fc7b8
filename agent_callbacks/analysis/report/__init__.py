"""The page: one or several traces as one self-contained HTML file."""

from __future__ import annotations

from agent_callbacks.analysis.report.model import SCHEMA, Page
from agent_callbacks.analysis.report.page import page
from agent_callbacks.analysis.report.render import ReportError, render

__all__ = ["SCHEMA", "Page", "ReportError", "page", "render"]

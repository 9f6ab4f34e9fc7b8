"""Which rules count, how gravely, and where."""

from __future__ import annotations

import dataclasses
import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_callbacks.lint.rules import DEFAULT_SET, RULES, SETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent_callbacks.lint.finding import Finding, Level

__all__ = ["Policy", "matching"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule set and what was changed about it; codes may be given by their beginning, ``SPN2`` for all of them."""

    rules: str = DEFAULT_SET
    """``"minimal"``, ``"standard"``, ``"strict"`` or ``"otel_genai"``."""
    select: tuple[str, ...] = ()
    """Only these, out of all rules; empty: those of the set."""
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Level] = field(default_factory=dict[str, "Level"])
    """Code or beginning of codes -> level; the longest that matches counts."""
    per_path_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Pattern of paths, ``*`` and ``?`` as in a shell, ``*`` also across folders -> codes."""

    def __post_init__(self) -> None:
        """Refuse codes and sets that do not exist.

        Raises:
            ValueError: A set or a code is not known.
        """
        if self.rules not in SETS:
            raise ValueError(f"no rule set {self.rules!r}; there are {', '.join(SETS)}")
        listed = [*self.select, *self.ignore, *self.severity]
        listed += [code for codes in self.per_path_ignores.values() for code in codes]
        for code in listed:
            if not matching((code,)):
                raise ValueError(f"SPN902 unknown-code: {code!r} is no rule; see agent-callbacks rules")

    @property
    def enabled(self) -> frozenset[str]:
        """The codes that count."""
        chosen = matching(self.select) if self.select else SETS[self.rules]
        return chosen - matching(self.ignore)

    def applied(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those of *findings* that count, at their level, in the order of their places."""
        enabled = self.enabled
        kept = [
            dataclasses.replace(finding, level=self._level(finding))
            for finding in findings
            if finding.code in enabled and not self._ignored(finding)
        ]
        return sorted(kept, key=lambda finding: finding.order)

    def _level(self, finding: Finding) -> Level:
        fitting = [prefix for prefix in self.severity if finding.code.startswith(prefix)]
        if fitting:
            return self.severity[max(fitting, key=len)]
        return "error" if self.rules == "strict" and finding.level == "warning" else finding.level

    def _ignored(self, finding: Finding) -> bool:
        return any(
            finding.code.startswith(codes) and fnmatch.fnmatch(finding.path, pattern)
            for pattern, codes in self.per_path_ignores.items()
        )


def matching(codes: Iterable[str]) -> frozenset[str]:
    """Return the codes of the catalogue that begin with one of *codes*."""
    given = tuple(code.upper() for code in codes)
    return frozenset(code for code in RULES if given and code.startswith(given))

"""A meter provider of a test's own, and what was recorded there."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader


class Measured:
    """A meter provider and what was recorded there."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False)

    def points(self) -> dict[str, list[Any]]:
        """Return the points of each metric."""
        found: dict[str, list[Any]] = {}
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = list(metric.data.data_points)
        return found

    def sums(self, name: str, key: str) -> dict[Any, float]:
        """Return the sum of the metric *name* by what *key* holds."""
        found: dict[Any, float] = {}
        for point in self.points().get(name, ()):
            value = point.attributes.get(key)
            found[value] = found.get(value, 0) + point.sum
        return found

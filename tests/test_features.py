"""No test is skipped for a feature that is there: what is missing belongs to a release that has not come out yet."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

from tests.features import FEATURES, Feature


@pytest.mark.logs_expected  # an older SDK complains of a mapping
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.what)
def test_a_feature_is_missing_before_its_release_only(feature: Feature) -> None:
    """From the release that brought it on a feature is found, so its tests run; before, it is not."""
    assert (Version(version(feature.package)) >= Version(feature.since)) == feature.there


@pytest.mark.parametrize("there", [True, False])
def test_a_feature_is_needed(there: bool) -> None:
    """A test that needs a feature is skipped where it is missing, with a reason that names it and its release."""
    mark = Feature("some-package", "1.2", "something new", lambda: there).needed.mark

    assert ("skipif", (not there,)) == (mark.name, mark.args)
    assert {"reason": "something new: some-package 1.2"} == mark.kwargs

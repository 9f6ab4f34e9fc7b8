"""The pytest plugin: capture the spans of a test, look at them as a tree, hold their names to the convention.

``plugin`` is what pytest loads (light: nothing else is imported before a fixture is asked for), ``capture`` the fixture
``span_capture``, ``session`` what is compared over all tests.
"""

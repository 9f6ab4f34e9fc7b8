"""Holding span names to the convention: in source, in trace files and in tests, with one catalogue of rules.

``rules`` is the catalogue, ``policy`` says which rules count where, ``source`` reads Python, ``spans`` reads traces,
``drift`` and ``lock`` compare names with each other and over time, ``formats`` writes what was found.
"""

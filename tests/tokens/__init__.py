"""Tests of token counts and prices."""

"""Tests of the compiled module are for where it is built."""

from streams.compiled import COMPILED

collect_ignore = [] if COMPILED else ["test_compiled.py"]

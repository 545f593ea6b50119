"""Whether the compiled module is there: `streams/_compiled.c`, built where the installation found a C compiler."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

COMPILED: Final = find_spec("streams._compiled") is not None
"""Without it Python does the same, slower; see `streams.transport.records`."""

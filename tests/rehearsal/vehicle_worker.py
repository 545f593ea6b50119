"""A worker process with the real vehicle agent and no other: its ground has no topics of parts."""

from __future__ import annotations

import sys


def main() -> int:
    """Run until stopped."""
    from streams.agents import vehicles
    from streams.cli.worker import run
    from streams.settings import Settings

    return run(Settings(), [vehicles])


if __name__ == "__main__":
    sys.exit(main())

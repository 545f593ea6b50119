"""The pages of docs/ that a command writes. `make docs` runs this file; a test compares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES: dict[str, tuple[str, ...]] = {
    "docs/metrics.md": ("metrics", "--markdown"),
    "docs/settings.md": ("settings", "--markdown"),
    "docs/principals.md": ("deploy", "principals"),
}


def lotrisk(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command, as a user would."""
    command = Path(sys.executable).with_name("lotrisk")
    return subprocess.run(
        [command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def page(arguments: tuple[str, ...]) -> str:
    """What the command prints. Raises where it fails."""
    answer = lotrisk(*arguments)
    if answer.returncode:
        raise RuntimeError(f"lotrisk {' '.join(arguments)} failed:\n{answer.stderr}")
    return answer.stdout


if __name__ == "__main__":
    for path, arguments in PAGES.items():
        (ROOT / path).write_text(page(arguments), encoding="utf-8")
        print(f"{path}: written by lotrisk {' '.join(arguments)}")

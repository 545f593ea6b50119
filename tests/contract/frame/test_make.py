"""make: help lists every target, and a machine without a suitable Python is told what to do."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.contract.frame.generated import ROOT


def make(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return subprocess.run(["make", *arguments], cwd=directory, capture_output=True, text=True, env=outside)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A directory with just what `make install` reads."""
    (tmp_path / "streams").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock", "hatch_build.py", "streams/_compiled.c"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_make_alone_shows_every_target_with_what_it_does() -> None:
    shown = re.findall(r"^  make (\S+) +(\S.*)$", make(ROOT).stdout, re.MULTILINE)
    wanted = {"install", "test", "check", "demo", "bench", "soak", "test-deploy", "lock", "docs", "format", "clean"}
    wanted |= {"pictures", "revision", "test-live"}
    assert {target for target, _ in shown} == wanted | {"help"}


def test_without_a_suitable_python_the_error_says_what_was_tried_and_what_to_do(clone: Path) -> None:
    old = script(clone / "python-old", "echo 'is 3.9'; exit 1")
    answer = make(clone, "install", f"PYTHON={old} python-that-is-not-there")
    assert answer.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13" in answer.stderr
    assert f"{old}: is 3.9" in answer.stderr
    assert "python-that-is-not-there: " in answer.stderr
    assert "make install PYTHON=" in answer.stderr
    assert not (clone / ".venv").exists()


def test_a_python_that_fails_is_passed_over_for_the_next_one(clone: Path) -> None:
    broken = script(clone / "python-broken", "exit 127")
    good = script(
        clone / "python-good",
        # Stands for an interpreter: passes the check, says its version, makes a venv whose pip notes its arguments.
        'case "$1" in -c) exit 0;; --version) echo Python 3.13.0;;\n'
        "-m) mkdir -p .venv/bin; printf '#!/bin/sh\\necho \"$@\" >> calls\\n' > .venv/bin/python;"
        " chmod +x .venv/bin/python;; esac",
    )
    answer = make(clone, "install", f"PYTHON={broken} {good}")
    assert answer.returncode == 0, answer.stderr
    first, second = (clone / "calls").read_text(encoding="utf-8").splitlines()
    assert "--require-hashes -r requirements-dev.lock" in first
    assert "--no-deps --no-build-isolation -e ." in second


def test_a_second_install_has_nothing_to_do(clone: Path) -> None:
    venv = clone / ".venv"
    venv.mkdir()
    (venv / ".locked").touch()
    (venv / ".installed").touch()
    answer = make(clone, "install", "--dry-run")
    assert "pip" not in answer.stdout


def test_ci_types_what_the_readme_says_and_then_the_rest() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"stage \S+ \d+ (make \S+)$", text, re.MULTILINE) == [
        "make test", "make check", "make test-deploy", "make soak",
    ]  # fmt: skip
    assert sum(map(int, re.findall(r"stage \S+ (\d+) make", text))) <= 60, "minutes, at worst"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)

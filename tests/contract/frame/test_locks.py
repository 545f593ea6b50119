"""The lock files hold what pyproject.toml asks for: every pin with hashes, no address, nothing left over."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.contract.frame.generated import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"]]
BENCH = [Requirement(text) for text in PROJECT["optional-dependencies"]["bench"]]
LOCKS = {
    "requirements.lock": RUNTIME,
    "requirements-dev.lock": RUNTIME + DEVELOPMENT,
    "requirements-bench.lock": RUNTIME + BENCH,
}


@dataclass
class Pin:
    """One version of one distribution in a lock file."""

    requirement: Requirement
    hashes: int = 0
    via: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return next(iter(self.requirement.specifier)).version


def pins(lock: str) -> list[Pin]:
    found: list[Pin] = []
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            found.append(Pin(Requirement(line.removesuffix("\\").strip())))
        elif line.startswith("    --hash=sha256:"):
            found[-1].hashes += 1
        elif found and (via := re.match(r"    #(?: via)?\s+(\S.*)", line)):
            found[-1].via.append(via[1])
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_has_hashes(lock: str) -> None:
    assert pins(lock)
    for pin in pins(lock):
        assert str(pin.requirement.specifier).startswith("=="), pin
        assert pin.hashes, f"{pin.name} has no hash: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--find-links" not in text
    assert "index-url" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_what_the_project_asks_for_is_pinned_and_nothing_is_left_over(lock: str) -> None:
    wanted = {canonicalize_name(requirement.name) for requirement in LOCKS[lock]}
    pinned = {pin.name for pin in pins(lock) if any(via.startswith("lotrisk (pyproject.toml)") for via in pin.via)}
    assert pinned == wanted, "pyproject.toml and the lock differ: run `make lock`"
    for requirement in LOCKS[lock]:
        name = canonicalize_name(requirement.name)
        for pin in (pin for pin in pins(lock) if pin.name == name):
            assert requirement.specifier.contains(pin.version, prereleases=True), f"{requirement} but {pin.version}"


def test_both_locks_pin_the_same_versions() -> None:
    development = {(pin.name, pin.version) for pin in pins("requirements-dev.lock")}
    assert {(pin.name, pin.version) for pin in pins("requirements.lock")} <= development

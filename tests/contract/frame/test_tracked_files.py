"""Nothing in the repository belongs to one machine: no path of a home or work directory, no registry, no secret."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.contract.frame.generated import ROOT

# Written in pieces, so that this file doesn't hold what it looks for.
MACHINE_PATH = re.compile("(?<![\\w.])/" + r"(?:work|root|home/\w+|Users/\w+|tmp/\w+|opt/wheels)\b")
REGISTRY = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("repo1", "maven"), ("repo", "maven"),
            ("static", "crates"), ("proxy", "golang"), ("deb", "debian"), ("docker", "io/"),
        )
    )
    + "|--(?:extra-)?" + "index-url|--trusted" + "-host"
)  # fmt: skip
BESIDE = re.compile(r"\.\./" + "shared")


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str], *, apart_from: tuple[str, ...] = ()) -> list[str]:
    found = []
    for name in tracked():
        if name in apart_from:
            continue
        text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        found += [f"{name}:{n}: {line[:120]}" for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    return found


def test_no_machine_path_is_tracked() -> None:
    assert lines_with(MACHINE_PATH) == []


def test_no_registry_is_named() -> None:
    assert lines_with(REGISTRY) == []


def test_only_the_ci_script_knows_what_lies_beside_the_repository() -> None:
    assert lines_with(BESIDE, apart_from=(".ci/run",)) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATH, "see /" + "work/main"),
        (MACHINE_PATH, '"/' + 'home/anna/lot.csv"'),
        (REGISTRY, "https://files.python" + "hosted.org/x"),
        (BESIDE, "../" + "shared/tools"),
    ],
)
def test_the_search_finds_what_it_looks_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def test_nothing_generated_by_a_run_is_tracked() -> None:
    ignored = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    assert ignored.stdout == ""

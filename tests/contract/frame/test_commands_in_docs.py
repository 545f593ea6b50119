"""What README and the docs tell a reader to type exists: make targets, lotrisk commands and their options."""

from __future__ import annotations

import re
import shlex
from functools import cache

import pytest
import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

import streams.cli
from tests.contract.frame.generated import ROOT
from tests.contract.frame.test_links import PAGES

BLOCK = re.compile(r"^```(?:sh|shell|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
INLINE = re.compile(r"`((?:make|lotrisk) [^`\n]+)`")
OURS = re.compile(r"(?:^|[|] )(?:[A-Z_]+=\S+ )*((?:make|lotrisk) .*)")
"""A command of ours in a line of a shell: variables may stand before it, and what it reads."""


def lines_to_type(text: str) -> list[str]:
    """The lines of a page's shell blocks, fenced or indented, without the remark at the end."""
    fenced = "\n".join(block.replace("\\\n", " ") for block in BLOCK.findall(text)).splitlines()
    indented = INDENTED.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line for raw in (*fenced, *indented) if (line := re.split(r"\s+#(?:\s|$)", raw)[0].strip())]


def commands() -> list[tuple[str, str, bool]]:
    """Page, command line, and whether it stands whole in a shell block (in running text arguments may be left out)."""
    found = set()
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        found |= {(name, ours[1], True) for line in lines_to_type(text) if (ours := OURS.search(line))}
        found |= {(name, line, False) for line in INLINE.findall(BLOCK.sub("", text))}
    return sorted(found)


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def program() -> TyperGroup:
    """The `lotrisk` command as it would be run, all groups registered."""
    group = typer.main.get_command(streams.cli.commands())
    assert isinstance(group, TyperGroup)
    return group


def complaint(line: str, *, whole: bool = True) -> str | None:
    """What is wrong with a command line, None if nothing. A file that isn't here is nothing wrong."""
    name, *words = shlex.split(re.sub(r"[<>|;&].*", "", line))
    if name == "make":
        missing = [word for word in words if "=" not in word and word not in make_targets()]
        return f"no make target {', '.join(missing)}" if missing else None
    command: TyperCommand | TyperGroup = program()
    while words and isinstance(command, TyperGroup) and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        if not isinstance(found, TyperCommand | TyperGroup):
            return f"no command {words[0]}"
        command = found
        words = words[1:]
    try:
        command.make_context(name, words)
    except typer.Exit:
        return None
    except typer.BadParameter as bad:
        said = bad.format_message()
        excused = "does not exist" in said or (not whole and said.startswith("Missing argument"))
        return None if excused else said
    except Exception as wrong:  # usage errors are private to typer, and each of them is one
        return str(wrong) or type(wrong).__name__
    return None


@pytest.mark.parametrize(("page", "command", "whole"), commands())
def test_a_command_in_the_docs_exists(page: str, command: str, whole: bool) -> None:
    assert complaint(command, whole=whole) is None, f"{page}: {command}"


def test_the_readme_names_the_two_commands_a_newcomer_types_first() -> None:
    named = {command for page, command, _ in commands() if page == "README.md"}
    assert {"make demo", "make test"} <= named


@pytest.mark.parametrize(
    "command",
    ["make coffee", "lotrisk brew", "lotrisk metrics --csv", "lotrisk metrics all", "lotrisk get", "lotrisk dlq brew"],
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    assert complaint(command)

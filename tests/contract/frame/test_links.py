"""Links in the Markdown pages lead somewhere: to a file that is there, and to a heading that is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract.frame.generated import ROOT
from tests.contract.frame.test_tracked_files import tracked

PAGES = [name for name in tracked() if name.endswith(".md")]
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+\s+(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def targets(page: Path) -> list[str]:
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    return [target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_resolves(name: str) -> None:
    page = ROOT / name
    for target in targets(page):
        path, _, anchor = target.partition("#")
        led = (page.parent / path).resolve() if path else page
        assert led.exists(), f"{name} links to {target}, which isn't there"
        assert ROOT in [led, *led.parents], f"{name} links to {target}, outside the repository"
        if anchor:
            assert anchor in anchors(led), f"{name} links to {target}, which has no such heading"


def test_the_index_of_the_docs_links_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in targets(index)}
    pages = {ROOT / name for name in PAGES if Path(name).parent == Path("docs")} - {index}
    assert pages - linked == set(), "docs/README.md doesn't list these pages"


def test_the_index_of_the_decisions_links_to_every_decision() -> None:
    index = ROOT / "docs" / "decisions" / "README.md"
    linked = {(index.parent / target).resolve() for target in targets(index)}
    pages = {ROOT / name for name in PAGES if Path(name).parent == Path("docs/decisions")} - {index}
    assert pages - linked == set(), "docs/decisions/README.md doesn't list these decisions"

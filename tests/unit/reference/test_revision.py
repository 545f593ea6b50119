"""Reference data and what is made of it do not change without a higher number in `streams/reference/REVISION`.

A book's number begins with it: workers rate every record again when it rises, and only then.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from streams.reference import load
from streams.reference.loading import ROOT

from . import revision


def recorded() -> revision.Json:
    found: revision.Json = orjson.loads(revision.RECORDED.read_bytes())
    return found


def test_data_and_ratings_change_only_with_the_revision() -> None:
    found = revision.state(load())
    changed = revision.changes(found, recorded())
    assert not changed, f"{', '.join(changed)} changed: `make revision` raises the number and records it"
    assert found["revision"] == recorded()["revision"], "REVISION changed by hand: `make revision` records it"


def test_a_changed_rate_changes_the_ratings_and_what_is_enriched() -> None:
    reference = load()
    changed = tuple(
        row.model_copy(update={"rate": Decimal(26)}) if row.id == "232-AUTO" else row
        for row in reference.trade.measures
    )
    trade = replace(reference.trade, measures=changed)
    assert revision.rating(trade) != recorded()["rating"]
    assert revision.enriching(replace(reference, trade=trade)) != recorded()["enriching"]


@pytest.mark.parametrize("section", revision.SECTIONS)
def test_a_change_in_any_section_is_noticed_but_a_note_is_not(section: str, tmp_path: Path) -> None:
    for name in revision.SECTIONS:
        copy = shutil.copy if (ROOT / name).is_file() else shutil.copytree
        copy(ROOT / name, tmp_path / name)
    path = tmp_path / section
    file = path if path.is_file() else sorted(path.iterdir())[0]
    before, text = revision.data(tmp_path), file.read_text("utf-8")
    if file.suffix == ".toml":
        file.write_text(text + 'note = "more words"  # and more\n', "utf-8")
        assert revision.data(tmp_path) == before
    file.write_text(text + ("more = 1\n" if file.suffix == ".toml" else "more,1\n"), "utf-8")
    after = revision.data(tmp_path)
    assert [name for name in revision.SECTIONS if before[name] != after[name]] == [section]


def test_the_revision_is_raised_once_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recorded()
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    monkeypatch.setattr(revision, "RECORDED", tmp_path / "revision.json")
    (tmp_path / "revision.json").write_bytes(orjson.dumps(before | {"rating": "other"}))
    monkeypatch.setattr(revision, "state", lambda _: dict(before))
    assert revision.refresh() == f"revision {before['revision'] + 1}: rating"
    assert (tmp_path / "REVISION").read_text("utf-8") == f"{before['revision'] + 1}\n"
    assert orjson.loads((tmp_path / "revision.json").read_bytes())["rating"] == before["rating"]

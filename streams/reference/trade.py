"""The trade policy's reference data: measures, stacking rules, HTS lines and lists; `load_trade()` reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from streams.reference.loading import ROOT, ReferenceError, read_csv, read_toml
from streams.reference.trade_checks import check_measures, check_stacking
from streams.reference.trade_records import (
    ChapterRange,
    ContentRuleRecord,
    ControlCode,
    Country,
    Coverage,
    FactRecord,
    HtsLine,
    LicencePeriod,
    ListStem,
    MeasureRecord,
    ScopeLimit,
    SourceRow,
    StackingRule,
)

EU = "EU"


@dataclass(frozen=True, slots=True)
class TradeReference:
    """All of the trade policy's data at one revision."""

    revision: int
    verified: date
    first_day: date
    last_day: date
    measures: tuple[MeasureRecord, ...]
    stacking: tuple[StackingRule, ...]
    facts: tuple[FactRecord, ...]
    lines: tuple[HtsLine, ...]
    lists: dict[str, tuple[str, ...]]
    chapters: tuple[ChapterRange, ...]
    countries: tuple[Country, ...]
    licences: tuple[LicencePeriod, ...]
    content_rules: tuple[ContentRuleRecord, ...]
    control_scope: tuple[ScopeLimit, ...]
    control_codes: tuple[ControlCode, ...]
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def eu(self) -> frozenset[str]:
        """The 27 member states, and `EU` itself for goods of the Union whose member state is not given."""
        return frozenset(row.alpha2 for row in self.countries if row.group == EU) | {EU}


def load_trade(root: Path = ROOT) -> TradeReference:
    """Read and validate the trade reference files under `root`.

    Raises:
        ReferenceError: a file can't be used; the message names file, record and field.
    """
    return _load(root)


@lru_cache(maxsize=4)
def _load(root: Path) -> TradeReference:
    files = sorted((root / "measures").glob("*.toml"))
    if not files:
        raise ReferenceError(f"{root / 'measures'}: no measure files")
    measures: list[MeasureRecord] = []
    origin_of: dict[str, str] = {}
    for path in files:
        for record in read_toml(path, "measure", MeasureRecord):
            if record.id in origin_of:
                raise ReferenceError(f"{path.name}: [[measure]] {record.id}: id is also in {origin_of[record.id]}")
            origin_of[record.id] = path.name
            measures.append(record)
    lists: dict[str, list[str]] = {"not-in-book": []}
    for row in read_csv(root / "hts" / "lists.csv", ListStem):
        lists.setdefault(row.list, []).append(row.stem)
    lines = read_csv(root / "hts" / "lines.csv", HtsLine)
    for line in lines:
        lists.setdefault(f"s301-{line.s301.lower()}", []).append(line.hts)
    countries = read_csv(root / "hts" / "countries.csv", Country)
    sources = {row.key: row.title for row in read_csv(root / "sources.csv", SourceRow)}
    stacking = read_toml(root / "hts" / "stacking.toml", "rule", StackingRule)
    facts = read_toml(root / "hts" / "facts.toml", "fact", FactRecord)
    coverage = read_toml(root / "hts" / "coverage.toml", "coverage", Coverage)[0]
    reference = TradeReference(
        revision=_revision(root / "REVISION"),
        verified=coverage.verified,
        first_day=coverage.first_day,
        last_day=coverage.last_day,
        measures=tuple(measures),
        stacking=stacking,
        facts=facts,
        lines=lines,
        lists={name: tuple(stems) for name, stems in lists.items()},
        chapters=read_csv(root / "hts" / "chapters.csv", ChapterRange),
        countries=countries,
        licences=read_toml(root / "controls" / "licences.toml", "licence", LicencePeriod),
        content_rules=read_toml(root / "controls" / "content-rule.toml", "rule", ContentRuleRecord),
        control_scope=read_csv(root / "controls" / "scope.csv", ScopeLimit),
        control_codes=read_csv(root / "controls" / "codes.csv", ControlCode),
        sources=sources,
    )
    _check_sources(reference)
    check_stacking(stacking, measures)
    check_measures(measures, reference.lists, facts, {row.alpha2 for row in countries}, origin_of)
    return reference


def _revision(path: Path) -> int:
    text = path.read_text("utf-8").strip()
    if not text.isdigit():
        raise ReferenceError(f"{path.name}: must hold one whole number, not {text[:20]!r}")
    return int(text)


def _check_sources(reference: TradeReference) -> None:
    rows: Iterable[tuple[str, str]] = (
        *((f"measure {row.id}", row.source) for row in reference.measures),
        *((f"rule {row.id}", row.source) for row in reference.stacking),
        *((f"fact {row.name}", row.source) for row in reference.facts),
        *((f"line {row.hts}", row.source) for row in reference.lines),
        *((f"chapter {row.prefix}", row.source) for row in reference.chapters),
        *((f"licence from {row.effective_from}", row.source) for row in reference.licences),
        *((f"content rule {row.measure}", row.source) for row in reference.content_rules),
    )
    for where, keys in rows:
        for key in keys.split():
            if key not in reference.sources:
                raise ReferenceError(f"{where}: source: {key!r} is not in sources.csv; add it there")

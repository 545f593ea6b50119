"""Trade reference files that can't be used are refused, with the file, the record and the field."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streams.policy.book import build_book
from streams.reference.loading import ROOT, ReferenceError
from streams.reference.trade import load_trade

GOOD = """
[[measure]]
id = "X-1"
authority = "section_232_autos"
title = "A measure"
instrument = "Proc. 1"
heading = "9903.99.01"
origins = ["JP"]
scope = ["8703.23"]
rate = 10
effective_from = 2026-01-01
effective_to = 2026-12-31
status = "in_force"
confidence = "L"
source = "GK"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the reference files with one more measure file, `x.toml`."""
    for name in ("measures", "hts", "controls"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("sources.csv", "REVISION"):
        shutil.copy(ROOT / name, tmp_path / name)
    write(tmp_path, GOOD)
    return tmp_path


def write(root: Path, text: str) -> None:
    (root / "measures" / "x.toml").write_text(text, "utf-8")


def refused(root: Path) -> str:
    with pytest.raises(ReferenceError) as caught:
        build_book(load_trade(root), load_trade(root).verified).view()
    return str(caught.value)


def test_a_measure_more_is_one_record_more(root: Path) -> None:
    assert {row.id for row in load_trade(root).measures} - {row.id for row in load_trade().measures} == {"X-1"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rate = 10", 'rate_type = "surcharge"\nrate = 10', "rate_type"),
        ("rate = 10", "rate = -1", "rate"),
        ("rate = 10", "", "needs rate or steps"),
        ("rate = 10", 'rate = 10\ncontent = "metal"', "content"),
        ("rate = 10", 'rate_type = "unknown"\nrate_low = 9\nrate_high = 3', "rate_low"),
        ("rate = 10", "rate = 10\nsteps = [{ from = 2026-01-01, rate = 5 }]", "not both"),
        ("rate = 10", "steps = [{ from = 2026-03-01, rate = 5 }]", "first step"),
        ("rate = 10", "steps = [{ from = 2026-01-01, rate = 5 }, { from = 2027-01-01, rate = 6 }]", "last step"),
        (
            "rate = 10",
            "steps = [{ from = 2026-01-01, rate = 5 }, { from = 2026-01-01, rate = 6 }]",
            "in order of date",
        ),
        ("effective_to = 2026-12-31", "effective_to = 2025-12-31", "before effective_from"),
        ("effective_from = 2026-01-01", "", "needs effective_from"),
        ('origins = ["JP"]', 'origins = ["JQ"]', "'JQ' is not an ISO"),
        ('scope = ["8703.23"]', 'scope = ["list:nowhere"]', "no list 'nowhere'"),
        ('scope = ["8703.23"]', 'scope = ["cars"]', "scope"),
        ('status = "in_force"', 'status = "perhaps"', "status"),
        ('source = "GK"', 'source = "S999"', "'S999' is not in sources.csv"),
        ('source = "GK"', 'source = "GK"\nrequires = ["luck"]', "no fact 'luck'"),
        ('source = "GK"', 'source = "GK"\nreplaces = ["NOT-THERE"]', "no measure 'NOT-THERE'"),
        ('source = "GK"', 'source = "GK"\nreplaces_authorities = ["nobody"]', "no authority 'nobody'"),
        ('source = "GK"', 'source = "GK"\ncolour = "red"', "colour"),
        ('id = "X-1"', 'id = "MFN"', "MFN"),
        ("[[measure]]", "[measure", "not valid TOML"),
    ],
)
def test_a_record_that_is_wrong_is_named(root: Path, old: str, new: str, said: str) -> None:
    write(root, GOOD.replace(old, new))
    message = refused(root)
    assert said in message
    assert "x.toml" in message or "X-1" in message


def test_one_heading_twice_on_the_same_goods_and_days_is_refused(root: Path) -> None:
    second = GOOD.replace("X-1", "X-2").replace("2026-01-01", "2026-06-01").replace("8703.23", "8703")
    write(root, GOOD + second)
    message = refused(root)
    assert "X-2" in message
    assert "9903.99.01 is also charged by X-1" in message


@pytest.mark.parametrize(
    ("old", "new"), [("2026-01-01", "2027-01-01"), ('"JP"', '"KR"'), ("8703.23", "8704"), ("9903.99.01", "9903.99.02")]
)
def test_one_heading_on_other_goods_origins_or_days_is_fine(root: Path, old: str, new: str) -> None:
    second = GOOD.replace("X-1", "X-2").replace("effective_to = 2026-12-31", "").replace(old, new)
    write(root, GOOD + second)
    assert {"X-1", "X-2"} <= {row.id for row in load_trade(root).measures}


def test_a_cyclic_stacking_table_is_refused_and_the_measures_named(root: Path) -> None:
    rule = """
[[rule]]
id = "ST-99"
statement = "Metals switch off autos: the reverse of ST-1."
when = ["section_232_metals"]
off = ["section_232_autos"]
effective_from = 2025-04-03
confidence = "L"
source = "GK"
"""
    path = root / "hts" / "stacking.toml"
    path.write_text(path.read_text("utf-8") + rule, "utf-8")
    message = refused(root)
    assert "cyclic on 2025-04-03" in message
    assert "232-AUTO" in message
    assert "232-METAL-1" in message


def test_a_rule_that_selects_nothing_is_refused(root: Path) -> None:
    path = root / "hts" / "stacking.toml"
    path.write_text(path.read_text("utf-8").replace('"section_338"', '"section_339"'), "utf-8")
    assert "ST-4d: 'section_339' selects no measure" in refused(root)


def test_measures_that_replace_each_other_are_refused(root: Path) -> None:
    one = GOOD + 'replaces = ["X-2"]\n'
    other = GOOD.replace("X-1", "X-2").replace("9903.99.01", "9903.99.02") + 'replaces = ["X-1"]\n'
    write(root, one + other)
    assert "X-1, X-2 switch each other off" in refused(root)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("hts/lines.csv", "8703.23.01,", "8703.2.01,", "hts"),
        ("hts/lists.csv", "note-33b,8703.22.01", "note-33b,cars", "stem"),
        ("hts/countries.csv", "JP,JPN", "JPX,JPN", "alpha2"),
        ("hts/chapters.csv", "8704,0,25", "8704,zero,25", "low"),
        ("REVISION", "\n", "th\n", "whole number"),
    ],
)
def test_a_table_that_is_wrong_is_named(root: Path, name: str, old: str, new: str, said: str) -> None:
    path = root / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    message = refused(root)
    assert said in message
    assert path.name in message


def test_every_row_of_the_timeline_is_in_the_book() -> None:
    """The ids of fact sheet 2.2, 1.1 and 8, also what was threatened, void, suspended or expired."""
    wanted = """
    MFN 301-L1 301-L2 301-L3 301-L4A 301-L4B 301-EV 301-BAT-EV 301-SEMI 301-MAG 301-EXCL 301-CHASSIS 232-AUTO
    232-AUTO-NOTPV 232-AUTO-USMCA 232-AUTO-OLD 232-PART 232-PART-0-USMCA 232-PART-0-OTHER 232-PART-OPT 232-OFFSET
    232-UK-V 232-UK-P 232-JP-V 232-JP-P 232-EU-V 232-EU-P 232-EU-25 232-KR-V 232-KR-P 232-KR-25 232-TW-P 232-MHDV
    232-BUS 232-MHDP 232-METAL-1 232-METAL-2 232-CU 232-METAL-3-IA 232-METAL-3-IB 232-METAL-3-III 232-METAL-4-15
    232-SEMI 232-SEMI-2 232-CRITMIN 232-DRONES-0 IEEPA-FENT-CN IEEPA-CA IEEPA-MX IEEPA-RECIP IEEPA-RECIP-CN
    IEEPA-PH2-JP CN-100 SCOTUS-IEEPA S122 S122-15 S301-FL-CN S301-FL-X86 S301-BR S301-CAP S338-CA S338-CA-BAN
    CN-2026-09 USMCA-REVIEW VCS-RULE VCS-POLESTAR CN-18 CN-55 CN-56 CN-57 CN-58 CN-61-1a CN-61-1b CN-61-1c CN-62 CN-70
    CN-72 CN-JP-2026-02 CN-EU-2026-04 CN-US-2026 CN-JP-DUAL-USE NEXPERIA Y-SC-SHORTAGE
    """
    ids = {row.id for row in load_trade().measures}
    assert set(wanted.split()) <= ids
    assert {rule.id for rule in load_trade().stacking} >= {f"ST-{number}" for number in range(1, 15)}

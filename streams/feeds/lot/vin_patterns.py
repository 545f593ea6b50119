"""VIN patterns of the lot's models, found among the VINs `ultravin.generate` makes.

`python -m streams.feeds.lot.vin_patterns` writes `streams/reference/lot_data/vin_patterns.csv` anew: for each model and
year up to four patterns whose VINs decode without an error to that model, country and powertrain: cars, vans and light
trucks with a known fuel. It takes a few minutes, so the result is kept as data; a test decodes all of it again.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import ultravin

from streams.reference.loading import ROOT
from streams.reference.lot import LotModel, VinPattern, load_models

FROZEN = datetime(2026, 10, 1, tzinfo=UTC)
"""The moment ultravin is told: it reads the clock otherwise."""

YEARS = range(2023, 2028)
_PATTERNS = 4
_DRAWS = (1_000, 4_000, 12_000)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VALUES = {str(digit): digit for digit in range(10)} | {
    letter: value
    for letters, first in (("ABCDEFGH", 1), ("JKLMN", 1), ("P", 7), ("R", 9), ("STUVWXYZ", 2))
    for value, letter in enumerate(letters, start=first)
}
_POWERTRAINS = (("BEV", "BEV"), ("PHEV", "PHEV"), ("FCEV", "FCEV"), ("Mild", "MHEV"), ("Strong", "HEV"), ("HEV", "HEV"))
_TYPES = ("PASSENGER CAR", "MULTIPURPOSE PASSENGER VEHICLE (MPV)", "TRUCK")
_HEAVY = ("Class 4", "Class 5", "Class 6", "Class 7", "Class 8")
_COUNTRIES = {
    "UNITED STATES (USA)": "US", "CANADA": "CA", "MEXICO": "MX", "JAPAN": "JP", "SOUTH KOREA": "KR", "CHINA": "CN",
    "GERMANY": "DE", "UNITED KINGDOM (UK)": "GB", "ENGLAND": "GB", "SLOVAKIA": "SK", "HUNGARY": "HU", "ITALY": "IT",
    "SWEDEN": "SE", "BELGIUM": "BE", "SOUTH AFRICA": "ZA", "AUSTRIA": "AT", "NETHERLANDS": "NL",
}  # fmt: skip


def check_digit(vin: str) -> str:
    """The ninth character of a VIN, from the other sixteen (49 CFR 565.15(c))."""
    total = sum(
        weight * _VALUES[letter] for weight, letter in zip(_WEIGHTS, vin, strict=True) if letter != "*" and weight
    )
    return "X" if total % 11 == 10 else str(total % 11)


def vin_of(pattern: str, serial: int) -> str:
    """The VIN of a pattern (positions 1 to 11, `*` at 9) and a serial of up to six digits."""
    vin = f"{pattern}{serial:06d}"
    return vin.replace("*", check_digit(vin))


def powertrain_of(level: str) -> str:
    """vPIC's electrification level as a powertrain; none means a combustion engine alone."""
    return next((powertrain for start, powertrain in _POWERTRAINS if level.startswith(start)), "ICE")


def _text(value: object) -> str | None:
    text = "/".join(value) if isinstance(value, list) else str(value or "")
    return text.strip() or None


def _short(value: object) -> str | None:
    """`SUV` of vPIC's `Sport Utility Vehicle [SUV]/Multipurpose Vehicle [MPV]`, `AWD` of `AWD/All-Wheel Drive`."""
    first = (_text(value) or "").split("/")[0]
    return first.split("[")[1].rstrip("]") if "[" in first else first or None


def _engine(attributes: Mapping[str, object]) -> str | None:
    litres, cylinders = _text(attributes.get("Displacement (L)")), _text(attributes.get("Engine Number of Cylinders"))
    if litres is None:
        return None
    size = f"{float(litres.split('/')[0]):.1f}L"
    return f"{size} {cylinders}-cyl" if cylinders else size


def _found(models: list[LotModel], year: int, decoded: Mapping[str, object]) -> VinPattern | None:
    attributes = decoded["attributes"]
    assert isinstance(attributes, Mapping)
    country = _COUNTRIES.get(_text(attributes.get("Plant Country")) or "")
    powertrain = powertrain_of(_text(attributes.get("Electrification Level")) or "")
    fuel = _text(attributes.get("Fuel Type - Primary"))
    rating = _text(attributes.get("Gross Vehicle Weight Rating From")) or ""
    if _text(attributes.get("Vehicle Type")) not in _TYPES or rating.startswith(_HEAVY) or fuel is None:
        return None
    for model in models:
        if (
            attributes.get("Model") == model.decoded
            and attributes.get("Make") == model.make
            and country == model.country
            and powertrain == model.powertrain
            and (powertrain != "ICE" or fuel != "Electric")
        ):
            return VinPattern.model_validate({
                "make": model.make, "model": model.model, "country": country, "powertrain": powertrain, "year": year,
                "pattern": str(decoded["vin"])[:8] + "*" + str(decoded["vin"])[9:11],
                "trim": _text(attributes.get("Trim")) or _text(attributes.get("Series")),
                "body": _short(attributes.get("Body Class")),
                "drivetrain": _short(attributes.get("Drive Type")),
                "engine": None if powertrain == "BEV" else _engine(attributes),
                "fuel": fuel, "source": "vPIC 2026-10", "confidence": "H",
            })  # fmt: skip
    return None


def find_patterns(wmi: str, models: list[LotModel], year: int) -> Iterator[VinPattern]:
    """Patterns of the models of one WMI and year, as many as the draws give and at most four a model."""
    wanted = [model for model in models if model.first_year <= year <= model.last_year]
    found: dict[LotModel, dict[str, VinPattern]] = {model: {} for model in wanted}
    for number, draws in enumerate(_DRAWS):
        open_models = [model for model in wanted if len(found[model]) < (_PATTERNS if number == 0 else 2)]
        if not open_models:
            break
        vins = ultravin.generate(draws, seed=year * 10 + number, wmi=wmi, year=year, invalid_rate=0, now=FROZEN)
        for start in range(0, len(vins), 2_000):
            for decoded in ultravin.decode_batch(vins[start : start + 2_000], now=FROZEN):
                row = _found(open_models, year, decoded)
                if row is None:
                    continue
                model = next(m for m in open_models if (m.model, m.country) == (row.model, row.country))
                if len(found[model]) < _PATTERNS and _decodes_alike(row, decoded):
                    found[model][row.pattern] = row
    for model in wanted:
        yield from found[model].values()


def _decodes_alike(row: VinPattern, decoded: Mapping[str, object]) -> bool:
    """Whether other serial numbers of the pattern decode to the same vehicle, without an error."""
    first = decoded["attributes"]
    assert isinstance(first, Mapping)
    for serial in (100_001, 555_555, 899_998):
        other = ultravin.decode(vin_of(row.pattern, serial), now=FROZEN)
        names = ("Model", "Plant Country", "Electrification Level")
        if other["error_codes"] != [0] or any(other["attributes"].get(name) != first.get(name) for name in names):
            return False
    return True


def write_patterns(path: Path) -> int:
    """Write the table anew; gives the number of patterns."""
    by_wmi: dict[str, list[LotModel]] = {}
    for model in load_models():
        for wmi in model.wmis.split("|"):
            by_wmi.setdefault(wmi, []).append(model)
    rows = [row for wmi, models in by_wmi.items() for year in YEARS for row in find_patterns(wmi, models, year)]
    rows.sort(key=lambda row: (row.make, row.model, row.country, row.powertrain, row.year, row.pattern))
    names = [name for name in VinPattern.model_fields if name not in ("source", "confidence")]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, "source", "confidence"])
        writer.writerows([getattr(row, name) for name in (*names, "source", "confidence")] for row in rows)
    return len(rows)


if __name__ == "__main__":
    write_patterns(ROOT / "lot_data" / "vin_patterns.csv")

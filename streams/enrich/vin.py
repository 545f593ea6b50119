"""What a VIN says, by NHTSA vPIC (ultravin, offline).

A decode depends on positions 1-8, 10 and 11; for low-volume makers (third character 9) and the WMIs that a sweep found,
on 12-14 as well. It is remembered by those. Where the check digit is wrong, or the serial number isn't digits, vPIC
weighs all 17 characters: such a VIN is decoded by itself and remembered whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from operator import mul
from sys import intern
from typing import Final, cast

import ultravin

from streams.enrich.context import Context

_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_LETTERS: Final = b"ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_VALUES: Final = bytes.maketrans(
    _LETTERS,
    bytes((1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
)
_REMAINDERS: Final = "0123456789X"
_WITHOUT_SERIAL: Final = 11
_WITH_SERIAL: Final = 14
"""Characters of a pattern without, and with, those of the serial that some WMIs' decode depends on."""
_SERIAL_FIRST: Final = {f"{n:03d}": n // 100 * 7 + n // 10 % 10 * 6 + n % 10 * 5 for n in range(1000)}
_SERIAL_LAST: Final = {f"{n:03d}": n // 100 * 4 + n // 10 % 10 * 3 + n % 10 * 2 for n in range(1000)}
"""What the digits at positions 12 to 14, and 15 to 17, weigh in the check digit."""


@dataclass(frozen=True, slots=True)
class VinFacts:
    """A decoded VIN. Names and spellings are vPIC's, blanks trimmed; None where it says nothing.

    `pattern`: the characters the decode depends on, at their positions, `-` elsewhere; where serial characters may
    matter, those of the first VIN seen of all that decode the same, so that what follows is kept once for all of them.
    `displacement_cc`: cm3 as decoded, which is rounded. `power_hp`: of the engine, or of all motors of an electric
    vehicle. vPIC's error codes are left out: they judge all 17 characters.
    """

    pattern: str
    wmi: str
    check_digit_valid: bool
    make: str | None = None
    model: str | None = None
    model_year: int | None = None
    series: str | None = None
    trim: str | None = None
    body_class: str | None = None
    vehicle_type: str | None = None
    plant_country: str | None = None
    plant_city: str | None = None
    electrification: str | None = None
    fuel: str | None = None
    fuel_secondary: str | None = None
    displacement_cc: Decimal | None = None
    gvwr: str | None = None
    battery_type: str | None = None
    drive_type: str | None = None
    drive_unit: str | None = None
    engine: str | None = None
    power_hp: Decimal | None = None

    @property
    def text(self) -> str:
        """Series, trim and engine in one string, for rows that look for a word."""
        return " ".join(part for part in (self.series, self.trim, self.engine) if part)


def check_digit(vin: str) -> str:
    """The check digit a 17-character VIN should have at position 9 (49 CFR 565.15)."""
    return _REMAINDERS[_weight(vin) % 11]


def _weight(vin: str) -> int:
    return sum(map(mul, vin.encode().translate(_VALUES), _WEIGHTS))


def is_north_american(vin: str) -> bool:
    """Whether the WMI is of the US, Canada or Mexico (ISO 3780: 1 to 5, and 7F to 70), where the check digit is law."""
    return vin[0] in "12345" or (vin[0] == "7" and vin[1] not in "ABCDE")


def decode_vin(vin: str, context: Context) -> VinFacts:
    """Decode a VIN of 17 valid characters. Memoised; equal to a decode of this very VIN.

    Only `pattern` is cut to the characters that matter.
    """
    patterns = context.lasting("vin_patterns")
    pattern = vin[:8] + vin[9:11]
    known = patterns.get(pattern)
    if known is not None:
        # Nearly every VIN of a lot: its pattern was seen, its serial is six digits, its check digit is right.
        facts, weight = cast("tuple[VinFacts, int]", known)
        first, last = _SERIAL_FIRST.get(vin[11:14]), _SERIAL_LAST.get(vin[14:])
        if first is not None and last is not None and _REMAINDERS[(weight + first + last) % 11] == vin[8]:
            return facts
    valid = check_digit(vin) == vin[8]
    by_serial = vin[2] == "9" or vin[:3] in context.reference.vehicles.serial_wmis
    if by_serial:
        key = vin[:8] + vin[9:14] if valid and vin[14:].isdecimal() else vin
    else:
        key = pattern if valid and vin[12:].isdecimal() else vin
    memo = context.lasting("vin")
    found = memo.get(key)
    if found is None:
        found = memo.keep(key, _shared(_decode(vin, key, valid, context), context))
    assert isinstance(found, VinFacts)
    if key is pattern:
        patterns.keep(pattern, (found, _weight(pattern[:8] + "0" + pattern[8:] + "000000")))
    return found


def _shared(facts: VinFacts, context: Context) -> VinFacts:
    """The facts already known of another serial of the same pattern, where they are the same."""
    if len(facts.pattern) != _WITH_SERIAL:
        return facts
    memo = context.lasting("vin_serials")
    content = replace(facts, pattern=facts.pattern[:_WITHOUT_SERIAL])
    found = memo.get(content)
    if found is None:
        found = memo.keep(content, facts)
    assert isinstance(found, VinFacts)
    return found


def _decode(vin: str, key: str, valid: bool, context: Context) -> VinFacts:
    now = datetime.combine(context.reference.vehicles.decoder.now, time(), UTC)
    decoded = ultravin.decode(vin, now=now)
    attributes: dict[str, str | list[str]] = decoded["attributes"]

    def text(name: str) -> str | None:
        value = attributes.get(name, "")
        joined = " ".join(value) if isinstance(value, list) else value
        joined = joined.strip()
        return intern(joined) if joined else None

    def joined(*names: str) -> str | None:
        found = " ".join(part for name in names if (part := text(name)))
        return intern(found) if found else None

    return VinFacts(
        pattern=vin if key == vin else key[:8] + "-" + key[8:],
        wmi=vin[:3],
        check_digit_valid=valid,
        make=text("Make"),
        model=text("Model"),
        model_year=decoded["model_year"],
        series=joined("Series", "Series2"),
        trim=joined("Trim", "Trim2"),
        body_class=text("Body Class"),
        vehicle_type=text("Vehicle Type"),
        plant_country=text("Plant Country"),
        plant_city=text("Plant City"),
        electrification=text("Electrification Level"),
        fuel=text("Fuel Type - Primary"),
        fuel_secondary=text("Fuel Type - Secondary"),
        displacement_cc=_decimal(text("Displacement (CC)")),
        gvwr=text("Gross Vehicle Weight Rating To") or text("Gross Vehicle Weight Rating From"),
        battery_type=text("Battery Type"),
        drive_type=text("Drive Type"),
        drive_unit=text("EV Drive Unit"),
        engine=joined("Engine Model", "Other Engine Info"),
        power_hp=_decimal(text("Engine Brake (hp) From")),
    )


def _decimal(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None

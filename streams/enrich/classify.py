"""What a vehicle is to a customs broker and a magnet buyer: line, powertrain, traction magnets, battery chemistry.

Every decision is a row of `reference/data_vehicles`; here the rows are looked up in the order that decides. What a VIN
can't settle is given as all candidates, with the missing fact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal

from schemas.enriched import BatteryChemistry, Powertrain, TractionMagnets
from schemas.fields import Confidence
from streams.enrich.vin import VinFacts
from streams.reference.vehicles import Kind, VehicleReference

_KW: Final = 0.7457
"""Kilowatts of one horsepower."""
_ESTIMATED: Final = frozenset({"passenger", "goods", "goods_or_passenger", "passenger_or_bus"})
_NOT_ESTIMATED: Final[dict[str, str]] = {
    "bus": "a bus (8702)",
    "heavy": "a medium or heavy truck (8701, 8704 above class 3)",
    "motorcycle": "a motorcycle (8711)",
    "trailer": "a trailer (8716)",
    "low_speed": "a low-speed vehicle (8703.10)",
    "off_road": "an off-road vehicle",
    "incomplete": "an incomplete vehicle (8706 or 8704)",
    "special": "a special-purpose vehicle or motor home",
}
_LEVELS: Final[tuple[tuple[str, Powertrain], ...]] = (
    ("BEV", "BEV"),
    ("PHEV", "PHEV"),
    ("FCEV", "FCEV"),
    ("Strong HEV", "HEV"),
    ("Mild HEV", "MHEV"),
    ("HEV", "HEV"),
)


@dataclass(frozen=True, slots=True)
class VehicleIdentity:
    """What the component bill depends on. Hashable: it keys memories.

    `motor_kw`: of all traction motors together, where known. `motors`: traction machines, where the drive says how
    many; `all_wheel_drive`: None where the VIN doesn't say.
    """

    make: str | None
    model: str | None
    model_year: int | None
    powertrain: Powertrain
    traction_magnets: TractionMagnets
    battery_chemistry: BatteryChemistry
    motor_kw: float | None = None
    diesel: bool | None = None
    motors: int | None = None
    all_wheel_drive: bool | None = None


@dataclass(frozen=True, slots=True)
class VehicleClass:
    """Identity and tariff lines of a vehicle.

    `hts` is None where more than one of `candidates` is possible, or none is known. `estimated` is False for what
    lotrisk names but doesn't estimate. `why` holds one sentence a decision.
    """

    identity: VehicleIdentity
    kind: Kind | None
    estimated: bool
    hts: str | None
    candidates: tuple[str, ...]
    confidence: Confidence
    why: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    missing_facts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Findings:
    why: list[str]
    warnings: list[str]
    missing: list[str]


def classify_vehicle(facts: VinFacts, vehicles: VehicleReference) -> VehicleClass:
    """Powertrain, magnets, battery and lines of a decoded VIN."""
    found = _Findings([], [], [])
    facts = _with_known_make(facts, vehicles)
    if facts.model_year is None:
        found.missing.append("model_year")
        found.warnings.append(f"model_year_unknown: position 10 is {facts.pattern[9]}, which stands for no model year")
    powertrain, powertrain_confidence = _powertrain(facts, vehicles, found)
    driven = _all_wheel_drive(facts, vehicles)
    ignition = _ignition(facts, powertrain, vehicles)
    identity = VehicleIdentity(
        make=facts.make,
        model=facts.model,
        model_year=facts.model_year,
        powertrain=powertrain,
        traction_magnets=_traction_magnets(facts, powertrain, driven, vehicles, found),
        battery_chemistry=_battery(facts, powertrain, driven, vehicles, found),
        motor_kw=_motor_kw(facts, powertrain, vehicles),
        diesel=None if ignition is None else ignition == "diesel",
        motors=_motors(powertrain, driven),
        all_wheel_drive=driven,
    )
    kind, kind_confidence = _kind(facts, vehicles, found)
    estimated = kind in _ESTIMATED
    weight: str | None = None
    if kind in ("goods", "goods_or_passenger"):
        weight = _weight(facts, vehicles)
        if weight == "heavy":
            found.why.append(f"gross weight: {facts.gvwr}")
            estimated = powertrain in ("BEV", "FCEV")
            if not estimated:
                kind = "heavy"
    if not estimated:
        if kind is None:
            found.missing.append("vehicle_type")
            found.warnings.append("not_classified: vPIC names no vehicle type for this VIN")
        else:
            found.warnings.append(f"not_estimated: {_NOT_ESTIMATED[kind]}; lotrisk doesn't estimate it")
        return _finish(identity, kind, False, (), "L", found)
    candidates, line_confidence = _lines(facts, kind, powertrain, ignition, weight, vehicles, found)
    confidence = max(powertrain_confidence, kind_confidence, line_confidence, key="HML".index)
    return _finish(identity, kind, True, candidates, confidence, found)


def _finish(
    identity: VehicleIdentity,
    kind: Kind | None,
    estimated: bool,
    candidates: tuple[str, ...],
    confidence: Confidence,
    found: _Findings,
) -> VehicleClass:
    settled = len(candidates) == 1 and kind in ("passenger", "goods")
    return VehicleClass(
        identity=identity,
        kind=kind,
        estimated=estimated,
        hts=candidates[0] if settled else None,
        candidates=candidates,
        confidence=confidence if settled else "L",
        why=tuple(found.why),
        warnings=tuple(dict.fromkeys(found.warnings)),
        missing_facts=tuple(dict.fromkeys(found.missing)),
    )


def _with_known_make(facts: VinFacts, vehicles: VehicleReference) -> VinFacts:
    """A WMI vPIC doesn't know, with the make and model its maker has told."""
    known = vehicles.wmi_plants.get(facts.wmi)
    if known is None or facts.make is not None:
        return facts
    model = next(
        (
            row.model
            for row in vehicles.wmi_models
            if row.wmi == facts.wmi and fnmatchcase(facts.pattern, row.vin + "*")
        ),
        None,
    )
    return replace(facts, make=known.make, model=model, vehicle_type="PASSENGER CAR")


def _powertrain(facts: VinFacts, vehicles: VehicleReference, found: _Findings) -> tuple[Powertrain, Confidence]:
    level, fuel, second = facts.electrification or "", facts.fuel, facts.fuel_secondary
    for row in vehicles.powertrains:
        if row.fits(facts) and (row.level is None or level.startswith(row.level)) and row.fuel in (None, fuel):
            found.why.append(f"powertrain {row.powertrain}: {row.note}")
            if row.missing_fact is not None:
                found.missing.append(row.missing_fact)
            return row.powertrain, row.confidence
    for label, powertrain in _LEVELS:
        if level.startswith(label):
            found.why.append(f"powertrain {powertrain}: vPIC electrification level is {level}")
            return powertrain, "M" if label == "HEV" else "H"
    known = vehicles.wmi_plants.get(facts.wmi)
    if known is not None:
        found.why.append(f"powertrain {known.powertrain}: all that {known.make} builds")
        return known.powertrain, known.confidence
    first = vehicles.fuels.get(fuel or "")
    if first == "hydrogen":
        found.why.append(f"powertrain FCEV: vPIC fuel is {fuel}")
        return "FCEV", "M"
    if first == "electric":
        if second is None:
            found.why.append("powertrain BEV: vPIC fuel is Electric and no other, without an electrification level")
            return "BEV", "M"
        found.missing.append("electrification_level")
        found.why.append(f"powertrain unknown: vPIC fuels are Electric and {second}, without an electrification level")
        return "unknown", "L"
    if first in ("petrol", "diesel"):
        if vehicles.fuels.get(second or "") == "electric":
            found.missing.append("electrification_level")
            found.why.append(f"powertrain HEV: vPIC fuels are {fuel} and Electric, without an electrification level")
            return "HEV", "L"
        found.why.append(f"powertrain ICE: vPIC fuel is {fuel}, no electrification level")
        return "ICE", "M"
    if facts.displacement_cc is not None:
        found.missing.append("electrification_level")
        found.why.append("powertrain ICE: vPIC names an engine, neither electrification level nor fuel")
        return "ICE", "L"
    found.missing.append("powertrain")
    found.why.append("powertrain unknown: vPIC names neither fuel, engine nor electrification level")
    return "unknown", "L"


def _all_wheel_drive(facts: VinFacts, vehicles: VehicleReference) -> bool | None:
    fields = {
        "drive_type": facts.drive_type,
        "drive_unit": facts.drive_unit,
        "engine": facts.engine,
        "trim": facts.trim,
    }
    for word in vehicles.drive_words:
        value = fields[word.field]
        if word.make in (None, facts.make) and value is not None and fnmatchcase(value, word.word):
            return word.all_wheel_drive
    return None


def _motors(powertrain: Powertrain, all_wheel_drive: bool | None) -> int | None:
    if powertrain != "BEV" or all_wheel_drive is None:
        return None
    return 2 if all_wheel_drive else 1


def _motor_kw(facts: VinFacts, powertrain: Powertrain, vehicles: VehicleReference) -> float | None:
    """Power of all motors of an electric vehicle; of hybrids vPIC gives the engine's."""
    if powertrain != "BEV":
        return None
    if facts.power_hp is not None:
        return round(float(facts.power_hp) * _KW, 1)
    return next((row.kw for row in vehicles.powers if row.drive_unit == facts.drive_unit and row.fits(facts)), None)


def _traction_magnets(
    facts: VinFacts, powertrain: Powertrain, driven: bool | None, vehicles: VehicleReference, found: _Findings
) -> TractionMagnets:
    for row in vehicles.drives:
        if row.powertrain != powertrain or not row.fits(facts):
            continue
        if row.all_wheel_drive is not None and row.all_wheel_drive is not driven:
            if driven is None:
                found.missing.append("driven_axles")
                found.why.append(f"traction magnets unknown: {row.traction_magnets} if all-wheel drive ({row.note})")
                return "unknown"
            continue
        found.why.append(f"traction magnets {row.traction_magnets}: {row.note} [{row.source}, {row.confidence}]")
        return row.traction_magnets
    return "unknown"


def _battery(
    facts: VinFacts, powertrain: Powertrain, driven: bool | None, vehicles: VehicleReference, found: _Findings
) -> BatteryChemistry:
    for row in vehicles.batteries:
        if row.powertrain not in (None, powertrain) or not row.fits(facts):
            continue
        if row.all_wheel_drive is not None and row.all_wheel_drive is not driven:
            continue
        if row.decoded is not None and not fnmatchcase(facts.battery_type or "", row.decoded):
            continue
        found.why.append(
            f"battery {row.battery_chemistry}: {row.note or 'by make, model and year'} [{row.source}, {row.confidence}]"
        )
        return row.battery_chemistry
    if powertrain in ("HEV", "FCEV"):
        found.missing.append("battery_chemistry")
    return "unknown"


def _kind(facts: VinFacts, vehicles: VehicleReference, found: _Findings) -> tuple[Kind | None, Confidence]:
    vehicle_type, body = facts.vehicle_type or "", facts.body_class or ""
    for row in vehicles.kinds:
        if row.vehicle_type is not None and not fnmatchcase(vehicle_type, row.vehicle_type):
            continue
        if row.body is not None and not fnmatchcase(body, row.body):
            continue
        if not row.fits(facts):
            continue
        found.why.append(
            f"{row.kind.replace('_', ' ')}: vPIC type {vehicle_type or 'none'}, body {body or 'none'}"
            + (f"; {row.note}" if row.note else "")
            + f" [{row.source}]"
        )
        if row.kind == "goods_or_passenger":
            found.missing.append("body")
        elif row.kind == "passenger_or_bus":
            found.missing.append("seats")
            found.warnings.append(
                "seats_unknown: with ten seats or more it is a bus (8702), which lotrisk doesn't estimate"
            )
        return row.kind, row.confidence
    return None, "L"


def _weight(facts: VinFacts, vehicles: VehicleReference) -> str | None:
    """`le5t`, `gt5t` or `heavy`; None where class 3 straddles 5 t or nothing is known."""
    if facts.gvwr is not None:
        for prefix, weight in vehicles.gvwr_classes:
            if facts.gvwr.startswith(prefix):
                return None if weight == "either" else weight
    return next((row.weight for row in vehicles.weights if row.fits(facts)), None)


def _ignition(
    facts: VinFacts, powertrain: Powertrain, vehicles: VehicleReference
) -> Literal["petrol", "diesel"] | None:
    """Of the fuels decoded; else, where no fuel is, or a plug-in hybrid says no more than Electric, of the maker."""
    for fuel in (facts.fuel, facts.fuel_secondary):
        ignition = vehicles.fuels.get(fuel or "")
        if ignition == "petrol":
            return "petrol"
        if ignition == "diesel":
            return "diesel"
    if facts.fuel is None or powertrain == "PHEV":
        return next((row.ignition for row in vehicles.ignitions if row.fits(facts)), None)
    return None


def _lines(
    facts: VinFacts,
    kind: Kind | None,
    powertrain: Powertrain,
    ignition: str | None,
    weight: str | None,
    vehicles: VehicleReference,
    found: _Findings,
) -> tuple[tuple[str, ...], Confidence]:
    kinds = {"goods_or_passenger": ("goods", "passenger"), "passenger_or_bus": ("passenger",)}.get(str(kind), (kind,))
    displacement = facts.displacement_cc
    rows = [
        row
        for row in vehicles.lines
        if row.kind in kinds
        and row.powertrain == powertrain
        and (row.ignition is None or ignition is None or row.ignition == ignition)
        and (row.over_cc is None or displacement is None or displacement > row.over_cc)
        and (row.to_cc is None or displacement is None or displacement <= row.to_cc)
        and (row.weight is None or weight is None or row.weight == weight)
    ]
    candidates = tuple(dict.fromkeys(row.hts for row in rows))
    if len(candidates) > 1:
        for name, known, relevant in (
            ("fuel", ignition, any(row.ignition for row in rows)),
            ("displacement", displacement, any(row.over_cc or row.to_cc for row in rows)),
            ("gross_weight", weight, any(row.weight for row in rows)),
        ):
            if known is None and relevant:
                found.missing.append(name)
        if powertrain == "MHEV":
            found.missing.append("hybrid_classification")
            found.warnings.append("line_unsettled: whether a mild hybrid is a hybrid to the schedule isn't settled")
    if candidates:
        found.why.append(
            f"line {' or '.join(candidates)}: {powertrain}"
            + (f", {ignition}" if ignition else "")
            + (
                f", {displacement.normalize():f} cm3"
                if displacement is not None and powertrain in ("ICE", "MHEV")
                else ""
            )
            + (f", {facts.gvwr}" if "goods" in kinds and facts.gvwr else "")
        )
    confidence: Confidence = max((row.confidence for row in rows), key="HML".index, default="L")
    return candidates, confidence

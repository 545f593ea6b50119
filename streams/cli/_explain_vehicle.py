"""The whole reasoning behind one vehicle's estimate, as JSON-ready values and as text a person reads."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from schemas.vehicle import Vehicle
from streams.cli._explain_text import (
    columns,
    facts_table,
    money,
    show_change,
    show_controls,
    show_standing,
    show_threats,
)
from streams.enrich.bill import vehicle_bill
from streams.enrich.cents import Cents, usd
from streams.enrich.classify import classify_vehicle
from streams.enrich.context import Context
from streams.enrich.cost import change_members
from streams.enrich.episodes import candidate_members
from streams.enrich.record import vin_problem
from streams.enrich.tariff import ViewRates
from streams.enrich.threats import Threatened
from streams.enrich.vehicle import called_for
from streams.enrich.vehicle_duty import entry_facts, rate_vehicle, value_shares
from streams.enrich.vehicle_profile import VehicleProfile, vehicle_profile
from streams.feeds.records import fault
from streams.policy.duty import DutyRates, rates
from streams.policy.facts import Facts

if TYPE_CHECKING:
    from rich.console import Console

View = tuple[ViewRates, date, date, Cents | None]

_UNKNOWN: dict[str, Any] = {
    "origin": None,
    "hts": None,
    "hts_candidates": [],
    "powertrain": "unknown",
    "traction_magnets": "unknown",
    "battery_chemistry": "unknown",
    "rare_earth_g": None,
    "warnings": [],
}


def explain_vin(vin: str, context: Context, **stated: object) -> dict[str, Any]:
    """Everything lotrisk says of a VIN and why. `stated`: fields of the canonical vehicle record besides the VIN.

    A string that isn't a VIN, or a stated field that the contract refuses, gives an object with `error`.
    """
    vin = vin.strip().upper()
    try:
        record = Vehicle.model_validate({"dealer_id": "explain", "vin": vin, **stated})
    except ValidationError as error:
        problem = error.errors()[0]
        field = str(problem["loc"][0])
        said = vin_problem(vin) if field == "vin" else f"{field}: {fault(problem)}"
        return {"vin": vin, **_UNKNOWN, "missing_facts": [field], "error": said}
    profile = vehicle_profile(vin, record.country_of_assembly, context)
    duty = rate_vehicle(record, profile, context)
    what, facts, origin = profile.what, profile.facts, profile.origin
    block = profile.exposure.block if profile.exposure is not None else None
    views = {"landed": priced_view(duty.landed), "replacement": priced_view(duty.replacement)}
    return {
        "vin": vin,
        "make": what.identity.make,
        "model": what.identity.model,
        "model_year": facts.model_year,
        "series": facts.series,
        "trim": facts.trim,
        "vehicle_type": facts.vehicle_type,
        "body_class": facts.body_class,
        "fuel": facts.fuel,
        "displacement_cc": float(facts.displacement_cc) if facts.displacement_cc is not None else None,
        "gross_weight_class": facts.gvwr,
        "check_digit": "valid" if facts.check_digit_valid else "invalid",
        "plant_city": facts.plant_city,
        "plant_country": facts.plant_country,
        "origin": origin.country,
        "origin_basis": origin.basis,
        "origin_confidence": origin.confidence,
        "hts": what.hts,
        "hts_candidates": list(what.candidates),
        "hts_confidence": what.confidence,
        "kind": what.kind,
        "estimated": what.estimated,
        "powertrain": what.identity.powertrain,
        "traction_magnets": what.identity.traction_magnets,
        "battery_chemistry": what.identity.battery_chemistry,
        "why": [origin.why, *classify_vehicle(facts, context.reference.vehicles).why],
        "rare_earth_g": named(block["rare_earth_g"]) if block is not None else None,
        "bill": _bill(profile, context),
        "exposure": block,
        "msrp_usd": record.msrp_usd,
        "customs_value_usd": [usd(cents) for cents in duty.value] if duty.value is not None else None,
        "customs_value_share": _shares(profile, duty.replacement or duty.landed, context),
        "us_built": _us_built(context) if origin.country == "US" and what.estimated else None,
        "importer_duty": views,
        "threatened": threatened_members(duty.threats, duty.value),
        "readings": _readings(record, profile, duty.replacement or duty.landed, context),
        "expected_invoice_change": change_members(duty.expected) if duty.expected is not None else None,
        "flags": [candidate_members(flag) for flag in called_for(record, profile, duty, context)],
        "missing_facts": list(dict.fromkeys((*profile.missing_facts, *duty.missing_facts))),
        "warnings": [*profile.warnings, *duty.warnings],
        "confidence": profile.confidence,
        "customer_facing_ok": False,
        "book": str(context.book.number),
    }


def threatened_members(threats: tuple[Threatened, ...], value: Cents | None) -> dict[str, Any]:
    """What hangs over the replacement, by measure, as JSON-ready values."""
    shown = [one.encode(None if value is None else one.added(value)) for one in threats]
    members: dict[str, Any] = orjson.loads("{" + ",".join(shown) + "}")
    return members


def named(values: Any) -> dict[str, Any]:
    """A range with its columns named."""
    low, central, high = values
    return {"low": low, "central": central, "high": high}


def _bill(profile: VehicleProfile, context: Context) -> list[dict[str, Any]]:
    if not profile.what.estimated:
        return []
    return [
        {
            "component": item.component,
            "name": item.name,
            "quantity": list(item.quantity),
            "rare_earth_g": [round(grams, 3) for grams in item.total_g],
            "elements": list(item.grams),
            "confidence": item.confidence,
            "source": item.source,
        }
        for item in vehicle_bill(profile.what.identity, context.reference.materials).items
    ]


def priced_view(view: View | None) -> dict[str, Any] | None:
    """A view with a rate and an amount for each measure."""
    if view is None:
        return None
    found, first, last, value = view
    amounts = [usd(cents) for cents in found.amounts(value)] if value is not None else None
    return {
        "entry_from": first.isoformat(),
        "entry_to": last.isoformat(),
        "rate_percent": found.rate_percent,
        "total_usd": amounts[:3] if amounts else None,
        "components": [
            {
                "measure": measure[0],
                "rate_percent": [rate / 1_000_000 for rate in measure[1:]],
                "amount_usd": amounts[3 * number + 3 : 3 * number + 6] if amounts else None,
            }
            for number, measure in enumerate(found.measures)
        ],
    }


def _shares(profile: VehicleProfile, view: View | None, context: Context) -> list[float] | None:
    if view is None or profile.origin.country == "US":
        return None
    return [share / 10_000 for share in value_shares(profile.origin.country, view[2], context)]


def _us_built(context: Context) -> str:
    row = context.reference.vehicles.us_built
    share = " / ".join(f"{one:.0%}" for one in (row.parts_share_low, row.parts_share_central, row.parts_share_high))
    rate = " / ".join(
        f"{float(one):g}%"
        for one in (row.parts_rate_percent_low, row.parts_rate_percent_central, row.parts_rate_percent_high)
    )
    return (
        f"not imported: the duty is in its imported parts, {share} of MSRP at {rate}; the maker's offset of "
        f"{row.offset_percent}% of MSRP is taken off the central value only, since it isn't given per VIN"
    )


def _readings(record: Vehicle, profile: VehicleProfile, view: View | None, context: Context) -> list[dict[str, Any]]:
    """The duty on the view's last day under each candidate line and each reading of the facts; the default first."""
    origin = profile.origin.country
    if view is None or origin is None or origin == "US":
        return []
    facts, _, _ = entry_facts(record.usmca, record.us_content_share, origin, context)
    return [
        reading(line, one, rates(context.book, line, origin, view[2], one))
        for line in profile.what.candidates
        for one in facts
    ]


def reading(line: str, facts: Facts, found: DutyRates) -> dict[str, Any]:
    """The duty under one line and one reading of the facts: what applies, what not and by which rule."""
    chosen = found.central
    return {
        "line": line,
        "assumed": _assumed(facts),
        "total_rate_percent": str(chosen.total_rate_percent) if chosen is not None else None,
        "components": [
            {
                "measure": component.measure,
                "authority": component.authority,
                "heading": component.heading,
                "rate_type": component.rate_type,
                "rate_percent": str(component.rate_percent),
            }
            for component in (chosen.components if chosen is not None else ())
        ],
        "not_applied": [entry._asdict() for entry in found.not_applied],
        "missing_facts": list(found.missing_facts),
        "changes_on": found.changes_on.isoformat() if found.changes_on is not None else None,
    }


def _assumed(facts: Facts) -> str:
    if facts.usmca is None:
        return "nothing"
    if not facts.usmca:
        return "no USMCA claim"
    return f"USMCA claim, approved US content {facts.us_content}"


def show_vehicle(found: dict[str, Any], console: Console) -> None:
    """Print the reasoning."""
    from rich.table import Table

    name = " ".join(str(part) for part in (found["model_year"], found["make"], found["model"], found["trim"]) if part)
    console.rule(f"{found['vin']}  {name or 'not decoded'}")
    facts_table(
        console,
        "What the VIN says",
        (
            ("type", found["vehicle_type"]),
            ("body", found["body_class"]),
            ("fuel", found["fuel"]),
            ("displacement", f"{found['displacement_cc']:g} cm3" if found["displacement_cc"] else None),
            ("gross weight", found["gross_weight_class"]),
            ("plant", ", ".join(part for part in (found["plant_city"], found["plant_country"]) if part) or None),
            ("check digit", found["check_digit"]),
        ),
    )
    facts_table(
        console,
        "What follows",
        (
            ("origin", f"{found['origin'] or 'unknown'} (by {found['origin_basis']}, {found['origin_confidence']})"),
            ("line", _line(found)),
            ("powertrain", found["powertrain"]),
            ("traction magnets", found["traction_magnets"]),
            ("battery", found["battery_chemistry"]),
        ),
    )
    for reason in found["why"]:
        console.print(f"  because {reason}", highlight=False)
    if found["bill"]:
        table = Table("component", "pieces", "rare earths, g (low / central / high)", "elements", "sure", "source")
        table.title = "Bill of what holds rare earths"
        for item in found["bill"]:
            table.add_row(
                item["name"],
                columns(item["quantity"]),
                columns(item["rare_earth_g"]),
                " ".join(item["elements"]),
                item["confidence"],
                item["source"],
            )
        table.add_row("all", "", columns(found["rare_earth_g"].values()), "", found["exposure"]["confidence"], "")
        console.print(table)
        show_controls(found["exposure"], console)
    _show_duty(found, console)
    show_standing(found, console)


def _line(found: dict[str, Any]) -> str:
    if found["hts"]:
        return f"{found['hts']} ({found['hts_confidence']})"
    return " or ".join(found["hts_candidates"]) + ": the VIN can't settle it" if found["hts_candidates"] else "none"


def _show_duty(found: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    if not found["estimated"]:
        return
    if found["customs_value_usd"] is not None:
        shares = columns(found["customs_value_share"])
        console.print(
            f"Customs value: MSRP ${found['msrp_usd']} times {shares} = {money(found['customs_value_usd'])}",
            highlight=False,
        )
    if found["us_built"] is not None:
        console.print(f"Built in the US, {found['us_built']}", highlight=False)
    for title, view in found["importer_duty"].items():
        if view is None:
            console.print(f"Importer's duty, {title}: can't be said", highlight=False)
            continue
        table = Table("measure", "rate, % (low / central / high)", "amount", title_justify="left")
        table.title = f"Importer's duty, {title}: entered {view['entry_from']} to {view['entry_to']}"
        for component in view["components"]:
            table.add_row(component["measure"], columns(component["rate_percent"]), money(component["amount_usd"]))
        percent = columns(view["rate_percent"]) if view["rate_percent"] is not None else "of MSRP"
        table.add_row("total", percent, money(view["total_usd"]))
        console.print(table)
    show_threats(found, console)
    show_change(found, console)
    for one in found["readings"]:
        table = Table("measure", "authority", "heading", "type", "rate, %", title_justify="left")
        table.title = f"{one['line']}, assuming {one['assumed']}: {one['total_rate_percent']}%"
        for component in one["components"]:
            table.add_row(
                component["measure"],
                component["authority"],
                component["heading"] or "",
                component["rate_type"],
                component["rate_percent"],
            )
        console.print(table)
    for entry in found["readings"][0]["not_applied"] if found["readings"] else ():
        console.print(f"  not applied: {entry['measure']}: {entry['reason']} [{entry['rule']}]", highlight=False)
    if found["readings"] and found["readings"][0]["changes_on"]:
        console.print(f"The answer changes on {found['readings'][0]['changes_on']}.", highlight=False)

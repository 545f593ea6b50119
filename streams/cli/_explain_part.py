"""The whole reasoning behind one part's estimate, as JSON-ready values and as text a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from schemas.part import Part
from streams.cli._explain_text import (
    columns,
    facts_table,
    money,
    show_change,
    show_controls,
    show_standing,
    show_threats,
)
from streams.cli._explain_vehicle import named, priced_view, reading, threatened_members
from streams.enrich.bill import part_bill
from streams.enrich.cents import Cents, usd
from streams.enrich.context import Context
from streams.enrich.cost import change_members
from streams.enrich.episodes import candidate_members
from streams.enrich.part import (
    DOMESTIC,
    PartProfile,
    called_for,
    cost_facts,
    customs_value,
    duty_facts,
    expected_change,
    find_family,
    profile,
    rate_part,
)
from streams.enrich.tariff import View
from streams.feeds.records import fault
from streams.policy.duty import rates

if TYPE_CHECKING:
    from rich.console import Console

_HOW = {
    "record": "the record says so",
    "description": "by the words of the description",
    "number": "by the maker's number",
    "hts": "by the tariff line",
    "none": "no rule knows it",
}


def explain_part(number: str, context: Context, **stated: object) -> dict[str, Any]:
    """Everything lotrisk says of a part and why. `stated`: fields of the canonical part record besides its number.

    A field that the contract refuses gives an object with `error`.
    """
    try:
        part = Part.model_validate({"dealer_id": "explain", "part_number": number, **stated})
    except ValidationError as error:
        problems = "; ".join(f"{problem['loc'][0]}: {fault(problem)}" for problem in error.errors())
        return {"part_number": number, "error": problems}
    what = profile(part, find_family(part, context), context)
    rated = rate_part(part, what, context)
    value = customs_value(part, context)
    expected = expected_change(part, what, value, context)
    missing = [*what.missing_facts, *duty_facts(part, rated), *cost_facts(part, expected)]
    family = what.family.family
    block = what.exposure.block
    return {
        "part_number": part.part_number,
        "description": part.description,
        "brand": part.brand,
        "part_kind": part.part_kind,
        "family": family.id if family is not None else None,
        "family_name": family.name if family is not None else None,
        "family_kind": family.kind if family is not None else None,
        "family_basis": what.family.basis,
        "family_confidence": what.family.confidence,
        "origin": what.origin,
        "hts": what.lines[0] if len(what.lines) == 1 else None,
        "hts_candidates": list(what.lines),
        "rare_earth_g": named(block["rare_earth_g"]) if block is not None else None,
        "bill": _bill(what, context),
        "exposure": block,
        "cost_usd": part.cost_usd,
        "customs_value_usd": [usd(cents) for cents in value] if value is not None else None,
        "importer_duty": {
            "landed": _priced(rated.landed, value),
            "replacement": _priced(rated.replacement, value),
        },
        "threatened": threatened_members(rated.threats, value),
        "readings": _readings(what, rated.replacement or rated.landed, context),
        "expected_invoice_change": change_members(expected),
        "flags": [candidate_members(flag) for flag in called_for(part, what, expected, missing, context)],
        "missing_facts": list(dict.fromkeys(missing)),
        "warnings": list(what.warnings),
        "confidence": what.confidence,
        "customer_facing_ok": False,
        "book": str(context.book.number),
    }


def _bill(what: PartProfile, context: Context) -> list[dict[str, Any]]:
    family = what.family.family
    if family is None:
        return []
    return [
        {
            "component": item.component,
            "name": item.name,
            "quantity": list(item.quantity),
            "elements_g": {element: [round(mass, 3) for mass in grams] for element, grams in item.grams.items()},
            "rare_earth_g": [round(mass, 3) for mass in item.total_g],
            "magnet_g": [round(mass, 3) for mass in item.magnet_g],
            "confidence": item.confidence,
            "source": item.source,
        }
        for item in part_bill(family, context.reference.materials).items
    ]


def _priced(view: View | None, value: Cents | None) -> dict[str, Any] | None:
    return None if view is None else priced_view((view.rates, view.first, view.last, value))


def _readings(what: PartProfile, view: View | None, context: Context) -> list[dict[str, Any]]:
    """The duty on the view's last day under each candidate line, the default first."""
    if view is None or what.origin is None or what.origin == DOMESTIC:
        return []
    return [
        reading(line, what.facts, rates(context.book, line, what.origin, view.last, what.facts)) for line in what.lines
    ]


def show_part(found: dict[str, Any], console: Console) -> None:
    """Print the reasoning."""
    from rich.table import Table

    console.rule(f"{found['part_number']}  {found['description'] or ''}")
    kind = f" ({found['family_kind']} family)" if found["family_kind"] not in (None, "none") else ""
    facts_table(
        console,
        "What it is",
        (
            ("family", f"{found['family_name'] or 'unknown'}{kind}"),
            ("because", f"{_HOW[found['family_basis']]} ({found['family_confidence']})"),
            ("kind", found["part_kind"] or "unknown"),
            ("origin", f"{found['origin'] or 'unknown: ask the maker'}"),
            ("line", found["hts"] or " or ".join(found["hts_candidates"]) or "unknown"),
        ),
    )
    if found["bill"]:
        table = Table("component", "element", "grams (low / central / high)", "sure", "source", title_justify="left")
        table.title = "What holds rare earths"
        for item in found["bill"]:
            table.add_row(
                f"{item['name']} x {columns(item['quantity'])}",
                "all",
                columns(item["rare_earth_g"]),
                item["confidence"],
                item["source"],
            )
            for element, grams in item["elements_g"].items():
                table.add_row("", element, columns(grams), "", "")
        console.print(table)
    if found["exposure"] is not None:
        _show_exposure(found["exposure"], console)
    else:
        console.print("Rare earths: can't be said, the family is unknown", highlight=False)
    _show_duty(found, console)
    show_threats(found, console)
    show_change(found, console)
    show_standing(found, console)


def _show_exposure(block: dict[str, Any], console: Console) -> None:
    for market, name in (("china", "in China"), ("outside_china", "outside China")):
        console.print(f"Value of its rare earths {name}: {money(block['value_usd'][market])}", highlight=False)
    for stage, share in block["china_share_percent"].items():
        console.print(f"China's share, {stage}: {columns(share)} %", highlight=False)
    show_controls(block, console)


def _show_duty(found: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    if found["origin"] == DOMESTIC:
        console.print("Importer's duty: none, made in the US and not entered", highlight=False)
        return
    if found["customs_value_usd"] is not None:
        console.print(
            f"Customs value: by kind, a share of the cost ${found['cost_usd']} = {money(found['customs_value_usd'])}",
            highlight=False,
        )
    for title, view in found["importer_duty"].items():
        if view is None:
            console.print(f"Importer's duty, {title}: can't be said", highlight=False)
            continue
        table = Table("measure", "rate, % (low / central / high)", "amount", title_justify="left")
        table.title = f"Importer's duty, {title}: entered {view['entry_from']} to {view['entry_to']}"
        for component in view["components"]:
            table.add_row(component["measure"], columns(component["rate_percent"]), money(component["amount_usd"]))
        table.add_row("total", columns(view["rate_percent"]), money(view["total_usd"]))
        console.print(table)
    for one in found["readings"]:
        console.print(f"On {one['line']}: {one['total_rate_percent']} %", highlight=False)
        for entry in one["not_applied"]:
            console.print(f"  not applied: {entry['measure']}: {entry['reason']} [{entry['rule']}]", highlight=False)

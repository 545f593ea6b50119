"""What explanations of vehicles and parts print alike: ranges, controls, threats, next invoice, missing facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def columns(values: Any) -> str:
    """Low, central and high in one cell."""
    return " / ".join(
        "unknown" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)
        for value in values
    )


def money(values: Any) -> str:
    """A range of dollars in one cell."""
    return "not known" if values is None else columns("unknown" if one is None else "$" + one for one in values)


def facts_table(console: Console, title: str, rows: Sequence[tuple[str, str | None]]) -> None:
    """Print facts by name."""
    from rich.table import Table

    table = Table(title=title, show_header=False, box=None, title_justify="left")
    for label, value in rows:
        table.add_row(f"  {label}", value or "not decoded")
    console.print(table)


def show_controls(block: dict[str, Any], console: Console) -> None:
    """Print what an exposure block says of China's controls."""
    for measure, elements in block["controlled_by"].items():
        console.print(f"Controlled by {measure}: {', '.join(elements)}", highlight=False)
    if block.get("under_review"):
        console.print(f"Under review, may control too: {', '.join(block['under_review'])}", highlight=False)
    rule = block["content_rule"]
    console.print(
        f"0.1% rule: {rule['verdict']}; Chinese controlled elements {money(rule['numerator_usd'])} in magnets worth "
        f"{money(rule['denominator_usd'])}; {rule['assumption']}",
        highlight=False,
    )
    if "licence" in block:
        weeks = block["licence"].get("lead_weeks")
        console.print(
            f"Export licences upstream: {block['licence']['status']}" + (f", {columns(weeks)} weeks" if weeks else ""),
            highlight=False,
        )


def show_threats(found: dict[str, Any], console: Console) -> None:
    """Print what measures that aren't law yet would add."""
    for measure, threat in found["threatened"].items():
        dates = [f"{name} {threat[key]}" for name, key in (("said", "announced_at"), ("from", "effective_from"))
                 if key in threat]  # fmt: skip
        added = columns(threat["added_percent"])
        dollars = "" if threat["added_usd"] is None else f", {money(threat['added_usd'])}"
        console.print(
            f"Threatened, in no total: {measure}, {threat['legal_status']} ({', '.join(dates)}), would add {added} %"
            f"{dollars}",
            highlight=False,
        )


def show_change(found: dict[str, Any], console: Console) -> None:
    """The expected change of the next invoice, and the flags."""
    change = found["expected_invoice_change"]
    if change is not None:
        amount = money(change["usd"]) if change["usd"] is not None else "can't be said"
        dated = "cost_as_of" in change
        since = f"cost as of {change['cost_as_of']} by {change['basis']}" if dated else change["basis"]
        changed = ", ".join(change.get("measures", ())) or ("nothing" if dated else "unknown")
        console.print(
            f"Next invoice, expected change: {amount}. Today's duty already in the cost: {change['already_in_cost']} "
            f"({since}). Changed since: {changed}",
            highlight=False,
        )
    for flag in found["flags"]:
        console.print(f"Flag {flag['type']} ({flag['severity']}, {flag['action']}): {flag['why']}", highlight=False)


def show_standing(found: dict[str, Any], console: Console) -> None:
    """Print what an explanation rests on: the facts that are missing, warnings, confidence and book."""
    if found["missing_facts"]:
        console.print(f"Missing facts: {', '.join(found['missing_facts'])}", highlight=False)
    for warning in found["warnings"]:
        console.print(f"Warning: {warning}", highlight=False)
    console.print(
        f"Confidence {found['confidence']}. Policy book {found['book']}. An internal estimate, not for customers.",
        highlight=False,
    )

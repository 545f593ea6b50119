"""What is known of one shipment besides line, origin, date and value; what is not known opens the range."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from streams.reference.trade_records import FactKind, FactRecord


class Claim(StrEnum):
    """What the importer declares on the entry."""

    AUTO_PART = "auto-part"
    NOT_AUTO_PART = "not-auto-part"
    TRUCK_PART = "truck-part"
    TRUCK_VEHICLE = "truck-vehicle"
    UK_QUOTA = "uk-quota"
    UK_PART = "uk-part"
    KORUS = "korus"
    COMMERCE_APPROVED = "commerce-approved"
    VINTAGE_25Y = "vintage-25y"
    US_PRODUCTION_PART = "us-production-part"
    METAL_AT_LEAST_15 = "metal-at-least-15"
    METAL_UNDER_15 = "metal-under-15"


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of a shipment; None or absent means unknown. Shares are fractions from 0 to 1."""

    usmca: bool | None = None
    us_content: Decimal | None = None
    claims: frozenset[Claim] = frozenset()
    in_transit_date: date | None = None
    metal_share: Decimal | None = None
    us_metal_share: Decimal | None = None
    hts98: str | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Facts are looked up for every record: their hash is made once."""
        fields = (
            self.usmca, self.us_content, self.claims, self.in_transit_date, self.metal_share, self.us_metal_share,
            self.hts98,
        )  # fmt: skip
        object.__setattr__(self, "_hash", hash(fields))

    def __hash__(self) -> int:
        return self._hash


NO_FACTS = Facts()

USMCA_ORIGINS = frozenset({"CA", "MX"})
US_GOODS_RETURNED = "98010010"

_EXCLUSIVE = (
    frozenset({Claim.AUTO_PART, Claim.NOT_AUTO_PART}),
    frozenset({Claim.AUTO_PART, Claim.TRUCK_PART}),
    frozenset({Claim.NOT_AUTO_PART, Claim.UK_PART}),
    frozenset({Claim.TRUCK_PART, Claim.UK_PART}),
    frozenset({Claim.NOT_AUTO_PART, Claim.US_PRODUCTION_PART}),
    frozenset({Claim.METAL_AT_LEAST_15, Claim.METAL_UNDER_15}),
)
_ORIGIN_OF_CLAIM = {
    Claim.UK_QUOTA: frozenset({"GB"}),
    Claim.UK_PART: frozenset({"GB"}),
    Claim.KORUS: frozenset({"KR"}),
    Claim.COMMERCE_APPROVED: USMCA_ORIGINS,
}
_USE = {Claim.AUTO_PART: "auto", Claim.UK_PART: "auto", Claim.NOT_AUTO_PART: "not_auto", Claim.TRUCK_PART: "truck"}
_WEIGHT_TEST = Decimal("0.15")


def contradiction(facts: Facts, origin: str) -> str | None:
    """Why the facts can't all be true of goods of this origin, or None."""
    if facts.usmca and origin not in USMCA_ORIGINS:
        return (
            f"usmca: a USMCA claim needs goods of Canada or Mexico, not {origin}; drop the claim or correct the origin"
        )
    for claim in sorted(facts.claims):
        origins = _ORIGIN_OF_CLAIM.get(claim)
        if origins is not None and origin not in origins:
            return f"claim {claim}: only for goods of {' or '.join(sorted(origins))}, not {origin}"
    for pair in _EXCLUSIVE:
        if pair <= facts.claims:
            return f"claims {' and '.join(sorted(pair))} exclude each other; keep one"
    if facts.usmca is False and Claim.COMMERCE_APPROVED in facts.claims:
        return "claim commerce-approved: needs a USMCA claim, but usmca is false"
    for name, share in (
        ("us_content", facts.us_content),
        ("metal_share", facts.metal_share),
        ("us_metal_share", facts.us_metal_share),
    ):
        if share is not None and not 0 <= share <= 1:
            return f"{name}: {share} is not a share from 0 to 1"
    if facts.metal_share is not None:
        if Claim.METAL_AT_LEAST_15 in facts.claims and facts.metal_share < _WEIGHT_TEST:
            return f"claim metal-at-least-15: metal_share is {facts.metal_share}"
        if Claim.METAL_UNDER_15 in facts.claims and facts.metal_share >= _WEIGHT_TEST:
            return f"claim metal-under-15: metal_share is {facts.metal_share}"
    return None


FactValue = bool | str | Decimal


def known_value(fact: FactRecord, facts: Facts, origin: str) -> FactValue | None:
    """The value of a fact for this shipment, or None where it is not known."""
    if fact.origins and origin not in fact.origins:
        return False
    kind = fact.kind
    if kind is FactKind.UNSETTLED:
        return None
    if kind is FactKind.USMCA and facts.usmca is not None:
        return facts.usmca
    if kind is FactKind.USE:
        for claim in facts.claims:
            if claim in _USE:
                return _USE[claim]
        return None
    if fact.claims or fact.denied_by:
        for claim in facts.claims:
            if claim.value in fact.claims:
                return True
            if claim.value in fact.denied_by:
                return False
    if kind is FactKind.DATE_BEFORE:
        assert fact.before is not None
        return None if facts.in_transit_date is None else facts.in_transit_date < fact.before
    if kind is FactKind.HTS98:
        if facts.hts98 is None:
            return False
        return True if facts.hts98.replace(".", "").startswith(US_GOODS_RETURNED) else None
    if fact.field is not None:
        share: Decimal | None = getattr(facts, fact.field)
        if share is None or kind is FactKind.SHARE:
            return share
        assert fact.at_least is not None
        return share >= fact.at_least
    return None

"""`vehicles.enriched` and `parts.enriched`: the canonical record plus what lotrisk adds to it.

Ranges are `[low, central, high]`. A value that cannot be said is null and its missing fact is named; it is never zero.
Measures that were considered and do not apply are opened by `lotrisk explain`, which recomputes them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Confidence, Day, GramsRange, LegalStatus, PercentRange, SignedUsd, UsdRange
from schemas.flag import Flag
from schemas.part import Part
from schemas.vehicle import Vehicle

Powertrain = Literal["ICE", "MHEV", "HEV", "PHEV", "BEV", "FCEV", "unknown"]
TractionMagnets = Literal["yes", "no", "mixed", "unknown", "na"]
BatteryChemistry = Literal["nimh", "liion", "na", "unknown"]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DecodedVin(_Block):
    """What the VIN says, by NHTSA vPIC; see docs/estimates."""

    make: str | None = None
    model: str | None = None
    model_year: int | None = None
    body_class: str | None = None
    vehicle_type: str | None = None
    plant_country: str | None = Field(None, description="As decoded, before any correction.")
    plant_city: str | None = None
    powertrain: Powertrain = "unknown"
    traction_magnets: TractionMagnets = "unknown"
    battery_chemistry: BatteryChemistry = "unknown"
    check_digit: Literal["valid", "invalid"]


class Origin(_Block):
    """Country of origin for customs purposes."""

    country: str | None = Field(description="ISO alpha-2; null where it cannot be said.")
    basis: str = Field(description="plant, plant_source, record, family or none.")
    confidence: Confidence


class Classification(_Block):
    """The line of the Harmonized Tariff Schedule."""

    hts: str | None = Field(description="Dotted number; null where more than one line is possible.")
    candidates: tuple[str, ...] = ()
    basis: str = Field(description="vin, record or family.")
    confidence: Confidence


class ContentRule(_Block):
    """MOFCOM No. 61's 0.1% rule by value, as written."""

    verdict: Literal["below", "at_or_above", "indeterminate"]
    numerator_usd: UsdRange | None = None
    denominator_usd: UsdRange | None = None
    assumption: str


class Licence(_Block):
    """Standing of Chinese export licences upstream of the goods."""

    status: str
    lead_weeks: tuple[float, float, float] | None = None


class RareEarthExposure(_Block):
    """Rare earths contained in the goods: grams of element metal, value, dependence on China."""

    rare_earth_g: GramsRange
    magnet_rare_earth_g: GramsRange
    elements_g: dict[str, GramsRange]
    value_usd: dict[Literal["china", "outside_china"], UsdRange]
    china_share_percent: dict[Literal["mine", "refine", "magnet"], PercentRange]
    controlled_by: dict[str, tuple[str, ...]] = Field(description="Measure in force to its elements that are present.")
    under_review: tuple[str, ...] = Field(
        (), description="Measures that may control elements present: their suspension lapsed, nobody confirmed which."
    )
    content_rule: ContentRule
    licence: Licence | None = None
    confidence: Confidence


class DutyView(_Block):
    """Importer's duty on one unit in one view. Each column of the components sums to that column of the total."""

    total_usd: UsdRange | None
    rate_percent: PercentRange | None = Field(description="Percent of customs value.")
    entry_from: Day | None = None
    entry_to: Day | None = None
    components: dict[str, UsdRange] = Field(description="Measure id to dollars, the measures that apply.")


class ThreatenedDuty(_Block):
    """What one measure that isn't law yet would add to the duty of one unit entered today.

    It is in no total and moves no expected invoice change. Central is null where rate or reach of the measure isn't
    known; what is only announced may never come, so its range begins at nothing.
    """

    legal_status: LegalStatus = Field(description="In an enriched record announced or signed.")
    announced_at: Day | None = None
    effective_from: Day | None = Field(None, description="The first day it is law, or is meant to be.")
    added_percent: tuple[float, float | None, float] = Field(description="Percent of customs value.")
    added_usd: tuple[SignedUsd, SignedUsd | None, SignedUsd] | None


class ImporterDuty(_Block):
    """What the importer of record owes at entry; not the dealer's cost, see docs/estimates."""

    landed: DutyView | None = Field(description="Over the likely entry dates of what is on the lot.")
    replacement: DutyView | None = Field(description="Entered today; null for used goods.")
    threatened: dict[str, ThreatenedDuty] = Field(
        default_factory=dict, description="Measure id to what it would add to the replacement's duty; absent if none."
    )


class Tariff(_Block):
    """Customs value and duty of one unit."""

    customs_value_usd: UsdRange | None
    importer_duty: ImporterDuty


class ExpectedInvoiceChange(_Block):
    """How the dealer's own next invoice for the same goods is likely to differ from what this unit cost.

    It counts only changes of duty that took effect after the cost date, as far as makers pass them on. The importer's
    duty is another amount and is never added to it.
    """

    usd: UsdRange | None = Field(description="One unit; null where it can't be said, as for used goods.")
    extended_usd: UsdRange | None = Field(None, description="Parts: times the quantity on hand, core apart.")
    already_in_cost: Literal["yes", "no", "unknown"] = Field(
        description="Whether the duty of today was in force when the cost was set."
    )
    cost_as_of: Day | None = Field(None, description="The central one of the days the cost may be of.")
    basis: str = Field(
        description="The field that cost_as_of rests on, maker_code, borne_by_maker, domestic, used, "
        "new_counterpart_moved or none."
    )
    measures: tuple[str, ...] = Field((), description="Measures that changed since, the weightiest first.")
    confidence: Confidence


class _Enrichment(BaseModel):
    """The fields that lotrisk owns in an enriched record."""

    origin: Origin
    classification: Classification
    exposure: RareEarthExposure | None
    tariff: Tariff
    expected_invoice_change: ExpectedInvoiceChange | None = None
    flags: tuple[Flag, ...] = ()
    missing_facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    confidence: Confidence
    customer_facing_ok: Literal[False] = False
    book: str = Field(description="Number of the policy book the record was rated under.")
    producer: dict[str, Any] | None = Field(
        None, description="Fields of the producer whose names lotrisk owns, kept here as they came."
    )


class EnrichedVehicle(Vehicle, _Enrichment):
    """A vehicle with its exposure, duty and flags."""

    model_config = ConfigDict(extra="allow", frozen=True, title="EnrichedVehicle")

    decoded: DecodedVin


class EnrichedPart(Part, _Enrichment):
    """A part with its exposure, duty and flags. Dollars are per unit; `extended` multiplies by the quantity on hand."""

    model_config = ConfigDict(extra="allow", frozen=True, title="EnrichedPart")

    family: str | None = Field(None, description="The part family the estimate rests on.")
    extended: dict[Literal["landed", "replacement"], UsdRange | None] | None = Field(
        None, description="Importer's duty times quantity on hand, core apart."
    )


OWNED_FIELDS_VEHICLE = frozenset(EnrichedVehicle.model_fields) - frozenset(Vehicle.model_fields)
OWNED_FIELDS_PART = frozenset(EnrichedPart.model_fields) - frozenset(Part.model_fields)

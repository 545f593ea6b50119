"""`dms.parts`: the canonical part record, what the dealer management system knows about one part number in stock."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import (
    Country,
    Day,
    DealerId,
    HtsNumber,
    Importer,
    Measured,
    Moment,
    PartKind,
    PartNumber,
    Text,
    Usd,
)


class Part(BaseModel):
    """One part number in a dealer's stock. Key: `dealer_id:part_number`. Unknown fields are kept as they came."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        title="Part",
        # To look for each text among those seen before takes longer than to make it.
        cache_strings="keys",
    )

    dealer_id: DealerId = Field(description="The dealer group's own id of the rooftop or store; no colon.")
    part_number: PartNumber = Field(description="The part number, in the maker's spelling.")
    updated_at: Moment | None = Field(None, description="When the DMS last changed the record, RFC 3339.")

    description: Text | None = Field(None, description="The parts master's description.")
    brand: Text | None = Field(None, description="Maker or brand.")
    source_code: Text | None = Field(None, description="The DMS's source or vendor code.")
    source: Text | None = Field(None, description="The feed or system the record came from.")
    rooftop: Text | None = Field(None, description="The store of a group where the part lies.")
    part_kind: PartKind | None = Field(None, description="oe, aftermarket, reman or recycled.")
    part_family: Text | None = Field(None, description="A family of reference/part_families, where the DMS knows it.")
    supersedes: Text | None = Field(None, description="The part number this one replaces.")

    hts: HtsNumber | None = Field(None, description="US tariff number (PIES EXPI HTS), 4 to 10 digits.")
    country_of_origin: Country | None = Field(None, description="Country of origin (PIES EXPI CTO).")
    usmca: Annotated[bool, Field(strict=True)] | None = Field(None, description="USMCA preference (PIES EXPI NAF).")
    importer_of_record: Importer | None = Field(None, description="maker, distributor, dealer or unknown.")
    tariff_claims: tuple[str, ...] | None = Field(None, description="Claims made at entry, e.g. auto-part, truck-part.")

    qty_on_hand: Measured | None = Field(None, description="Quantity on hand.")
    on_order: Measured | None = Field(None, description="Quantity on order.")
    demand_12m: Measured | None = Field(None, description="Demands in the last 12 months.")
    days_supply: Measured | None = Field(None, description="Days' supply at the rooftop.")
    lead_weeks: Measured | None = Field(None, description="The supplier's lead time in weeks.")
    bin: Text | None = Field(None, description="Bin location.")
    stock_status: Text | None = Field(None, description="Stocking status code.")

    cost_usd: Usd | None = Field(None, description="Dealer cost of one unit, core apart.")
    list_usd: Usd | None = Field(None, description="List price of one unit.")
    core_usd: Usd | None = Field(None, description="Core deposit of one unit; a deposit, not part of the price.")
    price_tape_date: Day | None = Field(None, description="Date of the price tape the cost came from.")

    in_stock_date: Day | None = Field(None, description="When the part came into stock.")
    invoice_date: Day | None = Field(None, description="Date of the supplier's invoice.")
    last_received: Day | None = Field(None, description="Date of the last receipt.")
    last_sold: Day | None = Field(None, description="Date of the last sale.")
    returnable_until: Day | None = Field(None, description="Last day on which the maker takes it back.")
    entry_date: Day | None = Field(None, description="Date of entry for consumption, where known.")

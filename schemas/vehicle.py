"""`dms.vehicles`: the canonical vehicle record, what the dealer management system knows about one VIN in stock."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import (
    Count,
    Country,
    Day,
    DealerId,
    EntryDateBasis,
    Importer,
    Measured,
    ModelYear,
    Moment,
    Share,
    StockClass,
    Text,
    Usd,
    Vin,
)


class Vehicle(BaseModel):
    """One vehicle in a dealer's stock. Key: `dealer_id:vin`. Unknown fields are kept as they came."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        title="Vehicle",
        # To look for each text among those seen before takes longer than to make it.
        cache_strings="keys",
    )

    dealer_id: DealerId = Field(description="The dealer group's own id of the rooftop or store; no colon.")
    vin: Vin = Field(description="17-character vehicle identification number.")
    updated_at: Moment | None = Field(None, description="When the DMS last changed the record, RFC 3339.")

    stock_number: Text | None = Field(None, description="The dealer's stock number.")
    rooftop: Text | None = Field(None, description="The store of a group where the unit stands.")
    stock_class: StockClass | None = Field(None, description="new, demo, loaner, used, cpo or in_transit.")
    source: Text | None = Field(None, description="The feed or system the record came from.")

    model_year: ModelYear | None = Field(None, description="As the DMS says.")
    make: Text | None = Field(None, description="As the DMS says; the VIN decides where both speak.")
    model: Text | None = Field(None, description="As the DMS says.")
    trim: Text | None = Field(None, description="Trim or series.")
    body: Text | None = Field(None, description="Body style.")
    fuel: Text | None = Field(None, description="Fuel type, in the feed's own words.")
    drivetrain: Text | None = Field(None, description="Driven wheels, in the feed's own words.")
    engine: Text | None = Field(None, description="Engine, in the feed's own words.")
    transmission: Text | None = Field(None, description="Transmission, in the feed's own words.")
    exterior_color: Text | None = Field(None, description="Exterior colour.")
    interior_color: Text | None = Field(None, description="Interior colour.")
    odometer_mi: Count | None = Field(None, description="Miles.")

    msrp_usd: Usd | None = Field(None, description="Manufacturer's suggested retail price, destination apart.")
    invoice_usd: Usd | None = Field(None, description="The maker's invoice to the dealer.")
    price_usd: Usd | None = Field(None, description="The asking price.")
    destination_usd: Usd | None = Field(None, description="Destination charge.")
    incentive_usd: Usd | None = Field(None, description="Cash incentives on the unit.")
    price_protected_until: Day | None = Field(None, description="Last day on which the maker holds the invoice price.")
    cost_borne_by: Text | None = Field(None, description="Who bears a cost change, where a bulletin says so.")

    in_stock_date: Day | None = Field(None, description="When the unit came into stock; a dealer trade resets it.")
    days_in_stock: Count | None = Field(None, description="Days in stock at updated_at.")
    invoice_date: Day | None = Field(None, description="Date of the maker's invoice.")
    entry_date: Day | None = Field(None, description="Date of entry for consumption, where known.")
    entry_date_basis: EntryDateBasis | None = Field(None, description="How entry_date was found.")
    build_date: Day | None = Field(None, description="Date of final assembly.")
    first_wholesale_date: Day | None = Field(None, description="Date the maker first wholesaled the unit.")
    port_arrival_date: Day | None = Field(None, description="Date the unit reached the US port or border.")

    country_of_assembly: Country | None = Field(None, description="Country of final assembly, where the DMS states it.")
    usmca: Annotated[bool, Field(strict=True)] | None = Field(None, description="Whether USMCA treatment was claimed.")
    us_content_share: Share | None = Field(None, description="US content approved by Commerce, 0 to 1.")
    maker_tariff_code: Text | None = Field(None, description="The maker's own code on the invoice, verbatim.")
    importer_of_record: Importer | None = Field(None, description="maker, distributor, dealer or unknown.")

    market_days_supply: Measured | None = Field(None, description="Days' supply in the market.")
    price_to_market_pct: Measured | None = Field(None, description="Price as percent of market.")
    cost_to_market_pct: Measured | None = Field(None, description="Cost as percent of market.")

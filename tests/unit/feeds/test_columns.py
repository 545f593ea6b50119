"""The alias data covers the contracts and the names files are known to use."""

from __future__ import annotations

import pytest

from schemas.part import Part
from schemas.vehicle import Vehicle
from streams.feeds.columns import column_set, folded
from streams.feeds.kind import Kind


@pytest.mark.parametrize(("kind", "model"), [(Kind.VEHICLES, Vehicle), (Kind.PARTS, Part)])
def test_every_field_of_the_contract_has_a_column(kind: Kind, model: type[Vehicle] | type[Part]) -> None:
    fields = {column.field for column in column_set(kind).columns} - {"certified", "lot_status", "deleted"}
    assert fields == set(model.model_fields)


@pytest.mark.parametrize(
    ("field", "headers"),
    [
        ("dealer_id", "DealerID, Dealer_ID, DEALERID, Dealer Id, Dealer ID"),
        ("vin", "VIN, Vin, VIN_No"),
        ("stock_number", "Stock #, StockNumber, Stock Number, Stock_No, Stockno, STOCK, Stock"),
        ("model_year", "Year, YEAR, ModelYear, Model Year"),
        ("make", "Make"),
        ("model", "Model"),
        ("trim", "Trim, Series, Series Detail"),
        ("body", "Body, BodyStyle, Body_Style, BodyType"),
        ("stock_class", "New/Used, NewUsed, New_Used, NEW-USED, Condition, Type, Type New/Used"),
        ("odometer_mi", "Odometer, Mileage, Miles, MILES, mileage.value"),
        ("price_usd", "Price, InternetPrice, Internet Price, SellingPrice, sale_price, SalePrice, PrimaryPriceOrMSRP"),
        ("msrp_usd", "MSRP, Msrp"),
        ("invoice_usd", "Invoice, INVOICE"),
        ("fuel", "Fuel, FuelType, Fuel Type, Fuel_Type, FuelTypeShort"),
        ("drivetrain", "Drivetrain Desc, Drivetrain, DriveTrain, DriveType"),
        ("engine", "Engine, EngineDescription, Engine Description, EngineCylinders, EngineDisplacement"),
        ("exterior_color", "Colour, ExteriorColor, Exterior Color, Ext_Color_Generic, ExteriorColorGeneric, "
                           "OEMColorNameExterior"),
        ("in_stock_date", "DateInStock, Date_In_Stock, DATE-IN-STOCK"),
        ("certified", "Certified, CERTIFIED, IsCpo"),
    ],
)  # fmt: skip
def test_every_vehicle_header_of_the_fact_sheet_is_known(field: str, headers: str) -> None:
    for header in headers.split(", "):
        column, _ = column_set(Kind.VEHICLES).by_name[folded(header)]
        assert column.field == field, header


@pytest.mark.parametrize(
    ("field", "headers"),
    [
        ("part_number", "PartNumber, Part Number"),
        ("description", "Description"),
        ("source_code", "Source, Vendor"),
        ("brand", "Manufacturer"),
        ("bin", "Bin1, bin location"),
        ("qty_on_hand", "QOH, QuantityOnHand"),
        ("on_order", "OnOrder, QuantityOnOrder"),
        ("cost_usd", "Cost, PartCostAmount"),
        ("list_usd", "List"),
        ("core_usd", "Core"),
        ("last_sold", "LastSold, LastSoldDate"),
        ("last_received", "LastReceived"),
        ("stock_status", "StockStatus, StockingStatusCode, Sts"),
        ("country_of_origin", "Country of Origin (Primary), CTO"),
    ],
)
def test_every_parts_header_of_the_fact_sheet_is_known(field: str, headers: str) -> None:
    for header in headers.split(", "):
        column, _ = column_set(Kind.PARTS).by_name[folded(header)]
        assert column.field == field, header


def test_the_export_code_is_not_taken_for_the_tariff_number() -> None:
    assert folded("Harmonized Tariff (Sch B)") not in column_set(Kind.PARTS).by_name


@pytest.mark.parametrize("kind", list(Kind))
def test_a_fields_own_name_is_a_header_too_unless_it_means_something_else_in_the_trade(kind: Kind) -> None:
    columns = column_set(kind)
    odd = {c.field for c in columns.columns if columns.by_name[folded(c.field)][0].field != c.field}
    assert odd == ({"source"} if kind is Kind.PARTS else set())

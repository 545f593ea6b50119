"""The bill of components: whole vehicles agree with published totals, and what isn't known starts at 0."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.enriched import BatteryChemistry, Powertrain, TractionMagnets
from streams.enrich.bill import Bill, part_bill, vehicle_bill
from streams.enrich.classify import VehicleIdentity
from streams.enrich.exposure import elements_g, total
from streams.reference.materials import load_materials
from streams.reference.materials_records import Range

MATERIALS = load_materials()


def identity(
    powertrain: Powertrain,
    magnets: TractionMagnets = "na",
    battery: BatteryChemistry = "na",
    kw: float | None = None,
    diesel: bool | None = False,
) -> VehicleIdentity:
    return VehicleIdentity("MAKE", "Model", 2026, powertrain, magnets, battery, kw, diesel)


def totals(bill: Bill) -> Range:
    return total(item.total_g for item in bill.items)


def magnet_elements(bill: Bill) -> Range:
    return total(grams for element, grams in elements_g(bill.items).items() if MATERIALS.elements[element].magnet)


def components(bill: Bill) -> dict[str, Range]:
    return {item.component: item.quantity for item in bill.items}


# Fact sheet 3.5: grams of rare earth, and of Nd, Pr, Dy and Tb, of whole vehicles.
PUBLISHED = [
    (identity("ICE"), (100, 250, 600), (60, 140, 250)),
    (identity("MHEV"), (120, 300, 700), (80, 190, 350)),
    (identity("HEV", "yes", "liion"), (400, 650, 1100), (350, 480, 800)),
    (identity("HEV", "yes", "nimh"), (2000, 3200, 4500), (500, 750, 1100)),
    (identity("PHEV", "yes", "liion"), (400, 700, 1300), (350, 550, 1000)),
    (identity("BEV", "yes", "liion", 100), (450, 700, 1200), (400, 600, 1100)),
    (identity("BEV", "yes", "liion", 150), (450, 700, 1200), (400, 600, 1100)),
    (identity("BEV", "yes", "liion", 300), (700, 1200, 2200), (650, 1100, 2000)),
    (identity("BEV", "no", "liion"), (60, 150, 300), (50, 130, 250)),
]


@pytest.mark.parametrize(("what", "everything", "magnets"), PUBLISHED, ids=lambda value: str(value)[:60])
def test_sums_agree_with_published_totals(what: VehicleIdentity, everything: Range, magnets: Range) -> None:
    bill = vehicle_bill(what, MATERIALS)
    for ours, published in ((totals(bill), everything), (magnet_elements(bill), magnets)):
        assert published[0] <= ours[1] <= published[2]
        assert ours[0] <= published[1] <= ours[2]


@pytest.mark.parametrize("powertrain", ["HEV", "PHEV", "BEV"])
def test_unknown_traction_magnets_span_none_to_all(powertrain: Powertrain) -> None:
    bills = {
        magnets: vehicle_bill(identity(powertrain, magnets, "liion"), MATERIALS) for magnets in ("no", "yes", "unknown")
    }
    low, central, high = totals(bills["unknown"])
    assert low == pytest.approx(totals(bills["no"])[0])
    assert high == pytest.approx(totals(bills["yes"])[2])
    assert totals(bills["no"])[1] < central < totals(bills["yes"])[1]
    assert bills["unknown"].missing_facts == ("traction_magnets",)
    assert bills["yes"].missing_facts == bills["no"].missing_facts == ()


def test_mixed_drive_lies_between_none_and_all() -> None:
    none, mixed, both = (
        totals(vehicle_bill(identity("BEV", magnets, "liion", 300), MATERIALS)) for magnets in ("no", "mixed", "yes")
    )
    assert none[1] < mixed[1] < both[1]
    assert mixed[0] > none[0]


def test_unknown_battery_of_a_hybrid_spans_lithium_to_nickel() -> None:
    lithium, nickel, unknown = (
        vehicle_bill(identity("HEV", "yes", battery), MATERIALS) for battery in ("liion", "nimh", "unknown")
    )
    assert totals(unknown)[0] == pytest.approx(totals(lithium)[0])
    assert totals(nickel)[2] <= totals(unknown)[2] <= totals(nickel)[2] + totals(lithium)[2]
    assert unknown.missing_facts == ("battery_chemistry",)


@pytest.mark.parametrize("powertrain", ["BEV", "PHEV"])
def test_no_battery_electric_or_plug_in_is_taken_for_nickel(powertrain: Powertrain) -> None:
    bill = vehicle_bill(identity(powertrain, "yes", "unknown"), MATERIALS)
    assert "battery_nimh" not in components(bill)
    assert bill.missing_facts == ()


def test_diesel_has_a_particulate_filter_and_no_petrol_catalyst() -> None:
    petrol = components(vehicle_bill(identity("ICE", diesel=False), MATERIALS))
    diesel = components(vehicle_bill(identity("ICE", diesel=True), MATERIALS))
    assert {"catalyst_petrol", "ignition_coil"} <= set(petrol)
    assert {"catalyst_diesel", "fuel_additive"} <= set(diesel)
    assert "catalyst_diesel" not in petrol
    assert "catalyst_petrol" not in diesel


def test_unknown_fuel_may_be_either() -> None:
    bill = vehicle_bill(identity("ICE", diesel=None), MATERIALS)
    pieces = components(bill)
    assert pieces["catalyst_petrol"][0] == pieces["catalyst_diesel"][0] == 0
    assert pieces["catalyst_petrol"][1] > pieces["catalyst_diesel"][1] > 0
    assert bill.missing_facts == ("fuel",)


@pytest.mark.parametrize(
    ("kw", "machine", "pieces"),
    [
        (80, "bev_pm_100", 1),
        (124.9, "bev_pm_100", 1),
        (125, "bev_pm_150", 1),
        (175, "bev_pm_200", 1),
        (300, "bev_pm_150", 2),
        (400, "bev_pm_200", 2),
        (620, "quad_pm_truck", 1),
    ],
)
def test_known_power_sizes_the_machine(kw: float, machine: str, pieces: int) -> None:
    traction = components(vehicle_bill(identity("BEV", "yes", "liion", kw), MATERIALS))
    assert traction[machine] == (pieces, pieces, pieces)
    assert sum(name in traction for name in ("bev_pm_100", "bev_pm_150", "bev_pm_200", "quad_pm_truck")) == 1


def test_every_power_has_exactly_one_machine() -> None:
    for kw in range(0, 1200, 5):
        for magnets in ("yes", "mixed"):
            bill = vehicle_bill(identity("BEV", magnets, "liion", kw), MATERIALS)
            assert sum(item.component.startswith(("bev_pm", "quad")) for item in bill.items) == 1, (kw, magnets)


def test_unknown_power_widens_the_range_and_never_narrows_it() -> None:
    unknown = totals(vehicle_bill(identity("BEV", "yes", "liion"), MATERIALS))
    usual = totals(vehicle_bill(identity("BEV", "yes", "liion", 150), MATERIALS))
    assert unknown[0] <= usual[0]
    assert unknown[2] > usual[2]


def test_unknown_powertrain_has_no_bill_and_names_the_fact() -> None:
    assert vehicle_bill(identity("unknown", "unknown", "unknown"), MATERIALS) == Bill((), ("powertrain",))


def test_combustion_engine_has_no_traction_machine() -> None:
    bill = vehicle_bill(identity("ICE", "na"), MATERIALS)
    assert not {row.machine for row in MATERIALS.traction} & set(components(bill))


IDENTITIES = st.builds(
    identity,
    st.sampled_from(["ICE", "MHEV", "HEV", "PHEV", "BEV", "FCEV", "unknown"]),
    st.sampled_from(["yes", "no", "mixed", "unknown", "na"]),
    st.sampled_from(["nimh", "liion", "na", "unknown"]),
    st.none() | st.floats(0, 1500),
    st.none() | st.booleans(),
)


@given(IDENTITIES)
def test_every_range_rises_and_every_sum_holds(what: VehicleIdentity) -> None:
    for item in vehicle_bill(what, MATERIALS).items:
        for mass in (item.quantity, item.total_g, item.magnet_g, *item.grams.values()):
            assert 0 <= mass[0] <= mass[1] <= mass[2]
        assert sum(grams[1] for grams in item.grams.values()) == pytest.approx(item.total_g[1])
        assert (item.material is None) == (item.magnet_g == (0, 0, 0)) or item.quantity[2] == 0


@given(IDENTITIES)
def test_knowing_a_fact_never_raises_the_high_nor_lowers_the_low(what: VehicleIdentity) -> None:
    if what.powertrain == "unknown":
        return
    unsure = replace(what, traction_magnets="unknown", battery_chemistry="unknown", diesel=None)
    blurred = totals(vehicle_bill(unsure, MATERIALS))
    facts = replace(
        what,
        traction_magnets="yes" if what.traction_magnets in ("na", "mixed") else what.traction_magnets,
        battery_chemistry="liion" if what.powertrain in ("BEV", "PHEV") else what.battery_chemistry,
        diesel=False if what.powertrain in ("HEV", "PHEV") else what.diesel,
    )
    known = totals(vehicle_bill(facts, MATERIALS))
    if what.powertrain != "MHEV" and not (what.powertrain == "FCEV" and what.traction_magnets == "no"):
        assert blurred[0] <= known[0] + 1e-9
    assert known[2] <= blurred[2] + 1e-9


def test_every_family_has_a_bill() -> None:
    for family in MATERIALS.families.values():
        bill = part_bill(family, MATERIALS)
        assert len(bill.items) == len(family.items)
        assert bill.missing_facts == ()

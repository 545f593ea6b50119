"""When a risk flag rises: thresholds, steps, mutes, severities, owners and actions from `thresholds.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Confidence, StockClass
from streams.reference.loading import ROOT, ReferenceError, read_toml

FILE = ROOT / "thresholds.toml"
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "origin_unknown": (),
    "stockout_before_supply": (
        "weeks_of_cover_below",
        "critical_weeks_below",
        "family_kinds",
        "severity_without_measure",
        "step_usd",
    ),
    "replacement_cost_up": (
        "at_least_usd",
        "at_least_percent",
        "keep_share",
        "step_usd",
        "days_supply_below",
        "mute_above_days_supply",
        "stock_classes",
    ),
    "part_cost_up": (
        "at_least_usd",
        "at_least_percent",
        "keep_share",
        "step_usd",
        "demand_at_least",
        "extended_at_least_usd",
        "most_days_supply",
        "buy_ahead_days",
    ),
    "not_saleable": ("stock_classes", "step_usd"),
    "content_verdict": ("severity_without_measure", "step_usd"),
    "licence_exposure": ("at_least_grams", "keep_share", "severity_without_measure", "licences_that_flow", "step_usd"),
    "concentration": ("at_least_grams", "at_least_share_percent", "keep_share", "step_usd"),
    "source_cost_up": ("at_least_usd", "at_least_percent", "keep_share", "step_usd"),
    "threatened": ("at_least_usd", "keep_share", "severity_without_measure", "step_usd"),
    "control_coming": (),
    "review_required": (),
}
"""Flag types the program raises, and the numbers each of them needs."""

_Positive = Annotated[Decimal, Field(gt=0)]


class Threshold(BaseModel):
    """One flag type. Dollars are per unit unless they say extended; percent is of MSRP or of a part's cost; a flag of a
    group counts both of the whole group.

    `weeks_of_cover_below`: weeks of stock at the last 12 months' demand, where no licence's lead time is known.
    `keep_share`: a flag that is open stays so down to this share of its thresholds, so that it doesn't flap.
    `step_usd`: an open flag has changed when the dollars at stake moved so far from those last published.
    `severity_without_measure`: where no control and no supply event stands; of a group's flags, where the verdict is
    not settled, licences flow, or what threatens is not signed.
    `at_least_grams`: central grams of a controlled element on the lot, below which a group says nothing of it.
    `at_least_share_percent`: of the lot's grams of a controlled element, in one origin or one model.
    `leave_out`: groups whose share isn't looked at.
    `licences_that_flow`: standings of licences under which supply goes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    severity: Literal["info", "warning", "critical"]
    owner: Literal["parts", "new", "used", "policy"]
    action: Literal["hold", "reprice", "reorder", "move", "stop_sale", "none"]
    at_least_usd: _Positive | None = None
    at_least_percent: _Positive | None = None
    extended_at_least_usd: _Positive | None = None
    demand_at_least: Annotated[float, Field(gt=0)] | None = None
    keep_share: Annotated[Decimal, Field(gt=0, le=1)] | None = None
    step_usd: _Positive | None = None
    days_supply_below: Annotated[float, Field(gt=0)] | None = None
    mute_above_days_supply: Annotated[float, Field(gt=0)] | None = None
    most_days_supply: Annotated[float, Field(gt=0)] | None = None
    buy_ahead_days: Annotated[int, Field(gt=0)] | None = None
    weeks_of_cover_below: Annotated[float, Field(gt=0)] | None = None
    critical_weeks_below: Annotated[float, Field(gt=0)] | None = None
    family_kinds: tuple[Literal["magnet", "yttrium", "chip", "catalyst", "battery"], ...] | None = None
    severity_without_measure: Literal["info", "warning", "critical"] | None = None
    stock_classes: tuple[StockClass, ...] | None = None
    at_least_grams: Annotated[float, Field(gt=0)] | None = None
    at_least_share_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    leave_out: tuple[str, ...] | None = None
    licences_that_flow: tuple[str, ...] | None = None
    source: str = Field(min_length=1)
    confidence: Confidence

    @cached_property
    def at_least_cents(self) -> int:
        """`at_least_usd` in cents, 0 where there is none."""
        return int((self.at_least_usd or 0) * 100)

    @cached_property
    def at_least_ten_thousandths(self) -> int:
        """`at_least_percent` as a share in ten-thousandths."""
        return int((self.at_least_percent or 0) * 100)

    @cached_property
    def extended_at_least_cents(self) -> int:
        """`extended_at_least_usd` in cents."""
        return int((self.extended_at_least_usd or 0) * 100)

    @cached_property
    def keep_percent(self) -> int:
        """`keep_share` in percent, 100 where there is none."""
        return 100 if self.keep_share is None else int(self.keep_share * 100)

    @cached_property
    def step_cents(self) -> int | None:
        """`step_usd` in cents."""
        return None if self.step_usd is None else int(self.step_usd * 100)


def load_thresholds() -> Mapping[str, Threshold]:
    """Read and validate the thresholds, by flag type.

    Raises:
        ReferenceError: the file can't be used, or a flag type or one of its numbers is missing.
    """
    found = {row.id: row for row in read_toml(FILE, "threshold", Threshold)}
    for flag, numbers in REQUIRED.items():
        if flag not in found:
            raise ReferenceError(f"{FILE.name}: no [[threshold]] for {flag}; write one")
        for number in numbers:
            if getattr(found[flag], number) is None:
                raise ReferenceError(f"{FILE.name}: {flag}: {number} is missing; give it a value")
    return MappingProxyType(found)

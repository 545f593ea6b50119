"""`risk.flags`: one event of a flag's episode: raised once, changed by steps, cleared once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from schemas.fields import DealerId, Moment, PartNumber, Vin
from schemas.flag import Flag
from schemas.group import GroupKey


class FlagEvent(Flag):
    """What happened to a flag of one vehicle, part or group. A cleared flag is as it last stood.

    Key: the record's key, a colon, and the flag's type. All events of an episode carry its id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, title="FlagEvent")

    dealer_id: DealerId | None = Field(None, description="Of a vehicle's or part's flag.")
    vin: Vin | None = Field(None, description="Of a vehicle's flag.")
    part_number: PartNumber | None = Field(None, description="Of a part's flag.")
    group: GroupKey | None = Field(
        None, description="Of a group's flag: a model, part family, origin or the whole lot."
    )
    episode: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] = Field(description="Id of the episode.")
    change: Literal["raised", "changed", "cleared"]
    changed_at: Moment | None = Field(None, description="When, from the input or the policy event that caused it.")
    book: str = Field(description="Number of the policy book it was rated under.")

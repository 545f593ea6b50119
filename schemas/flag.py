"""A risk flag: one thing about one record that a person should act on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.fields import Confidence, Day, Moment, SignedUsd


class Flag(BaseModel):
    """An open flag as it stands in an enriched record."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="Flag")

    type: str = Field(description="Flag type, a row of reference/thresholds.")
    severity: Literal["info", "warning", "critical"]
    owner: Literal["parts", "new", "used", "policy"] = Field(description="Who acts.")
    action: Literal["hold", "reprice", "reorder", "move", "stop_sale", "none"]
    why: Annotated[str, StringConstraints(max_length=120)]
    dollars_at_stake: SignedUsd | None = None
    act_by: Day | None = None
    confidence: Confidence
    top_missing_fact: str | None = None
    would_change_by_usd: SignedUsd | None = None
    measure: str | None = Field(None, description="Id of the measure that caused it.")
    since: Moment | None = Field(None, description="When the episode began, from the input that raised it.")
    episode: str | None = Field(None, description="Id of the episode, the same in all its events on risk.flags.")
    published_usd: SignedUsd | None = Field(
        None, description="dollars_at_stake of the episode's last event, where the amount has moved less than a step."
    )
    customer_facing_ok: Literal[False] = False

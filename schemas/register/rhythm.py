"""`[supplier.rhythm]`: how often a sender delivers, so that what does not come can be missed."""

from __future__ import annotations

from datetime import time
from typing import Literal

from pydantic import Field, field_validator, model_validator

from schemas.register.base import RegisterModel

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `date.weekday()`."""


class Rhythm(RegisterModel):
    """When something is expected, and how much of it. One of `every`, `on` and `days` says how often."""

    every: Literal["day", "week"] | None = Field(None, description="`day`, or `week`: once within seven days")
    on: tuple[Weekday, ...] = Field((), description="Weekdays on which it comes: mon, tue, wed, thu, fri, sat, sun")
    days: int | None = Field(None, ge=1, le=366, description="At least once within so many days")
    by: time = Field(time(6, 0), description="Time of day by which it is there, in the consortium's time zone")
    grace_minutes: int = Field(60, ge=0, le=1440, description="How much later than `by` it is missed")
    min_share: float = Field(
        0.0, ge=0, le=1, description="Share of the usual number of records that it has at least; 0: any size will do"
    )

    @field_validator("by")
    @classmethod
    def _of_no_zone(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("leave the time zone out: it is the consortium's (SAMKAT_TIMEZONE)")
        return value

    @model_validator(mode="after")
    def _one_way_to_say_how_often(self) -> Rhythm:
        if sum((self.every is not None, bool(self.on), self.days is not None)) != 1:
            raise ValueError("say how often in one way: every, on or days")
        if len(set(self.on)) != len(self.on):
            raise ValueError("on: a weekday is there twice")
        return self

    @property
    def period_days(self) -> int | None:
        """Days within which something comes, or None where it comes on weekdays."""
        return {"day": 1, "week": 7}[self.every] if self.every else self.days

"""The guards' part of `account_rules/SYSTEM.toml`: how much a sweep may do before a person looks."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal, TypeAlias, get_args

from pydantic import Field

from schemas.register.base import RegisterModel
from schemas.register.patron_limits import MonthDay, PatronLimit

AccountChange: TypeAlias = Literal["expire", "deactivate", "reactivate"]
ACCOUNT_CHANGES: Final[tuple[AccountChange, ...]] = get_args(AccountChange)


class AccountRaise(RegisterModel):
    """A time of the year at which more changes than usual is usual."""

    name: str = Field(min_length=1, description="As it stands in the reason")
    starts: MonthDay = Field(description="First day, MM-DD")
    ends: MonthDay = Field(description="Last day, MM-DD; before `starts`: in the next year")
    factor: float = Field(ge=1, description="The limits are this many times as large")
    classes: tuple[AccountChange, ...] = Field((), description="Classes of change; empty: all")

    def covers(self, day: date, change: AccountChange) -> bool:
        """Whether it raises this class on that day."""
        if self.classes and change not in self.classes:
            return False
        today = day.strftime("%m-%d")
        if self.starts <= self.ends:
            return self.starts <= today <= self.ends
        return today >= self.starts or today <= self.ends


class AccountGuards(RegisterModel):
    """Limits by class of change, counted per system; a class that is not named has its default."""

    limits: dict[AccountChange, PatronLimit] = Field(default_factory=dict, description="By class of change")
    raises: tuple[AccountRaise, ...] = Field((), description="When limits are raised")

    def limit_of(self, change: AccountChange) -> PatronLimit:
        """The limit of a class: the register's, or max(10, 2%) summed over 30 days; max(10, 15%) of reactivations."""
        return self.limits.get(change) or DEFAULT_ACCOUNT_LIMITS[change]


DEFAULT_ACCOUNT_LIMITS: Final[dict[AccountChange, PatronLimit]] = {
    "expire": PatronLimit(at_least=10, share=0.02, sum_days=30),
    "deactivate": PatronLimit(at_least=10, share=0.02, sum_days=30),
    "reactivate": PatronLimit(at_least=10, share=0.15),
}

"""The guards' part of `patron_policy.toml`: how much of each class of change a plan may make before a person looks."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field

from schemas.register.base import RegisterModel
from schemas.register.guards import GuardLimit

PatronChange: TypeAlias = Literal[
    "create", "group_change", "deactivate", "expire", "shorten", "clear", "rekey", "erase"
]
PATRON_CHANGES: Final[tuple[PatronChange, ...]] = get_args(PatronChange)
DESTRUCTIVE: Final[tuple[PatronChange, ...]] = ("deactivate", "expire", "shorten", "clear", "rekey", "erase")


def _day_of_year(text: str) -> str:
    # 2001 is no leap year: a day that is not there every year ends nothing.
    try:
        date.fromisoformat(f"2001-{text}")
    except ValueError:
        raise ValueError("is no day of every year, as MM-DD") from None
    return text


MonthDay: TypeAlias = Annotated[str, AfterValidator(_day_of_year)]
"""A day of every year, `MM-DD`. Such texts compare as days do."""


class PatronLimit(GuardLimit):
    """A class is held over max(`at_least`, `share` x persons), tonight or summed over `sum_days`."""

    sum_days: int = Field(0, ge=0, description="Days over which what went unasked is added up; 0: each run alone")


class GuardRaise(RegisterModel):
    """A time of the year at which more changes than usual is usual."""

    name: str = Field(min_length=1, description="As it stands in the reason")
    starts: MonthDay = Field(description="First day, MM-DD")
    ends: MonthDay = Field(description="Last day, MM-DD; before `starts`: in the next year")
    factor: float = Field(ge=1, description="The limits are this many times as large")
    institution: str | None = Field(None, description="Code of the institution; missing: all")
    classes: tuple[PatronChange, ...] = Field((), description="Classes of change; empty: all but erase")

    def covers(self, day: date, institution: str, change: PatronChange) -> bool:
        """Whether it raises this class, there and then. Erasing is only raised where it is named."""
        if self.institution not in (None, institution):
            return False
        if change not in self.classes and (self.classes or change == "erase"):
            return False
        today = day.strftime("%m-%d")
        if self.starts <= self.ends:
            return self.starts <= today <= self.ends
        return today >= self.starts or today <= self.ends


def _default_limits() -> dict[PatronChange, PatronLimit]:
    gentle = PatronLimit(at_least=10, share=0.15)
    strict = PatronLimit(at_least=10, share=0.02, sum_days=30)
    return {change: strict if change in DESTRUCTIVE else gentle for change in PATRON_CHANGES}


class PatronGuards(RegisterModel):
    """Limits by class of change, counted per source and institution; a class that is not named has its default."""

    limits: dict[PatronChange, PatronLimit] = Field(default_factory=dict, description="By class of change")
    raises: tuple[GuardRaise, ...] = Field((), description="When limits are raised")

    def limit_of(self, change: PatronChange) -> PatronLimit:
        """The limit of a class: the register's, or max(10, 15%) for create and group change, max(10, 2%) else."""
        return self.limits.get(change) or DEFAULT_LIMITS[change]


DEFAULT_LIMITS: Final = _default_limits()

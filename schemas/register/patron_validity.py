"""Time in `patron_policy.toml`: leases, term calendars, absence, grace, what follows expiry, and erasure."""

from __future__ import annotations

from datetime import date

from pydantic import Field, model_validator

from schemas.register.base import RegisterModel
from schemas.register.patron_limits import MonthDay


class Term(RegisterModel):
    """A term of every year, and the last valid day of who is there in it."""

    starts: MonthDay = Field(description="From this day on, MM-DD")
    valid_to: MonthDay = Field(description="Last valid day, MM-DD; before `starts`: in the next year")


class TermCalendar(RegisterModel):
    """Terms of an institution; each lasts until the next one starts."""

    terms: tuple[Term, ...] = Field(min_length=1, description="In the order of the year")

    @model_validator(mode="after")
    def _in_order(self) -> TermCalendar:
        starts = [each.starts for each in self.terms]
        if sorted(set(starts)) != starts:
            raise ValueError("terms: they must start one after the other, from January on")
        return self

    def valid_to(self, day: date) -> date:
        """Last valid day of a person who is there on `day`; never before that day."""
        today = day.strftime("%m-%d")
        term = next((each for each in reversed(self.terms) if each.starts <= today), self.terms[-1])
        last = date.fromisoformat(f"{day.year}-{term.valid_to}")
        return last if last >= day else last.replace(year=day.year + 1)

    def next_start(self, day: date) -> date:
        """First day after `day` on which a term starts."""
        days = [date.fromisoformat(f"{year}-{term.starts}") for year in (day.year, day.year + 1) for term in self.terms]
        return next(each for each in days if each > day)


class ValidityRule(RegisterModel):
    """The last valid day where a source gives none: a lease, or the term calendar."""

    institution: str | None = Field(None, description="Code of the institution; missing: all")
    user_group: str | None = Field(None, description="User group; missing: all")
    lease_days: int | None = Field(None, ge=1, description="Valid for so many days from today")
    step_days: int = Field(30, ge=1, description="A lease is extended when fewer days than this remain")
    calendar: str | None = Field(None, description="Name of a term calendar, in place of a lease")

    @model_validator(mode="after")
    def _one_way(self) -> ValidityRule:
        if (self.lease_days is None) == (self.calendar is None):
            raise ValueError("lease_days or calendar: one of the two")
        if self.lease_days is not None and self.step_days > self.lease_days:
            raise ValueError(f"step_days: {self.step_days} is more than lease_days")
        return self


class AbsenceRules(RegisterModel):
    """When a person whom the complete file lacks counts as gone: after so many runs and so many days, both."""

    runs: int = Field(3, ge=1, description="Complete files in a row without the person")
    days: int = Field(7, ge=1, description="Days since the first of them")
    grace_days: int = Field(30, ge=0, description="Days that the person stays as before after that, or after leaving")


class LifecycleRules(RegisterModel):
    """What follows the last valid day."""

    inactive_after_days: int = Field(90, ge=0, description="Days after the last valid day")
    purge_after_days: int = Field(365, ge=0, description="Days from the last valid day to the purge date")


class ErasureRules(RegisterModel):
    """What must hold before a person is erased, and how long the erased one is not made again."""

    obligations_hours: int = Field(24, ge=1, description="Older than this, a feed of loans and balances says nothing")
    tombstone_days: int = Field(
        90, ge=1, description="A tombstone lapses when the row has not come for so many days: who comes then is new"
    )

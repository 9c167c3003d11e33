"""`account_rules/SYSTEM.toml`: the rules of the staff accounts of one system, with examples that prove them.

Days are last valid days, inclusive, in the system's zone. tasks/accounts carries the rules out; the examples are run by
a test and by every command of `samkat accounts`.
"""

from __future__ import annotations

from datetime import date
from typing import Final, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from schemas.register.account_guards import AccountGuards
from schemas.register.base import RegisterModel
from schemas.register.patron_limits import MonthDay, PatronLimit

AccountKind: TypeAlias = Literal["personal", "shared"]
Employment: TypeAlias = Literal["permanent", "temporary", "volunteer"]
EndRule: TypeAlias = Literal["none", "after_mission", "year_end"]
AccountStatus: TypeAlias = Literal["waiting", "active", "expired", "inactive", "retired"]
Training: TypeAlias = Literal["none", "recommended", "must"]
KINDS: Final[tuple[AccountKind, ...]] = get_args(AccountKind)
EMPLOYMENTS: Final[tuple[Employment, ...]] = get_args(Employment)
ACCOUNT_STATUSES: Final[tuple[AccountStatus, ...]] = get_args(AccountStatus)


class RoleRule(RegisterModel):
    """A role: which kinds of account may have it, and what training it takes."""

    code: str = Field(pattern=r"^[a-z][a-z_]*$", description="As it stands in files and in `out_account`")
    name: str = Field(min_length=1, description="As it stands in e-mails")
    kinds: tuple[AccountKind, ...] = Field(("personal",), description="Kinds of account that may have it")
    training: Training = Field(
        "none", description="none, recommended (the support desk is told), must (no role without it)"
    )
    course: str = Field("", description="Code of the course; empty: any training counts")
    webinar: str = Field("", description="Code of a course that is recommended beside it")
    kept_before: date | None = Field(None, description="Who had the role before this day keeps it without training")
    target: str = Field("", description="Code of the role in the system; empty: as `code`")
    manages_readers: bool = Field(False, description="May create and manage readers of the own library")


class EndDates(RegisterModel):
    """The last valid day of an account, by employment."""

    permanent: EndRule = Field("none", description="Of a permanent employee")
    temporary: EndRule = Field("after_mission", description="Of a temp, student or intern, whose mission has an end")
    volunteer: EndRule = Field("year_end", description="Of a volunteer without an end; with one: as `temporary`")
    months_after: int = Field(1, ge=0, description="Months from the mission's end, clipped to the month's last day")
    renewal_years: int = Field(1, ge=1, description="Years that a renewal adds to the old end")
    inactive_after_days: int = Field(90, ge=0, description="Days from the last valid day to deactivation")


class Campaign(RegisterModel):
    """The yearly question to library managers: who goes on. Days count back as in the best campaigns seen."""

    ends_on: MonthDay = Field("12-31", description="Accounts that expire on this day are asked about, MM-DD")
    window_days: int = Field(31, ge=0, description="And those that expire so many days before it")
    prepare_days: int = Field(45, ge=1, description="The list goes out so many days before it")
    decide_days: int = Field(18, ge=1, description="Answers are wanted so many days before it")
    remind_days: tuple[int, ...] = Field((11, 3), description="Reminders, so many days before answers are wanted")
    employments: tuple[Employment, ...] = Field(("volunteer", "temporary"), description="Who is asked about")
    no_answer: Literal["expire", "renew"] = Field("expire", description="What happens without an answer; it is listed")

    @model_validator(mode="after")
    def _in_order(self) -> Campaign:
        if self.decide_days >= self.prepare_days:
            raise ValueError("decide_days: answers are wanted before the list has gone out")
        late = [each for each in self.remind_days if self.decide_days + each >= self.prepare_days]
        if late:
            raise ValueError(f"remind_days: {late[0]} is before the list has gone out")
        return self


class Rotation(RegisterModel):
    """The yearly day on which shared accounts get a new password. Samkat keeps the day, never the password."""

    on: MonthDay = Field(description="The day, MM-DD")
    announce_days: tuple[int, ...] = Field((30, 7), description="Told so many days before")
    remind_days: tuple[int, ...] = Field((1, 7, 14), description="Where it is not done, told so many days after")


class Retirement(RegisterModel):
    """The day on which shared logins of a system are switched off for good."""

    on: date = Field(description="The first day without them")
    announce_days: tuple[int, ...] = Field((90, 30, 7), description="Told so many days before")


class TargetHealth(RegisterModel):
    """Where a system says how it is. A run waits while it is in trouble."""

    url: str = Field(pattern=r"^https?://", description="Status page: HTTP, anything but 2xx is trouble")
    path: str = Field("", description="Where the answer is JSON: the key that says how it is, `status.indicator`")
    good: tuple[str, ...] = Field(("none", "ok", "up", "operational"), description="Values of it that are no trouble")
    timeout_seconds: float = Field(10.0, gt=0, description="Longer than this is trouble, too")


class Outbound(RegisterModel):
    """The change file for the system."""

    format: Literal["csv", "alma"] = Field("csv", description="CSV, or Alma's user XML by the composer of patrons")
    alma_group: str = Field("STAFF", min_length=1, description="User group of staff in Alma")
    roles_owned: bool = Field(True, description="Whether the file says which roles an account has")


class AccountRetention(RegisterModel):
    """How long it is known whose an ended account was."""

    after_months: int = Field(
        24, ge=1, le=240, description="Months after an account became inactive or was retired; then it is forgotten"
    )
    limit: PatronLimit = Field(
        PatronLimit(at_least=10, share=0.02, sum_days=30), description="More at once wait for approval"
    )


class ExampleGiven(RegisterModel):
    """An account as an example has it."""

    kind: AccountKind = Field("personal", description="Kind of the account")
    employment: Employment = Field("permanent", description="Employment")
    made_on: date | None = Field(None, description="Day on which it was made; missing: 15 January of the year of `on`")
    status: AccountStatus = Field("active", description="Its status so far")
    mission_start: date | None = Field(None, description="First day of the mission")
    mission_end: date | None = Field(None, description="Last day of the mission")
    leaver_on: date | None = Field(None, description="Day from which it may be deactivated")
    pinned_end: date | None = Field(None, description="Last valid day that a person has pinned")
    roles: tuple[str, ...] = Field((), description="Roles")
    roles_since: date | None = Field(None, description="Day from which it has them; missing: `made_on`")
    trained_on: date | None = Field(None, description="Day of its training")


class ExampleWhen(RegisterModel):
    """What happens in an example."""

    on: date = Field(description="Day of the sweep")
    renewed_on: date | None = Field(None, description="It was renewed on this day")
    renewed_until: date | None = Field(None, description="To this day; missing: as the rules have it")


class ExampleThen(RegisterModel):
    """What must come of it; what is not named is not looked at."""

    expires_on: date | None = Field(None, description="Last valid day")
    never_expires: bool = Field(False, description="There is no last valid day")
    status: AccountStatus | None = Field(None, description="Status after the sweep")
    action: Literal["none", "expire", "deactivate", "reactivate", "activate", "retire"] | None = Field(
        None, description="What the sweep does to the status"
    )
    rule: str | None = Field(None, description="Rule that decided the status")
    tells: tuple[str, ...] | None = Field(None, description="Rules of what is told or flagged, in their order")
    roles: tuple[str, ...] | None = Field(None, description="Roles in force")


class Example(RegisterModel):
    """Given, when, then."""

    name: str = Field(min_length=1, description="What it shows, as a sentence")
    given: ExampleGiven = Field(description="The account")
    when: ExampleWhen = Field(description="What happens")
    then: ExampleThen = Field(description="What must come of it")


class AccountSystem(RegisterModel):
    """A system in which libraries' staff have accounts, and its rules."""

    code: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="Code; the file's name without `.toml`")
    name: str = Field(min_length=1, description="As it stands in e-mails")
    zone: str = Field("Europe/Stockholm", description="Time zone in which its days begin and end")
    support: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail of the support desk")
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of e-mails to the support desk")
    before_expiry: tuple[int, ...] = Field((60, 30, 7), description="Notices so many days before the last valid day")
    own_library_only: bool = Field(True, description="Roles reach no further than the account's own library")
    ends: EndDates = Field(EndDates(), description="Last valid days")
    roles: tuple[RoleRule, ...] = Field(min_length=1, description="Roles that an account may have")
    campaign: Campaign | None = Field(None, description="Yearly renewal; missing: there is none")
    rotation: Rotation | None = Field(None, description="Yearly password of shared accounts; missing: there is none")
    retirement: Retirement | None = Field(None, description="End of shared logins; missing: they stay")
    health: TargetHealth | None = Field(None, description="Where the system says how it is; missing: never asked")
    outbound: Outbound | None = Field(None, description="Change file; missing: none is made")
    retention: AccountRetention = Field(AccountRetention(), description="When ended accounts are forgotten")
    guards: AccountGuards = Field(AccountGuards(), description="How much a sweep may do unasked")
    examples: tuple[Example, ...] = Field((), description="What the rules must come to")

    @model_validator(mode="after")
    def _agreed(self) -> AccountSystem:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"zone: {self.zone!r} is not a time zone") from None
        codes = [each.code for each in self.roles]
        twice = sorted({each for each in codes if codes.count(each) > 1})
        if twice:
            raise ValueError(f"roles: {twice[0]} is there twice")
        for example in self.examples:
            unknown = sorted(set(example.given.roles) - set(codes))
            if unknown:
                raise ValueError(f"examples: {example.name!r}: no role {unknown[0]}")
        return self

    @property
    def tz(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.zone)

    def role(self, code: str) -> RoleRule | None:
        """The rule of a role, None for one that the system does not have."""
        return next((each for each in self.roles if each.code == code), None)

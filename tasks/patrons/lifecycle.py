"""The states of a person and what leads from one to the next. Which class of change a step is, the guards ask.

    staged -> active -> missing -> grace -> expired -> inactive -> erasable -> erased

Absence is counted per source, in complete files only. It leads to `inactive`, guarded, and never touches a date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias

from schemas.register.patron_limits import PatronChange
from schemas.register.patron_policy import PatronPolicy
from schemas.register.patron_validity import AbsenceRules, LifecycleRules

PatronState: TypeAlias = Literal["staged", "active", "missing", "grace", "expired", "inactive", "erasable", "erased"]
Event: TypeAlias = Literal[
    "activated",
    "went_missing",
    "grace_began",
    "expired",
    "deactivated",
    "became_erasable",
    "kept_longer",
    "prolonged",
    "returned_from_missing",
    "returned_from_expired",
    "returned_from_inactive",
]
EVENT_WORDS: Mapping[Event, str] = {
    "activated": "the first day has come",
    "went_missing": "a complete file of the source lacks the person",
    "grace_began": "the person has left, or was missing for so many runs and days",
    "expired": "the last valid day is over",
    "deactivated": "the grace, or the time after the last valid day, is over",
    "became_erasable": "the purge date has come",
    "kept_longer": "the purge date was moved",
    "prolonged": "the last valid day was moved",
    "returned_from_missing": "a source has the person again",
    "returned_from_expired": "a source has the person again, with a day to come",
    "returned_from_inactive": "a source has the person again, with a day to come, after deactivation",
}
EVENT_CLASSES: Mapping[Event, PatronChange] = {"expired": "expire", "deactivated": "deactivate"}
"""The class of change under which a step is guarded; the other steps are free."""


class Sighting(NamedTuple):
    """What one source's files say of a person's being there."""

    source: str
    seen_on: date | None = None
    missing_runs: int = 0
    missing_since: date | None = None
    counted_on: date | None = None
    """Business date of the last file that was counted: the same day counts once."""
    left_on: date | None = None
    """The source said that the person has left."""

    @property
    def is_present(self) -> bool:
        """Whether the source's last word is that the person is there."""
        return self.missing_runs == 0 and self.left_on is None

    def is_gone(self, rules: AbsenceRules, day: date) -> bool:
        """Whether the source has done without the person for long enough, or has said that they left."""
        if self.left_on is not None:
            return True
        if self.missing_since is None or self.missing_runs < rules.runs:
            return False
        return day - self.missing_since >= timedelta(rules.days)


class Snapshot(NamedTuple):
    """One run over a source's file, as far as absence goes."""

    day: date
    is_complete: bool
    """A whole file that passed its guards; a delta or an instant update says nothing about who is not in it."""
    failed_rows: int = 0
    """Rows that could not be read or placed: any of them may be the person who seems to be missing."""


def observe(sighting: Sighting, is_there: bool, snapshot: Snapshot) -> Sighting:
    """What is known after a file: being there ends any absence; not being there counts where it may."""
    if is_there:
        return Sighting(sighting.source, seen_on=snapshot.day)
    if not snapshot.is_complete or snapshot.failed_rows or sighting.left_on is not None:
        return sighting
    if sighting.counted_on is not None and snapshot.day <= sighting.counted_on:
        return sighting
    return sighting._replace(
        missing_runs=sighting.missing_runs + 1,
        missing_since=sighting.missing_since or snapshot.day,
        counted_on=snapshot.day,
    )


class Standing(NamedTuple):
    """Where a person stands."""

    state: PatronState
    since: date
    not_before: date | None = None
    expires_on: date | None = None
    purge_on: date | None = None
    grace_until: date | None = None


class Step(NamedTuple):
    """One step of a person."""

    event: Event
    before: PatronState
    after: PatronState

    @property
    def change(self) -> PatronChange | None:
        """The class under which it is guarded, if any."""
        return EVENT_CLASSES.get(self.event)

    @property
    def why(self) -> str:
        """In words."""
        return f"{self.before} to {self.after}: {EVENT_WORDS[self.event]}"


_LONGEST_WAY = 8


def advance(
    standing: Standing,
    sightings: Sequence[Sighting],
    policy: PatronPolicy,
    day: date,
    held: Set[PatronChange] = frozenset(),
) -> tuple[Standing, tuple[Step, ...]]:
    """Where a person stands on `day`, and the steps that lead there; the same again takes none.

    It stops before a step whose class is in `held`. A person without any sighting (made at the desk) counts as there.
    Erasing is no step of time: see erasure.py.
    """
    standing = standing._replace(purge_on=purge_date(standing.expires_on, standing.purge_on, policy.lifecycle))
    steps: list[Step] = []
    while len(steps) < _LONGEST_WAY and (found := _next(standing, sightings, policy, day)) is not None:
        event, state = found
        if EVENT_CLASSES.get(event) in held:
            break
        steps.append(Step(event, standing.state, state))
        standing = _moved(standing, state, policy, day)
    return standing, tuple(steps)


def _moved(standing: Standing, state: PatronState, policy: PatronPolicy, day: date) -> Standing:
    grace = day + timedelta(policy.absence.grace_days) if state == "grace" else None
    purge = standing.purge_on
    if state == "inactive" and purge is None:
        purge = day + timedelta(policy.lifecycle.purge_after_days)
    return standing._replace(state=state, since=day, grace_until=grace, purge_on=purge)


def _next(
    standing: Standing, sightings: Sequence[Sighting], policy: PatronPolicy, day: date
) -> tuple[Event, PatronState] | None:
    state = standing.state
    if state == "staged":
        is_due = standing.not_before is None or standing.not_before <= day
        return ("activated", "active") if is_due else None
    is_there = not sightings or any(each.is_present for each in sightings)
    is_over = standing.expires_on is not None and standing.expires_on < day
    if state in ("active", "missing", "grace"):
        if is_over:
            return "expired", "expired"
        is_gone = not is_there and all(each.is_gone(policy.absence, day) for each in sightings)
        return _while_valid(standing, is_there, is_gone, day)
    return _after_validity(standing, is_there, is_over, policy, day)


def _while_valid(standing: Standing, is_there: bool, is_gone: bool, day: date) -> tuple[Event, PatronState] | None:
    if standing.state == "active":
        return None if is_there else ("went_missing", "missing")
    if is_there:
        return "returned_from_missing", "active"
    if standing.state == "missing":
        return ("grace_began", "grace") if is_gone else None
    is_graced = standing.grace_until is not None and day <= standing.grace_until
    return None if is_graced else ("deactivated", "inactive")


def _after_validity(
    standing: Standing, is_there: bool, is_over: bool, policy: PatronPolicy, day: date
) -> tuple[Event, PatronState] | None:
    state, expires_on = standing.state, standing.expires_on
    if state == "expired":
        if not is_over:
            return ("returned_from_expired" if is_there else "prolonged"), "active"
        waits = timedelta(policy.lifecycle.inactive_after_days)
        return ("deactivated", "inactive") if expires_on is not None and expires_on + waits < day else None
    if state == "inactive" or state == "erasable":
        if is_there and not is_over:
            return "returned_from_inactive", "active"
        is_due = standing.purge_on is not None and standing.purge_on <= day
        if state == "inactive":
            return ("became_erasable", "erasable") if is_due else None
        return None if is_due else ("kept_longer", "inactive")
    return None


def purge_date(expires_on: date | None, purge_on: date | None, rules: LifecycleRules) -> date | None:
    """The purge date: so many days after the last valid day; one that is later already stays. Never before it."""
    if expires_on is None:
        return purge_on
    after = expires_on + timedelta(rules.purge_after_days)
    return after if purge_on is None else max(purge_on, after)


def status_of(state: PatronState) -> Literal["ACTIVE", "INACTIVE"]:
    """What the library system is told; an expired person is active there, with a day that is over."""
    return "INACTIVE" if state in ("staged", "inactive", "erasable", "erased") else "ACTIVE"


def looked_at_on(standing: Standing, sightings: Sequence[Sighting], policy: PatronPolicy, day: date) -> date | None:
    """The next day on which time alone moves this person; until then an unchanged row may be skipped. None: never."""
    after = timedelta(1)
    days = {
        "staged": standing.not_before,
        "grace": standing.grace_until and standing.grace_until + after,
        "inactive": standing.purge_on,
    }
    found = [days.get(standing.state)]
    if standing.state in ("active", "missing", "grace"):
        found.append(standing.expires_on and standing.expires_on + after)
        found += [
            each.missing_since + timedelta(policy.absence.days) for each in sightings if each.missing_since is not None
        ]
    if standing.state == "expired" and standing.expires_on is not None:
        found.append(standing.expires_on + timedelta(policy.lifecycle.inactive_after_days) + after)
    return min((each for each in found if each is not None and each > day), default=None)

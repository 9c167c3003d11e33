"""A person's days and state are planned: the last valid day, the steps of the lifecycle, when to look again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Literal, cast

from schemas.patrons import ABSENT
from tasks.patrons.documents import tie_state
from tasks.patrons.expiry import EXPIRY_WORDS, AffiliationDates, ValidTo, affiliation_valid_to, due_on, valid_to
from tasks.patrons.lifecycle import EVENT_WORDS, Standing, Step, advance, looked_at_on
from tasks.patrons.occasion import STATE, Change, Occasion
from tasks.patrons.plan_person_state import PersonInPlan, tomorrow
from tasks.patrons.records import SourceRecord

_SAME_DAY_SAME_RULE = ("lease_running", "kept", "missing")
"""Rules that leave the day as it was: what gave it stays on record."""


def settle(person: PersonInPlan) -> None:
    """Last valid day, state and the next day to look, once all values are merged."""
    if not person.sources and not person.expiry_rule:
        person.look_on = None  # Found in the library system, and nobody claims the person: not ours to let expire.
        return
    is_held = not _set_expiry(person)
    is_held = not _advance(person) or is_held
    person.look_on = tomorrow(person.day) if is_held else next_look(person)


def dates_of(sources: Iterable[SourceRecord]) -> list[AffiliationDates]:
    """The affiliations of a person as far as days go. What was worked out last is what a new day is measured by."""
    return [
        AffiliationDates(
            each.source,
            each.user_group,
            cast(Literal["current", "missing", "ended"], tie_state(each)),
            each.explicit,
            None,
            each.worked_out,
        )
        for each in sorted(sources, key=lambda each: each.source)
    ]


def _set_expiry(person: PersonInPlan) -> bool:
    """False: a shorter day is held."""
    occasion, now = person.occasion, person.standing.expires_on
    dates = dates_of(person.sources.values())
    lock = person.scalar_locks().get("expiry_date")
    found = valid_to(dates, now, occasion.policy, occasion.institution, person.day, lock)
    if found.is_shorter and "shorten" in person.held:
        person.change(_expiry_row(now, found, "held"))
        return False
    for each in dates:
        if each.state == "current":
            worked_out = affiliation_valid_to(each, occasion.policy, occasion.institution, person.day).day
            if worked_out != each.last:
                person.sources[each.source] = replace(person.sources[each.source], worked_out=worked_out)
    if found.day != now:
        person.standing = person.standing._replace(expires_on=found.day)
        person.change(_expiry_row(now, found, "applied"))
    if found.day != now or not person.expiry_rule or found.rule not in _SAME_DAY_SAME_RULE:
        person.expiry_rule = found.rule
    return True


def _expiry_row(now: date | None, found: ValidTo, decision: Literal["applied", "held"]) -> Change:
    return Change(
        "expiry_date",
        "",
        ABSENT if now is None else now,
        found.day,
        found.source,
        found.rule,
        "shorten" if found.is_shorter else None,
        decision,
        EXPIRY_WORDS[found.rule],
    )


def _advance(person: PersonInPlan) -> bool:
    """False: a step is held, and the person stands before it."""
    policy, day = person.occasion.policy, person.day
    sightings = [each.sighting for each in person.sources.values()]
    standing = person.standing
    if standing.state == "staged":
        standing = standing._replace(not_before=not_before(person.sources.values()))
    reached, steps = advance(standing, sightings, policy, day, held=person.held)
    for step in steps:
        person.change(_step_row(step, "applied"))
    person.standing = reached
    if not person.held:
        return True
    ahead = advance(reached, sightings, policy, day)[1]
    if ahead:
        person.change(_step_row(ahead[0], "held"))
    return not ahead


def _step_row(step: Step, decision: Literal["applied", "held"]) -> Change:
    reason = EVENT_WORDS[step.event]
    return Change(STATE, "", step.before, step.after, "", step.event, step.change, decision, reason)


def not_before(sources: Iterable[SourceRecord]) -> date | None:
    """The first valid day: the earliest over the affiliations; one without such a day begins at once."""
    days = [each.valid_from for each in sources if each.sighting.left_on is None]
    return None if not days or None in days else min(each for each in days if each is not None)


def next_look(person: PersonInPlan) -> date | None:
    """The next day on which time alone may change something."""
    untils = [each.until for each in person.locks if each.until is not None and each.holds_on(person.day)]
    return look_on(person.occasion, person.standing, list(person.sources.values()), untils)


def look_on(
    occasion: Occasion, standing: Standing, sources: Sequence[SourceRecord], untils: Iterable[date] = ()
) -> date | None:
    """The earliest of: another last valid day, a step of the lifecycle, the end of a lock."""
    day, policy = occasion.day, occasion.policy
    days = [
        due_on(dates_of(sources), policy, occasion.institution, day),
        looked_at_on(standing, [each.sighting for each in sources], policy, day),
        *(tomorrow(until) for until in untils),
    ]
    return min((each for each in days if each is not None and each > day), default=None)

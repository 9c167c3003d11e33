"""A new person is planned: what the source says is what is written, and what is there. The hot path of a first load."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from schemas.patrons import PREFERRED_LISTS, Affiliation, IncomingPerson, ListItem, Value
from schemas.register.patron_limits import PatronChange
from tasks.patrons.expiry import AffiliationDates, affiliation_valid_to, valid_to
from tasks.patrons.file_guards import filled_bits, filled_paths
from tasks.patrons.items import HeldItem, with_preferred
from tasks.patrons.lifecycle import Sighting, Standing, advance
from tasks.patrons.occasion import PERSON, Change, Occasion, PlannedPerson
from tasks.patrons.pinning import carry_out_orders
from tasks.patrons.plan_identifiers import PRIMARY, new_identifiers
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.plan_standing import look_on, next_look
from tasks.patrons.records import NOTHING, PersonRecord, SaidValue, SourceRecord

EXTERNAL = "EXTERNAL"
"""Every person that a source sends is a user of this type (the import's own rule)."""
NOBODY: frozenset[str] = frozenset()
NO_TIE = Affiliation("", None, None, None)
"""Of a row without an affiliation."""


def plan_new(incoming: IncomingPerson, occasion: Occasion, held: frozenset[PatronChange]) -> PlannedPerson:
    """A person whom nobody has. Where creating is held nobody is made, and the change says so."""
    record = new_record(incoming, occasion)
    row = Change(PERSON, "", new=record, source=occasion.code, rule="created", change_class="create")
    if "create" in held:
        return PlannedPerson(None, None, (row._replace(decision="held", reason="a new person, who waits"),))
    if incoming.orders:
        person = PersonInPlan(record, occasion)
        carry_out_orders(person, incoming.orders, protects=True)
        record = replace(record, locks=tuple(person.locks), look_on=next_look(person))
    return PlannedPerson(None, record, (row._replace(new=record, reason="no person has the ids of the row"),))


def new_record(incoming: IncomingPerson, occasion: Occasion) -> PersonRecord:
    """The person as they are made, version 1."""
    day, code = occasion.day, occasion.code
    values = incoming.values
    group = values.get("user_group")
    rules = occasion.rules(group if isinstance(group, str) else None)
    primary = values.get(PRIMARY)
    primary_id = primary if isinstance(primary, str) else incoming.source_ids[0].value
    written: dict[str, Value | None] = {path: each for path, each in values.items() if path not in rules.passive}
    written[PRIMARY] = primary_id
    lists = {path: _new_list(path, items, occasion) for path, items in incoming.lists.items() if path in rules.lists}
    tie = incoming.affiliations[0] if incoming.affiliations else NO_TIE
    dates = AffiliationDates(code, tie.user_group, "current", explicit_of(incoming))
    worked_out = affiliation_valid_to(dates, occasion.policy, occasion.institution, day).day
    source = first_record(incoming, occasion, worked_out)
    expires = valid_to([dates], None, occasion.policy, occasion.institution, day)
    begins = Standing("staged", day, source.valid_from, expires.day)
    standing, _ = advance(begins, (source.sighting,), occasion.policy, day)
    return PersonRecord(
        None,
        occasion.institution,
        primary_id,
        EXTERNAL,
        standing,
        expires.rule,
        written,
        written,
        lists,
        NOTHING,
        {code: source},
        new_identifiers(incoming, incoming.lists.get("user_identifiers", ()), primary_id, code, day),
        version=1,
        is_confidential=values.get("is_confidential") is True,
        look_on=look_on(occasion, standing, (source,)),
    )


def _new_list(path: str, items: tuple[ListItem, ...], occasion: Occasion) -> tuple[HeldItem, ...]:
    code, day = occasion.code, occasion.day
    owners = frozenset((code,))
    if len(items) == 1:
        (only,) = items
        marks = owners if only.is_preferred else NOBODY
        is_preferred = path in PREFERRED_LISTS
        return (HeldItem(only.type, only.key, only.fields, owners, day, marks, is_preferred, code, only.segment),)
    found = {
        (each.type, each.key): HeldItem(
            *(each.type, each.key, each.fields, owners, day, owners if each.is_preferred else NOBODY, False, code),
            each.segment,
        )
        for each in items
    }
    merged = tuple(found[key] for key in sorted(found)) if len(found) > 1 else tuple(found.values())
    if path not in PREFERRED_LISTS:
        return merged
    return with_preferred(merged, occasion.ranking(path), occasion.policy.preferred_types.get(path, ()))


def first_record(incoming: IncomingPerson, occasion: Occasion, worked_out: date | None = None) -> SourceRecord:
    """What a source says of a person the first time."""
    day = occasion.day
    tie = incoming.affiliations[0] if incoming.affiliations else NO_TIE
    said: dict[str, SaidValue] = {path: SaidValue(value, day) for path, value in incoming.values.items()}
    days: dict[str, tuple[date, ...]] = {path: (day,) * len(items) for path, items in incoming.lists.items()}
    return SourceRecord(
        occasion.code,
        occasion.institution,
        incoming.content_hash,
        occasion.policy.version,
        False,
        filled_bits(filled_paths(incoming)),
        said,
        incoming.lists,
        days,
        tie.category,
        tie.user_group,
        tie.library,
        tie.department,
        tie.valid_from,
        explicit_of(incoming),
        worked_out,
        Sighting(occasion.code),
    )


def explicit_of(incoming: IncomingPerson) -> date | None:
    """The last valid day that the row gives."""
    tie = incoming.affiliations[0] if incoming.affiliations else None
    if tie is not None and tie.valid_to is not None:
        return tie.valid_to
    value = incoming.values.get("expiry_date")
    return value if isinstance(value, date) else None

"""What becomes of one person: when a source speaks, when its file lacks them, when time or staff ask. Pure.

Each function takes the person as they are and returns a plan: the person as they will be, and every decision. The
same again plans nothing. Classes in `held` are recorded and not carried out; the source's next row plans them anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import TypeVar

from schemas.patrons import ABSENT, IncomingPerson
from schemas.register.patron_limits import PatronChange
from tasks.patrons.file_guards import filled_bits, filled_paths
from tasks.patrons.items import STAFF, without_source
from tasks.patrons.lifecycle import Sighting, observe
from tasks.patrons.occasion import Change, HistoryRow, Occasion, PlannedPerson
from tasks.patrons.pinning import carry_out_orders
from tasks.patrons.plan_edits import plan_edit, plan_found, plan_read_back
from tasks.patrons.plan_identifiers import PRIMARY, rekey_person, set_identifiers
from tasks.patrons.plan_lists import item_locks, merge_lists, preferred
from tasks.patrons.plan_new import EXTERNAL, NO_TIE, explicit_of, first_record, plan_new
from tasks.patrons.plan_person_state import PersonInPlan
from tasks.patrons.plan_scalars import merge_scalars
from tasks.patrons.plan_standing import settle
from tasks.patrons.records import NOTHING, PersonRecord, SaidValue, SourceRecord, as_listed
from tasks.patrons.survivors import Rekey

__all__ = [
    "Change",
    "HistoryRow",
    "Occasion",
    "PlannedPerson",
    "plan_absent",
    "plan_due",
    "plan_edit",
    "plan_found",
    "plan_left",
    "plan_person",
    "plan_read_back",
    "plan_source_dropped",
]
T = TypeVar("T")
_NONE: frozenset[PatronChange] = frozenset()


def plan_person(
    record: PersonRecord | None,
    incoming: IncomingPerson,
    occasion: Occasion,
    held: frozenset[PatronChange] = _NONE,
    *,
    rekey: Rekey | None = None,
) -> PlannedPerson:
    """What a row of `occasion.source` does to a person; None: a new one.

    `rekey`: what the look-up found about the old ids of the row (lookups.py); without it the person's own ids tell.
    """
    if record is None:
        return plan_new(incoming, occasion, held)
    person = PersonInPlan(record, occasion, held)
    code = occasion.code
    old = record.sources.get(code)
    if not record.sources:
        person.account_type = EXTERNAL  # as every person whom a source sends
    person.sources[code] = heard(old, incoming, occasion)
    carry_out_orders(person, incoming.orders, protects=False)
    is_rekeyed = rekey_person(person, incoming, rekey)
    if is_rekeyed:
        _ask_about_id(person, old, incoming)
    paths = list(incoming.values)
    if old is None or old.sighting.left_on is not None:
        # It speaks again, or for the first time: what it said long ago may count again.
        paths = list(person.sources[code].values)
    unsaid = merge_scalars(person, paths) | merge_lists(person, list(incoming.lists), code)
    if not is_rekeyed:
        unsaid |= {PRIMARY}
    _unsay(person, old, unsaid)
    _remember(person, old)
    if is_rekeyed:
        set_identifiers(person, incoming)
    person.is_desk_stub = False
    carry_out_orders(person, incoming.orders, protects=True)
    settle(person)
    return person.planned()


def heard(old: SourceRecord | None, incoming: IncomingPerson, occasion: Occasion) -> SourceRecord:
    """What a source says of a person after its row. What the row does not carry, the source still says.

    So it does where the row has a null that may clear nothing. Else another source would speak for as long as it takes
    until that one has a null as well, and the order in which they come would decide what stays.
    """
    if old is None:
        return first_record(incoming, occasion)
    day = occasion.day
    values = dict(old.values)
    for path, value in incoming.values.items():
        known = values.get(path)
        if value is None and known is not None and not _clears(path, occasion):
            continue
        if known is None or known.value != value or type(known.value) is not type(value):
            values[path] = SaidValue(value, day)
    lists, days = dict(old.lists), dict(old.item_days)
    for path, items in incoming.lists.items():
        if items != lists.get(path):
            since = {
                (each.type, each.key): when for each, when in zip(lists.get(path, ()), days.get(path, ()), strict=True)
            }
            lists[path] = items
            days[path] = tuple(since.get((each.type, each.key), day) for each in items)
    tie = incoming.affiliations[0] if incoming.affiliations else NO_TIE
    explicit = explicit_of(incoming)
    carries_end = explicit is not None or "expiry_date" in incoming.values
    return SourceRecord(
        occasion.code,
        occasion.institution,
        incoming.content_hash,
        occasion.policy.version,
        False,
        filled_bits(filled_paths(incoming)),
        values,
        lists,
        days,
        tie.category if tie.category is not None else old.category,
        tie.user_group if tie.user_group is not None else old.user_group,
        tie.library if tie.library is not None else old.library,
        tie.department if tie.department is not None else old.department,
        tie.valid_from if tie.valid_from is not None else old.valid_from,
        explicit if carries_end else old.explicit,
        old.worked_out,
        Sighting(occasion.code),
    )


def _clears(path: str, occasion: Occasion) -> bool:
    """Whether a null of a source is taken for what it says now."""
    rule = occasion.policy.rule(path)
    return rule.may_clear or rule.mode not in ("source_wins", "local_if_edited")


def _ask_about_id(person: PersonInPlan, old: SourceRecord | None, incoming: IncomingPerson) -> None:
    """The row has another primary id than the source had, and names no old one: only a rekey changes it."""
    before = old.values.get(PRIMARY) if old is not None else None
    said = incoming.values.get(PRIMARY)
    if before is None or not isinstance(said, str) or not isinstance(before.value, str):
        return
    if said.strip().casefold() not in (before.value.strip().casefold(), person.primary_id.strip().casefold()):
        reason = "primary_id kept: only a rekey changes it; a person should look"
        row = Change(PRIMARY, "", person.primary_id, said, person.occasion.code, "immutable", None, "review", reason)
        person.change(row)


def _unsay(person: PersonInPlan, old: SourceRecord | None, paths: frozenset[str]) -> None:
    """What is held was not said yet: so the next row of the source says it anew, and is planned anew."""
    if not paths:
        return
    code = person.occasion.code
    now = person.sources[code]
    now = replace(
        now,
        values=_as_before(now.values, old.values if old else NOTHING, paths),
        lists=_as_before(now.lists, old.lists if old else NOTHING, paths),
        item_days=_as_before(now.item_days, old.item_days if old else NOTHING, paths),
    )
    if "user_group" in paths:
        now = replace(now, category=old.category if old else None, user_group=old.user_group if old else None)
    person.sources[code] = now


def _as_before(now: Mapping[str, T], before: Mapping[str, T], paths: Set[str]) -> dict[str, T]:
    return {path: each for path, each in now.items() if path not in paths} | {
        path: before[path] for path in paths & before.keys()
    }


def _remember(person: PersonInPlan, old: SourceRecord | None) -> None:
    """History: what the source said once and says no more."""
    if old is None:
        return
    now, day, code = person.sources[old.source], person.day, old.source
    for path, said in old.values.items():
        if now.values[path] is not said:
            person.history.append(HistoryRow(code, path, "", "", said.value, said.since, day))
    for path, items in old.lists.items():
        if now.lists[path] is items:
            continue
        kept = {(each.type, each.key) for each in now.lists[path]}
        for item, since in zip(items, old.item_days[path], strict=True):
            if (item.type, item.key) not in kept:
                person.history.append(HistoryRow(code, path, item.type, item.key, item, since, day))


def plan_absent(record: PersonRecord, occasion: Occasion, held: frozenset[PatronChange] = _NONE) -> PlannedPerson:
    """What it does that a file of `occasion.source` lacks the person; also what time does (`plan_due`)."""
    person = PersonInPlan(record, occasion, held)
    source = record.sources.get(occasion.code)
    # Who is gone for good is not counted any further: that would write every night.
    is_gone = source is not None and source.sighting.is_gone(occasion.policy.absence, occasion.day)
    if source is not None and occasion.snapshot is not None and not is_gone:
        seen = observe(source.sighting, False, occasion.snapshot)
        if source.sighting.is_present and not seen.is_present:
            seen = seen._replace(seen_on=occasion.seen_before)
        if seen != source.sighting:
            person.sources[occasion.code] = replace(source, sighting=seen)
    return _looked_at(person)


def plan_due(record: PersonRecord, occasion: Occasion, held: frozenset[PatronChange] = _NONE) -> PlannedPerson:
    """What time does (a lease, an end, a lock that is over), and what staff's edits do, without any row."""
    return _looked_at(PersonInPlan(record, occasion, held))


def _looked_at(person: PersonInPlan) -> PlannedPerson:
    """All sources repeat what they said last. What is held was never said, so it is not planned here."""
    merge_scalars(person, _said_paths(person), is_row=False)
    paths = sorted({path for each in person.sources.values() for path in each.lists} | person.current_lists.keys())
    merge_lists(person, paths, "", is_whole=True)
    set_identifiers(person)
    settle(person)
    return person.planned()


def _said_paths(person: PersonInPlan) -> list[str]:
    return sorted({path for each in person.sources.values() for path in each.values})


def plan_left(record: PersonRecord, occasion: Occasion, held: frozenset[PatronChange] = _NONE) -> PlannedPerson:
    """What it does that `occasion.source` says that the person has left. Quiet where it has nothing to do with them."""
    person = PersonInPlan(record, occasion, held)
    source = record.sources.get(occasion.code)
    if source is None or source.sighting.left_on is not None:
        return person.planned()
    person.sources[occasion.code] = replace(source, sighting=source.sighting._replace(left_on=occasion.day))
    if merge_scalars(person, sorted(source.values)):
        # Who speaks instead would change what is held: then the leaving waits as a whole.
        person.sources[occasion.code] = source
    settle(person)
    return person.planned()


def plan_source_dropped(
    record: PersonRecord, source: str, occasion: Occasion, held: frozenset[PatronChange] = _NONE
) -> PlannedPerson:
    """What it does that a source is given up: only what it owned alone goes; of scalars the others speak now.

    Where the list would be empty afterwards and `clear` is held, the source's items stay as they are.
    """
    person = PersonInPlan(record, occasion, held)
    dropped = record.sources.get(source)
    if dropped is None:
        return person.planned()
    merge_lists(person, sorted(record.current_lists), "", is_whole=True)
    del person.sources[source]
    day = occasion.day
    person.history += [
        HistoryRow(source, path, "", "", said.value, said.since, day) for path, said in dropped.values.items()
    ]
    merge_scalars(person, sorted(dropped.values))
    for path in sorted(person.lists):
        _drop_items(person, path, source)
    set_identifiers(person)
    settle(person)
    return person.planned()


def _drop_items(person: PersonInPlan, path: str, source: str) -> None:
    items, pinned = person.lists[path], item_locks(person, path, ())
    left = {each.item_key: each for each in without_source(items, source)}
    for each in items:
        if each.item_key in pinned and each.item_key not in left:
            left[each.item_key] = replace(each, owners=frozenset({STAFF}), preferred_by=frozenset(), told_by=STAFF)
    kept = preferred(person, path, tuple(left[key] for key in sorted(left)))
    if kept == items:
        return
    rows = [
        Change(path, each.type, as_listed(each), ABSENT, source, "own_removed", reason="its only source is given up")
        for each in items
        if each.item_key not in left
    ]
    if not kept:
        rows = [each._replace(change_class="clear") for each in rows]
    if not kept and "clear" in person.held:
        for row in rows:
            person.change(row._replace(decision="held"))
        return
    for row in rows:
        person.change(row)
    person.set_list(path, kept)
